// SPDX-License-Identifier: Apache-2.0
// `shots`: coded bursts at random phase against the period, each with what the application was told and when its message passed each
// stage.
//
// A burst begins a period, and so a message; the marker is written right before the hand-over; markers are at least `spacing` apart;
// with notify, first_bit and complete the pin shows that event of the burst's message and no other.
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "playback.h"
#include "report.h"
#include "shot.h"
#include "stages.h"
#include "stimulus.h"
#include "verbs.h"

static struct {
    struct playback playback;
    struct stage_log log;
    long count, first_code, seed, cold;
    double spacing_ms;
    struct shot *shots;
    int64_t burst;      // frames of a burst filled up to whole periods
    uint8_t *frames;    // one burst, and in a cold start at least a bufferful
    int64_t last_ns;    // of the last marker
    int64_t open;       // first shot that is not done
    int64_t made;       // shots handed over
    uint32_t random, lost;
    int polling;        // whether the driver lets the device poll; -1: not known
} job;

static double random_phase(void)  // 0..1, high bits of a 32-bit linear congruential generator
{
    job.random = 1664525u * job.random + 1013904223u;
    return (job.random >> 8) / 16777216.0;
}

static void print_shots(void *unused)
{
    (void)unused;
    for (int64_t i = 0; i < job.made && job.shots[i].done; i++)
        shot_print(&job.shots[i], i);
    job.lost += stages_lost(&job.log);
}

static void print_lost(void *unused)
{
    (void)unused;
    json_whole("events_lost", job.lost);
    json_truth("event_idx", strlen(job.playback.card.features) > VIRTIO_RING_F_EVENT_IDX &&
                                job.playback.card.features[VIRTIO_RING_F_EVENT_IDX] == '1');
    if (job.polling < 0)
        json_null("msg_polling");
    else
        json_truth("msg_polling", job.polling);
}

// The burst of shot `number`, then silence, `frames` in all.
static void make_frames(long number, int64_t frames)
{
    struct playback *p = &job.playback;
    uint8_t *at = job.frames;
    for (int64_t i = 0; i < frames; i++)
        at = pack_frame(at, p->stream.format, p->stream.channels, burst_sample(job.first_code + number, p->stream.rate, i));
}

static bool marker(const char *name)
{
    return !strcmp(job.playback.marker, name);
}

// Ask what the application is told, write the marker, write `periods` of the burst.
static void hand_over(long number, int64_t periods)
{
    struct playback *p = &job.playback;
    struct shot *shot = &job.shots[number];
    *shot = (struct shot){.code = job.first_code + number};
    if (marker("notify"))
        probe_select(&p->probe, "notify");
    pcm_status(&p->pcm, &shot->told);
    job.last_ns = now_ns();
    probe_mark(&p->probe, (uint32_t)number);
    playback_write(p, job.frames, periods);
    if (marker("notify"))
        probe_select(&p->probe, "off");
    job.made = number + 1;
}

// The pin is on from one period before its event to the event: while the message before is played, or the message itself.
static void follow_pin(struct shot *shot, int64_t ahead)
{
    struct playback *p = &job.playback;
    int64_t begin = marker("first_bit") ? p->stream.period : 0, end = begin - p->stream.period;
    if (shot->pin == PIN_OFF && ahead <= begin) {
        shot->pin = PIN_ON;
        probe_select(&p->probe, p->marker);
    } else if (shot->pin == PIN_ON && ahead <= end) {
        shot->pin = PIN_DONE;
        if (marker("first_bit"))  // the driver hears of the completion before as soon as the first bit is out
            sleep_until(now_ns() + p->stream.period * INT64_C(250000000) / p->stream.rate);
        probe_select(&p->probe, "off");
    }
}

// Switch the pin round the event of the burst's message, and finish bursts that have been played.
static void follow(void)
{
    struct playback *p = &job.playback;
    stages_drain(&job.log);
    for (int64_t i = job.open; i < job.made; i++) {
        struct shot *shot = &job.shots[i];
        int64_t ahead = shot->told.appl_ptr - p->pcm.hw_ptr;
        if ((marker("first_bit") || marker("complete")) && !job.cold)
            follow_pin(shot, ahead);
        if (ahead > -job.burst)
            continue;
        stages_find(&job.log, shot->told.appl_ptr / p->stream.period, (uint32_t)i, &shot->stages);
        shot->done = true;
        job.open = i + 1;
        if (job.open == job.made)
            stages_watch(&job.log, false);
        if (marker("notify") && !shot->stages.known[STAGE_N])
            refuse(STATUS_REFUSED, "--marker is notify, but the driver sent none for shot %lld: it lets the device poll (MSG_POLLING), or "
                   "the device had messages left (EVENT_IDX); another marker is right here", (long long)i);
    }
}

static void silent_period(void)
{
    playback_write(&job.playback, NULL, 1);
    follow();
}

// The coming wake-up is not too early for the next one, and the application is not behind.
static bool due(void)
{
    struct playback *p = &job.playback;
    int64_t wake_up = p->pcm.updated_ns + p->stream.period * INT64_C(1000000000) / p->stream.rate;
    bool spaced = !job.last_ns || (double)wake_up >= (double)job.last_ns + job.spacing_ms * 1e6;
    return spaced && pcm_room(&p->pcm) < p->stream.period;
}

static void shoot(long number)
{
    struct playback *p = &job.playback;
    double slack = (double)(p->stream.periods - 1) / 2, period_ns = (double)p->stream.period * 1e9 / (double)p->stream.rate;
    make_frames(number, job.burst);
    stages_watch(&job.log, true);
    if (pcm_wait(&p->pcm) == PCM_OK)  // an underrun is found again by the write
        sleep_until(p->pcm.updated_ns + (int64_t)(random_phase() * (slack < 1 ? slack : 1) * period_ns));
    hand_over(number, 1);
    for (int64_t frame = p->stream.period; frame < job.burst; frame += p->stream.period) {
        follow();
        playback_write(p, job.frames + frame * p->pcm.frame_bytes, 1);
    }
    follow();
}

// The driver has sent the first messages of a stream, which it must notify unless it lets the device poll.
static void look_for_polling(void)
{
    stages_drain(&job.log);
    if (job.playback.probe.page && !stages_lost(&job.log))
        job.polling = job.log.notifies == 0;
}

static void continuous(void)
{
    struct playback *p = &job.playback;
    playback_open(p);
    stages_begin(&job.log, &p->probe);
    stages_watch(&job.log, true);
    for (long i = 0; i <= p->stream.periods; i++)
        playback_write(p, NULL, 1);
    look_for_polling();
    stages_watch(&job.log, false);
    for (long number = 0; number < job.count; number++) {
        while (!due())
            silent_period();
        shoot(number);
    }
    while (job.open < job.made)
        silent_period();
}

static void cold_shot(long number)
{
    struct playback *p = &job.playback;
    int64_t first = p->stream.period * p->stream.periods, all = job.burst > first ? job.burst : first;
    int64_t period_ns = p->stream.period * INT64_C(1000000000) / p->stream.rate;
    playback_open(p);
    job.lost += stages_lost(&job.log);
    stages_begin(&job.log, &p->probe);
    make_frames(number, all);
    stages_watch(&job.log, true);
    bool later = marker("first_bit") || marker("complete");
    if (later)
        probe_select(&p->probe, p->marker);
    p->held = true;
    hand_over(number, p->stream.periods);
    p->held = false;
    playback_start(p);
    look_for_polling();
    if (later) {
        sleep_until(now_ns() + period_ns / 2 + (marker("complete") ? period_ns : 0));
        probe_select(&p->probe, "off");
    }
    for (int64_t frame = first; frame < all; frame += p->stream.period) {
        follow();
        playback_write(p, job.frames + frame * p->pcm.frame_bytes, 1);
    }
    int64_t written = p->frames_written;
    while (job.open < job.made || p->pcm.hw_ptr < all)
        silent_period();
    p->frames_written = written;
    stages_watch(&job.log, false);
    playback_close(p);
}

static void cold(void)
{
    for (long number = 0; number < job.count; number++) {
        if (job.last_ns)
            sleep_until(job.last_ns + (int64_t)((job.spacing_ms + random_phase()) * 1e6));
        check_interrupt();
        cold_shot(number);
    }
}

static void check(void)
{
    const struct stream *s = &job.playback.stream;
    double least = (double)(burst_frames(s->rate) + s->period) * 1000 / (double)s->rate;
    if (job.first_code + job.count > CODES)
        refuse(STATUS_USAGE, "--first-code %ld --count %ld: codes end at %d", job.first_code, job.count, CODES - 1);
    if (job.spacing_ms < least)
        refuse(STATUS_USAGE, "--spacing-ms is %g; right is at least %.3f: burst and one period", job.spacing_ms, least);
    if (!strcmp(s->policy, "requeue") && marker("notify"))
        refuse(STATUS_REFUSED, "--marker notify: a driver that requeues exposes a period before the application fills it; another marker "
               "is right here");
}

void verb_shots(int count, char **words)
{
    struct playback *p = &job.playback;
    playback_defaults(p);
    job.count = job.seed = 1;
    job.polling = -1;
    job.spacing_ms = 100;
    struct option table[] = {
        PLAYBACK_OPTIONS(p),
        {"count", WHOLE, &job.count, 1, 100000},
        {"first-code", WHOLE, &job.first_code, 0, CODES - 1},
        {"spacing-ms", REAL, &job.spacing_ms, 1, 10000},
        {"seed", WHOLE, &job.seed, 0, 2147483647},
        {"cold", WHOLE, &job.cold, 0, 1},
        OPTIONS_END,
    };
    parse_options(count, words, table);
    check();
    int64_t period = p->stream.period, buffer = period * p->stream.periods;
    job.burst = (burst_frames(p->stream.rate) + period - 1) / period * period;
    int64_t most = job.burst > buffer ? job.burst : buffer;
    job.random = (uint32_t)job.seed * 2654435761u + 1;
    job.frames = malloc((size_t)(most * p->stream.channels * sample_bytes(p->stream.format)));
    job.shots = calloc((size_t)job.count, sizeof *job.shots);
    if (!job.frames || !job.shots)
        refuse(STATUS_REFUSED, "no memory for %ld shots with a buffer of %lld frames", job.count, (long long)buffer);
    p->settle = print_shots;
    p->counts = print_lost;
    job.log.probe = &p->probe;
    playback_begin(p);
    job.log.lost = probe_read(&p->probe, PROBE_EVENT_LOST);
    probe_select(&p->probe, marker("application") ? "application" : "off");
    if (job.cold)
        cold();
    else
        continuous();
    finish();
}
