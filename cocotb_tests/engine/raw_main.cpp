// SPDX-License-Identifier: Apache-2.0
//
// raw_main - the plain Verilated program of bench_top: no VPI, no Python; replays a recording (see recording.h).
//
// Promise: with the same recording it simulates exactly what the recorded run simulated; its capture ring is identical.
// This is the reference that the engine's speed is compared with. Usage: BENCH_REPLAY=<file> <program>.

#include <cstdio>
#include <vector>

#include "recording.h"
#include "simulation.h"

bench::Simulation* bench::Simulation::instance = nullptr;

double sc_time_stamp() { return bench::Simulation::time_stamp(); }

namespace {

std::vector<uint8_t> load(const char* path) {
    FILE* file = fopen(path, "rb");
    if (!file) bench::die(std::string("BENCH_REPLAY=") + path + ": " + strerror(errno));
    fseek(file, 0, SEEK_END);
    std::vector<uint8_t> bytes(static_cast<size_t>(ftell(file)));
    rewind(file);
    if (fread(bytes.data(), 1, bytes.size(), file) != bytes.size()) bench::die(std::string(path) + ": cannot be read");
    fclose(file);
    return bytes;
}

class Replay {
public:
    Replay(bench::Simulation& sim, std::vector<uint8_t> bytes) : sim_(sim), bytes_(std::move(bytes)) { next_head(); }
    uint64_t due_ps() const { return head_.time_ps; }
    bool finished() const { return head_.kind == bench::kRecordEnd; }

    // Apply every record of the present time step.
    void apply() {
        while (!finished() && head_.time_ps == sim_.now_ps()) {
            uint64_t where;
            const uint8_t* payload = take(head_.bytes);
            memcpy(&where, payload, 8);
            if (head_.kind == bench::kRecordMemory)
                sim_.memory.poke(where, payload + 8, head_.bytes - 8);
            else if (where < bench::kPageBytes / 8)
                memcpy(reinterpret_cast<uint64_t*>(sim_.page) + where, payload + 8, 8);
            next_head();
        }
        if (sim_.take_inputs()) sim_.settle();
    }

private:
    const uint8_t* take(size_t count) {
        if (count < 8 || count > bytes_.size() - at_) bench::die("the recording is cut short; record it again");
        at_ += count;
        return bytes_.data() + at_ - count;
    }
    void next_head() { memcpy(&head_, take(sizeof head_), sizeof head_); }

    bench::Simulation& sim_;
    std::vector<uint8_t> bytes_;
    size_t at_ = 0;
    bench::RecordHead head_{};
};

}  // namespace

int main(int argc, char** argv) {
    Verilated::commandArgs(argc, argv);
    const char* path = bench::env_text("BENCH_REPLAY");
    if (!path) bench::die("BENCH_REPLAY names no recording; a run with BENCH_RECORD=<file> writes one");
    bench::Simulation sim;
    Replay replay(sim, load(path));
    const double started = bench::Simulation::wall_s();
    replay.apply();
    while (sim.now_ps() < replay.due_ps() || !replay.finished()) {
        if (Verilated::gotFinish()) break;
        sim.step(replay.due_ps());
        if (sim.now_ps() == replay.due_ps()) replay.apply();
    }
    const double elapsed = bench::Simulation::wall_s() - started;
    sim.publish();
    sim.top->final();
    sim.print_figures(elapsed);
    return 0;
}
