// SPDX-License-Identifier: Apache-2.0
#include "playback.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "stimulus.h"

void playback_defaults(struct playback *p)
{
    *p = (struct playback){
        .stream = {.rate = 48000, .format = "S16", .channels = 2, .period = 480, .periods = 4, .policy = "ack", .access = "rw"},
        .where = "auto",
        .marker = "application",
        .scheduler = "fifo",
        .pcm = {.descriptor = -1},
    };
}

static void note(struct playback *p, bool xrun)
{
    wakeups_note(&p->wakeups, &p->pcm, p->xruns, p->frames_written, xrun);
}

void playback_counts(void *job)
{
    struct playback *p = job;
    json_whole("frames_written", p->frames_written);
    json_whole("xruns", p->xruns);
    probe_counters(&p->probe);
    if (p->granted) {
        json_whole("period", p->stream.period);
        json_whole("buffer", p->stream.period * p->stream.periods);
    }
    json_text("access", p->stream.access);
    json_text("scheduler", p->scheduler);
    if (p->counts)
        p->counts(p->job);
}

static void settle(void *job, enum status status)
{
    struct playback *p = job;
    (void)status;
    probe_count(&p->probe);
    probe_select(&p->probe, "off");
    playback_close(p);
    wakeups_print(&p->wakeups);
    if (p->settle)
        p->settle(p->job);
    probe_log(&p->probe, 0);
}

void playback_begin(struct playback *p)
{
    card_read(&p->card, p->card_number, p->device);
    if (!strcmp(p->card.driver, "virtio_snd") && strcmp(p->stream.policy, card_policy()))
        refuse(STATUS_REFUSED, "--policy is %s; this kernel's driver does %s", p->stream.policy, card_policy());
    if (!strcmp(p->where, "none") && strcmp(p->marker, "application") && strcmp(p->marker, "off"))
        refuse(STATUS_USAGE, "--marker %s needs the probe page; without --probe none it is looked for", p->marker);
    int64_t bytes = (int64_t)p->stream.period * p->stream.channels * sample_bytes(p->stream.format);
    p->silence = calloc(1, (size_t)bytes);
    if (!p->silence)
        refuse(STATUS_REFUSED, "no memory for a period of %ld frames", p->stream.period);
    probe_open(&p->probe, p->where, &p->card);
    p->scheduler = take_priority(p->scheduler);
    on_ending((struct ending){settle, playback_counts, p});
}

void playback_open(struct playback *p)
{
    p->started = false;
    pcm_open(&p->pcm, PLAYBACK, p->card_number, p->device);
    pcm_set(&p->pcm, &p->stream);
    p->granted = true;
}

void playback_close(struct playback *p)
{
    pcm_close(&p->pcm);
}

void playback_start(struct playback *p)
{
    if (!p->started)
        pcm_start(&p->pcm);
    p->started = true;
}

static enum pcm_result write_period(struct playback *p, const uint8_t *frames)
{
    enum pcm_result result = pcm_wait(&p->pcm);
    if (result != PCM_OK)
        return result;
    note(p, false);
    result = pcm_write(&p->pcm, frames, p->stream.period);
    if (result != PCM_OK)
        return result;
    if (!p->held && pcm_room(&p->pcm) < p->stream.period)
        playback_start(p);
    return PCM_OK;
}

// The driver takes completions of exactly one buffer between two looks for none (its hw_ptr is where it was), so an underrun can show
// as a stream that stands still; the probe page tells the two apart.
static _Noreturn void stalled(struct playback *p)
{
    const struct pcm *pcm = &p->pcm;
    double limit_s = (double)pcm->limit_ns * 1e-9;
    long long queued = (long long)(pcm->appl_ptr - pcm->hw_ptr);
    probe_count(&p->probe);
    if (probe_underruns(&p->probe))
        refuse(STATUS_XRUN, "underrun: the device has run dry, and the driver did not see the completions of a whole buffer (hw_ptr stands at "
               "%lld for %.1f s)", (long long)pcm->hw_ptr, limit_s);
    refuse(STATUS_REFUSED, "hw_ptr stands at %lld for %.1f s with %lld frames queued: the device does not complete its messages",
           (long long)pcm->hw_ptr, limit_s, queued);
}

void playback_write(struct playback *p, const uint8_t *frames, int64_t periods)
{
    for (int64_t i = 0; i < (frames ? periods : 1); i++) {
        const uint8_t *period = frames ? frames + i * p->stream.period * p->pcm.frame_bytes : p->silence;
        enum pcm_result result;
        while ((result = write_period(p, period)) != PCM_OK) {
            if (result == PCM_STALLED)
                stalled(p);
            p->xruns++;
            note(p, true);
            if (!p->keep_going)
                refuse(STATUS_XRUN, "underrun at frame %lld of the stream: the application or the device was late",
                       (long long)p->pcm.appl_ptr);
            pcm_prepare(&p->pcm);
            p->started = false;
        }
        p->frames_written += p->stream.period;
    }
}
