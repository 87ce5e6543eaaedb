// SPDX-License-Identifier: Apache-2.0
#include "stages.h"

#include <linux/virtio_snd.h>
#include <string.h>

#define COUNTED (1u << PROBE_EV_COMPLETE)
#define WATCHED (COUNTED | 1u << PROBE_EV_MARKER | 1u << PROBE_EV_NOTIFY | 1u << PROBE_EV_FETCH | 1u << PROBE_EV_FIRST_BIT)

void stages_begin(struct stage_log *log, const struct probe *probe)
{
    log->probe = probe;
    log->count = 0;
    log->completed = log->notifies = 0;
    probe_log(probe, 0);
    probe_discard(probe);
    log->lost = probe_read(probe, PROBE_EVENT_LOST);
    stages_watch(log, false);
}

void stages_watch(struct stage_log *log, bool all)
{
    probe_log(log->probe, all ? WATCHED : COUNTED);
}

static bool is_notify(const struct entry *entry)
{
    return entry->kind == PROBE_EV_NOTIFY && (entry->arg & 0xffff) == VIRTIO_SND_VQ_TX;
}

void stages_drain(struct stage_log *log)
{
    struct entry entry;
    for (uint32_t left = probe_logged(log->probe); left; left--) {
        probe_take(log->probe, &entry);
        struct logged *at = &log->entries[log->count++ % STAGE_ENTRIES];
        at->entry = entry;
        log->notifies += is_notify(&entry);
        at->message = entry.kind == PROBE_EV_COMPLETE ? log->completed++ : -1;
    }
}

uint32_t stages_lost(const struct stage_log *log)
{
    return probe_read(log->probe, PROBE_EVENT_LOST) - log->lost;
}

static const struct logged *at(const struct stage_log *log, uint64_t place)
{
    return &log->entries[place % STAGE_ENTRIES];
}

static void found(struct stages *stages, uint64_t ticks[STAGES], enum stage stage, const struct logged *logged)
{
    stages->known[stage] = true;
    ticks[stage] = logged->entry.ticks;
}

// Backwards from the completion: a head belongs to one message at a time, so the last fetch and the last first bit with the same head
// are the message's own.
void stages_find(const struct stage_log *log, int64_t message, uint32_t marker, struct stages *stages)
{
    uint64_t oldest = log->count > STAGE_ENTRIES ? log->count - STAGE_ENTRIES : 0, ticks[STAGES] = {0};
    uint64_t place = log->count, fetched = log->count;
    memset(stages, 0, sizeof *stages);
    if (stages_lost(log))
        return;
    while (place > oldest && at(log, place - 1)->message != message)
        place--;
    if (place == oldest)
        return;
    uint32_t head = at(log, --place)->entry.arg;
    found(stages, ticks, STAGE_C, at(log, place));
    while (place > oldest && !stages->known[STAGE_A]) {
        const struct logged *logged = at(log, --place);
        uint32_t kind = logged->entry.kind;
        if (kind == PROBE_EV_FIRST_BIT && logged->entry.arg == head && !stages->known[STAGE_W]) {
            found(stages, ticks, STAGE_W, logged);
        } else if (kind == PROBE_EV_FETCH && logged->entry.arg == head && !stages->known[STAGE_F]) {
            found(stages, ticks, STAGE_F, logged);
            fetched = place;
        } else if (kind == PROBE_EV_MARKER && logged->entry.arg == marker) {
            found(stages, ticks, STAGE_A, logged);
        }
    }
    // The first notify of the tx queue between marker and fetch.
    for (; stages->known[STAGE_A] && place < fetched && fetched < log->count && !stages->known[STAGE_N]; place++)
        if (is_notify(&at(log, place)->entry))
            found(stages, ticks, STAGE_N, at(log, place));
    for (int stage = 0; stage < STAGES; stage++) {
        stages->known[stage] &= stages->known[STAGE_A];
        if (stages->known[stage])
            stages->ns[stage] = probe_ns(log->probe, ticks[stage]) - probe_ns(log->probe, ticks[STAGE_A]);
    }
}
