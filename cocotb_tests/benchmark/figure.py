# SPDX-License-Identifier: Apache-2.0
"""One figure: a name, a value with its unit, the bound it has to meet, and how it was found.

Promise: `verdict` is `met`, `not met`, `no bound`, `inconclusive` when the bound was missed while something else (`doubt`)
may be to blame, or `not measured`; a value that is no finite number is never `met`. Bounds are inclusive.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MET, NOT_MET, NO_BOUND = "met", "not met", "no bound"
INCONCLUSIVE, NOT_MEASURED = "inconclusive", "not measured"


class MeasurementError(RuntimeError):
    """The runs do not say what they would have to say for a figure to be worked out."""


@dataclass(frozen=True)
class Figure:
    """`low`, `high`: the bounds, in `unit`, None where there is none. `doubt`: why a missed bound may not be the fault of what was
    measured; empty for none. `detail` goes to the JSON file only."""

    group: str
    name: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    note: str = ""
    doubt: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        if self.value is None or not math.isfinite(self.value):
            return NOT_MEASURED
        if self.low is None and self.high is None:
            return NO_BOUND
        above = self.low is None or self.value >= self.low
        below = self.high is None or self.value <= self.high
        if above and below:
            return MET
        return INCONCLUSIVE if self.doubt else NOT_MET

    @property
    def bound(self) -> str:
        """The bound as text, without unit."""
        parts = [] if self.low is None else [f"≥ {number(self.low)}"]
        parts += [] if self.high is None else [f"≤ {number(self.high)}"]
        return ", ".join(parts)

    def data(self) -> dict[str, Any]:
        """The figure as it stands in `benchmark.json`."""
        value = self.value if self.value is not None and math.isfinite(self.value) else None
        return {
            "group": self.group, "name": self.name, "value": value, "unit": self.unit, "low": self.low, "high": self.high,
            "verdict": self.verdict, "note": self.note, "doubt": self.doubt, "detail": dict(self.detail),
        }  # fmt: skip


def number(value: float | None) -> str:
    """Four significant digits, whole numbers whole."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if value == round(value) or abs(value) >= 10_000 else f"{value:.4g}"


def median(values: Iterable[float], what: str) -> float:
    """Median of positive finite values. Raises MeasurementError for anything else, naming `what`."""
    values = list(values)
    if not values or not all(math.isfinite(value) and value > 0 for value in values):
        raise MeasurementError(f"{what}: {values} must be one or more positive numbers")
    return statistics.median(values)
