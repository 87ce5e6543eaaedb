// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static const char *right(const struct option *option)
{
    static char text[256];
    if (option->choices) {
        snprintf(text, sizeof text, "one of: %s", option->choices);
    } else if (option->kind == WORD) {
        snprintf(text, sizeof text, "a word");
    } else {
        snprintf(text, sizeof text, "a %snumber from %g to %g", option->kind == WHOLE ? "whole " : "", option->low, option->high);
    }
    return text;
}

static bool chosen(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (const char *at = choices; length && (at = strstr(at, value)); at++)
        if ((at == choices || at[-1] == ' ') && (at[length] == ' ' || !at[length]) && !strchr(value, ' '))
            return true;
    return false;
}

static void convert(const struct option *option, const char *value)
{
    char *end = NULL;
    bool good = true;
    if (option->kind == WORD) {
        good = !option->choices || chosen(option->choices, value);
        *(const char **)option->target = value;
    } else if (option->kind == WHOLE) {
        long long number = strtoll(value, &end, 10);
        good = *value && !*end && number >= option->low && number <= option->high;
        *(long *)option->target = (long)number;
    } else {
        double number = strtod(value, &end);
        good = *value && !*end && number >= option->low && number <= option->high;  // NaN is neither
        *(double *)option->target = number;
    }
    if (!good)
        refuse(STATUS_USAGE, "--%s is %.80s; right is %s", option->name, value, right(option));
}

// Edit distance of two short words; 99 for long ones.
static int distance(const char *a, const char *b)
{
    int row[33];
    size_t columns = strlen(b);
    if (columns > 32 || strlen(a) > 32)
        return 99;
    for (size_t j = 0; j <= columns; j++)
        row[j] = (int)j;
    for (size_t i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= columns; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[columns];
}

static _Noreturn void unknown(const char *word, const struct option *table)
{
    char names[512] = "";
    const char *name = word + strspn(word, "-"), *near = NULL;
    int least = 3;
    for (const struct option *option = table; option->name; option++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s--%s", used ? ", " : "", option->name);
        int away = distance(name, option->name);
        if (away < least) {
            least = away;
            near = option->name;
        }
    }
    refuse(STATUS_USAGE, "option '%.60s' is unknown; %s%s%sright are %s", word, near ? "did you mean --" : "", near ? near : "",
           near ? "? " : "", *names ? names : "none");
}

void parse_options(int count, char **words, struct option *table)
{
    for (int place = 0; place < count; place += 2) {
        struct option *option = table;
        while (option->name && (strncmp(words[place], "--", 2) || strcmp(words[place] + 2, option->name)))
            option++;
        if (!option->name)
            unknown(words[place], table);
        if (option->found)
            refuse(STATUS_USAGE, "--%s is given twice", option->name);
        if (place + 1 == count)
            refuse(STATUS_USAGE, "--%s has no value; right is %s", option->name, right(option));
        convert(option, words[place + 1]);
        option->found = true;
        if (option->given)
            *option->given = true;
    }
}

int64_t length_frames(const struct length *length, long rate)
{
    int64_t whole = llrint(length->seconds * (double)rate);
    return length->given ? length->frames : whole ? whole : 1;
}
