// SPDX-License-Identifier: Apache-2.0
#include "stimulus.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define AMPLITUDE (INT64_C(1) << 30)
#define PI 3.14159265358979323846

int64_t hold_frames(long rate)
{
    return (rate + CHIP_RATE_MAX - 1) / CHIP_RATE_MAX;
}

int64_t burst_frames(long rate)
{
    return (CHIPS + 1) * hold_frames(rate);
}

static int32_t coarse(int64_t value)
{
    return (int32_t)(value & ~INT64_C(0xffff));  // two's complement: rounds towards minus infinity
}

// Chip of one code as +1 or -1; 0 before the first and after the last.
static int64_t chip(long code, int64_t number)
{
    static uint8_t x[CODES], y[CODES];
    if (!x[0]) {
        for (int i = 0; i < 11; i++)
            x[i] = y[i] = 1;
        for (int i = 0; i < CODES - 11; i++) {
            x[i + 11] = x[i + 2] ^ x[i];
            y[i + 11] = y[i + 8] ^ y[i + 5] ^ y[i + 2] ^ y[i];
        }
    }
    if (number < 0 || number >= CHIPS)
        return 0;
    return x[number] ^ y[(number + code) % CODES] ? -1 : 1;
}

int32_t burst_sample(long code, long rate, int64_t at)
{
    int64_t hold = hold_frames(rate);
    if (at < 0 || at >= burst_frames(rate))
        return 0;
    int64_t knot = at / hold, step = at % hold;
    int64_t line = (chip(code, knot - 1) * (hold - step) + chip(code, knot) * step) * AMPLITUDE;
    int64_t quotient = line / hold;
    if (line % hold < 0)  // towards minus infinity
        quotient--;
    return coarse(quotient);
}

// Material without fault, and silence before it.
static int32_t clean_sample(const struct material *m, int64_t frame)
{
    int64_t length = burst_frames(m->rate);
    if (frame < 0)
        return 0;
    return burst_sample((m->first_code + frame / length) % CODES, m->rate, frame % length);
}

// Modified Bessel function I0(9 * sqrt(u)) for u in 0..1: the Kaiser window's shape, as its power series in u.
static double kaiser(double u)
{
    static double factor[40];
    if (factor[0] == 0.0) {
        factor[0] = 1.0;
        for (int k = 1; k < 40; k++)
            factor[k] = factor[k - 1] * 20.25 / ((double)k * k);
    }
    double sum = 0.0;
    for (int k = 39; k >= 0; k--)
        sum = sum * u + factor[k];
    return sum;
}

// The band-limited signal read at frame * (1 + ppm/1e6) through a 64-point windowed sinc.
static int32_t detuned_sample(const struct material *m, int64_t frame)
{
    double place = (double)frame * (1.0 + (double)m->detune_ppm * 1e-6), sum = 0.0;
    int64_t first = (int64_t)floor(place);
    double sine = sin(PI * (place - (double)first)) / PI;
    for (int tap = -31; tap <= 32; tap++) {
        double away = place - (double)first - tap;
        double across = 1.0 - away / 32 * (away / 32);
        double sinc = away == 0.0 ? 1.0 : (tap & 1 ? -sine : sine) / away;
        sum += (double)clean_sample(m, first + tap) * sinc * (kaiser(across < 0.0 ? 0.0 : across) / kaiser(1.0));
    }
    return coarse((int64_t)rint(sum));
}

enum fault fault_of(const char *name)
{
    static const char *const names[] = {"none", "lost", "repeated", "gap", "detune"};
    for (int i = 0; i < 5; i++)
        if (!strcmp(name, names[i]))
            return (enum fault)i;
    return FAULT_NONE;
}

void material_prepare(struct material *m)
{
    bool damaged = m->fault != FAULT_NONE && m->fault != FAULT_DETUNE;
    if (damaged && (m->fault_frames <= 0 || m->fault_frames > m->at_frame || m->at_frame + m->fault_frames > m->frames))
        refuse(STATUS_USAGE, "fault of %lld frames at frame %lld: inside 0..%lld is right", (long long)m->fault_frames,
               (long long)m->at_frame, (long long)m->frames);
    if (damaged || !m->detune_ppm)
        return;
    m->detuned = malloc((size_t)m->frames * sizeof *m->detuned);
    if (!m->detuned)
        refuse(STATUS_REFUSED, "no memory for %lld detuned frames; fewer are right", (long long)m->frames);
    for (int64_t frame = 0; frame < m->frames; frame++) {
        if (frame % 4096 == 0)
            check_interrupt();
        m->detuned[frame] = detuned_sample(m, frame);
    }
}

int32_t material_sample(const struct material *m, int64_t frame)
{
    if (frame < 0 || frame >= m->frames)
        return 0;
    if (m->detuned)
        return m->detuned[frame];
    if (m->fault == FAULT_LOST && frame >= m->at_frame)
        return clean_sample(m, frame + m->fault_frames);
    if (m->fault == FAULT_REPEATED && frame >= m->at_frame)
        return clean_sample(m, frame - m->fault_frames);
    if (m->fault == FAULT_GAP && frame >= m->at_frame && frame < m->at_frame + m->fault_frames)
        return 0;
    return clean_sample(m, frame);
}

void tone_prepare(const struct tone *tone)
{
    if (!(tone->hz > 0 && tone->hz < (double)tone->rate / 2))
        refuse(STATUS_USAGE, "tone of %g Hz: above 0 and below half of %ld Hz is right", tone->hz, tone->rate);
}

int32_t tone_sample(const struct tone *tone, int64_t frame)
{
    double phase = 2 * PI * tone->hz * (1 + tone->detune_ppm * 1e-6) / (double)tone->rate * (double)frame;
    return (int32_t)rint(sin(phase) * pow(10.0, tone->dbfs / 20) * 2147483647.0);
}

int sample_bytes(const char *format)
{
    return !strcmp(format, "S16") ? 2 : !strcmp(format, "S24_3") ? 3 : 4;
}

uint8_t *pack_frame(uint8_t *at, const char *format, long channels, int32_t sample)
{
    int bytes = sample_bytes(format);
    int32_t value = bytes == 2 ? sample >> 16 : bytes == 3 || !strcmp(format, "S24") ? sample >> 8 : sample;
    for (long channel = 0; channel < channels; channel++)
        for (int byte = 0; byte < bytes; byte++)
            *at++ = (uint8_t)((uint32_t)value >> (8 * byte));
    return at;
}
