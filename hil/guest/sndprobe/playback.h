// SPDX-License-Identifier: Apache-2.0
// A playback application: one stream kept full period by period, its counts, its wake-ups.
//
// Promise: the stream is started when its buffer is full; a job ends while silence is still queued, so that its end is no underrun; an
// underrun is counted, and either recovered from (and reported) or ends the job. However the program ends, the marker pins and the
// log are off and the stream is closed before the last line.
#ifndef PLAYBACK_H
#define PLAYBACK_H

#include "card.h"
#include "options.h"
#include "pcm.h"
#include "priority.h"
#include "probe.h"
#include "wakeups.h"

struct playback {
    // What the command line says.
    struct stream stream;
    long card_number, device;
    const char *where, *marker, *scheduler;
    // What is.
    struct card card;
    struct probe probe;
    struct pcm pcm;
    struct wakeups wakeups;
    bool keep_going, granted, started;
    bool held;  // a full buffer does not start the stream
    int64_t frames_written, xruns;
    uint8_t *silence;
    // What else goes out before and into the last line.
    void (*settle)(void *job);
    void (*counts)(void *job);
    void *job;
};

// Defaults, and the rows of an option table.
void playback_defaults(struct playback *playback);
#define PLAYBACK_OPTIONS(p) \
    {"rate", WHOLE, &(p)->stream.rate, 4000, 768000}, \
    {"format", WORD, &(p)->stream.format, .choices = FORMAT_NAMES}, \
    {"channels", WHOLE, &(p)->stream.channels, 1, 32}, \
    {"period", WHOLE, &(p)->stream.period, 8, 1 << 20}, \
    {"periods", WHOLE, &(p)->stream.periods, 2, 1024}, \
    {"policy", WORD, &(p)->stream.policy, .choices = "ack requeue"}, \
    {"access", WORD, &(p)->stream.access, .choices = "rw mmap"}, \
    {"marker", WORD, &(p)->marker, .choices = MARKER_NAMES}, \
    {"probe", WORD, &(p)->where}, \
    {"card", WHOLE, &(p)->card_number, 0, 31}, \
    {"device", WHOLE, &(p)->device, 0, 31}, \
    {"scheduler", WORD, &(p)->scheduler, .choices = SCHEDULER_NAMES}, \
    {"wakeups", WHOLE, &(p)->wakeups.wanted, 0, 1}

void playback_begin(struct playback *playback);  // card, probe page, endings
void playback_open(struct playback *playback);   // the stream, prepared
void playback_close(struct playback *playback);
// Whole periods (NULL: one of silence), waiting for room.
void playback_write(struct playback *playback, const uint8_t *frames, int64_t periods);
void playback_start(struct playback *playback);
void playback_counts(void *playback);  // keys of an open object; the last line has them, too

#endif
