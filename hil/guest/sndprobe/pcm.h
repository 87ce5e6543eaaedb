// SPDX-License-Identifier: Apache-2.0
// One stream of the kernel, played or recorded, by its ioctls (sound/asound.h): exact parameters, positions, writing and reading.
//
// Promise: the stream has the period and the buffer asked for, or the program ends and names what the driver allows. Nothing waits
// longer than `limit_ns`. Positions count frames since the stream was prepared.
// User's duty: `pcm_open`, `pcm_set`, then `pcm_start`, to play once frames are written; after PCM_XRUN `pcm_prepare`.
#ifndef PCM_H
#define PCM_H

#include <stdbool.h>
#include <stdint.h>

struct stream {
    long rate, channels, period, periods;
    const char *format, *policy, *access;
};

enum direction { PLAYBACK, CAPTURE };

struct pcm {
    int descriptor;
    enum direction direction;
    struct stream stream;
    int64_t buffer, frame_bytes;  // 0 until they are granted
    uint64_t boundary;
    uint8_t *area;        // the mapped buffer, with access mmap
    int64_t appl_ptr;     // written or read
    int64_t hw_ptr;       // played or recorded, as last seen
    int64_t updated_ns;   // when hw_ptr moved there, CLOCK_MONOTONIC; 0: it has not moved yet
    int64_t limit_ns;     // longest wait for room
};

// PCM_STALLED: running for `limit_ns` without a completion.
enum pcm_result { PCM_OK, PCM_XRUN, PCM_STALLED };

struct pcm_status {
    int64_t now_ns, appl_ptr, hw_ptr, delay, since_update_ns;
    const char *state;
};

enum { PCM_PATH = 64 };
void pcm_path(enum direction direction, long card, long device, char path[PCM_PATH]);  // of its node
void pcm_open(struct pcm *pcm, enum direction direction, long card, long device);
void pcm_set(struct pcm *pcm, const struct stream *stream);  // ends with the stream prepared
void pcm_prepare(struct pcm *pcm);
void pcm_start(struct pcm *pcm);
void pcm_close(struct pcm *pcm);  // drops what is queued

int64_t pcm_room(const struct pcm *pcm);              // frames that can be written or read, by `hw_ptr`
enum pcm_result pcm_look(struct pcm *pcm);            // positions as they stand, without asking the driver for news
enum pcm_result pcm_wait(struct pcm *pcm);            // until there is room for a period
enum pcm_result pcm_write(struct pcm *pcm, const void *frames, int64_t count);  // waits as often as needed
enum pcm_result pcm_read(struct pcm *pcm, void *frames, int64_t count);         // the same
void pcm_status(struct pcm *pcm, struct pcm_status *status);  // what an application is told now (snd_pcm_delay and the rest)

int64_t now_ns(void);                  // CLOCK_MONOTONIC
void sleep_until(int64_t deadline_ns); // refuses when interrupted

#endif
