// SPDX-License-Identifier: Apache-2.0
//
// bench_page - the words that the C++ main and Python share: one page of 64-bit little-endian words in shared memory.
//
// Promise: plain loads and stores, no call into the simulator; bench_page.py names the same words in the same order (a
// test compares them). Words written by Python are looked at after every time step in which Python ran; `doorbell` and
// `want_ps` (capture ring) may be written by any thread or process at any time.
#pragma once
#include <cstddef>
#include <cstdint>

namespace bench {

constexpr uint64_t kPageMagic = 0x31454741504e5456ull;  // "VTNPAGE1"
constexpr size_t kPageBytes = 4096;

struct Page {
    uint64_t magic;
    // Register mailbox. A command is given by writing command and write_data, then incrementing command_seq.
    uint64_t command_seq;    // Python
    uint64_t command;        // Python: bits 12:0 offset, 15:14 log2 of the bytes, 16 write
    uint64_t write_data;     // Python
    uint64_t response_seq;   // main: command_seq of the last command answered
    uint64_t read_data;      // main
    uint64_t response_code;  // main: 0 OKAY, 2 SLVERR, 3 DECERR
    // Lines
    uint64_t reset;            // Python: 1 holds the device in reset
    uint64_t irq;              // main
    uint64_t wake;             // main
    uint64_t converter_delay;  // Python: three 16-bit values, index 0 lowest
    // Time
    uint64_t bus_period_ps;   // main
    uint64_t now_ps;          // main
    uint64_t bus_cycle;       // main: rising edges of the ungated bus clock since time 0
    uint64_t bus_cycles_run;  // main: rising edges that were simulated
    uint64_t vpi_steps;       // main: time steps in which Python could run
    uint64_t hold;            // Python: 1 lets simulated time stand still until doorbell moves or want_ps lies ahead
    uint64_t doorbell;        // any thread or process: increment to wake whoever awaits doorbell_i
    // Guest memory
    uint64_t memory_base;    // main
    uint64_t memory_size;    // main
    uint64_t read_latency;   // Python, bus cycles, at least 2
    uint64_t write_latency;  // Python, bus cycles, at least 2
    uint64_t error_base;     // Python: bytes error_base .. + error_size - 1 answer SLVERR
    uint64_t error_size;
    uint64_t watch_base;  // Python: bytes whose first read beat after a notify is timed
    uint64_t watch_size;
    // Counters, main
    uint64_t beats_read;
    uint64_t beats_written;
    uint64_t notify_cycle;     // bus cycle of the last QueueNotify write
    uint64_t first_beat_cycle;  // bus cycle of the first beat of the watched bytes after it; 0: none yet
    uint64_t i2s_faults;       // word-clock half periods that were not 32 bit clocks
};
static_assert(sizeof(Page) <= kPageBytes, "the bench page is one page");

}  // namespace bench
