// SPDX-License-Identifier: Apache-2.0
//
// dpi_memory - the DPI functions of axi_ram and bench_top: guest memory, its latencies, and when a notify met its first beat.

#include "simulation.h"

namespace {
bench::Simulation& sim() { return *bench::Simulation::instance; }
int latency(uint64_t cycles) { return cycles < 2 ? 2 : cycles > 1000000 ? 1000000 : static_cast<int>(cycles); }
}  // namespace

extern "C" {

int ram_read(unsigned long long address, unsigned long long* data) {
    uint64_t word;
    const int response = sim().memory.read(address, &word);
    *data = word;
    return response;
}

int ram_write(unsigned long long address, unsigned long long data, unsigned strobes) {
    return sim().memory.write(address, data, strobes);
}

unsigned ram_read_latency() { return latency(sim().page->read_latency); }

unsigned ram_write_latency() { return latency(sim().page->write_latency); }

void ram_read_taken(unsigned long long address) {
    bench::Page& page = *sim().page;
    if (!page.first_beat_cycle && page.notify_cycle && address - page.watch_base < page.watch_size)
        page.first_beat_cycle = sim().bus.cycle();
}

void bench_notified() {
    sim().page->notify_cycle = sim().bus.cycle();
    sim().page->first_beat_cycle = 0;
}
}
