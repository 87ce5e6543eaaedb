// SPDX-License-Identifier: Apache-2.0
// A kernel's streams for tests, under a dynamically linked sndprobe by LD_PRELOAD: /dev/snd/pcmC0D0p plays in real time; where the file
// FAKE_PCM_IN is given, /dev/snd/pcmC0D0c records its frames, then silence, in real time. One of them at a time.
//
// Formats S16, S24, S24_3 and S32; 1 or 2 channels; 8 to 192 kHz; periods of 40 to 7680 frames, 2 to 16 of them. What was written goes
// to the file FAKE_PCM_OUT. FAKE_PCM_XRUN_AT=N: once hw_ptr reaches N the application is late by two buffers, with FAKE_PCM_AGAIN=1
// after each start; FAKE_PCM_STALL_AT=N: hw_ptr stays there; FAKE_PCM_COARSE=1: the driver gives a buffer other than the one asked for.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <poll.h>
#include <sound/asound.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static const char playing[] = "/dev/snd/pcmC0D0p", recording[] = "/dev/snd/pcmC0D0c";
static int descriptor = -1, out = -1, in = -1, state;
static int64_t appl, start, rate, period, buffer, frame_bytes, moved;
static int64_t base;  // frame of FAKE_PCM_IN at which the stream was started: those before have gone by
static uint64_t hw;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t number(const char *name)
{
    const char *text = getenv(name);
    return text ? atoll(text) : INT64_MAX;
}

static void update(void)
{
    static int64_t xrun_at, stall_at;
    if (!xrun_at) {
        xrun_at = number("FAKE_PCM_XRUN_AT");
        stall_at = number("FAKE_PCM_STALL_AT");
    }
    if (state != SNDRV_PCM_STATE_RUNNING)
        return;
    int64_t played = (now() - start) * rate / 1000000000 / period * period;
    if (played >= xrun_at) {
        xrun_at = getenv("FAKE_PCM_AGAIN") ? xrun_at : INT64_MAX;
        start -= 2 * buffer * 1000000000 / rate;
        played += 2 * buffer;
    }
    if (played > stall_at)
        played = stall_at;
    int64_t most = in < 0 ? appl : appl + buffer;
    if (played >= most) {
        played = most;
        state = SNDRV_PCM_STATE_XRUN;
    }
    if (hw != (uint64_t)played)
        moved = start + played * 1000000000 / rate;
    hw = (uint64_t)played;
}

// Frames that can be written or read.
static int64_t room(void)
{
    return (int64_t)hw - appl + (in < 0 ? buffer : 0);
}

static struct snd_interval *interval(struct snd_pcm_hw_params *p, int parameter)
{
    return &p->intervals[parameter - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];
}

static int narrow(struct snd_interval *i, unsigned low, unsigned high)
{
    if (i->min < low)
        i->min = low;
    if (i->max > high)
        i->max = high;
    return i->min > i->max;
}

static int refine(struct snd_pcm_hw_params *p)
{
    uint32_t *formats = p->masks[SNDRV_PCM_HW_PARAM_FORMAT].bits;
    const unsigned known[] = {(unsigned)SNDRV_PCM_FORMAT_S16_LE, (unsigned)SNDRV_PCM_FORMAT_S24_LE, (unsigned)SNDRV_PCM_FORMAT_S24_3LE,
                              (unsigned)SNDRV_PCM_FORMAT_S32_LE};
    uint32_t allowed[2] = {0, 0};
    for (int i = 0; i < 4; i++)
        allowed[known[i] / 32] |= 1u << known[i] % 32;
    formats[0] &= allowed[0];
    formats[1] &= allowed[1];
    int empty = !(formats[0] | formats[1]);
    empty |= narrow(interval(p, SNDRV_PCM_HW_PARAM_CHANNELS), 1, 2);
    empty |= narrow(interval(p, SNDRV_PCM_HW_PARAM_RATE), 8000, 192000);
    empty |= narrow(interval(p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE), 40, 7680);
    empty |= narrow(interval(p, SNDRV_PCM_HW_PARAM_PERIODS), 2, 16);
    struct snd_interval *size = interval(p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE), *count = interval(p, SNDRV_PCM_HW_PARAM_PERIODS);
    empty |= narrow(interval(p, SNDRV_PCM_HW_PARAM_BUFFER_SIZE), size->min * count->min, size->max * count->max);
    errno = EINVAL;
    return empty ? -1 : 0;
}

static int hw_params(struct snd_pcm_hw_params *p)
{
    if (refine(p) < 0)
        return -1;
    uint32_t *formats = p->masks[SNDRV_PCM_HW_PARAM_FORMAT].bits;
    int bytes = formats[0] >> (unsigned)SNDRV_PCM_FORMAT_S16_LE & 1 ? 2 : formats[1] >> ((unsigned)SNDRV_PCM_FORMAT_S24_3LE - 32) & 1 ? 3 : 4;
    rate = interval(p, SNDRV_PCM_HW_PARAM_RATE)->min;
    period = interval(p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE)->min;
    buffer = period * interval(p, SNDRV_PCM_HW_PARAM_PERIODS)->min;
    frame_bytes = bytes * interval(p, SNDRV_PCM_HW_PARAM_CHANNELS)->min;
    if (getenv("FAKE_PCM_COARSE"))
        interval(p, SNDRV_PCM_HW_PARAM_BUFFER_SIZE)->min = interval(p, SNDRV_PCM_HW_PARAM_BUFFER_SIZE)->max = (unsigned)(buffer + period);
    return 0;
}

static void read_in(uint8_t *frames, int64_t count)
{
    ssize_t bytes = (ssize_t)(count * frame_bytes), got = pread(in, frames, (size_t)bytes, (base + appl) * frame_bytes);
    memset(frames + (got < 0 ? 0 : got), 0, (size_t)(bytes - (got < 0 ? 0 : got)));
}

static int transfer_now(struct snd_xferi *transfer)
{
    update();
    if (state == SNDRV_PCM_STATE_XRUN) {
        errno = EPIPE;
        return -1;
    }
    int64_t count = (int64_t)transfer->frames < room() ? (int64_t)transfer->frames : room();
    if (count <= 0) {
        errno = EAGAIN;
        return -1;
    }
    if (in >= 0)
        read_in(transfer->buf, count);
    else if (out >= 0 && write(out, transfer->buf, (size_t)(count * frame_bytes)) < 0)
        abort();
    appl += count;
    transfer->result = count;
    return 0;
}

static int sync_ptr(struct snd_pcm_sync_ptr *p)
{
    update();
    p->s.status.state = state;
    p->s.status.hw_ptr = hw;
    p->s.status.tstamp.tv_sec = moved / 1000000000;
    p->s.status.tstamp.tv_nsec = moved % 1000000000;
    p->c.control.appl_ptr = (snd_pcm_uframes_t)appl;
    return 0;
}

static int request(unsigned long code, void *p)
{
    switch (code) {
    case SNDRV_PCM_IOCTL_HW_REFINE:
        return refine(p);
    case SNDRV_PCM_IOCTL_HW_PARAMS:
        return hw_params(p);
    case SNDRV_PCM_IOCTL_SW_PARAMS:
        ((struct snd_pcm_sw_params *)p)->boundary = (snd_pcm_uframes_t)buffer << 20;
        return 0;
    case SNDRV_PCM_IOCTL_PREPARE:
        base += start ? (now() - start) * rate / 1000000000 : 0;
        start = 0;
        appl = moved = 0;
        hw = 0;
        state = SNDRV_PCM_STATE_PREPARED;
        return 0;
    case SNDRV_PCM_IOCTL_START:
        start = moved = now();
        state = SNDRV_PCM_STATE_RUNNING;
        return 0;
    case SNDRV_PCM_IOCTL_DROP:
        state = SNDRV_PCM_STATE_SETUP;
        return 0;
    case SNDRV_PCM_IOCTL_WRITEI_FRAMES:
    case SNDRV_PCM_IOCTL_READI_FRAMES:
        return transfer_now(p);
    case SNDRV_PCM_IOCTL_SYNC_PTR:
        return sync_ptr(p);
    case SNDRV_PCM_IOCTL_STATUS:
        update();
        *(struct snd_pcm_status *)p = (struct snd_pcm_status){
            .state = state, .hw_ptr = hw, .appl_ptr = (snd_pcm_uframes_t)appl, .delay = in < 0 ? appl - (int64_t)hw : (int64_t)hw - appl};
        return 0;
    }
    errno = ENOTTY;
    return -1;
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    if (getenv("FAKE_PCM_IN") && !strcmp(path, recording))
        in = next(getenv("FAKE_PCM_IN"), O_RDONLY);
    else if (strcmp(path, playing))
        return next(path, flags, mode);
    else if (getenv("FAKE_PCM_OUT"))
        out = next(getenv("FAKE_PCM_OUT"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    return descriptor = eventfd(0, 0);
}

int access(const char *path, int mode)
{
    int (*next)(const char *, int) = (int (*)(const char *, int))dlsym(RTLD_NEXT, "access");
    return !strcmp(path, recording) && getenv("FAKE_PCM_IN") ? 0 : next(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    static char cards[] = " 0 [Fake           ]: FakePCM - Fake Sound Card\n                      Fake Sound Card at nowhere\n";
    FILE *(*next)(const char *, const char *) = (FILE * (*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen64");
    return strcmp(path, "/proc/asound/cards") ? next(path, mode) : fmemopen(cards, sizeof cards - 1, "r");
}

int ioctl(int file, unsigned long code, ...)
{
    va_list arguments;
    va_start(arguments, code);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (file == descriptor)
        return request(code, argument);
    return ((int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl"))(file, code, argument);
}

int poll(struct pollfd *files, nfds_t count, int limit_ms)
{
    if (count != 1 || files->fd != descriptor)
        return ((int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll"))(files, count, limit_ms);
    int64_t deadline = now() + limit_ms * INT64_C(1000000);
    for (;;) {
        update();
        if (state != SNDRV_PCM_STATE_RUNNING || room() >= period)
            return 1;
        struct timespec nap = {.tv_nsec = 50000};
        if (now() > deadline || nanosleep(&nap, NULL))
            return 0;
    }
}
