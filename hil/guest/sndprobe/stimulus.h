// SPDX-License-Identifier: Apache-2.0
// What is played: coded bursts, material, tone, and their bytes in the stream's format.
//
// Promise: the same samples, bit for bit, as host/virtone/signal/stimulus.py makes (the recipe stands there). Samples are int32,
// left-justified.
#ifndef STIMULUS_H
#define STIMULUS_H

#include <stdint.h>

enum { CODES = 2047, CHIPS = 127, CHIP_RATE_MAX = 24000 };

int64_t hold_frames(long rate);    // frames a chip
int64_t burst_frames(long rate);   // 128 chip times

// Frame `at` of the burst of one code; 0 outside 0..burst_frames-1.
int32_t burst_sample(long code, long rate, int64_t at);

enum fault { FAULT_NONE, FAULT_LOST, FAULT_REPEATED, FAULT_GAP, FAULT_DETUNE };
#define FAULT_NAMES "none lost repeated gap detune"

// Burst after burst with one seeded fault; `detuned` holds the frames where they are computed in advance.
struct material {
    long rate, first_code, detune_ppm;
    int64_t frames, at_frame, fault_frames;
    enum fault fault;
    int32_t *detuned;
};
enum fault fault_of(const char *name);
void material_prepare(struct material *material);  // checks it, computes what cannot be made while playing
int32_t material_sample(const struct material *material, int64_t frame);

struct tone {
    long rate;
    double hz, detune_ppm, dbfs;
};
void tone_prepare(const struct tone *tone);
int32_t tone_sample(const struct tone *tone, int64_t frame);

// Formats S16, S24, S24_3, S32 (little-endian).
#define FORMAT_NAMES "S16 S24 S24_3 S32"
int sample_bytes(const char *format);
// One frame with the same sample in every channel; returns the byte after it.
uint8_t *pack_frame(uint8_t *at, const char *format, long channels, int32_t sample);

#endif
