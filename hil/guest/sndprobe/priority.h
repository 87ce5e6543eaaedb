// SPDX-License-Identifier: Apache-2.0
// Scheduling of the program while a stream runs. An application that waits for the processor is no measure of the device.
//
// Promise: "fifo" raises the program above all others where that is allowed; its memory is locked where that is allowed.
#ifndef PRIORITY_H
#define PRIORITY_H

#define SCHEDULER_NAMES "fifo other"

const char *take_priority(const char *scheduler);  // what it is from now on

#endif
