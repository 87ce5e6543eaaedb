# SPDX-License-Identifier: Apache-2.0
"""Figures: peak memory and time of `make certify`, and of building the simulation from nothing.

`make certify` is one call of the `virtone` command; that command is what is watched, on the virtual bench, after set-up
and with the simulation built.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cocotb_tests.benchmark import tree
from cocotb_tests.benchmark.figure import Figure, MeasurementError
from cocotb_tests.engine.build import executable
from cocotb_tests.engine.sources import REPO_ROOT
from cocotb_tests.engine.system import system_spec

GROUP = "make certify"
PLANS = {"quick": "hil/plans/quick.toml", "full": "hil/plans/first-light.toml"}
MEMORY_HIGH_MIB, WALL_HIGH_S = 1024.0, 240.0
_TIMEOUT_S = {"quick": 180.0, "full": 900.0}
_VERDICTS = {0: "PASS", 1: "FAIL", 3: "INCONCLUSIVE"}
_PYTHONPATH = {"PYTHONPATH": f"{REPO_ROOT / 'host'}:{REPO_ROOT}"}
MIB = 1 << 20
_BUILD = """
import pathlib, sys
from cocotb_tests.engine import build, system
build.BUILD_ROOT = pathlib.Path(sys.argv[1])
build.executable(system.system_spec())
"""


def figures(plan: str, seen: tree.Watched, said: str = "") -> list[Figure]:
    """Raises MeasurementError when no certificate came out (`said`: what the command printed last)."""
    if seen.status not in _VERDICTS:
        raise MeasurementError(f"certify with the {plan} plan ended with status {seen.status}: {said}")
    if not seen.samples or not seen.peak_bytes:
        raise MeasurementError(f"certify with the {plan} plan: no memory was seen in {seen.samples} samples")
    verdict = _VERDICTS[seen.status]
    return [
        Figure(GROUP, f"{plan} plan, peak memory", seen.peak_bytes / MIB, "MiB", high=MEMORY_HIGH_MIB,
               note=f"{seen.processes} processes, proportional set size, {seen.samples} samples"),
        Figure(GROUP, f"{plan} plan, wall time", seen.wall_s, "s", high=WALL_HIGH_S,
               note=f"{seen.cpu_s:.3g} s of CPU time; certificate says {verdict}"),
    ]  # fmt: skip


def measure(plan: str, step: Callable[[float], None] = lambda seconds: None) -> list[Figure]:
    """`plan`: a key of PLANS."""
    executable(system_spec())
    with tempfile.TemporaryDirectory(prefix="virtone-benchmark-") as folder:
        log = Path(folder) / "log"
        command = [
            sys.executable, "-c", "import sys; from virtone.cli.main import main; sys.exit(main())", "certify",
            "--bench", "hil/benches/virtual.toml", "--plan", PLANS[plan], "--out", str(Path(folder) / "out"),
        ]  # fmt: skip
        seen = tree.watch(command, cwd=REPO_ROOT, log=log, env=_PYTHONPATH, timeout_s=_TIMEOUT_S[plan], step=step)
        return figures(plan, seen, " | ".join(log.read_text(errors="replace").strip().splitlines()[-6:]))


def measure_build(step: Callable[[float], None] = lambda seconds: None) -> list[Figure]:
    """The simulation of the whole device, Verilator's runtime included, without ccache."""
    with tempfile.TemporaryDirectory(prefix="virtone-benchmark-") as folder:
        log = Path(folder) / "log"
        command = [sys.executable, "-c", _BUILD, str(Path(folder) / "sim")]
        env = {**_PYTHONPATH, "CCACHE_DISABLE": "1", "OBJCACHE": ""}
        seen = tree.watch(command, cwd=REPO_ROOT, log=log, env=env, timeout_s=600, step=step)
        if seen.status:
            raise MeasurementError(
                f"the build ended with status {seen.status}: {log.read_text(errors='replace')[-500:]}"
            )
    note = f"{seen.cpu_s:.3g} s of CPU time, two compilers at a time, no cache"
    return [
        Figure("build of the simulation", "wall time", seen.wall_s, "s", note=note),
        Figure(
            "build of the simulation", "peak memory", seen.peak_bytes / MIB, "MiB", note=f"{seen.processes} processes"
        ),
    ]
