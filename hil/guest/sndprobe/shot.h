// SPDX-License-Identifier: Apache-2.0
// One coded burst: what the application was told at its hand-over, and when its message passed each stage.
#ifndef SHOT_H
#define SHOT_H

#include "pcm.h"
#include "stages.h"

struct shot {
    long code;
    struct pcm_status told;  // at the hand-over, before the write
    struct stages stages;
    enum { PIN_OFF, PIN_ON, PIN_DONE } pin;
    bool done;               // played, stages looked up
};

void shot_print(const struct shot *shot, int64_t number);

#endif
