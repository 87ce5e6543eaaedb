// SPDX-License-Identifier: Apache-2.0
// `play`, `tone`, `material`: a source of samples, played once from its first frame with the marker at its hand-over.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "playback.h"
#include "report.h"
#include "stimulus.h"
#include "store.h"
#include "verbs.h"

// Bytes of whole frames from `frame` on; samples beyond `frames` are silence.
struct source {
    int64_t frames;
    const uint8_t *file;  // raw frames, or one of the two below
    struct material material;
    struct tone tone;
    bool is_tone;
};

static void fill(const struct source *source, const struct stream *stream, int64_t frame, int64_t count, uint8_t *at)
{
    int64_t bytes = sample_bytes(stream->format) * stream->channels;
    int64_t there = source->frames - frame < count ? source->frames - frame : count;
    if (source->file)
        memcpy(at, source->file + frame * bytes, (size_t)(there * bytes));
    else
        for (int64_t i = 0; i < there; i++)
            pack_frame(at + i * bytes, stream->format, stream->channels,
                       source->is_tone ? tone_sample(&source->tone, frame + i) : material_sample(&source->material, frame + i));
    memset(at + there * bytes, 0, (size_t)((count - there) * bytes));
}

static void print_record(void *playback)
{
    if (!((struct playback *)playback)->frames_written)
        return;
    json_open(NULL);
    playback_counts(playback);
    json_close();
}

// `ahead`: the next period was made while the last one was waiting, so that making it costs no time at the wake-up.
static _Noreturn void play(struct playback *p, const struct source *source)
{
    int64_t bytes = (int64_t)p->stream.period * p->stream.channels * sample_bytes(p->stream.format);
    uint8_t *ahead = malloc((size_t)bytes);
    if (!ahead)
        refuse(STATUS_REFUSED, "no memory for a period of %ld frames", p->stream.period);
    p->keep_going = true;
    p->settle = print_record;
    p->job = p;
    playback_begin(p);
    playback_open(p);
    probe_zero(&p->probe);
    probe_select(&p->probe, p->marker);
    fill(source, &p->stream, 0, p->stream.period, ahead);
    probe_mark(&p->probe, 0);
    for (int64_t frame = 0; frame < source->frames;) {
        playback_write(p, ahead, 1);
        frame += p->stream.period;
        if (frame < source->frames)
            fill(source, &p->stream, frame, p->stream.period, ahead);
    }
    int64_t written = p->frames_written;
    for (long i = 0; i < p->stream.periods; i++)  // there is room for the last one when everything before has been played
        playback_write(p, NULL, 1);
    p->frames_written = written;
    finish();
}

void verb_play(int count, char **words)
{
    struct playback p;
    struct source source = {0};
    const char *name = NULL;
    struct stat facts;
    playback_defaults(&p);
    struct option table[] = {PLAYBACK_OPTIONS(&p), {"source", WORD, &name}, {"file", WORD, &name}, OPTIONS_END};
    parse_options(count, words, table);
    if (!name)
        refuse(STATUS_USAGE, "--source is missing; right is the name of a file that was put (--file is the same)");
    int file = store_open(name);
    if (fstat(file, &facts) < 0)
        refuse(STATUS_REFUSED, "%s: %s", name, strerror(errno));
    int64_t bytes = sample_bytes(p.stream.format) * p.stream.channels;
    if (!facts.st_size || facts.st_size % bytes)
        refuse(STATUS_USAGE, "%s: %lld bytes are no whole number of %s frames of %lld bytes", name, (long long)facts.st_size,
               p.stream.format, (long long)bytes);
    source.frames = facts.st_size / bytes;
    source.file = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (source.file == MAP_FAILED)
        refuse(STATUS_REFUSED, "%s cannot be mapped: %s", name, strerror(errno));
    play(&p, &source);
}

#define TONE_OPTIONS(t) \
    {"hz", REAL, &(t)->hz, 1, 384000}, {"detune-ppm", REAL, &(t)->detune_ppm, -10000, 10000}, {"dbfs", REAL, &(t)->dbfs, -140, 0}

static const struct tone usual_tone = {.hz = 997, .dbfs = -6};

void verb_tone(int count, char **words)
{
    struct playback p;
    struct source source = {.is_tone = true, .tone = usual_tone};
    struct length length = usual_length;
    playback_defaults(&p);
    struct option table[] = {PLAYBACK_OPTIONS(&p), LENGTH_OPTIONS(&length), TONE_OPTIONS(&source.tone), OPTIONS_END};
    parse_options(count, words, table);
    source.tone.rate = p.stream.rate;
    source.frames = length_frames(&length, p.stream.rate);
    tone_prepare(&source.tone);
    play(&p, &source);
}

struct material_words {
    const char *fault;
    long at_frame, fault_frames;
};

#define MATERIAL_OPTIONS(m, w) \
    {"first-code", WHOLE, &(m)->first_code, 0, CODES - 1}, {"fault", WORD, &(w)->fault, .choices = FAULT_NAMES}, \
    {"at-frame", WHOLE, &(w)->at_frame, 0, 1 << 30}, {"fault-frames", WHOLE, &(w)->fault_frames, 0, 1 << 20}, \
    {"detune-ppm", WHOLE, &(m)->detune_ppm, -10000, 10000}

static void take_material(struct source *source, const struct material_words *words, const struct playback *p, int64_t frames)
{
    source->frames = source->material.frames = frames;
    source->material.rate = p->stream.rate;
    source->material.fault = fault_of(words->fault);
    source->material.at_frame = words->at_frame;
    source->material.fault_frames = words->fault_frames;
    material_prepare(&source->material);
}

void verb_material(int count, char **words)
{
    struct playback p;
    struct source source = {0};
    struct material_words said = {.fault = "none"};
    struct length length = usual_length;
    playback_defaults(&p);
    struct option table[] = {PLAYBACK_OPTIONS(&p), LENGTH_OPTIONS(&length), MATERIAL_OPTIONS(&source.material, &said),
                             OPTIONS_END};
    parse_options(count, words, table);
    take_material(&source, &said, &p, length_frames(&length, p.stream.rate));
    play(&p, &source);
}

void verb_stimulus(int count, char **words)
{
    struct playback p;
    struct source source = {.tone = usual_tone};
    struct material_words said = {.fault = "none"};
    const char *kind = "burst";
    long code = 0, codes = 1, frames = 48000;
    uint8_t frame[32 * 4];
    playback_defaults(&p);
    p.stream.channels = 1;
    struct option table[] = {
        {"kind", WORD, &kind, .choices = "burst material tone"},
        {"code", WHOLE, &code, 0, CODES - 1},
        {"codes", WHOLE, &codes, 1, CODES},
        {"rate", WHOLE, &p.stream.rate, 4000, 768000},
        {"format", WORD, &p.stream.format, .choices = FORMAT_NAMES},
        {"channels", WHOLE, &p.stream.channels, 1, 32},
        {"frames", WHOLE, &frames, 1, 1 << 30},
        MATERIAL_OPTIONS(&source.material, &said),
        {"hz", REAL, &source.tone.hz, 1, 384000},
        {"dbfs", REAL, &source.tone.dbfs, -140, 0},
        OPTIONS_END,
    };
    parse_options(count, words, table);
    size_t bytes = (size_t)(sample_bytes(p.stream.format) * p.stream.channels);
    if (!strcmp(kind, "burst")) {
        int64_t burst = burst_frames(p.stream.rate);
        for (int64_t i = 0; i < codes * burst; i++) {
            pack_frame(frame, p.stream.format, p.stream.channels, burst_sample((code + i / burst) % CODES, p.stream.rate, i % burst));
            fwrite(frame, 1, bytes, stdout);
        }
        exit(fflush(stdout) ? STATUS_REFUSED : STATUS_OK);
    }
    source.is_tone = !strcmp(kind, "tone");
    source.tone.rate = p.stream.rate;
    source.tone.detune_ppm = (double)source.material.detune_ppm;
    source.frames = frames;
    if (source.is_tone)
        tone_prepare(&source.tone);
    else
        take_material(&source, &said, &p, frames);
    for (int64_t i = 0; i < frames; i++) {
        fill(&source, &p.stream, i, 1, frame);
        fwrite(frame, 1, bytes, stdout);
    }
    exit(fflush(stdout) ? STATUS_REFUSED : STATUS_OK);
}
