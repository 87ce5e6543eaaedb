# SPDX-License-Identifier: Apache-2.0
"""What a run left behind, read back: cocotb's result file, the figures of the engine's mains, the report of a failure."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LOG_LINES = 40
_FIGURES = "BENCH {"


@dataclass(frozen=True)
class BenchResult:
    """A passed bench: tests run, simulated and wall time of its tests, the log, the wave file if any.

    `figures` of a system bench: sim_ps, wall_s of the simulation loop, bus_cycles_run, vpi_steps.
    """

    tests: tuple[str, ...]
    sim_ns: float
    wall_s: float
    log: str
    waves: Path | None
    figures: Mapping[str, Any] = field(default_factory=dict)


def read_results(xml: Path, log: str, waves: Path | None) -> tuple[BenchResult, list[tuple[str, str]]]:
    """What cocotb reported: the result, and for each failing test its name and traceback."""
    names: list[str] = []
    failures: list[tuple[str, str]] = []
    sim_ns = wall_s = 0.0
    if xml.is_file():
        for case in ElementTree.parse(xml).getroot().iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            problem = case.find("failure")
            problem = case.find("error") if problem is None else problem
            if problem is not None:
                failures.append((name, (problem.text or problem.get("message") or "no reason given").strip()))
            if case.find("skipped") is None:
                names.append(name)
            wall_s += float(case.get("time") or 0)
            for item in case.iter("property"):
                if item.get("name") == "sim_time_duration":
                    sim_ns += float(item.get("value") or 0)
    return BenchResult(tuple(names), sim_ns, wall_s, log, waves, figures(log)), failures


def figures(log: str) -> dict[str, Any]:
    """The line of figures that an engine main prints when it ends; empty when there is none."""
    lines = [line for line in log.splitlines() if line.startswith(_FIGURES)]
    return json.loads(lines[-1].removeprefix("BENCH ")) if lines else {}


def report(heading: str, trouble: str, failures: Sequence[tuple[str, str]], log: str, log_file: Path) -> str:
    """The message of a failed bench: the failing tests first, then the end of the simulator's log."""
    parts = [f"{heading}: " + (trouble or f"{len(failures)} cocotb test(s) failed")]
    parts += [f"---- {name}\n{text}" for name, text in failures]
    tail = log.splitlines()[-_LOG_LINES:]
    parts.append("\n".join([f"---- the last {len(tail)} lines of {log_file}", *tail]))
    return "\n".join(parts)
