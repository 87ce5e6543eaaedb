# SPDX-License-Identifier: Apache-2.0
"""What a workload found, and what that is worth.

PASS: all that was played was heard, or the difference is explained and demanded (a pause, a broken-off player). FAIL: something else was
heard, or the kernel or the device complained. INCONCLUSIVE: the simulation was later than the workload allows, so guest time
was not simulated time; or something else was heard while it went on without the answer of a guest that this machine did not run.
ERROR: it could not be carried out. NOT RUN: what it needs is not there.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .compare import Comparison

COUNTERS = ("frames_played", "underruns", "silent_frames", "late_messages", "bus_errors")


class Verdict(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"
    NOT_RUN = "NOT RUN"


@dataclass
class Findings:
    """What a workload collects. `problems`: each one fails it; `notes`: what a reader should know, differences explained included.
    `dry_ends`: how often a stream may have run dry, because it was drained, starved on purpose or broken off.
    """

    compared: int = 0
    different: int = 0
    xruns: int = 0
    dry_ends: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sha256: str = ""

    def add(self, comparison: Comparison, what: str = "") -> None:
        """Count a comparison; one that differs is a problem."""
        self.compared += comparison.compared
        self.different += comparison.different
        self.sha256 = comparison.sha256
        if not comparison.exact:
            self.problems.append(f"{what}: {comparison.said}" if what else comparison.said)

    def demand(self, holds: bool, problem: str) -> None:
        if not holds:
            self.problems.append(problem)


@dataclass
class Outcome:
    """One line of the report. `pace`: fields of `PaceReport`; `counters`: the probe page's, during the workload."""

    name: str
    family: str
    verdict: Verdict
    findings: Findings = field(default_factory=Findings)
    counters: dict[str, int] = field(default_factory=dict)
    kernel_warnings: list[str] = field(default_factory=list)
    pace: dict[str, float] = field(default_factory=dict)
    behind_limit_ms: float = 0.0
    wall_s: float = 0.0
    attempt: int = 1

    @property
    def reason(self) -> str:
        """Why it is no PASS, in one line."""
        reasons = [*self.findings.problems, *(f"kernel: {line}" for line in self.kernel_warnings)]
        if self.verdict is Verdict.INCONCLUSIVE:
            reasons.insert(0, self.lateness())
        return "; ".join(reasons)

    def lateness(self) -> str:
        behind, dilation = self.pace.get("worst_behind_ns", 0.0) / 1e6, self.pace.get("dilation", 0.0)
        if self.pace.get("unanswered"):
            return f"the guest left {self.pace['unanswered']:g} interrupts unanswered at N = {dilation:g}"
        return f"the simulation was {behind:.1f} ms behind guest time at N = {dilation:g}; allowed are {self.behind_limit_ms:g} ms"

    def record(self) -> dict[str, Any]:
        """For JSON."""
        flat = dataclasses.asdict(self)
        return {"name": self.name, "verdict": str(self.verdict), **flat.pop("findings"), **flat, "reason": self.reason}


def judge(outcome: Outcome) -> None:
    """Set the verdict of a workload that was carried out, from everything else in it."""
    found, counters = outcome.findings, outcome.counters
    underruns, errors = counters.get("underruns", 0), counters.get("bus_errors", 0)
    found.demand(not errors, f"{errors} bus errors")
    found.demand(
        underruns <= found.dry_ends, f"the device ran dry {underruns} times; {found.dry_ends} at most are explained"
    )
    late = outcome.pace.get("worst_behind_ns", 0.0) > outcome.behind_limit_ms * 1e6
    failed = bool(found.problems or outcome.kernel_warnings)
    late |= failed and bool(outcome.pace.get("unanswered"))
    outcome.verdict = Verdict.INCONCLUSIVE if late else Verdict.FAIL if failed else Verdict.PASS
