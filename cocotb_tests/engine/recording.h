// SPDX-License-Identifier: Apache-2.0
//
// recording - the stimulus of a run as a file: when Python changed a word of the bench page or a line of guest memory.
//
// Promise: replayed by raw_main at the recorded times (after the clock edges of the time step, as `take_inputs` does), the
// same design goes through the same states. What the device itself wrote is not in the file. The file is written aside
// and renamed when the run ends.
// Format, little-endian: records {u64 time_ps, u32 kind, u32 bytes} each followed by its payload. Kind 0: {u64 index, u64
// value} of a page word; 1: {u64 offset, data} of guest memory; 2: the end, no payload.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "simulation.h"

namespace bench {

enum RecordKind : uint32_t { kRecordWord = 0, kRecordMemory = 1, kRecordEnd = 2 };

struct RecordHead {
    uint64_t time_ps;
    uint32_t kind, bytes;
};

// The page words that Python writes and that change what the design sees.
inline const std::vector<size_t>& stimulus_words() {
    static const std::vector<size_t> words = {
        offsetof(Page, command) / 8,       offsetof(Page, write_data) / 8,   offsetof(Page, command_seq) / 8,
        offsetof(Page, reset) / 8,         offsetof(Page, converter_delay) / 8, offsetof(Page, read_latency) / 8,
        offsetof(Page, write_latency) / 8, offsetof(Page, error_base) / 8,   offsetof(Page, error_size) / 8,
    };
    return words;
}

class Recorder {
public:
    explicit Recorder(Simulation& sim) : sim_(sim) {
        const char* path = env_text("BENCH_RECORD");
        if (!path) return;
        path_ = path;
        file_ = fopen((path_ + ".part").c_str(), "wb");
        if (!file_) die("BENCH_RECORD=" + path_ + ": " + strerror(errno));
        sim_.memory.keep_shadow();
        last_.assign(kPageBytes / 8, ~0ull);
    }
    ~Recorder() { close(); }

    // Called after Python had its turn in a time step.
    void python_ran() {
        if (!file_) return;
        sim_.memory.changes([this](uint64_t offset, const uint8_t* bytes, uint32_t length) {
            put(kRecordMemory, offset, bytes, length);
        });
        const uint64_t* words = reinterpret_cast<const uint64_t*>(sim_.page);
        for (const size_t index : stimulus_words()) {
            if (words[index] == last_[index]) continue;
            last_[index] = words[index];
            put(kRecordWord, index, &words[index], 8);
        }
    }

    void close() {
        if (!file_) return;
        const RecordHead head = {sim_.now_ps(), kRecordEnd, 0};
        bool good = fwrite(&head, sizeof head, 1, file_) == 1 && !ferror(file_);
        good &= fclose(file_) == 0;
        file_ = nullptr;
        if (!good || rename((path_ + ".part").c_str(), path_.c_str())) die("BENCH_RECORD=" + path_ + ": " + strerror(errno));
    }

private:
    void put(RecordKind kind, uint64_t where, const void* data, uint32_t length) {
        const RecordHead head = {sim_.now_ps(), kind, length + 8};
        fwrite(&head, sizeof head, 1, file_);
        fwrite(&where, sizeof where, 1, file_);
        fwrite(data, length, 1, file_);
    }

    Simulation& sim_;
    FILE* file_ = nullptr;
    std::string path_;
    std::vector<uint64_t> last_;
};

}  // namespace bench
