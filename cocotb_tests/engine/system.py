# SPDX-License-Identifier: Apache-2.0
"""System benches: `bench_top` (the whole device, guest memory, capture ring) under the engine's own C++ main.

    def test_probe() -> None:
        run_system(__file__)

The cocotb tests get a `Bench` from `cocotb_tests.bfm.port`. `start_system` starts the same simulation as a child that the
caller watches over (the virtual bench); `run_raw` replays a recorded run without cocotb, as reference for speed.

Environment: BENCH_GATING=0 lets the bus clock run all the time; WAVES, COCOTB_RANDOM_SEED as in `runner`.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cocotb_tests.engine import build, process, results, runner, sources

ENGINE = Path(__file__).resolve().parent
TOP = "bench_top"
_MODULES = ("axi_ram.sv", "register_mailbox.sv", "bench_top.sv")
_HEADERS = ("bench_page.h", "shared_file.h", "capture.h", "clocks.h", "guest_memory.h", "simulation.h", "recording.h")
_SPEED = ("OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2")


def system_spec(
    device: Sequence[Path] | None = None,
    *,
    parameters: Mapping[str, object] | None = None,
    defines: Mapping[str, object] | None = None,
    waves: bool = False,
    raw: bool = False,
) -> build.BuildSpec:
    """The build of `bench_top`. `device`: files that declare `vsnd_top` and what it needs; default: all of `rtl/vsnd.f`."""
    files = [*(sources.read_list() if device is None else device), *(ENGINE / name for name in _MODULES)]
    return build.BuildSpec(
        top=TOP,
        files=(*sources.closure(TOP, files), ENGINE / "idle.vlt", *(() if raw else (ENGINE / "public.vlt",))),
        parameters=parameters or {},
        defines=defines or {},
        args=(
            *("--assert", "--timescale", "1ns/1ps", "--x-assign", "fast", "--x-initial", "fast", "-O3"),
            *("-CFLAGS", f"-I{ENGINE}"),
        ),
        waves=waves,
        main=ENGINE / ("raw_main.cpp" if raw else "main.cpp"),
        cpp=(ENGINE / "dpi_memory.cpp",),
        headers=tuple(ENGINE / name for name in _HEADERS),
        link_cocotb=not raw,
        optimise=_SPEED,
    )


def run_system(
    tests: str,
    *,
    device: Sequence[Path] | None = None,
    parameters: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 300.0,
    waves: bool = False,
    seed: int | None = None,
) -> results.BenchResult:
    """Run the cocotb tests of the file `tests` on `bench_top`; results and errors as `runner.run_bench`.

    `env` may set BENCH_GATING, BENCH_READ_LATENCY, BENCH_WRITE_LATENCY (bus cycles), BENCH_MEMORY_SIZE, BENCH_MEMORY_BASE,
    BENCH_CAPTURE (a file that outlives the run), BENCH_RECORD (see `run_raw`), COCOTB_TEST_FILTER.
    """
    __tracebackhide__ = True
    spec = system_spec(device, parameters=parameters, waves=waves or runner.flag("WAVES"))
    return runner.run_built(spec, tests, env=env or {}, timeout_s=timeout_s, seed=seed)


def start_system(
    tests: str,
    *,
    folder: Path,
    device: Sequence[Path] | None = None,
    parameters: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start the same simulation as a child and return at once. Its output goes to `folder`/sim.log.

    The child leads a process group of its own and is killed by the kernel when this process dies; `process.kill_group` ends it.
    """
    spec = system_spec(device, parameters=parameters)
    return runner.start_built(spec, tests, folder=folder, env=env or {})


def run_raw(
    recording: Path,
    *,
    device: Sequence[Path] | None = None,
    parameters: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 300.0,
) -> dict[str, Any]:
    """Replay `recording` (made with BENCH_RECORD) in a plain Verilated program of the same design.

    Returns its figures: sim_ps, wall_s (of the simulation loop alone), bus_cycles_run. Raises BenchFailure when it dies.
    """
    binary = build.executable(system_spec(device, parameters=parameters, raw=True))
    log = recording.with_suffix(".raw.log")
    log.unlink(missing_ok=True)
    status = process.run_bounded(
        [str(binary)],
        cwd=recording.parent,
        env={**os.environ, **(env or {}), "BENCH_REPLAY": str(recording)},
        log=log,
        timeout_s=timeout_s,
        parent_death_signal=signal.SIGKILL,
    )
    said = log.read_text(errors="replace")
    if status:
        raise runner.BenchFailure(f"replaying {recording} ended with status {status}:\n{said}")
    figures = results.figures(said)
    if not figures:
        raise runner.BenchFailure(f"replaying {recording} printed no figures:\n{said}")
    return figures


def speed_ms_per_s(figures: Mapping[str, Any]) -> float:
    """Simulated milliseconds per wall second."""
    return figures["sim_ps"] * 1e-9 / figures["wall_s"]
