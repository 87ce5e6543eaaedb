// SPDX-License-Identifier: Apache-2.0
// What goes out: JSON objects, one a line, and the one last line of every command.
//
// Promise: a command ends with {"done": true, "status": N, ...}; a status other than 0 comes with "error", one sentence that says
// what was wrong and what would be right. Strings are escaped, numbers finite.
// User's duty: open and close objects in pairs; inside an object every value has a key, inside a list none (NULL).
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>

enum status {
    STATUS_OK = 0,
    STATUS_REFUSED = 1,     // the driver, the device or the system refused
    STATUS_USAGE = 2,       // the command line is wrong
    STATUS_XRUN = 3,        // an underrun or overrun ended the job
    STATUS_INTERRUPTED = 130,
};

void json_open(const char *key);   // the outermost one has no key
void json_close(void);             // ends the line of the outermost one
void json_list(const char *key);
void json_list_end(void);
void json_text(const char *key, const char *value);  // NULL: null
void json_whole(const char *key, int64_t value);
void json_hex(const char *key, const char *format, uint64_t value);  // a string; `format` prints an unsigned long long
void json_truth(const char *key, bool value);
void json_null(const char *key);

// Called once before the last line, in every way a command can end: switch pins off, print what is left. Its `counts` are called
// inside the last line and add keys to it.
struct ending {
    void (*settle)(void *job, enum status status);
    void (*counts)(void *job);
    void *job;
};
void on_ending(struct ending ending);

// The last line, then exit.
_Noreturn void finish(void);
_Noreturn void refuse(enum status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Ctrl-C, hang-up and termination: `catch_interrupts` once; `check_interrupt` refuses with STATUS_INTERRUPTED.
void catch_interrupts(void);
void check_interrupt(void);

#endif
