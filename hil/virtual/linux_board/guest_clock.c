// SPDX-License-Identifier: Apache-2.0
/*
 * The clock that QEMU counts: wall time, which stands still while the simulation behind the board is late.
 *
 * Preloaded into QEMU, whose virtual clock (and with it the guest's timer) is CLOCK_MONOTONIC. The page that VIRTONE_GUEST_CLOCK names is
 * shared with the simulation; `guest_clock.py` has the same rule and says what follows from it.
 *
 * Rule: time = wall - held; where that would be beyond `limit`, `held` grows until it is not.
 *
 * A thread of its own looks, more than once a millisecond, whether QEMU's threads (the emulated processor, its devices, its timers) rest or run:
 * `awake` is the wall time until which that holds. It does not where one has work and this machine does not run it.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL
#define LOOK_NS 700000   /* between two looks at the threads */
#define TRUST_NS 2000000 /* how long a good look holds: nearly three of them */
#define LOOKS 200        /* until the threads are looked up again */
#define SEARCH_NS 20000000
#define THREADS 16
#define PROCESSOR "CPU 0/" /* how QEMU's name of its thread begins */

struct page {
    _Atomic int64_t limit_ns; /* written by the simulation; 0 while there is none */
    _Atomic int64_t held_ns;  /* only ever grows */
    _Atomic int64_t user;     /* process that counts by this page */
    _Atomic int64_t awake_ns; /* wall time; 0 while there is no processor */
};

static struct page *page;
static _Atomic int64_t told_ns; /* the latest time that anybody here was told; nobody is told less */

static void refuse(const char *why)
{
    if (write(2, why, strlen(why)) < 0)
        _exit(126);
    _exit(127);
}

static int64_t now(clockid_t which)
{
    struct timespec at;

    if (syscall(SYS_clock_gettime, which, &at) != 0)
        return -1;
    return (int64_t)at.tv_sec * SECOND_NS + at.tv_nsec;
}

static void rest(long ns)
{
    struct timespec time = {0, ns};

    syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, NULL);
}

/* One thread of QEMU. */
struct watched {
    clockid_t clock;
    int file; /* its stat */
    int64_t ran;
};

static struct watched threads[THREADS];
static int watching;

/* Watch every thread but this one. True if the processor's is among them; before QEMU has made it there is nothing to tell. */
static bool find_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    bool found = false;

    while (watching)
        close(threads[--watching].file);
    while (tasks && watching < THREADS && (task = readdir(tasks))) {
        char path[300], name[16] = "";
        int thread = atoi(task->d_name);
        if (thread <= 0 || thread == (int)syscall(SYS_gettid))
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%d/comm", thread);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            continue;
        found |= read(file, name, sizeof name - 1) > 0 && !strncmp(name, PROCESSOR, strlen(PROCESSOR));
        close(file);
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
        if ((file = open(path, O_RDONLY | O_CLOEXEC)) < 0)
            continue;
        clockid_t clock = (clockid_t)(~(unsigned)thread << 3 | 6); /* CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED */
        threads[watching++] = (struct watched){clock, file, now(clock)};
    }
    if (tasks)
        closedir(tasks);
    return found;
}

/* 'S' at rest, 'R' with work, 'D' waiting for the disk; 0 once it has gone (proc_pid_stat(5), third field). */
static char state(int file)
{
    char text[64] = "";

    if (pread(file, text, sizeof text - 1, 0) <= 0)
        return 0;
    char *end = strrchr(text, ')');
    return end && end[1] ? end[2] : 0;
}

/* Whether all of them rest, have gone, or had a processor of this machine for half of the time at least. */
static bool all_run(int64_t elapsed)
{
    bool fine = true;

    for (int i = 0; i < watching; i++) {
        int64_t run = now(threads[i].clock);
        if (2 * (run - threads[i].ran) < elapsed) {
            char is = state(threads[i].file);
            fine &= is == 'S' || is == 0;
        }
        threads[i].ran = run;
    }
    return fine;
}

static void *watch(void *unused)
{
    for (;;) {
        if (!find_threads()) {
            atomic_store(&page->awake_ns, 0);
            rest(SEARCH_NS);
            continue;
        }
        int64_t before = now(CLOCK_MONOTONIC);
        for (int look = 0; look < LOOKS; look++) {
            rest(LOOK_NS);
            int64_t wall = now(CLOCK_MONOTONIC);
            if (all_run(wall - before))
                atomic_store(&page->awake_ns, wall + TRUST_NS);
            before = wall;
        }
    }
    return unused;
}

/* Signals are for QEMU's own threads. */
static void begin_watching(void)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, watch, NULL) == 0)
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
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
    begin_watching();
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
    int64_t time = wall - held, told = atomic_load(&told_ns);

    while (time > told && !atomic_compare_exchange_weak(&told_ns, &told, time))
        ;
    if (time < told)
        time = told; /* `held` has grown since `wall` was read */
    at->tv_sec = time / SECOND_NS;
    at->tv_nsec = time % SECOND_NS;
    return 0;
}
