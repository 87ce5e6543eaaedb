// SPDX-License-Identifier: Apache-2.0
// `record`: an input stream into a file of the store, raw frames as `play --source` takes them.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "report.h"
#include "store.h"
#include "verbs.h"

struct recording {
    struct capture capture;
    const char *name;
    int64_t frames, bytes;  // wanted
    int file;               // -1: there is none yet
    char path[STORE_PATH], part[STORE_PATH];
};

// Room for all of it is taken now: a full disk is no reason to stop in the middle.
static void make_file(struct recording *r)
{
    store_make();
    store_path(r->name, r->path, "");
    store_path(r->name, r->part, ".part");
    r->file = open(r->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (r->file < 0)
        refuse(STATUS_REFUSED, "%s: %s", r->part, strerror(errno));
    if (fallocate(r->file, 0, 0, r->bytes) < 0 && errno != EOPNOTSUPP)
        refuse(STATUS_REFUSED, "%s: there is no room for %lld bytes: %s", r->part, (long long)r->bytes, strerror(errno));
}

static void store_frames(const struct recording *r, const uint8_t *frames, size_t bytes)
{
    while (bytes) {
        ssize_t done = write(r->file, frames, bytes);
        if (done < 0 && errno != EINTR)
            refuse(STATUS_REFUSED, "%s cannot be written: %s", r->part, strerror(errno));
        check_interrupt();
        frames += done < 0 ? 0 : done;
        bytes -= done < 0 ? 0 : (size_t)done;
    }
}

// A recording that did not come to its end leaves no file.
static void settle(void *job, enum status status)
{
    struct recording *r = job;
    if (status && r->file >= 0)
        unlink(r->part);
    if (status)
        return;
    json_open(NULL);
    json_text("file", r->name);
    json_whole("size", r->bytes);
    capture_counts(&r->capture);
    json_close();
}

static void keep_file(struct recording *r)
{
    if (close(r->file) < 0 || rename(r->part, r->path) < 0)
        refuse(STATUS_REFUSED, "%s: %s", r->path, strerror(errno));
}

void verb_record(int count, char **words)
{
    static struct recording r = {.file = -1};
    struct length length = usual_length;
    struct capture *c = &r.capture;
    capture_defaults(c);
    struct option table[] = {CAPTURE_OPTIONS(c), LENGTH_OPTIONS(&length), {"target", WORD, &r.name}, OPTIONS_END};
    parse_options(count, words, table);
    if (!r.name)
        refuse(STATUS_USAGE, "--target is missing; right is the name that the file shall have");
    store_path(r.name, r.path, "");
    int64_t frame_bytes = sample_bytes(c->stream.format) * c->stream.channels;
    r.frames = length_frames(&length, c->stream.rate);
    r.bytes = r.frames * frame_bytes;
    if (r.bytes > LARGEST_FILE)
        refuse(STATUS_USAGE, "%lld frames of %lld bytes are too many; right is at most %lld", (long long)r.frames, (long long)frame_bytes,
               LARGEST_FILE / (long long)frame_bytes);
    uint8_t *period = malloc((size_t)(c->stream.period * frame_bytes));
    if (!period)
        refuse(STATUS_REFUSED, "no memory for a period of %ld frames", c->stream.period);
    c->settle = settle;
    c->job = &r;
    capture_open(c);
    make_file(&r);
    while (c->frames_read < r.frames) {
        int64_t left = r.frames - c->frames_read, now = left < c->stream.period ? left : c->stream.period;
        capture_read(c, period, now);
        store_frames(&r, period, (size_t)(now * frame_bytes));
    }
    capture_close(c);
    keep_file(&r);
    finish();
}
