# SPDX-License-Identifier: Apache-2.0
"""Figures: register reads per second, and what a probe as Linux does it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cocotb_tests.benchmark.figure import Figure, MeasurementError, median
from cocotb_tests.benchmark.simulation import simulate

GROUP = "registers and probe"
CASE = {"reads": 50_000, "probes": 20}


def figures(found: Mapping[str, Any]) -> list[Figure]:
    """Raises MeasurementError when no time passed."""
    if min(found["reads"], found["read_wall_s"], found["read_cpu_s"], found["read_sim_ns"]) <= 0:
        raise MeasurementError(f"register reads: {dict(found)}: nothing was read, or no time passed")
    accesses = found["probe_accesses"]
    return [
        Figure(GROUP, "register reads", found["reads"] / found["read_wall_s"], "1/s",
               note=f"{found['reads'] / found['read_cpu_s']:.0f} per CPU s; {found['read_sim_ns'] / found['reads']:.4g} ns simulated each",
               detail=found),
        Figure(GROUP, "probe, simulated", median(found["probe_sim_ns"], "probe, simulated") / 1000, "us",
               note=f"{accesses} register accesses, one PCM_INFO request"),
        Figure(GROUP, "probe, wall", 1000 * median(found["probe_wall_s"], "probe, wall"), "ms",
               note=f"{1000 * median(found['probe_cpu_s'], 'probe, CPU'):.3g} ms of CPU time"),
    ]  # fmt: skip


def measure() -> list[Figure]:
    return figures(simulate("registers", CASE, timeout_s=120))
