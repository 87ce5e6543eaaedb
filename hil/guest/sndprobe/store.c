// SPDX-License-Identifier: Apache-2.0
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report.h"

static const char *folder(void)
{
    const char *given = getenv("SNDPROBE_FOLDER");
    return given && *given && strlen(given) < STORE_PATH / 2 ? given : "/tmp/sndprobe";
}

const char *store_wrong_name(const char *name)
{
    size_t length = strlen(name);
    size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    bool hidden = name[0] == '.';  // `.` and `..` among them
    return !length || length > 64 || good != length || hidden ? "a name has 1 to 64 letters, digits and _ . -, and begins with no dot" : NULL;
}

void store_path(const char *name, char *path, const char *end)
{
    const char *wrong = store_wrong_name(name);
    if (wrong)
        refuse(STATUS_USAGE, "file '%.80s': %s", name, wrong);
    snprintf(path, STORE_PATH, "%s/%s%s", folder(), name, end);
}

void store_make(void)
{
    if (mkdir(folder(), 0700) < 0 && errno != EEXIST)
        refuse(STATUS_REFUSED, "folder %s cannot be made: %s", folder(), strerror(errno));
}

int store_open(const char *name)
{
    char path[STORE_PATH], there[512] = "";
    store_path(name, path, "");
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file >= 0)
        return file;
    if (errno != ENOENT)
        refuse(STATUS_REFUSED, "%s: %s", path, strerror(errno));
    DIR *list = opendir(folder());
    for (struct dirent *entry; list && (entry = readdir(list));) {
        size_t used = strlen(there);
        if (!store_wrong_name(entry->d_name) && used < sizeof there - 70)
            snprintf(there + used, sizeof there - used, "%s%s", used ? ", " : "", entry->d_name);
    }
    if (list)
        closedir(list);
    refuse(STATUS_USAGE, "there is no file %s; right are %s", name, *there ? there : "none yet: put it first");
}
