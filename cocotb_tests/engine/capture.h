// SPDX-License-Identifier: Apache-2.0
//
// capture - what the outside sees: I2S frames and marker edges, written to the capture ring (docs/architecture.md, 5).
//
// Promise: looks at the pins only, as a converter does: samples word clock and data at each rising bit clock edge, takes
// the slot after a word-clock change one bit later, left (word clock low) first. A frame is recorded when its last bit was
// sampled, stamped with the falling bit clock edge that put the left sample's most significant bit on the wire. A half
// period of the word clock that is not 32 bit clocks is a fault: counted, and its frame is not recorded.
#pragma once
#include <cstdint>

#include "shared_file.h"

namespace bench {

struct RingHeader {
    uint64_t magic, frames_capacity, markers_capacity, frames_written, markers_written, now_ps, want_ps, bus_cycles_run;
};
struct FrameRecord {
    uint64_t time_ps;
    int32_t left, right;
};
struct MarkerRecord {
    uint64_t time_ps;
    uint32_t pins, reserved;
};
constexpr uint64_t kRingMagic = 0x00315041434e5456ull;  // "VTNCAP1\0"
constexpr size_t kRingHeaderBytes = 4096;

class Capture {
public:
    Capture()
        : frames_capacity_(power_of_two("BENCH_CAPTURE_FRAMES", 1 << 17)),
          markers_capacity_(power_of_two("BENCH_CAPTURE_MARKERS", 1 << 14)),
          file_("capture ring", env_text("BENCH_CAPTURE"),
                kRingHeaderBytes + frames_capacity_ * sizeof(FrameRecord) + markers_capacity_ * sizeof(MarkerRecord)),
          header_(reinterpret_cast<RingHeader*>(file_.bytes())),
          frames_(reinterpret_cast<FrameRecord*>(file_.bytes() + kRingHeaderBytes)),
          markers_(reinterpret_cast<MarkerRecord*>(frames_ + frames_capacity_)) {
        header_->frames_capacity = frames_capacity_;
        header_->markers_capacity = markers_capacity_;
        __atomic_store_n(&header_->magic, kRingMagic, __ATOMIC_RELEASE);
    }

    // Pins: bit 0 data, 1 word clock, 2 bit clock; `changed` says which differ from the last call.
    void i2s(uint64_t now_ps, unsigned pins, unsigned changed, uint64_t& faults) {
        if (!(changed & 4)) return;
        if (!(pins & 4)) {
            fall_ps_ = now_ps;
            return;
        }
        const unsigned channel = (pins >> 1) & 1;
        if (slot_bits_ == 0 && slot_channel_ == 0) left_ps_ = fall_ps_;
        slot_ = (slot_ << 1) | (pins & 1);
        slot_bits_++;
        if (channel == last_channel_) return;
        // The word clock changed half a bit ago: this was the last bit of the slot of last_channel_.
        last_channel_ = channel;
        const bool whole = slot_bits_ == 32;
        if (whole && slot_channel_ == 0) {
            left_ = static_cast<int32_t>(slot_);
            left_valid_ = true;
        } else if (whole && left_valid_) {
            frame({left_ps_, left_, static_cast<int32_t>(slot_)});
            left_valid_ = false;
        } else {
            if (!whole && seen_) faults++;
            left_valid_ = false;
        }
        seen_ = true;
        slot_channel_ = channel;
        slot_bits_ = 0;
    }

    void marker(uint64_t now_ps, unsigned pins) {
        const uint64_t count = header_->markers_written;
        markers_[count & (markers_capacity_ - 1)] = {now_ps, pins, 0};
        __atomic_store_n(&header_->markers_written, count + 1, __ATOMIC_RELEASE);
    }

    void time(uint64_t now_ps, uint64_t bus_cycles_run) {
        header_->bus_cycles_run = bus_cycles_run;
        __atomic_store_n(&header_->now_ps, now_ps, __ATOMIC_RELEASE);
    }
    uint64_t want_ps() const { return __atomic_load_n(&header_->want_ps, __ATOMIC_ACQUIRE); }
    std::string path() const { return file_.path(); }

private:
    static uint64_t power_of_two(const char* name, uint64_t fallback) {
        const uint64_t value = env_number(name, fallback, 2, 1ull << 28);
        if (value & (value - 1)) die(std::string(name) + "=" + std::to_string(value) + ": must be a power of two");
        return value;
    }
    void frame(const FrameRecord& record) {
        const uint64_t count = header_->frames_written;
        frames_[count & (frames_capacity_ - 1)] = record;
        __atomic_store_n(&header_->frames_written, count + 1, __ATOMIC_RELEASE);
    }

    uint64_t frames_capacity_, markers_capacity_;
    SharedFile file_;
    RingHeader* header_;
    FrameRecord* frames_;
    MarkerRecord* markers_;
    uint64_t fall_ps_ = 0, left_ps_ = 0;
    uint32_t slot_ = 0;
    int32_t left_ = 0;
    unsigned slot_bits_ = 0, slot_channel_ = 1, last_channel_ = 1;
    bool left_valid_ = false, seen_ = false;
};

}  // namespace bench
