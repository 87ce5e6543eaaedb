// SPDX-License-Identifier: Apache-2.0
//
// clocks - when the next edge of the bus clock and of the audio master clock is due.
//
// Promise: times are whole picoseconds. The bus clock rises at every multiple of its period and may be stopped: it
// stops after a falling edge and, when started again, rises at the next multiple later than now, so that the edges that
// do happen are those of a clock that never stopped. The audio master clock has exactly its nominal mean frequency: each
// half period is rounded, the rest is carried.
#pragma once
#include <cstdint>

namespace bench {

constexpr uint64_t kNever = ~0ull;

class BusClock {
public:
    explicit BusClock(uint64_t period_ps) : period_(period_ps), next_(period_ps) {}
    uint64_t next_ps() const { return next_; }
    bool level() const { return level_; }
    bool running() const { return next_ != kNever; }
    uint64_t period_ps() const { return period_; }
    uint64_t cycle() const { return cycle_; }  // of the last rising edge; the first one is 1
    uint64_t cycles_run() const { return run_; }
    uint32_t skipped() const { return skipped_; }  // rising edges left out before the last one

    // The edge that was due happens. True when it rises.
    bool step() {
        level_ = !level_;
        if (!level_) {
            next_ += period_ - period_ / 2;
            return false;
        }
        const uint64_t cycle = next_ / period_;
        skipped_ = static_cast<uint32_t>(cycle - cycle_ - 1);
        cycle_ = cycle;
        run_++;
        next_ += period_ / 2;
        return true;
    }
    void stop() { next_ = kNever; }
    void start(uint64_t now_ps) { next_ = (now_ps / period_ + 1) * period_; }

private:
    uint64_t period_, next_, cycle_ = 0, run_ = 0;
    uint32_t skipped_ = 0;
    bool level_ = false;
};

class AudioClock {
public:
    AudioClock() {
        family(0);
        advance();
    }
    uint64_t next_ps() const { return next_; }
    bool level() const { return level_; }
    // 0: 24.576 MHz, 1: 22.5792 MHz; takes effect after the edge that is due next.
    void family(unsigned number) {
        const uint64_t half_rate = 2 * (number ? 22579200ull : 24576000ull);
        whole_ = 1000000000000ull / half_rate;
        rest_ = 1000000000000ull % half_rate;
        divisor_ = half_rate;
        carry_ = 0;
    }
    void step() {
        level_ = !level_;
        advance();
    }

private:
    void advance() {
        next_ += whole_;
        carry_ += rest_;
        if (carry_ >= divisor_) {
            carry_ -= divisor_;
            next_++;
        }
    }
    uint64_t next_ = 0, whole_ = 0, rest_ = 0, divisor_ = 1, carry_ = 0;
    bool level_ = false;
};

}  // namespace bench
