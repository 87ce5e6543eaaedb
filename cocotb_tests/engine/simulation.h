// SPDX-License-Identifier: Apache-2.0
//
// simulation - bench_top with its clocks, its guest memory and its capture ring; what every main of this engine shares.
//
// Promise: `step(limit)` goes to the next clock edge or to `limit` (picoseconds), whichever comes first, evaluates the design
// and looks at its pins. With gating, the bus clock stops once `wake` has been low and no command was pending for `hold`
// rising edges (BENCH_HOLD), and kResetCycles after reset was released; the edges that do happen are those of the
// ungated run, and time_skip_i names the number left out before each of them.
// User's duty: whatever comes from outside (commands, reset) is given by `take_inputs` after the edges of a time step, never
// before, so that gated and ungated runs see it at the same edge.
#pragma once
#include <time.h>

#include <cstdint>
#include <memory>

#include "Vtop.h"
#include "bench_page.h"
#include "capture.h"
#include "clocks.h"
#include "guest_memory.h"
#include "shared_file.h"
#include "verilated.h"

namespace bench {

class Simulation {
public:
    static constexpr uint64_t kResetCycles = 16;
    static Simulation* instance;

    Simulation()
        : page_file_("bench page", env_text("BENCH_PAGE"), kPageBytes),
          page(reinterpret_cast<Page*>(page_file_.bytes())),
          memory(page),
          top(new Vtop("")),
          bus(bus_period()),
          gating_(env_number("BENCH_GATING", 1, 0, 1)),
          hold_(env_number("BENCH_HOLD", 1, 1, 1000000)) {
        instance = this;
        page->bus_period_ps = bus.period_ps();
        page->read_latency = env_number("BENCH_READ_LATENCY", 20, 2, 1000000);
        page->write_latency = env_number("BENCH_WRITE_LATENCY", 20, 2, 1000000);
        page->converter_delay = env_number("BENCH_CONVERTER_DELAY", 0, 0, (1ull << 48) - 1);
        page->reset = 1;
        take_inputs();
        __atomic_store_n(&page->magic, kPageMagic, __ATOMIC_RELEASE);
    }

    uint64_t now_ps() const { return now_; }
    uint64_t next_edge_ps() const { return bus.next_ps() < audio.next_ps() ? bus.next_ps() : audio.next_ps(); }

    static double time_stamp() { return instance ? static_cast<double>(instance->now_) : 0.0; }

    // Enter the time step `now`, at the latest that of the next edge, without its edges.
    void advance(uint64_t now) { now_ = now; }

    // Go to `limit` or the next edge. True when something that Python may await has changed.
    bool step(uint64_t limit) {
        const uint64_t next = next_edge_ps();
        now_ = next < limit ? next : limit;
        if (bus.next_ps() == now_) {
            const bool rises = bus.step();
            top->clk_i = bus.level();
            if (rises)
                top->time_skip_i = bus.skipped();
            else if (!busy() && hold_left_)
                hold_left_--;
        }
        if (audio.next_ps() == now_) {
            audio.step();
            top->mclk_i = audio.level();
        }
        return settle();
    }

    // Evaluate, and look at the pins. True when something that Python may await has changed.
    bool settle() {
        top->eval();
        const unsigned pins = top->observe_o;
        const unsigned changed = pins ^ pins_;
        pins_ = pins;
        if (changed & kI2sPins) capture.i2s(now_, pins, changed, page->i2s_faults);
        if (changed & kSlowPins) slow_pins(pins, changed);
        if (bus.running()) {
            if (busy()) {
                if (hold_left_ < hold_) hold_left_ = hold_;
            } else if (gating_ && !hold_left_ && !bus.level()) {
                bus.stop();
            }
        } else if (busy()) {
            hold_left_ = hold_;
            bus.start(now_);
        }
        return changed & kAwaitedPins;
    }

    // Commands and lines given since the last call. True when the design has to be settled again.
    bool take_inputs() {
        bool any = false;
        if (page->command_seq != command_seq_) {
            command_seq_ = page->command_seq;
            top->cmd_toggle_i = !top->cmd_toggle_i;
            top->cmd_addr_i = page->command & 0x1fff;
            top->cmd_size_i = page->command >> 14 & 3;
            top->cmd_write_i = page->command >> 16 & 1;
            top->cmd_wdata_i = static_cast<uint32_t>(page->write_data);
            pending_ = true;
            any = true;
        }
        if (top->rst_ni == (page->reset & 1)) {
            top->rst_ni = !(page->reset & 1);
            hold_left_ = kResetCycles;
            any = true;
        }
        if (top->converter_delay_i != page->converter_delay) {
            top->converter_delay_i = page->converter_delay;
            any = true;
        }
        return any;
    }

    // Time words of page and ring; called before anybody outside may look.
    void publish() {
        page->now_ps = now_;
        page->bus_cycle = now_ / bus.period_ps();
        page->bus_cycles_run = bus.cycles_run();
        page->wake = top->observe_o >> 8 & 1;
        capture.time(now_, bus.cycles_run());
    }

    void print_figures(double wall_s) {
        printf("BENCH {\"sim_ps\": %llu, \"wall_s\": %.6f, \"bus_cycles_run\": %llu, \"vpi_steps\": %llu}\n",
               static_cast<unsigned long long>(now_), wall_s, static_cast<unsigned long long>(bus.cycles_run()),
               static_cast<unsigned long long>(page->vpi_steps));
        fflush(stdout);
    }

    static double wall_s() {
        timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
    }

    std::string page_path() const { return page_file_.path(); }

private:
    static constexpr unsigned kI2sPins = 0x007, kFamilyPin = 0x008, kMarkerPins = 0x030, kIrqPin = 0x040;
    static constexpr unsigned kAnsweredPin = 0x080, kWakePin = 0x100;
    static constexpr unsigned kAwaitedPins = kIrqPin | kAnsweredPin;
    static constexpr unsigned kSlowPins = kFamilyPin | kMarkerPins | kAwaitedPins;

    SharedFile page_file_;

public:
    Page* const page;
    GuestMemory memory;
    Capture capture;
    const std::unique_ptr<Vtop> top;
    BusClock bus;
    AudioClock audio;

private:
    bool busy() const { return (pins_ & kWakePin) || pending_ || !top->rst_ni; }

    void slow_pins(unsigned pins, unsigned changed) {
        if (changed & kFamilyPin) audio.family(pins >> 3 & 1);
        if (changed & kMarkerPins) capture.marker(now_, pins >> 4 & 3);
        page->irq = pins >> 6 & 1;
        if (changed & kAnsweredPin) {
            page->read_data = top->rsp_rdata_o;
            page->response_code = top->rsp_resp_o;
            page->response_seq = command_seq_;
            pending_ = false;
        }
    }

    uint64_t bus_period() {
        top->eval();
        const uint64_t hertz = top->bus_hz_o;
        if (!hertz || 1000000000000ull % hertz) die("BusHz " + std::to_string(hertz) + ": its period is no whole number of ps");
        return 1000000000000ull / hertz;
    }

    const uint64_t gating_, hold_;
    uint64_t now_ = 0, command_seq_ = 0, hold_left_ = kResetCycles;
    unsigned pins_ = 0;
    bool pending_ = false;
};

}  // namespace bench
