// SPDX-License-Identifier: Apache-2.0
/*
 * The clock that QEMU counts: wall time, which stands still while the simulation behind the board is late.
 *
 * Preloaded into QEMU, whose virtual clock (and with it the guest's timer) is CLOCK_MONOTONIC. The page that VIRTONE_GUEST_CLOCK names is
 * shared with the simulation; `guest_clock.py` has the same rule and says what follows from it.
 *
 * Rule: time = wall - held; where that would be beyond `limit`, `held` grows until it is not.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL

struct page {
    _Atomic int64_t limit_ns; /* written by the simulation; 0 while there is none */
    _Atomic int64_t held_ns;  /* only ever grows */
    _Atomic int64_t user;     /* process that counts by this page */
};

static struct page *page;

static void refuse(const char *why)
{
    if (write(2, why, strlen(why)) < 0)
        _exit(126);
    _exit(127);
}

__attribute__((constructor)) static void attach(void)
{
    const char *name = getenv("VIRTONE_GUEST_CLOCK");
    int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;

    if (file < 0)
        refuse("guest clock: VIRTONE_GUEST_CLOCK names no page that can be opened\n");
    void *at = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

    close(file);
    if (at == MAP_FAILED)
        refuse("guest clock: the page of VIRTONE_GUEST_CLOCK cannot be mapped\n");
    page = at;
    atomic_store(&page->user, (int64_t)getpid());
}

int clock_gettime(clockid_t which, struct timespec *at)
{
    int status = (int)syscall(SYS_clock_gettime, which, at);

    if (status != 0 || which != CLOCK_MONOTONIC || page == NULL)
        return status;
    int64_t wall = (int64_t)at->tv_sec * SECOND_NS + at->tv_nsec;
    int64_t limit = atomic_load(&page->limit_ns);
    int64_t held = atomic_load(&page->held_ns);

    while (limit != 0 && wall - held > limit)
        if (atomic_compare_exchange_weak(&page->held_ns, &held, wall - limit))
            held = wall - limit;
    at->tv_sec = (wall - held) / SECOND_NS;
    at->tv_nsec = (wall - held) % SECOND_NS;
    return 0;
}
