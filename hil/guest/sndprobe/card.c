// SPDX-License-Identifier: Apache-2.0
#include "card.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "report.h"

bool read_line(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    text[0] = 0;
    if (!file)
        return false;
    bool there = fgets(text, (int)size, file);
    fclose(file);
    text[strcspn(text, "\n")] = 0;
    return there;
}

// Last part of the path a link points to.
static void link_name(const char *path, char *text, size_t size)
{
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = 0;
    const char *slash = strrchr(target, '/');
    snprintf(text, size, "%.*s", (int)size - 1, slash ? slash + 1 : target);
}

// Whether a property of the device tree (a list of strings) holds `word`.
static bool has_string(const char *path, const char *word)
{
    char text[256];
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    for (size_t at = 0; at < length; at += strlen(text + at) + 1)
        if (!strcmp(text + at, word))
            return true;
    return false;
}

// The card's device is .../ADDRESS.NAME/virtioN; the address is the one of the node's `reg`, translated by the kernel.
static uint64_t find_window(const char *device)
{
    char path[PATH_MAX], node[PATH_MAX + 32];
    if (!realpath(device, path))
        return 0;
    char *slash = strrchr(path, '/');
    if (!slash || strncmp(slash + 1, "virtio", 6))
        return 0;
    *slash = 0;
    snprintf(node, sizeof node, "%s/of_node/compatible", path);
    if (!has_string(node, "virtio,mmio") || !(slash = strrchr(path, '/')))
        return 0;
    char *end;
    uint64_t address = strtoull(slash + 1, &end, 16);
    return *end == '.' ? address : 0;
}

void card_read(struct card *card, long number, long device)
{
    char path[256], line[256];
    *card = (struct card){.number = number, .device = device};
    snprintf(path, sizeof path, "/sys/class/sound/card%ld/device", number);
    card->window = find_window(path);
    snprintf(path, sizeof path, "/sys/class/sound/card%ld/device/driver", number);
    link_name(path, card->driver, sizeof card->driver);
    snprintf(path, sizeof path, "/sys/class/sound/card%ld/device/../driver", number);
    link_name(path, card->transport, sizeof card->transport);
    snprintf(path, sizeof path, "/sys/class/sound/card%ld/device/features", number);
    read_line(path, card->features, sizeof card->features);
    FILE *cards = fopen("/proc/asound/cards", "re");
    while (cards && fgets(line, sizeof line, cards)) {
        char *name = strstr(line, "]: ");
        if (name && strtol(line, NULL, 10) == number)
            snprintf(card->name, sizeof card->name, "%.*s", (int)strcspn(name + 3, "\n"), name + 3);
    }
    if (cards)
        fclose(cards);
}

const char *card_policy(void)
{
    struct utsname system;
    int major = 0, minor = 0;
    uname(&system);
    sscanf(system.release, "%d.%d", &major, &minor);
    return major > 6 || (major == 6 && minor >= 7) ? "ack" : "requeue";
}

static void parameters(const char *driver)
{
    char folder[128], path[512], value[128];
    snprintf(folder, sizeof folder, "/sys/module/%.64s/parameters", driver);
    json_open("parameters");
    DIR *list = *driver ? opendir(folder) : NULL;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && read_line(path, value, sizeof value))
            json_text(entry->d_name, value);
    }
    if (list)
        closedir(list);
    json_close();
}

void card_describe(const struct card *card)
{
    struct utsname system;
    char board[128];
    uname(&system);
    json_text("kernel", system.release);
    json_text("kernel_build", system.version);
    json_text("machine", system.machine);
    json_text("board", read_line("/proc/device-tree/model", board, sizeof board) ? board : NULL);
    json_text("card", *card->name ? card->name : NULL);
    json_text("driver", *card->driver ? card->driver : NULL);
    json_text("transport", *card->transport ? card->transport : NULL);
    parameters(card->driver);
    json_text("policy", card_policy());
}
