// SPDX-License-Identifier: Apache-2.0
// The verbs. Each gets the words after its name, prints its records and ends with the last line (report.h).
#ifndef VERBS_H
#define VERBS_H

void verb_version(int count, char **words);
void verb_info(int count, char **words);
void verb_counters(int count, char **words);
void verb_put(int count, char **words);
void verb_get(int count, char **words);
void verb_rm(int count, char **words);
void verb_play(int count, char **words);
void verb_tone(int count, char **words);
void verb_record(int count, char **words);
void verb_material(int count, char **words);
void verb_shots(int count, char **words);
void verb_stimulus(int count, char **words);  // raw samples to standard output, no JSON: for comparison with the host's

#endif
