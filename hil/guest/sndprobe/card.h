// SPDX-License-Identifier: Apache-2.0
// The sound card as the system describes it: names, driver, module parameters, where its registers are.
//
// Promise: nothing here opens the stream or touches the device; what cannot be read is an empty string or zero.
#ifndef CARD_H
#define CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct card {
    long number, device;
    char name[80], driver[64], transport[64], features[80];
    uint64_t window;  // physical address of the virtio-mmio window; 0: not on that bus
};

void card_read(struct card *card, long number, long device);
// Keys `kernel` to `policy` of an open object.
void card_describe(const struct card *card);
// "ack" where the driver exposes a period when the application has filled it (Linux >= 6.7), "requeue" before.
const char *card_policy(void);
// First line of a file without its end; false if it cannot be read.
bool read_line(const char *path, char *text, size_t size);

#endif
