// SPDX-License-Identifier: Apache-2.0
// sndprobe: plays coded sound on a Linux board, records, and says what an application was told and what the device did.
//
//     sndprobe VERB --option value ...
//
// Every verb prints JSON objects, one a line; the last one is {"done": true, "status": N}, N also being the exit status: 0, or 1 the driver
// or the device refused, 2 the command line is wrong, 3 an underrun or overrun ended it, 130 interrupted; then "error" says why.
#include <stdio.h>
#include <string.h>

#include "card.h"
#include "pcm.h"
#include "pcm_params.h"
#include "probe.h"
#include "report.h"
#include "options.h"
#include "verbs.h"

#ifndef SNDPROBE_VERSION
#define SNDPROBE_VERSION "unknown"
#endif

struct board {
    long number, device;
    const char *where, *missing;
    struct card card;
    struct probe probe;
};

static struct board take_board(int count, char **words)
{
    struct board board = {.where = "auto"};
    struct option table[] = {
        {"card", WHOLE, &board.number, 0, 31},
        {"device", WHOLE, &board.device, 0, 31},
        {"probe", WORD, &board.where},
        OPTIONS_END,
    };
    parse_options(count, words, table);
    card_read(&board.card, board.number, board.device);
    board.missing = probe_try(&board.probe, board.where, &board.card);
    return board;
}

static void identify(const struct board *board)
{
    json_text("sndprobe", SNDPROBE_VERSION);
    json_text("system", "Linux");
    card_describe(&board->card);
    probe_describe(&board->probe, board->missing);
}

void verb_version(int count, char **words)
{
    struct board board = take_board(count, words);
    json_open(NULL);
    identify(&board);
    json_close();
    finish();
}

void verb_info(int count, char **words)
{
    struct board board = take_board(count, words);
    struct pcm pcm;
    pcm_open(&pcm, PLAYBACK, board.number, board.device);
    json_open(NULL);
    identify(&board);
    json_text("features", *board.card.features ? board.card.features : NULL);
    pcm_describe(pcm.descriptor);
    json_close();
    finish();
}

void verb_counters(int count, char **words)
{
    struct board board = take_board(count, words);
    if (board.missing)
        refuse(STATUS_REFUSED, "%s", board.missing);
    probe_count(&board.probe);
    json_open(NULL);
    probe_counters(&board.probe);
    json_close();
    finish();
}

static const struct {
    const char *name;
    void (*run)(int count, char **words);
} verbs[] = {
    {"version", verb_version}, {"hello", verb_version}, {"info", verb_info},         {"counters", verb_counters},
    {"put", verb_put},         {"get", verb_get},       {"rm", verb_rm},             {"play", verb_play},
    {"tone", verb_tone},       {"record", verb_record}, {"material", verb_material}, {"shots", verb_shots},
    {"stimulus", verb_stimulus},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

int main(int count, char **words)
{
    char names[256] = "";
    catch_interrupts();
    for (int i = 0; i < VERBS; i++) {
        if (count > 1 && !strcmp(words[1], verbs[i].name))
            verbs[i].run(count - 2, words + 2);
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", verbs[i].name);
    }
    refuse(STATUS_USAGE, "%s%.60s%s; sndprobe understands %s", count > 1 ? "'" : "no verb", count > 1 ? words[1] : "", count > 1 ? "'" : "",
           names);
}
