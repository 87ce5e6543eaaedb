# SPDX-License-Identifier: Apache-2.0
"""What programs on the board say: the same commands on both boards.

`offers` asks the stock `aplay` for the driver's parameter space and `sndprobe info` for rates; `play` runs `sndprobe play` on a file
of the board. Every wait is bounded in guest time, stretched by the board's dilation.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from virtone.bench.errors import CommandFailed

from .boards import Side

FOLDER = "/root"  # where the noise is, on the board
_SLACK_S = 30.0  # for printing and for a machine that others use
_STALL_S = 3.0  # sndprobe gives up waiting after 2 s of guest time and four buffers


@dataclass(frozen=True)
class Wakeup:
    """One wake-up of the player, before it writes the next period. Frames; `time_ns`: the guest's CLOCK_MONOTONIC."""

    time_ns: int
    appl_ptr: int
    hw_ptr: int
    delay: int
    since_update_ns: int
    state: str
    xruns: int


@dataclass(frozen=True)
class Played:
    """Outcome of one job. `error`: what stopped it, else empty. `interrupts`: the guest's count, control requests among them."""

    error: str
    xruns: int
    frames: int
    interrupts: int
    wakeups: list[Wakeup] = field(default_factory=list)


def offers(side: Side) -> dict[str, Any]:
    """What the driver lets an application choose."""
    info = side.console.run_records("sndprobe info --probe none")[0]
    dump = side.run("aplay -D hw:0,0 --dump-hw-params -f S16_LE -r 48000 -c 2 -d 1 /dev/zero 2>&1 | head -n 30; true")
    keys = ("kernel", "driver", "transport", "parameters", "policy", "rates", "channels", "periods", "period_bytes")
    return {key: info[key] for key in keys} | {"formats": formats(dump)}


def formats(dump: list[str]) -> list[str]:
    """The formats of `aplay --dump-hw-params`. CommandFailed if it printed none."""
    for line in dump:
        if found := re.match(r"FORMAT:\s+(.*)", line):
            return found[1].split()
    raise CommandFailed(f"aplay --dump-hw-params named no formats; its last line is {dump[-1:]}")


def interrupts(side: Side) -> int:
    """The guest's count of the device's interrupts."""
    return count_interrupts(side.run("cat /proc/interrupts"), side.irq)


def count_interrupts(lines: list[str], name: str) -> int:
    """Sum over processors of the line of /proc/interrupts that ends with `name`."""
    processors = 0
    for line in lines:
        words = line.split()
        if words and all(word.startswith("CPU") for word in words):
            processors = len(words)
        elif words and words[-1] == name and processors:
            return sum(map(int, words[1 : 1 + processors]))
    raise CommandFailed(f"/proc/interrupts has no line for {name}; is the driver bound?")


def play(side: Side, source: str, frames: int, rate: int, period: int, periods: int) -> Played:
    """Play a file of `frames` frames of S16 stereo. A job that fails is an outcome; a board that does not answer is an error."""
    before = interrupts(side)
    seconds = frames / rate
    limit_s = _SLACK_S + side.dilation * (seconds + _STALL_S + 5 * period * periods / rate)
    command = (
        f"SNDPROBE_FOLDER={FOLDER} sndprobe play --source {source} --rate {rate} --format S16 --channels 2 "
        f"--period {period} --periods {periods} --probe none --wakeups 1"
    )
    lines = side.run(command, limit_s)
    return outcome(lines, interrupts(side) - before)


def outcome(lines: list[str], interrupts_taken: int) -> Played:
    """From the lines of `sndprobe play`. CommandFailed if they do not end as they should."""
    records = []
    for line in lines:
        if line.startswith("{"):
            try:
                records.append(json.loads(line))
            except ValueError:
                raise CommandFailed(f"sndprobe printed {line[:120]!r}, which is no JSON") from None
    if not records or records[-1].get("done") is not True:
        raise CommandFailed(f"sndprobe ended without its last record; its last line is {lines[-1:]}")
    done = records[-1]
    keys = Wakeup.__dataclass_fields__
    seen = [Wakeup(**{key: record[key] for key in keys}) for record in records if "wakeup" in record]
    status = done.get("status")
    error = "" if status == 0 else str(done.get("error", f"status {status}"))
    return Played(error, int(done.get("xruns") or 0), int(done.get("frames_written") or 0), interrupts_taken, seen)
