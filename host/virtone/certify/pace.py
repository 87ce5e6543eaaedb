# SPDX-License-Identifier: Apache-2.0
"""Was the simulation where the board's clock was? Asked about every step on a bench whose board runs on stretched wall time.

Promise: a step is measured again, whatever it showed, while the simulation was further behind than `limit_s`, `ATTEMPTS` times in all,
and then as often on a bench whose board is `LARGER` times slower; if it never kept up, `doubts` say so, and figures in which the application has a part are INCONCLUSIVE. Figures of the device alone
(completions, word clock) are simulated time throughout and stand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .plan import Configuration

LONGEST_S = (
    0.5e-3  # what the delay that an application is told may be off by: a simulation later than that could hide it
)
ATTEMPTS = 3
LARGER = 2.0  # N of a second bench, if the first one could not keep up


def limit_s(c: Configuration) -> float:
    """How late the simulation may be: half a millisecond, or half a period if that is less (the application could not be sure in which
    period it is).
    """
    return min(LONGEST_S, 0.5 * c.period_frames / c.rate)


def doubts(entries: Iterable[dict[str, Any]]) -> list[str]:
    """Why figures of applications in these steps are not to be trusted: at most one reason."""
    paced = [entry for entry in entries if entry.get("pace")]
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


def summary(entries: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """All steps together: N, worst ms behind, wall seconds that the board's clock was held, steps, repetitions, steps late in the end; None
    if nothing was paced.
    """
    paced = [entry["pace"] for entry in entries if entry.get("pace")]
    if not paced:
        return None
    return {
        "dilation": sorted({said["dilation"] for said in paced}),
        "worst_behind_ms": round(max(said["worst_behind_s"] for said in paced) * 1e3, 6),
        "held_s": round(sum(said["held_s"] for said in paced), 3),
        "steps": len(paced),
        "repeated": sum(said["attempts"] - 1 for said in paced),
        "late": sum(said["worst_behind_s"] > said["limit_s"] for said in paced),
    }
