// SPDX-License-Identifier: Apache-2.0
// What an application was told at its wake-ups, kept while the stream runs and printed afterwards.
//
// Promise: a record holds the moment it was taken; xruns are kept even where wake-ups are not wanted; beyond 2^20 records the rest is
// left out.
#ifndef WAKEUPS_H
#define WAKEUPS_H

#include <stdbool.h>

#include "pcm.h"

struct wakeups {
    long wanted;
    struct wakeup *table;
    int64_t seen, room;
};

// `xrun`: an xrun was found, not room; `frame`: of the job, frames written to or read from all its streams before.
void wakeups_note(struct wakeups *wakeups, struct pcm *pcm, int64_t xruns, int64_t frame, bool xrun);
void wakeups_print(const struct wakeups *wakeups);

#endif
