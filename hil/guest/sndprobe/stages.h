// SPDX-License-Identifier: Apache-2.0
// When a message passed each stage, from the device's event log.
//
// Promise: A the application's marker, N the notify that exposed the message (unknown if the driver sent none), F its first payload
// beat, W its first bit, C its used index in memory. A message is known by its number: the driver sends one a period and the device
// completes them in order. When the log lost an entry, nothing more is claimed.
// A driver that sent no notify at all for the first messages of a stream lets the device poll.
// User's duty: `stages_begin` before the stream is started, `stages_drain` at least once in 50 periods.
#ifndef STAGES_H
#define STAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "probe.h"

enum stage { STAGE_A, STAGE_N, STAGE_F, STAGE_W, STAGE_C, STAGES };

struct stages {
    bool known[STAGES];
    int64_t ns[STAGES];  // after A
};

enum { STAGE_ENTRIES = 2048 };

struct stage_log {
    const struct probe *probe;
    struct logged {
        struct entry entry;
        int64_t message;  // of a completion: its number
    } entries[STAGE_ENTRIES];
    uint64_t count;      // entries taken since the begin
    int64_t completed;   // messages completed since the begin
    int64_t notifies;    // of the tx queue, while all stages were watched
    uint32_t lost;
};

void stages_begin(struct stage_log *log, const struct probe *probe);
void stages_watch(struct stage_log *log, bool all);  // all five stages, or completions alone (which count messages)
void stages_drain(struct stage_log *log);
void stages_find(const struct stage_log *log, int64_t message, uint32_t marker, struct stages *stages);
uint32_t stages_lost(const struct stage_log *log);

#endif
