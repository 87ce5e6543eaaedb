// SPDX-License-Identifier: Apache-2.0
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "report.h"

static const struct {
    const char *name;
    uint32_t offset;
} counters[5] = {
    {"underruns", PROBE_UNDERRUNS},
    {"silent_frames", PROBE_SILENT_FRAMES},
    {"frames_played", PROBE_FRAMES_PLAYED},
    {"late_messages", PROBE_LATE_MESSAGES},
    {"bus_errors", PROBE_BUS_ERRORS},
};

// Device memory is ordered among itself; this keeps what the processor does before and after on its side.
static void barrier(void)
{
#ifdef __aarch64__
    __asm__ volatile("dsb sy" ::: "memory");
#else
    __sync_synchronize();
#endif
}

static const char *map(struct probe *probe)
{
    static char text[320];
    const char *advice = "give --probe ADDRESS, or --probe none to play without it";
    int memory = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
    if (memory < 0) {
        snprintf(text, sizeof text, "the probe page cannot be mapped: /dev/mem: %s; run as root on a kernel with CONFIG_DEVMEM, or %s",
                 strerror(errno), advice);
        return text;
    }
    void *page = mmap(NULL, PROBE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, (off_t)probe->address);
    int error = errno;
    close(memory);
    if (page == MAP_FAILED) {
        snprintf(text, sizeof text, "the probe page at 0x%llx cannot be mapped: %s (%s); %s", (unsigned long long)probe->address,
                 strerror(error), error == EPERM ? "a driver holds it, and the kernel has CONFIG_IO_STRICT_DEVMEM" : "mmap of /dev/mem",
                 advice);
        return text;
    }
    probe->page = page;
    uint32_t magic = probe_read(probe, PROBE_MAGIC), version = probe_read(probe, PROBE_VERSION);
    if (magic == PROBE_MAGIC_WORD && version == PROBE_VERSION_WORD)
        return NULL;
    snprintf(text, sizeof text, "no probe page at 0x%llx: magic 0x%08x, version %u; right are 0x%08x and %u; %s",
             (unsigned long long)probe->address, magic, version, PROBE_MAGIC_WORD, PROBE_VERSION_WORD, advice);
    munmap(page, PROBE_SIZE);
    probe->page = NULL;
    return text;
}

const char *probe_try(struct probe *probe, const char *where, const struct card *card)
{
    static char text[160];
    char *end;
    *probe = (struct probe){0};
    if (!strcmp(where, "none"))
        return "not asked for";
    if (!strcmp(where, "auto")) {
        if (!card->window)
            return "the card is no virtio-mmio device of the device tree, so there is no window with a probe page behind it; "
                   "give --probe ADDRESS, or --probe none to play without it";
        probe->address = card->window + PROBE_BASE;
    } else {
        probe->address = strtoull(where, &end, 0);
        if (!*where || *end || !probe->address) {
            snprintf(text, sizeof text, "--probe is %.60s; right is auto, none or an address like 0x10001000", where);
            return text;
        }
    }
    if (probe->address % PROBE_SIZE) {
        snprintf(text, sizeof text, "the probe page would be at 0x%llx, in the middle of a page of memory; give --probe none to play without it",
                 (unsigned long long)probe->address);
        return text;
    }
    const char *wrong = map(probe);
    if (wrong)
        return wrong;
    probe->clock_hz = probe_read(probe, PROBE_CLOCK_HZ);
    if (!probe->clock_hz) {
        munmap((void *)probe->page, PROBE_SIZE);
        probe->page = NULL;
        return "the probe page says that its clock has 0 Hz";
    }
    return NULL;
}

void probe_open(struct probe *probe, const char *where, const struct card *card)
{
    const char *wrong = probe_try(probe, where, card);
    if (wrong && strcmp(where, "none"))
        refuse(STATUS_REFUSED, "%s", wrong);
    probe_log(probe, 0);
    probe_select(probe, "off");
    probe_discard(probe);
    probe_zero(probe);
}

void probe_describe(const struct probe *probe, const char *missing)
{
    if (!probe->page) {
        json_null("probe");
        json_text("probe_error", missing);
        return;
    }
    json_hex("probe", "0x%llx", probe->address);
    json_hex("build_id", "%08llx", probe_read(probe, PROBE_BUILD_ID));
    json_whole("clock_hz", probe->clock_hz);
}

uint32_t probe_read(const struct probe *probe, uint32_t offset)
{
    return probe->page ? probe->page[offset / 4] : 0;
}

static void write_register(const struct probe *probe, uint32_t offset, uint32_t value)
{
    if (probe->page) {
        probe->page[offset / 4] = value;
        barrier();
    }
}

void probe_mark(const struct probe *probe, uint32_t value)
{
    write_register(probe, PROBE_MARKER, value);
}

void probe_select(const struct probe *probe, const char *marker)
{
    static const struct {
        const char *name;
        uint32_t event;
    } markers[] = {
        {"application", PROBE_EV_MARKER},
        {"notify", PROBE_EV_NOTIFY},
        {"first_bit", PROBE_EV_FIRST_BIT},
        {"complete", PROBE_EV_COMPLETE},
    };
    uint32_t event = PROBE_EV_NONE;
    for (unsigned i = 0; i < sizeof markers / sizeof *markers; i++)
        if (!strcmp(marker, markers[i].name))
            event = markers[i].event;
    write_register(probe, PROBE_MARKER_SEL, event << PROBE_MARKER_SEL_PIN0_LSB);
}

void probe_log(const struct probe *probe, uint32_t mask)
{
    write_register(probe, PROBE_EVENT_MASK, mask);
}

void probe_discard(const struct probe *probe)
{
    struct entry entry;
    for (uint32_t round = 0, left; round < 2 && (left = probe_logged(probe)); round++)
        for (; left; left--)
            probe_take(probe, &entry);
}

uint32_t probe_logged(const struct probe *probe)
{
    uint32_t count = probe_read(probe, PROBE_EVENT_COUNT);
    return count < PROBE_LOG_DEPTH ? count : PROBE_LOG_DEPTH;  // a page that does not answer reads as all ones
}

void probe_take(const struct probe *probe, struct entry *entry)
{
    entry->kind = probe_read(probe, PROBE_EVENT_KIND) & 15;
    entry->arg = probe_read(probe, PROBE_EVENT_ARG);
    entry->ticks = probe_read(probe, PROBE_EVENT_TIME_LOW);
    entry->ticks |= (uint64_t)probe_read(probe, PROBE_EVENT_TIME_HIGH) << 32;  // takes the entry out
}

int64_t probe_ns(const struct probe *probe, uint64_t ticks)
{
    uint64_t hz = probe->clock_hz ? probe->clock_hz : 1;
    return (int64_t)(ticks / hz * 1000000000u + (ticks % hz * 1000000000u + hz / 2) / hz);
}

void probe_zero(struct probe *probe)
{
    for (int i = 0; i < 5; i++)
        probe->zero[i] = probe_read(probe, counters[i].offset);
}

void probe_count(struct probe *probe)
{
    for (int i = 0; i < 5; i++)
        probe->count[i] = probe_read(probe, counters[i].offset) - probe->zero[i];
}

uint32_t probe_underruns(const struct probe *probe)
{
    return probe->count[0];
}

void probe_counters(const struct probe *probe)
{
    for (int i = 0; i < 5; i++) {
        if (probe->page)
            json_whole(counters[i].name, probe->count[i]);
        else
            json_null(counters[i].name);
    }
}
