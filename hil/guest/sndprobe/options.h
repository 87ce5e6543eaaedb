// SPDX-License-Identifier: Apache-2.0
// Options of a verb: `--name value` words against a table.
//
// Promise: after `parse_options` every target holds a value; a wrong command line ends the program with one message that names the
// option, what it was and what would be right.
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum option_kind { WHOLE, REAL, WORD };  // targets: long, double, const char *

struct option {
    const char *name;
    enum option_kind kind;
    void *target;          // set to its default by the caller
    double low, high;      // of numbers
    const char *choices;   // of words: "a b c", NULL: any
    bool *given;           // NULL, or told whether it was there
    bool found;            // for the parser
};

#define OPTIONS_END {0}

void parse_options(int count, char **words, struct option *table);

// How long a stream lasts: --seconds or --frames.
struct length {
    double seconds;
    long frames;
    bool given;  // in frames
};
static const struct length usual_length = {.seconds = 1};
#define LENGTH_OPTIONS(l) \
    {"seconds", REAL, &(l)->seconds, 1e-3, 3600}, {"frames", WHOLE, &(l)->frames, 1, 1 << 30, .given = &(l)->given}
int64_t length_frames(const struct length *length, long rate);

#endif
