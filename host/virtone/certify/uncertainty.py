# SPDX-License-Identifier: Apache-2.0
"""Uncertainty of a result by the GUM, and what a sample supports about a percentile.

Promise: a `Budget` combines components to a standard uncertainty, effective degrees of freedom (Welch-Satterthwaite) and
expanded uncertainty, k = 2 (JCGM 100:2008, 5.1.2, G.4, 6.2); `percentile` gives a sample percentile with a confidence
interval that assumes no distribution (order statistics; H. A. David, "Order Statistics", 7.1). All components of a budget
are in the unit of its result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

K = 2.0
DIVISOR = {"normal": 1.0, "rectangular": math.sqrt(3), "triangular": math.sqrt(6), "arcsine": math.sqrt(2)}
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Component:
    """``value``: standard deviation (normal) or half-width; ``kind`` A or B; ``dof`` degrees of freedom."""

    name: str
    kind: str
    value: float
    distribution: str = "normal"
    dof: float = math.inf

    @property
    def u(self) -> float:
        """Standard uncertainty."""
        return abs(self.value) / DIVISOR[self.distribution]


@dataclass(frozen=True)
class Budget:
    """Independent components with sensitivity 1."""

    components: tuple[Component, ...]

    @property
    def u(self) -> float:
        """Combined standard uncertainty."""
        return math.sqrt(math.fsum(c.u**2 for c in self.components))

    @property
    def dof(self) -> float:
        """Effective degrees of freedom; infinite when no component limits them."""
        lower = math.fsum(c.u**4 / c.dof for c in self.components if math.isfinite(c.dof))
        return self.u**4 / lower if lower else math.inf

    @property
    def k(self) -> float:
        """Coverage factor for 95.45 %: 2, more when the degrees of freedom are few."""
        return K if not self.dof <= 50 else float(stats.t.ppf(0.97725, max(self.dof, 1.0)))

    @property
    def expanded(self) -> float:
        return self.k * self.u

    def as_list(self) -> list[dict[str, Any]]:
        """Components as plain data; what is not finite is None."""

        def finite(x: float) -> float | None:
            return x if math.isfinite(x) else None

        return [
            {
                "name": c.name,
                "type": c.kind,
                "value": finite(c.value),
                "distribution": c.distribution,
                "dof": finite(c.dof),
                "u": finite(c.u),
            }
            for c in self.components
        ]


def percentile(values: np.ndarray, part: float) -> tuple[float, float, float]:
    """(percentile, lower, upper bound); ``part`` 0..1, each bound with 95 % confidence on its side.

    The percentile is the order statistic ceil(part * n). A bound that the sample cannot support is -inf or +inf.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    n = len(ordered)
    point = float(ordered[min(n - 1, max(0, math.ceil(part * n - 1e-9) - 1))])
    below = int(stats.binom.ppf(1 - CONFIDENCE, n, part))  # largest r with P(X < r) <= 5 %: X_(r) bounds from below
    while below > 0 and stats.binom.cdf(below - 1, n, part) > 1 - CONFIDENCE:
        below -= 1
    above = int(stats.binom.ppf(CONFIDENCE, n, part)) + 1
    while above <= n and stats.binom.cdf(above - 1, n, part) < CONFIDENCE:
        above += 1
    low = float(ordered[below - 1]) if below >= 1 else -math.inf
    high = float(ordered[above - 1]) if above <= n else math.inf
    return point, low, high


def shots_needed(part: float) -> int:
    """Least n whose maximum bounds this percentile from above with 95 % confidence: ln 0.05 / ln part."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(part))


def highest_percentile(n: int) -> float:
    """Highest percentile (0..1) that n shots support with 95 % confidence."""
    return (1 - CONFIDENCE) ** (1 / n)
