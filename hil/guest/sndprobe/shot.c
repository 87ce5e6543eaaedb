// SPDX-License-Identifier: Apache-2.0
#include "shot.h"

#include "report.h"

void shot_print(const struct shot *shot, int64_t number)
{
    static const char *const names[STAGES] = {"A", "N", "F", "W", "C"};
    json_open(NULL);
    json_whole("shot", number);
    json_whole("code", shot->code);
    json_whole("frame", shot->told.appl_ptr);
    json_whole("told_frames", shot->told.delay);
    json_whole("since_update_ns", shot->told.since_update_ns);
    json_whole("appl_ptr", shot->told.appl_ptr);
    json_whole("hw_ptr", shot->told.hw_ptr);
    json_text("state", shot->told.state);
    json_open("stages_ns");
    for (int stage = 0; stage < STAGES; stage++) {
        if (shot->stages.known[stage])
            json_whole(names[stage], shot->stages.ns[stage]);
        else
            json_null(names[stage]);
    }
    json_close();
    json_close();
}
