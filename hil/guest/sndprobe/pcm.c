// SPDX-License-Identifier: Apache-2.0
#include "pcm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sound/asound.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "pcm_params.h"
#include "report.h"
#include "stimulus.h"

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void sleep_until(int64_t deadline_ns)
{
    struct timespec t = {.tv_sec = (time_t)(deadline_ns / 1000000000), .tv_nsec = (long)(deadline_ns % 1000000000)};
    while (deadline_ns > 0 && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        check_interrupt();
}

static const char *state_name(int state)
{
    static const char *const names[] = {"OPEN", "SETUP", "PREPARED", "RUNNING", "XRUN", "DRAINING", "PAUSED", "SUSPENDED", "DISCONNECTED"};
    return state >= 0 && state < 9 ? names[state] : "unknown";
}

void pcm_path(enum direction direction, long card, long device, char path[PCM_PATH])
{
    snprintf(path, PCM_PATH, "/dev/snd/pcmC%ldD%ld%c", card, device, direction == CAPTURE ? 'c' : 'p');
}

void pcm_open(struct pcm *pcm, enum direction direction, long card, long device)
{
    char path[PCM_PATH];
    *pcm = (struct pcm){.descriptor = -1, .direction = direction};
    pcm_path(direction, card, device, path);
    pcm->descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (pcm->descriptor < 0)
        refuse(STATUS_REFUSED, "%s: %s; right is a sound card whose driver is loaded and whose stream nobody uses (--card, --device)", path,
               strerror(errno));
}

// start_threshold beyond the buffer: the stream is started by name. stop_threshold at the buffer: one that is empty when playing is an
// underrun, one that is full when recording an overrun.
static void set_software(struct pcm *pcm)
{
    struct snd_pcm_sw_params p = {
        .tstamp_mode = SNDRV_PCM_TSTAMP_ENABLE,
        .period_step = 1,
        .avail_min = (snd_pcm_uframes_t)pcm->stream.period,
        .xfer_align = 1,
        .start_threshold = (snd_pcm_uframes_t)pcm->buffer + 1,
        .stop_threshold = (snd_pcm_uframes_t)pcm->buffer,
        .proto = SNDRV_PCM_VERSION,
        .tstamp_type = SNDRV_PCM_TSTAMP_TYPE_MONOTONIC,
    };
    if (ioctl(pcm->descriptor, SNDRV_PCM_IOCTL_SW_PARAMS, &p) < 0)
        refuse(STATUS_REFUSED, "the driver refused the thresholds for a period of %ld and a buffer of %lld frames: %s", pcm->stream.period,
               (long long)pcm->buffer, strerror(errno));
    pcm->boundary = p.boundary;
}

void pcm_set(struct pcm *pcm, const struct stream *stream)
{
    pcm_set_hardware(pcm->descriptor, stream);
    pcm->stream = *stream;
    pcm->buffer = (int64_t)stream->period * stream->periods;
    pcm->frame_bytes = sample_bytes(stream->format) * stream->channels;
    pcm->limit_ns = 500000000 + 4 * pcm->buffer * 1000000000 / stream->rate;
    set_software(pcm);
    if (!strcmp(stream->access, "mmap")) {
        pcm->area = mmap(NULL, (size_t)(pcm->buffer * pcm->frame_bytes), PROT_READ | PROT_WRITE, MAP_SHARED, pcm->descriptor,
                         SNDRV_PCM_MMAP_OFFSET_DATA);
        if (pcm->area == MAP_FAILED)
            refuse(STATUS_REFUSED, "the driver's buffer cannot be mapped: %s; --access rw is right", strerror(errno));
    }
    pcm_prepare(pcm);
}

void pcm_prepare(struct pcm *pcm)
{
    if (ioctl(pcm->descriptor, SNDRV_PCM_IOCTL_PREPARE) < 0)
        refuse(STATUS_REFUSED, "the driver could not prepare the stream: %s", strerror(errno));
    pcm->appl_ptr = pcm->hw_ptr = pcm->updated_ns = 0;
}

void pcm_start(struct pcm *pcm)
{
    if (ioctl(pcm->descriptor, SNDRV_PCM_IOCTL_START) < 0)
        refuse(STATUS_REFUSED, "the driver could not start the stream: %s", strerror(errno));
}

void pcm_close(struct pcm *pcm)
{
    if (pcm->descriptor < 0)
        return;
    int rc = ioctl(pcm->descriptor, SNDRV_PCM_IOCTL_DROP), error = errno;
    if (pcm->area)
        munmap(pcm->area, (size_t)(pcm->buffer * pcm->frame_bytes));
    close(pcm->descriptor);
    pcm->area = NULL;
    pcm->descriptor = -1;
    if (rc < 0 && error != EBADFD)
        refuse(STATUS_REFUSED, "the driver could not stop the stream: %s", strerror(error));
}

int64_t pcm_room(const struct pcm *pcm)
{
    return pcm->hw_ptr - pcm->appl_ptr + (pcm->direction == PLAYBACK ? pcm->buffer : 0);
}

// SYNC_PTR with `flags`; what the status page says becomes `hw_ptr` and `updated_ns`.
static enum pcm_result positions(struct pcm *pcm, unsigned flags)
{
    struct snd_pcm_sync_ptr p = {.flags = flags};
    p.c.control.appl_ptr = (snd_pcm_uframes_t)((uint64_t)pcm->appl_ptr % pcm->boundary);
    p.c.control.avail_min = (snd_pcm_uframes_t)pcm->stream.period;
    if (ioctl(pcm->descriptor, SNDRV_PCM_IOCTL_SYNC_PTR, &p) < 0) {
        if (errno == EPIPE)
            return PCM_XRUN;
        refuse(STATUS_REFUSED, "the driver does not tell the stream's position: %s", strerror(errno));
    }
    uint64_t moved = ((uint64_t)p.s.status.hw_ptr + pcm->boundary - (uint64_t)pcm->hw_ptr % pcm->boundary) % pcm->boundary;
    if (moved) {
        pcm->hw_ptr += (int64_t)moved;
        pcm->updated_ns = (int64_t)p.s.status.tstamp.tv_sec * 1000000000 + p.s.status.tstamp.tv_nsec;
    }
    int state = p.s.status.state;
    if (state == SNDRV_PCM_STATE_SUSPENDED || state == SNDRV_PCM_STATE_DISCONNECTED)
        refuse(STATUS_REFUSED, "the stream is %s: its driver or its device went away", state_name(state));
    return state == SNDRV_PCM_STATE_XRUN ? PCM_XRUN : PCM_OK;
}

enum pcm_result pcm_look(struct pcm *pcm)
{
    return positions(pcm, SNDRV_PCM_SYNC_PTR_APPL | SNDRV_PCM_SYNC_PTR_AVAIL_MIN);
}

enum pcm_result pcm_wait(struct pcm *pcm)
{
    int64_t begin = now_ns();
    for (;;) {
        check_interrupt();
        if (pcm_look(pcm) == PCM_XRUN)
            return PCM_XRUN;
        if (pcm_room(pcm) >= pcm->stream.period)
            return PCM_OK;
        int64_t waited = now_ns() - begin;
        if (waited > pcm->limit_ns)
            return PCM_STALLED;
        struct pollfd poll_for = {.fd = pcm->descriptor, .events = pcm->direction == CAPTURE ? POLLIN : POLLOUT};
        poll(&poll_for, 1, (int)((pcm->limit_ns - waited) / 1000000 + 1));
    }
}

static void copy(const struct pcm *pcm, int64_t at, uint8_t *frames, int64_t count)
{
    uint8_t *place = pcm->area + at * pcm->frame_bytes;
    bool into = pcm->direction == PLAYBACK;
    memcpy(into ? place : frames, into ? frames : place, (size_t)(count * pcm->frame_bytes));
}

// What can be moved now of `count` frames between `frames` and the kernel's buffer.
static enum pcm_result move_now(struct pcm *pcm, uint8_t *frames, int64_t count)
{
    bool reads = pcm->direction == CAPTURE;
    if (pcm->area) {
        int64_t at = pcm->appl_ptr % pcm->buffer, first = count < pcm->buffer - at ? count : pcm->buffer - at;
        copy(pcm, at, frames, first);
        copy(pcm, 0, frames + first * pcm->frame_bytes, count - first);
        pcm->appl_ptr += count;
        return positions(pcm, SNDRV_PCM_SYNC_PTR_AVAIL_MIN);
    }
    struct snd_xferi transfer = {.buf = frames, .frames = (snd_pcm_uframes_t)count};
    int rc = ioctl(pcm->descriptor, reads ? SNDRV_PCM_IOCTL_READI_FRAMES : SNDRV_PCM_IOCTL_WRITEI_FRAMES, &transfer);
    if (rc < 0 && errno == EPIPE)
        return PCM_XRUN;
    if (rc < 0 && errno != EAGAIN && errno != EINTR)
        refuse(STATUS_REFUSED, "%s %lld frames at %lld failed: %s", reads ? "reading" : "writing", (long long)count,
               (long long)pcm->appl_ptr, strerror(errno));
    if (rc >= 0)
        pcm->appl_ptr += transfer.result;
    return pcm_look(pcm);  // the call has renewed hw_ptr: its time is known best now
}

static enum pcm_result move(struct pcm *pcm, uint8_t *frames, int64_t count)
{
    int64_t end = pcm->appl_ptr + count;
    while (pcm->appl_ptr < end) {
        int64_t room = pcm_room(pcm), left = end - pcm->appl_ptr, before = pcm->appl_ptr;
        if (room < left && room < pcm->stream.period) {
            enum pcm_result result = pcm_wait(pcm);
            if (result != PCM_OK)
                return result;
            continue;
        }
        if (move_now(pcm, frames, left < room ? left : room) == PCM_XRUN)
            return PCM_XRUN;
        frames += (pcm->appl_ptr - before) * pcm->frame_bytes;
        check_interrupt();
    }
    return PCM_OK;
}

enum pcm_result pcm_write(struct pcm *pcm, const void *frames, int64_t count)
{
    return move(pcm, (uint8_t *)(uintptr_t)frames, count);
}

enum pcm_result pcm_read(struct pcm *pcm, void *frames, int64_t count)
{
    return move(pcm, frames, count);
}

void pcm_status(struct pcm *pcm, struct pcm_status *status)
{
    struct snd_pcm_status s = {0};
    pcm_look(pcm);  // asking the driver below would renew the time of the last update
    if (ioctl(pcm->descriptor, SNDRV_PCM_IOCTL_STATUS, &s) < 0)
        refuse(STATUS_REFUSED, "the driver does not tell the stream's status: %s", strerror(errno));
    *status = (struct pcm_status){
        .now_ns = now_ns(),
        .appl_ptr = pcm->appl_ptr,
        .hw_ptr = pcm->hw_ptr,
        .delay = (int64_t)s.delay,
        .state = state_name(s.state),
    };
    uint64_t moved = ((uint64_t)s.hw_ptr + pcm->boundary - (uint64_t)pcm->hw_ptr % pcm->boundary) % pcm->boundary;
    if (moved) {  // a period ended since the last interrupt's work
        pcm->hw_ptr += (int64_t)moved;
        pcm->updated_ns = status->now_ns;
        status->hw_ptr = pcm->hw_ptr;
    }
    status->since_update_ns = pcm->updated_ns ? status->now_ns - pcm->updated_ns : 0;
}
