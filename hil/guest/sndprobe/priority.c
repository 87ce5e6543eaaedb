// SPDX-License-Identifier: Apache-2.0
#include "priority.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>

enum { PRIORITY = 10 };

const char *take_priority(const char *scheduler)
{
    struct sched_param parameter = {.sched_priority = PRIORITY};
    mlockall(MCL_CURRENT | MCL_FUTURE);
    return !strcmp(scheduler, "fifo") && sched_setscheduler(0, SCHED_FIFO, &parameter) == 0 ? "fifo" : "other";
}
