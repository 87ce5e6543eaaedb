// SPDX-License-Identifier: Apache-2.0
// Files that came over the console, in a folder of their own: $SNDPROBE_FOLDER, else /tmp/sndprobe.
//
// Promise: a name is 1 to 64 letters, digits, `_ . -` and leads nowhere else; a file appears under its name only when it is whole.
#ifndef STORE_H
#define STORE_H

#include <stddef.h>

enum { STORE_PATH = 512, LARGEST_FILE = 256 << 20 };

int store_open(const char *name);                                // for reading; refuses, naming the files that are there
void store_path(const char *name, char *path, const char *end);  // checked; path has STORE_PATH bytes, `end` is appended
const char *store_wrong_name(const char *name);                  // why a name is none, or NULL
void store_make(void);                                           // the folder, if it is not there

#endif
