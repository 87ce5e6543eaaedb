# SPDX-License-Identifier: Apache-2.0
"""Was the board what it stands for? Asked about every step on a bench whose board runs on stretched wall time, in QEMU.

Two things can be late, both because this machine had something else to do: the simulation behind the board's clock, and the board's processor,
which lets an interrupt wait. And what was late may have run dry.

Promise: a step in which either was later than `limit_s` is measured again, whatever else it showed, `ATTEMPTS` times in all, and then on a bench
whose board is `LARGER` times slower; so is, at once, a step that ran dry, and what was given up is in the record. On the last bench that is left,
what never kept up is in `doubts` and `slow_board`; what ran dry on any bench is in `refusals`. Figures that it bears upon are INCONCLUSIVE. Figures of
the device alone (completions, word clock) are simulated time throughout and stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .plan import Configuration

LONGEST_S = 0.5e-3  # what the told delay may be off by: a simulation later than that could hide it
SHORTEST_S = 0.2e-3  # twice what a guest's clock that is held may be ahead
ATTEMPTS = 3
LARGER = 2.0  # N of the next bench, if one could not keep up
BENCHES = 4  # as many are tried
LARGEST = 400.0  # N that the Linux board takes
UNDERRUN = 3  # status of a board command that ran dry: the one refusal that a slow machine can be the reason of
PAUSE_S = 0.06  # wall seconds for which a machine may withhold a processor: other work, paging, a hypervisor


def limit_s(c: Configuration) -> float:
    """How late the simulation may be: half a millisecond, or half a period if that is less (the application could not be sure in which
    period it is), but twice what a clock that is held may be off.
    """
    return max(min(LONGEST_S, 0.5 * c.period_frames / c.rate), SHORTEST_S)


def least_dilation(c: Configuration) -> float:
    """N at which the application's part of the buffer outlasts such a pause."""
    return math.ceil(PAUSE_S / ((c.periods - 1) * c.period_frames / c.rate))


def doubts(entries: Iterable[dict[str, Any]]) -> list[str]:
    """Why figures of applications in these steps are not to be trusted: at most one reason."""
    paced = [entry for entry in entries if entry.get("pace")]
    left = sum(int(entry["pace"].get("unanswered", 0)) for entry in paced)
    if left:
        return [
            f"the board left {left} interrupts unanswered while the simulation went on: the machine was busy or the board hung"
        ]
    small = [entry["pace"] for entry in paced if entry["pace"]["dilation"] < entry["pace"].get("least_dilation", 0)]
    if small:
        return [
            f"N = {small[0]['dilation']:g}, and only at N = {small[0]['least_dilation']:g} would the buffer outlast a pause of this machine"
        ]
    late = [entry for entry in paced if entry["pace"]["worst_behind_s"] > entry["pace"]["limit_s"]]
    if not late:
        return []
    worst = max(late, key=lambda entry: entry["pace"]["worst_behind_s"])
    said = worst["pace"]
    return [
        f"the simulation was up to {said['worst_behind_s'] * 1e3:.2f} ms behind the board's clock in {len(late)} of {len(paced)} steps "
        f"({worst['key']}, {said['attempts']} attempts; {said['limit_s'] * 1e3:g} ms are tolerated): the machine was busy or N = "
        f"{said['dilation']:g} is too small for it"
    ]


def slow_board(entries: Iterable[dict[str, Any]]) -> list[str]:
    """Why the wait for the board's processor is not a property of what is certified: at most one reason."""
    slow = [e["pace"] for e in entries if e.get("pace") and e["pace"].get("longest_wait_s", 0) > e["pace"]["limit_s"]]
    if not slow:
        return []
    worst = max(slow, key=lambda said: said["longest_wait_s"])
    return [
        f"the board's emulated processor let an interrupt wait {worst['longest_wait_s'] * 1e3:.2f} ms ({worst['attempts']} attempts; "
        f"{worst['limit_s'] * 1e3:g} ms are tolerated): the machine was busy or N = {worst['dilation']:g} is too small for it"
    ]


def refusals(entries: Iterable[dict[str, Any]]) -> list[str]:
    """What the board refused before it was asked again, on benches that were given up (`slower` entries) too: at most one reason."""
    refused = [
        reason for entry in entries for reason in (entry.get("refused") or (entry.get("pace") or {}).get("refused", ()))
    ]
    return (
        [f"played again {len(refused)} times (first: {refused[0]}); whose fault that was is not known"]
        if refused
        else []
    )


def summary(entries: Iterable[dict[str, Any]], slower: Iterable[dict[str, Any]] = ()) -> dict[str, Any] | None:
    """All steps together: N, worst ms behind, wall seconds that the board's clock was held, longest ms that an
    interrupt waited, steps, repetitions, steps late in the end, why a bench was given up
    for a slower one (`slower`: those entries); None if nothing was paced.
    """
    paced = [entry["pace"] for entry in entries if entry.get("pace")]
    if not paced:
        return None
    return {
        "dilation": sorted({said["dilation"] for said in paced}),
        "worst_behind_ms": round(max(said["worst_behind_s"] for said in paced) * 1e3, 6),
        "longest_wait_ms": round(max(said.get("longest_wait_s", 0) for said in paced) * 1e3, 6),
        "held_s": round(sum(said.get("held_s", 0) for said in paced), 3),
        "given_up": [f"N = {e['from']:g} for N = {e['to']:g}: {e['why']}" for e in slower],
        "steps": len(paced),
        "repeated": sum(said["attempts"] - 1 for said in paced),
        "late": sum(max(said["worst_behind_s"], said.get("longest_wait_s", 0)) > said["limit_s"] for said in paced),
    }
