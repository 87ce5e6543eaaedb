// SPDX-License-Identifier: Apache-2.0
// `put`, `get`, `rm`: files over the console, as base64 with a checksum.
//
// put: NAME SIZE SHA256, then lines of base64 on standard input up to an empty one. get: one record with name, size and sha256, then
// records {"data": base64}. A refused put swallows the lines that are still coming: a shell would take them for commands.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "report.h"
#include "sha256.h"
#include "store.h"
#include "verbs.h"

enum { LONGEST_LINE = 4096, GET_BYTES = 768, QUIET_MS = 300 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static struct {
    struct termios before;
    bool changed;
    char path[STORE_PATH];  // of the part being written, empty: none
    bool reading;           // lines are still to come
} state;

// The next line of standard input without its end; NULL at the end of input.
static char *next_line(char line[LONGEST_LINE])
{
    check_interrupt();
    errno = 0;
    if (!fgets(line, LONGEST_LINE, stdin)) {
        if (errno == EINTR)
            check_interrupt();
        return NULL;
    }
    line[strcspn(line, "\r\n")] = 0;
    return line;
}

static void settle(void *unused, enum status status)
{
    char rest[4096];
    (void)unused;
    if (*state.path && status)
        unlink(state.path);
    // Lines that were on their way: up to the empty one, or until nothing comes any more. An interrupted put ends at once.
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    bool empty = false;
    while (state.reading && !empty && status != STATUS_INTERRUPTED && poll(&input, 1, QUIET_MS) > 0) {
        ssize_t got = read(STDIN_FILENO, rest, sizeof rest);
        empty = got <= 0 || (got == 1 && rest[0] == '\n') || (got >= 2 && !memcmp(rest + got - 2, "\n\n", 2));
    }
    if (state.changed)
        tcsetattr(STDIN_FILENO, TCSANOW, &state.before);
}

static void no_echo(void)
{
    if (tcgetattr(STDIN_FILENO, &state.before) == 0) {
        struct termios quiet = state.before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        state.changed = tcsetattr(STDIN_FILENO, TCSANOW, &quiet) == 0;
    }
}

// Bytes of one line of base64 (RFC 4648, padded); -1 if it is none.
static int decode(const char *line, uint8_t *bytes)
{
    size_t length = strlen(line);
    int count = 0;
    if (length % 4)
        return -1;
    for (size_t at = 0; at < length; at += 4) {
        uint32_t group = 0;
        int pads = 0;
        for (int i = 0; i < 4; i++) {
            const char *digit = strchr(alphabet, line[at + (size_t)i]);
            bool pad = line[at + (size_t)i] == '=' && at + 4 == length && i >= 2;
            if (pad ? false : !digit || pads)
                return -1;
            pads += pad;
            group = group << 6 | (pad ? 0 : (uint32_t)(digit - alphabet));
        }
        for (int i = 0; i < 3 - pads; i++)
            bytes[count++] = (uint8_t)(group >> (16 - 8 * i));
    }
    return count;
}

static long long file_size(const char *text)
{
    char *end;
    long long size = strtoll(text, &end, 10);
    return !*text || *end || size < 0 ? -1 : size;
}

void verb_put(int count, char **words)
{
    char line[LONGEST_LINE], part[STORE_PATH], path[STORE_PATH], found[65], wrong[160] = "";
    uint8_t bytes[LONGEST_LINE];
    long long size, came = 0, lines = 0;
    struct sha256 sum;
    no_echo();
    state.reading = true;
    on_ending((struct ending){.settle = settle});
    if (count != 3 || store_wrong_name(words[0]) || (size = file_size(words[1])) < 0 || strlen(words[2]) != 64)
        refuse(STATUS_USAGE, "put has %d words; right is put NAME SIZE SHA256, then lines of base64 and an empty one", count);
    if (size > LARGEST_FILE)
        refuse(STATUS_USAGE, "%lld bytes are too many; right is at most %d", size, LARGEST_FILE);
    store_make();
    store_path(words[0], path, "");
    store_path(words[0], part, ".part");
    FILE *file = fopen(part, "we");
    if (!file)
        refuse(STATUS_REFUSED, "%s: %s", part, strerror(errno));
    memcpy(state.path, part, sizeof part);
    sha256_begin(&sum);
    while (next_line(line) && *line) {
        int got = decode(line, bytes);
        lines++;
        if (got < 0 && !*wrong)
            snprintf(wrong, sizeof wrong, "line %lld is no base64", lines);
        if (got < 0)
            continue;
        sha256_add(&sum, bytes, (size_t)got);
        came += got;
        if (!*wrong && fwrite(bytes, 1, (size_t)got, file) != (size_t)got)
            snprintf(wrong, sizeof wrong, "it cannot be stored (%s)", strerror(errno));
    }
    state.reading = false;
    sha256_end(&sum, found);
    if (fclose(file) && !*wrong)
        snprintf(wrong, sizeof wrong, "it cannot be stored (%s)", strerror(errno));
    if (!*wrong && (came != size || strcasecmp(found, words[2])))
        refuse(STATUS_USAGE, "%s: %lld bytes with sha256 %s came; %lld bytes with %.64s were announced; send it again", words[0], came,
               found, size, words[2]);
    if (*wrong)
        refuse(STATUS_USAGE, "%s: %s; send it again", words[0], wrong);
    if (rename(part, path) < 0)
        refuse(STATUS_REFUSED, "%s: %s", path, strerror(errno));
    json_open(NULL);
    json_text("file", words[0]);
    json_whole("size", size);
    json_text("sha256", found);
    json_close();
    finish();
}

static void encode(const uint8_t *bytes, size_t count, char *text)
{
    for (size_t at = 0; at < count; at += 3) {
        uint32_t group = (uint32_t)bytes[at] << 16;
        group |= at + 1 < count ? (uint32_t)bytes[at + 1] << 8 : 0;
        group |= at + 2 < count ? bytes[at + 2] : 0;
        for (int i = 0; i < 4; i++)
            *text++ = at + (size_t)i > count ? '=' : alphabet[group >> (18 - 6 * i) & 63];
    }
    *text = 0;
}

void verb_get(int count, char **words)
{
    uint8_t bytes[GET_BYTES];
    char hex[65], text[GET_BYTES * 4 / 3 + 5];
    struct sha256 sum;
    size_t got;
    long long size = 0;
    if (count != 1)
        refuse(STATUS_USAGE, "get has %d words; right is get NAME", count);
    FILE *file = fdopen(store_open(words[0]), "rb");
    sha256_begin(&sum);
    while ((got = fread(bytes, 1, sizeof bytes, file))) {
        sha256_add(&sum, bytes, got);
        size += (long long)got;
    }
    sha256_end(&sum, hex);
    json_open(NULL);
    json_text("file", words[0]);
    json_whole("size", size);
    json_text("sha256", hex);
    json_close();
    rewind(file);
    while ((got = fread(bytes, 1, sizeof bytes, file))) {
        check_interrupt();
        encode(bytes, got, text);
        json_open(NULL);
        json_text("data", text);
        json_close();
    }
    if (ferror(file))
        refuse(STATUS_REFUSED, "%s cannot be read: %s", words[0], strerror(errno));
    finish();
}

void verb_rm(int count, char **words)
{
    char path[STORE_PATH];
    if (count != 1)
        refuse(STATUS_USAGE, "rm has %d words; right is rm NAME", count);
    close(store_open(words[0]));
    store_path(words[0], path, "");
    if (unlink(path) < 0)
        refuse(STATUS_REFUSED, "%s: %s", path, strerror(errno));
    finish();
}
