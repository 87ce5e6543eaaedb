# SPDX-License-Identifier: Apache-2.0
"""Verdict on a value with its uncertainty.

Promise: guard band of width U on both sides (ILAC-G8:09/2019, w = U: less than 2.5 % false acceptance). PASS when the whole
interval lies within the limits, FAIL when it lies outside, else INCONCLUSIVE. Out-of-date calibration, a detector that did not
find its seeded faults, and a value below what physics allows are INCONCLUSIVE whatever the value is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NONE = "NO LIMIT"


RULE = (
    "PASS when value - U and value + U both lie within the limits, FAIL when the interval lies outside, else INCONCLUSIVE; a percentile "
    "uses its 95 % confidence bounds widened by U. Below the physical minimum, with calibration expired, or with a detector not "
    "proven, the result is INCONCLUSIVE."
)


def judge(
    interval: tuple[float, float],
    low: float | None,
    high: float | None,
    physics: float | None = None,
    doubts: Iterable[str] = (),
) -> tuple[Verdict, str]:
    """(verdict, its reason) for a result known to lie within ``interval`` (value - U, value + U)."""
    bottom, top = interval
    doubts = [doubt for doubt in doubts if doubt]
    if math.isnan(bottom) or math.isnan(top):
        return Verdict.INCONCLUSIVE, "nothing was measured"
    if physics is not None and top < physics:
        return Verdict.INCONCLUSIVE, f"below the physical minimum of {physics:g}: the measurement is broken"
    if low is None and high is None:
        return Verdict.NONE, "; ".join(["for information", *doubts])
    if doubts:
        return Verdict.INCONCLUSIVE, "; ".join(doubts)
    if (high is not None and bottom > high) or (low is not None and top < low):
        return (
            Verdict.FAIL,
            f"{'above ' + format(high, 'g') if high is not None and bottom > high else 'below ' + format(low, 'g')}",
        )
    if (high is None or top <= high) and (low is None or bottom >= low):
        return Verdict.PASS, "within the limits with its uncertainty"
    return Verdict.INCONCLUSIVE, "the uncertainty reaches across a limit"


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """FAIL if any fails, else INCONCLUSIVE if any is, else PASS (INCONCLUSIVE when nothing was judged)."""
    judged = [v for v in verdicts if v != Verdict.NONE]
    for worst in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if worst in judged:
            return worst
    return Verdict.PASS if judged else Verdict.INCONCLUSIVE
