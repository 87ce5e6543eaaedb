// SPDX-License-Identifier: Apache-2.0
#include "pcm_params.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "report.h"

static const struct {
    const char *name;
    unsigned number;
} formats[] = {
    {"S16", (unsigned)SNDRV_PCM_FORMAT_S16_LE},
    {"S24", (unsigned)SNDRV_PCM_FORMAT_S24_LE},
    {"S24_3", (unsigned)SNDRV_PCM_FORMAT_S24_3LE},
    {"S32", (unsigned)SNDRV_PCM_FORMAT_S32_LE},
};
enum { FORMATS = sizeof formats / sizeof *formats };

static struct snd_interval *interval(struct snd_pcm_hw_params *p, int parameter)
{
    return &p->intervals[parameter - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];
}

static struct snd_mask *mask(struct snd_pcm_hw_params *p, int parameter)
{
    return &p->masks[parameter - SNDRV_PCM_HW_PARAM_FIRST_MASK];
}

static void any(struct snd_pcm_hw_params *p)
{
    memset(p, 0, sizeof *p);
    for (int i = SNDRV_PCM_HW_PARAM_FIRST_MASK; i <= SNDRV_PCM_HW_PARAM_LAST_MASK; i++)
        memset(mask(p, i)->bits, 0xff, sizeof mask(p, i)->bits);
    for (int i = SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL; i++)
        interval(p, i)->max = ~0u;
    p->rmask = ~0u;
    p->info = ~0u;
}

static int refine(int descriptor, struct snd_pcm_hw_params *p)
{
    p->rmask = ~0u;
    return ioctl(descriptor, SNDRV_PCM_IOCTL_HW_REFINE, p);
}

static void only_bit(struct snd_mask *m, unsigned bit)
{
    uint32_t kept = m->bits[bit / 32] & (1u << bit % 32);
    memset(m->bits, 0, sizeof m->bits);
    m->bits[bit / 32] = kept;
}

static void format_names(struct snd_pcm_hw_params *p, char *text, size_t size)
{
    struct snd_mask *m = mask(p, SNDRV_PCM_HW_PARAM_FORMAT);
    text[0] = 0;
    for (int i = 0; i < FORMATS; i++)
        if (m->bits[formats[i].number / 32] >> formats[i].number % 32 & 1)
            snprintf(text + strlen(text), size - strlen(text), "%s%s", *text ? ", " : "", formats[i].name);
    if (!*text)
        snprintf(text, size, "none that this program knows");
}

static void set_format(int descriptor, struct snd_pcm_hw_params *p, const char *name)
{
    char allowed[64];
    struct snd_pcm_hw_params before = *p;
    for (int i = 0; i < FORMATS; i++)
        if (!strcmp(name, formats[i].name))
            only_bit(mask(p, SNDRV_PCM_HW_PARAM_FORMAT), formats[i].number);
    if (refine(descriptor, p) < 0) {
        format_names(&before, allowed, sizeof allowed);
        refuse(STATUS_REFUSED, "--format is %s; the driver allows %s", name, allowed);
    }
}

static unsigned lowest(const struct snd_interval *i)
{
    return i->min + i->openmin;
}

static unsigned highest(const struct snd_interval *i)
{
    return i->max - i->openmax;
}

// One interval to one value. `unit` follows the numbers of the message.
static void set_number(int descriptor, struct snd_pcm_hw_params *p, int parameter, long value, const char *option, const char *unit)
{
    struct snd_interval allowed = *interval(p, parameter), *i = interval(p, parameter);
    bool inside = value >= (long)lowest(&allowed) && value <= (long)highest(&allowed);
    *i = (struct snd_interval){.min = (unsigned)value, .max = (unsigned)value, .integer = 1};
    if (inside && refine(descriptor, p) == 0)
        return;
    if (lowest(&allowed) == highest(&allowed))
        refuse(STATUS_REFUSED, "--%s is %ld; the driver allows %u%s here", option, value, lowest(&allowed), unit);
    refuse(STATUS_REFUSED, "--%s is %ld; the driver allows %u to %u%s here%s", option, value, lowest(&allowed), highest(&allowed), unit,
           inside ? ", but not this one" : "");
}

void pcm_set_hardware(int descriptor, const struct stream *s)
{
    struct snd_pcm_hw_params p;
    bool mapped = !strcmp(s->access, "mmap");
    any(&p);
    only_bit(mask(&p, SNDRV_PCM_HW_PARAM_ACCESS),
             (unsigned)(mapped ? SNDRV_PCM_ACCESS_MMAP_INTERLEAVED : SNDRV_PCM_ACCESS_RW_INTERLEAVED));
    if (refine(descriptor, &p) < 0)
        refuse(STATUS_REFUSED, "--access is %s; the driver does not allow it (%s); right is %s", s->access, strerror(errno),
               mapped ? "rw" : "mmap");
    set_format(descriptor, &p, s->format);
    set_number(descriptor, &p, SNDRV_PCM_HW_PARAM_CHANNELS, s->channels, "channels", "");
    set_number(descriptor, &p, SNDRV_PCM_HW_PARAM_RATE, s->rate, "rate", " Hz");
    set_number(descriptor, &p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, s->period, "period", " frames");
    set_number(descriptor, &p, SNDRV_PCM_HW_PARAM_PERIODS, s->periods, "periods", "");
    p.rmask = ~0u;
    if (ioctl(descriptor, SNDRV_PCM_IOCTL_HW_PARAMS, &p) < 0)
        refuse(STATUS_REFUSED, "the driver refused %s, %ld channels, %ld Hz, %ld periods of %ld frames: %s", s->format, s->channels,
               s->rate, s->periods, s->period, strerror(errno));
    long period = (long)lowest(interval(&p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE));
    long buffer = (long)lowest(interval(&p, SNDRV_PCM_HW_PARAM_BUFFER_SIZE));
    if (period != s->period || buffer != s->period * s->periods)
        refuse(STATUS_REFUSED, "the driver gave a period of %ld and a buffer of %ld frames; asked for were %ld and %ld", period, buffer,
               s->period, s->period * s->periods);
}

static void range(struct snd_pcm_hw_params *p, int parameter, const char *key)
{
    json_list(key);
    json_whole(NULL, lowest(interval(p, parameter)));
    json_whole(NULL, highest(interval(p, parameter)));
    json_list_end();
}

void pcm_describe(int descriptor)
{
    static const unsigned rates[] = {5512,  8000,  11025, 12000, 16000, 22050,  24000,  32000,
                                     44100, 48000, 64000, 88200, 96000, 176400, 192000, 384000};
    struct snd_pcm_hw_params p, one;
    any(&p);
    if (refine(descriptor, &p) < 0)
        refuse(STATUS_REFUSED, "the driver does not say what it offers: %s", strerror(errno));
    json_list("formats");
    for (int i = 0; i < FORMATS; i++)
        if (mask(&p, SNDRV_PCM_HW_PARAM_FORMAT)->bits[formats[i].number / 32] >> formats[i].number % 32 & 1)
            json_text(NULL, formats[i].name);
    json_list_end();
    json_list("rates");
    for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++) {
        one = p;
        *interval(&one, SNDRV_PCM_HW_PARAM_RATE) = (struct snd_interval){.min = rates[i], .max = rates[i], .integer = 1};
        if (refine(descriptor, &one) == 0)
            json_whole(NULL, rates[i]);
    }
    json_list_end();
    range(&p, SNDRV_PCM_HW_PARAM_CHANNELS, "channels");
    range(&p, SNDRV_PCM_HW_PARAM_PERIODS, "periods");
    range(&p, SNDRV_PCM_HW_PARAM_PERIOD_BYTES, "period_bytes");
    range(&p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, "period_frames");
    range(&p, SNDRV_PCM_HW_PARAM_BUFFER_SIZE, "buffer_frames");
    json_hex("pcm_info", "0x%llx", p.info);
}
