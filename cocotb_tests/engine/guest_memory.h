// SPDX-License-Identifier: Apache-2.0
//
// guest_memory - the bytes behind axi_ram: one mapped file that Python and the device both see.
//
// Promise: bytes base .. base + size - 1; other addresses answer DECERR (3), those of the error window SLVERR (2), and
// neither changes anything. With a shadow, `changes` reports what somebody else than the device wrote since it was last asked.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

#include "bench_page.h"
#include "shared_file.h"

namespace bench {

class GuestMemory {
public:
    explicit GuestMemory(Page* page)
        : page_(page),
          base_(env_number("BENCH_MEMORY_BASE", 0x40000000, 0, ~0ull >> 1)),
          size_(env_number("BENCH_MEMORY_SIZE", 8 << 20, 4096, 1ull << 32)),
          file_("guest memory", env_text("BENCH_MEMORY"), size_) {
        if ((base_ | size_) & 4095) die("BENCH_MEMORY_BASE and BENCH_MEMORY_SIZE must be multiples of 4096");
        page_->memory_base = base_;
        page_->memory_size = size_;
    }

    int read(uint64_t address, uint64_t* data) {
        page_->beats_read++;
        *data = 0;
        if (address - base_ >= size_) return 3;
        if (address - page_->error_base < page_->error_size) return 2;
        memcpy(data, file_.bytes() + (address - base_), 8);
        return 0;
    }

    int write(uint64_t address, uint64_t data, unsigned strobes) {
        page_->beats_written++;
        if (address - base_ >= size_) return 3;
        if (address - page_->error_base < page_->error_size) return 2;
        for (unsigned i = 0; i < 8; i++) {
            if (strobes >> i & 1) {
                const uint8_t byte = static_cast<uint8_t>(data >> (8 * i));
                file_.bytes()[address - base_ + i] = byte;
                if (!shadow_.empty()) shadow_[address - base_ + i] = byte;
            }
        }
        return 0;
    }

    void keep_shadow() { shadow_.assign(size_, 0); }

    // Calls report(offset, bytes, length) for each 64-byte line that differs from the shadow, and brings the shadow up to date.
    template <typename Report>
    void changes(Report report) {
        for (uint64_t at = 0; at < size_; at += 4096) {
            if (!memcmp(file_.bytes() + at, shadow_.data() + at, 4096)) continue;
            for (uint64_t line = at; line < at + 4096; line += 64) {
                if (!memcmp(file_.bytes() + line, shadow_.data() + line, 64)) continue;
                memcpy(shadow_.data() + line, file_.bytes() + line, 64);
                report(line, file_.bytes() + line, 64u);
            }
        }
    }

    void poke(uint64_t offset, const uint8_t* bytes, size_t length) {
        if (offset > size_ || length > size_ - offset) die("a recording writes outside guest memory");
        memcpy(file_.bytes() + offset, bytes, length);
    }
    std::string path() const { return file_.path(); }

private:
    Page* page_;
    uint64_t base_, size_;
    SharedFile file_;
    std::vector<uint8_t> shadow_;
};

}  // namespace bench
