// SPDX-License-Identifier: Apache-2.0
//
// shared_file - a mapped file that other processes may map too; without a path, an anonymous one (memfd).
//
// Promise: zero-filled, `bytes` long, mapped for the life of the object. An existing file is truncated first. Errors end
// the program with one line.
#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace bench {

[[noreturn]] inline void die(const std::string& message) {
    fprintf(stderr, "bench: %s\n", message.c_str());
    exit(2);
}

class SharedFile {
public:
    SharedFile(const char* name, const char* path, size_t bytes) {
        fd_ = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : memfd_create(name, MFD_CLOEXEC);
        const std::string what = std::string(name) + " " + (path ? path : "(memfd)");
        if (fd_ < 0 || ftruncate(fd_, 0) || ftruncate(fd_, static_cast<off_t>(bytes))) die(what + ": " + strerror(errno));
        data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
        if (data_ == MAP_FAILED) die(what + ": " + strerror(errno));
    }
    SharedFile(const SharedFile&) = delete;
    SharedFile& operator=(const SharedFile&) = delete;

    uint8_t* bytes() const { return static_cast<uint8_t*>(data_); }
    // A path by which this process and its children's parents can map it too.
    std::string path() const { return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_); }

private:
    int fd_ = -1;
    void* data_ = nullptr;
};

// Environment: the text of a variable or nullptr when unset or empty; a whole number within limits.
inline const char* env_text(const char* name) {
    const char* text = getenv(name);
    return text && *text ? text : nullptr;
}

inline uint64_t env_number(const char* name, uint64_t fallback, uint64_t low, uint64_t high) {
    const char* text = env_text(name);
    if (!text) return fallback;
    char* end = nullptr;
    errno = 0;
    const uint64_t value = strtoull(text, &end, 0);
    if (errno || *end || value < low || value > high)
        die(std::string(name) + "=" + text + ": must be a whole number from " + std::to_string(low) + " to " +
            std::to_string(high));
    return value;
}

}  // namespace bench
