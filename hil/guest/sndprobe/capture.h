// SPDX-License-Identifier: Apache-2.0
// A recording application: one stream kept empty period by period, its counts, its wake-ups.
//
// Promise: frames come in order, each once; an overrun is counted, reported with the frame at which frames are missing, and recovered
// from: the stream begins anew, and what its buffer held is lost. One that overruns again and again before a period could be read ends
// the job. A card without an input stream is refused by its name. However the
// program ends, the stream is closed before the last line.
#ifndef CAPTURE_H
#define CAPTURE_H

#include "card.h"
#include "options.h"
#include "pcm.h"
#include "priority.h"
#include "report.h"
#include "stimulus.h"
#include "wakeups.h"

struct capture {
    // What the command line says.
    struct stream stream;
    long card_number, device;
    const char *scheduler;
    // What is.
    struct card card;
    struct pcm pcm;
    struct wakeups wakeups;
    bool granted, started;
    int in_vain;  // starts since the last frame was read
    int64_t frames_read, xruns;
    // What else goes out before the last line.
    void (*settle)(void *job, enum status status);
    void *job;
};

// Defaults, and the rows of an option table.
void capture_defaults(struct capture *capture);
#define CAPTURE_OPTIONS(c) \
    {"rate", WHOLE, &(c)->stream.rate, 4000, 768000}, \
    {"format", WORD, &(c)->stream.format, .choices = FORMAT_NAMES}, \
    {"channels", WHOLE, &(c)->stream.channels, 1, 32}, \
    {"period", WHOLE, &(c)->stream.period, 8, 1 << 20}, \
    {"periods", WHOLE, &(c)->stream.periods, 2, 1024}, \
    {"access", WORD, &(c)->stream.access, .choices = "rw mmap"}, \
    {"card", WHOLE, &(c)->card_number, 0, 31}, \
    {"device", WHOLE, &(c)->device, 0, 31}, \
    {"scheduler", WORD, &(c)->scheduler, .choices = SCHEDULER_NAMES}, \
    {"wakeups", WHOLE, &(c)->wakeups.wanted, 0, 1}

void capture_open(struct capture *capture);  // card, endings, the stream, prepared
// The next `count` frames, at most a period, waiting for them; the first call starts the stream.
void capture_read(struct capture *capture, uint8_t *frames, int64_t count);
void capture_close(struct capture *capture);
void capture_counts(void *capture);  // keys of an open object; the last line has them, too

#endif
