# SPDX-License-Identifier: Apache-2.0
"""Figure: the smallest period that plays without underrun, in both queueing policies, and what limits it.

The reference driver takes MSG_POLLING, so a queued period is seen within one frame. Its own code takes no simulated time; the
application's reaction, from the wake-up to its write, is part of the case. Linux' module parameters (10 ms by default)
and the 8 frames that plans and boards want are passed by: parameters go straight to SET_PARAMS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cocotb_tests.benchmark.figure import Figure, MeasurementError
from cocotb_tests.benchmark.period_search import STALE
from cocotb_tests.benchmark.simulation import simulate

GROUP = "smallest period without underrun"
STREAMS = ((48000, "S16_LE"), (192000, "S32_LE"))
LATENCY = 20
CASES = tuple(
    {"policy": policy, "periods": periods, "reaction_us": reaction, "polling": True}
    for policy in ("ack", "requeue")
    for periods in (2, 4, 8)
    for reaction in (0, 50)
)


def figures(rate: int, cases: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """One per case. Raises MeasurementError when the trials do not bear the answer out."""
    made = []
    for case, result in zip(cases, results, strict=True):
        best, trials = result["smallest"], [(frames, trouble) for frames, trouble in result["trials"]]
        name = f"{rate / 1000:g} kHz, {case['policy']}, {case['periods']} periods, reaction {case['reaction_us']} us"
        if best is None:
            made.append(Figure(GROUP, name, None, "frames", note=f"{trials[0][0]} frames: {trials[0][1]}"))
            continue
        below = dict(trials).get(best - 1, "")
        if (best, "") not in trials or (best > 1 and not below):
            raise MeasurementError(f"{name}: {best} frames, but the trials say {trials}")
        made.append(
            Figure(GROUP, name, best, "frames", note=_limit(rate, case, best, below), detail={"trials": trials})
        )
    return made


def _limit(rate: int, case: Mapping[str, Any], best: int, below: str) -> str:
    """The period in microseconds, and what stops the one that is a frame shorter (`below`: how its trial ended)."""
    length = f"{best * 1e6 / rate:.4g} us"
    if not below:
        return f"{length}; no period is shorter than a frame"
    short_us, reaction_us = (best - 1) * 1e6 / rate, case["reaction_us"]
    if short_us < reaction_us and below != STALE:
        return f"{length}; {best - 1}: shorter than the reaction ({below})"
    if below == STALE and case["policy"] == "requeue":
        return f"{length}; {best - 1}: queued again and fetched ahead before it was refilled ({below})"
    rest_us = (case["periods"] - 1) * short_us
    return f"{length}; {best - 1}: the rest of the buffer, {rest_us:.4g} us, is too short for reaction, notice and fetch ({below})"


def measure(rate: int, format: str) -> list[Figure]:
    given = {"rate": rate, "format": format, "latency": LATENCY, "cases": CASES}
    return figures(rate, CASES, simulate("period", given, timeout_s=300))
