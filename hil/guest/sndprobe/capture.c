// SPDX-License-Identifier: Apache-2.0
#include "capture.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

enum { MOST_IN_VAIN = 3 };  // starts in a row that gave no frame

void capture_defaults(struct capture *c)
{
    *c = (struct capture){
        .stream = {.rate = 48000, .format = "S16", .channels = 2, .period = 480, .periods = 4, .access = "rw"},
        .scheduler = "fifo",
        .pcm = {.descriptor = -1},
    };
}

void capture_counts(void *job)
{
    struct capture *c = job;
    json_whole("frames_read", c->frames_read);
    json_whole("xruns", c->xruns);
    if (c->granted) {
        json_whole("period", c->stream.period);
        json_whole("buffer", c->stream.period * c->stream.periods);
    }
    json_text("access", c->stream.access);
    json_text("scheduler", c->scheduler);
}

static void settle(void *job, enum status status)
{
    struct capture *c = job;
    capture_close(c);
    wakeups_print(&c->wakeups);
    if (c->settle)
        c->settle(c->job, status);
}

// Whether the board has this input stream; `others` gets the options of those it has.
static bool has_input(long card, long device, char *others, size_t size)
{
    char path[PCM_PATH];
    long number, part;
    int end;
    others[0] = 0;
    pcm_path(CAPTURE, card, device, path);
    if (access(path, F_OK) == 0)
        return true;
    DIR *list = opendir("/dev/snd");
    for (struct dirent *entry; list && (entry = readdir(list));) {
        size_t used = strlen(others);
        end = 0;
        sscanf(entry->d_name, "pcmC%ldD%ldc%n", &number, &part, &end);
        if (end && !entry->d_name[end])
            snprintf(others + used, size - used, "%s--card %ld --device %ld", used ? ", " : "", number, part);
    }
    if (list)
        closedir(list);
    return false;
}

static void check_input(const struct capture *c)
{
    char others[256], part[32] = "";
    if (has_input(c->card_number, c->device, others, sizeof others))
        return;
    if (!*c->card.name)
        refuse(STATUS_REFUSED, "there is no sound card %ld; right is a card whose driver is loaded (--card)", c->card_number);
    if (c->device)
        snprintf(part, sizeof part, ", device %ld", c->device);
    refuse(STATUS_REFUSED, "card %ld (%s)%s has no input stream, so nothing can be recorded from it; %s%s", c->card_number, c->card.name,
           part, *others ? "right is " : "no card of this board has one", others);
}

void capture_open(struct capture *c)
{
    card_read(&c->card, c->card_number, c->device);
    check_input(c);
    on_ending((struct ending){settle, capture_counts, c});
    pcm_open(&c->pcm, CAPTURE, c->card_number, c->device);
    pcm_set(&c->pcm, &c->stream);
    c->granted = true;
    c->scheduler = take_priority(c->scheduler);
}

void capture_close(struct capture *c)
{
    pcm_close(&c->pcm);
}

static enum pcm_result read_frames(struct capture *c, uint8_t *frames, int64_t count)
{
    if (!c->started)
        pcm_start(&c->pcm);
    c->started = true;
    enum pcm_result result = pcm_wait(&c->pcm);
    if (result != PCM_OK)
        return result;
    wakeups_note(&c->wakeups, &c->pcm, c->xruns, c->frames_read, false);
    return pcm_read(&c->pcm, frames, count);
}

void capture_read(struct capture *c, uint8_t *frames, int64_t count)
{
    enum pcm_result result;
    while ((result = read_frames(c, frames, count)) != PCM_OK) {
        if (result == PCM_STALLED)
            refuse(STATUS_REFUSED, "hw_ptr stands at %lld for %.1f s: the device delivers no frames", (long long)c->pcm.hw_ptr,
                   (double)c->pcm.limit_ns * 1e-9);
        c->xruns++;
        wakeups_note(&c->wakeups, &c->pcm, c->xruns, c->frames_read, true);
        if (++c->in_vain == MOST_IN_VAIN)
            refuse(STATUS_XRUN, "overrun at frame %lld: the stream was started %d times and its buffer of %lld frames was full before a "
                   "period could be read; right is a larger one (--periods, --period)", (long long)c->frames_read, MOST_IN_VAIN,
                   (long long)c->pcm.buffer);
        pcm_prepare(&c->pcm);
        c->started = false;
    }
    c->frames_read += count;
    c->in_vain = 0;
}
