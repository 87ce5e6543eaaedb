// SPDX-License-Identifier: Apache-2.0
// The probe page, mapped through /dev/mem: marker, pins, event log, counters.
//
// Promise: every access is one 32-bit load or store on the bus, in program order, and a marker is on the bus before the system call
// that follows it; where there is no page (--probe none) everything here does nothing and reads 0.
// User's duty: `probe_open` before anything else.
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "card.h"
#include "probe_regs.h"

struct probe {
    volatile uint32_t *page;  // NULL: none
    uint64_t address;
    uint32_t clock_hz, zero[5], count[5];
};

struct entry {
    uint64_t ticks;
    uint32_t kind, arg;
};

// `where`: "auto" (behind the card's window), "none", or an address. Returns why there is none, or NULL.
const char *probe_try(struct probe *probe, const char *where, const struct card *card);
void probe_open(struct probe *probe, const char *where, const struct card *card);  // refuses instead
void probe_describe(const struct probe *probe, const char *missing);  // keys `probe`, `build_id`, `clock_hz`, or `probe_error`

uint32_t probe_read(const struct probe *probe, uint32_t offset);
void probe_mark(const struct probe *probe, uint32_t value);
#define MARKER_NAMES "off application notify first_bit complete"
void probe_select(const struct probe *probe, const char *marker);  // what pin 0 shows; pin 1 stays off
void probe_log(const struct probe *probe, uint32_t mask);          // bit n: event n
void probe_discard(const struct probe *probe);                     // empties the log
uint32_t probe_logged(const struct probe *probe);                  // entries that can be taken out
void probe_take(const struct probe *probe, struct entry *entry);   // the oldest
int64_t probe_ns(const struct probe *probe, uint64_t ticks);

void probe_zero(struct probe *probe);            // counters count from here
void probe_count(struct probe *probe);           // reads them
uint32_t probe_underruns(const struct probe *probe);
void probe_counters(const struct probe *probe);  // what was read, as keys of an open object

#endif
