// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool first[16] = {true};
static int depth;
static struct ending at_end;
static volatile sig_atomic_t interrupted;

static void string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c >= 0x7f)  // bytes beyond ASCII are shown as Latin-1: a broken name is no broken line
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void place(const char *key)
{
    if (!first[depth])
        fputs(", ", stdout);
    first[depth] = false;
    if (key) {
        string(key);
        fputs(": ", stdout);
    }
}

static void into(const char *key, char bracket)
{
    place(key);
    putchar(bracket);
    first[++depth] = true;
}

void json_open(const char *key)
{
    if (depth == 0)
        first[0] = true;
    into(key, '{');
}

void json_close(void)
{
    putchar('}');
    if (--depth == 0) {
        putchar('\n');
        fflush(stdout);
    }
}

void json_list(const char *key)
{
    into(key, '[');
}

void json_list_end(void)
{
    depth--;
    putchar(']');
}

void json_text(const char *key, const char *value)
{
    if (!value) {
        json_null(key);
        return;
    }
    place(key);
    string(value);
}

void json_whole(const char *key, int64_t value)
{
    place(key);
    printf("%" PRId64, value);
}

void json_hex(const char *key, const char *format, uint64_t value)
{
    char text[40];
    snprintf(text, sizeof text, format, (unsigned long long)value);
    json_text(key, text);
}

void json_truth(const char *key, bool value)
{
    place(key);
    fputs(value ? "true" : "false", stdout);
}

void json_null(const char *key)
{
    place(key);
    fputs("null", stdout);
}

void on_ending(struct ending ending)
{
    at_end = ending;
}

static _Noreturn void end(enum status status, const char *error)
{
    struct ending ending = at_end;
    at_end = (struct ending){0};  // what goes wrong while ending does not end again
    if (depth) {  // an object that was begun when it went wrong
        putchar('\n');
        depth = 0;
    }
    if (ending.settle)
        ending.settle(ending.job, status);
    json_open(NULL);
    json_truth("done", true);
    json_whole("status", status);
    if (error)
        json_text("error", error);
    if (ending.counts)
        ending.counts(ending.job);
    json_close();
    exit(status);
}

void finish(void)
{
    end(STATUS_OK, NULL);
}

void refuse(enum status status, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    end(status, text);
}

static void caught(int number)
{
    (void)number;
    interrupted = 1;
}

void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = caught};  // without SA_RESTART: waiting calls return
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

void check_interrupt(void)
{
    if (interrupted) {
        interrupted = 0;
        refuse(STATUS_INTERRUPTED, "interrupted");
    }
}
