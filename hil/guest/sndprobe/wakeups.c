// SPDX-License-Identifier: Apache-2.0
#include "wakeups.h"

#include <stdlib.h>

#include "report.h"

enum { MOST_WAKEUPS = 1 << 20 };

struct wakeup {
    struct pcm_status status;
    int64_t xruns, frame;
    bool xrun;
};

void wakeups_note(struct wakeups *w, struct pcm *pcm, int64_t xruns, int64_t frame, bool xrun)
{
    if (!w->wanted && !xrun)
        return;
    if (w->seen == w->room && w->room < MOST_WAKEUPS) {
        int64_t room = w->room ? 2 * w->room : 1024;
        struct wakeup *table = realloc(w->table, (size_t)room * sizeof *table);
        if (!table)
            return;
        w->table = table;
        w->room = room;
    }
    if (w->seen == w->room)
        return;
    struct wakeup *wakeup = &w->table[w->seen++];
    *wakeup = (struct wakeup){.xruns = xruns, .frame = frame, .xrun = xrun};
    pcm_status(pcm, &wakeup->status);
}

void wakeups_print(const struct wakeups *wakeups)
{
    for (int64_t i = 0; i < wakeups->seen; i++) {
        const struct wakeup *w = &wakeups->table[i];
        json_open(NULL);
        json_whole(w->xrun ? "xrun" : "wakeup", w->xrun ? w->xruns : i);
        json_whole("time_ns", w->status.now_ns);
        json_whole("appl_ptr", w->status.appl_ptr);
        json_whole("hw_ptr", w->status.hw_ptr);
        json_whole("delay", w->status.delay);
        json_whole("since_update_ns", w->status.since_update_ns);
        json_text("state", w->status.state);
        json_whole("xruns", w->xruns);
        if (w->xrun)
            json_whole("frame", w->frame);
        json_close();
    }
}
