# SPDX-License-Identifier: Apache-2.0
"""Figure: simulated milliseconds per wall second, under cocotb and in the plain Verilated program of the same RTL.

Promise: both simulate the same span with the same stimulus, from the first time step to the last, in alternation; a figure is the
median of its rounds. The cocotb side is timed inside its test (without the start of Python and imports), the plain side
round its simulation loop. No timed run records; the recording that the plain program replays is made before.
Speeds and ratio are given per wall second, and per second of processor time, which other users of the machine disturb
less. Bounds hold for wall time; one that is missed while the runs did not have a core for themselves, and met by processor
time, is inconclusive.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cocotb_tests.benchmark.figure import Figure, MeasurementError, median
from cocotb_tests.benchmark.simulation import simulate
from cocotb_tests.engine.system import run_raw

GROUP = "speed of the simulation"
RATIO_LOW, GATED_LOW = 0.8, 300.0
MEMORY_BYTES = 1 << 20  # a recording compares all of guest memory after each turn of Python
_SAME_END_PS = 1_000_000
_WHOLE_CORE = 0.9
_TOO_FAST = 1.3  # cocotb cannot be faster than the same design without it


@dataclass(frozen=True)
class Playback:
    """What is simulated. `gated_low`: whether the bound on the gated speed is one for this material."""

    name: str
    format: str
    rate: int
    period: int
    periods: int
    sim_ms: float
    gated: bool = True
    bounded: bool = True

    def case(self) -> dict[str, Any]:
        return {
            "format": self.format, "channels": 2, "rate": self.rate, "period": self.period, "periods": self.periods,
            "sim_ms": self.sim_ms,
        }  # fmt: skip


MATERIAL = (
    Playback("48 kHz S16, 4 x 10 ms", "S16_LE", 48000, 480, 4, 400),
    Playback("48 kHz S24, 4 x 1 ms", "S24_LE", 48000, 48, 4, 400),
    Playback("192 kHz S32, 8 x 0.5 ms", "S32_LE", 192000, 96, 8, 200, bounded=False),
    Playback("48 kHz S16, 4 x 10 ms, bus clock always on", "S16_LE", 48000, 480, 4, 20, gated=False),
)
ROUNDS = 5


def measure(playback: Playback, rounds: int = ROUNDS, step: Callable[[], None] = lambda: None) -> list[Figure]:
    """Records, then runs cocotb and the plain program in turn. `step` is called after each run."""
    env = {"BENCH_GATING": "1" if playback.gated else "0", "BENCH_MEMORY_SIZE": str(MEMORY_BYTES)}
    with tempfile.TemporaryDirectory(prefix="virtone-benchmark-") as folder:
        recording = Path(folder) / "recording"
        simulate("playback", playback.case(), env={**env, "BENCH_RECORD": str(recording)}, timeout_s=240)
        run_raw(recording, env=env, timeout_s=120)  # built before it is timed
        step()
        bench, raw = [], []
        for _ in range(rounds):
            bench.append(simulate("playback", playback.case(), env=env, timeout_s=120))
            step()
            raw.append(_raw(recording, env))
            step()
    return figures(playback, bench, raw)


def _raw(recording: Path, env: Mapping[str, str]) -> dict[str, Any]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = run_raw(recording, env=env, timeout_s=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {**found, "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def figures(playback: Playback, bench: Sequence[Mapping[str, Any]], raw: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Speeds and ratio. `bench`, `raw`: {sim_ps, bus_cycles_run, wall_s, cpu_s} of each round (`bench` also xruns).

    Raises MeasurementError when the runs did not simulate the same, when playback broke off, or when cocotb seems faster
    than the same design without it.
    """
    if not bench or len(bench) != len(raw):
        raise MeasurementError(
            f"{playback.name}: {len(bench)} rounds with cocotb, {len(raw)} without; they come in pairs"
        )
    if any(run["xruns"] for run in bench):
        raise MeasurementError(f"{playback.name}: underruns, so this was not the playback it should be")
    every = [*bench, *raw]
    spans = [run["sim_ps"] for run in every]
    cycles = [run["bus_cycles_run"] for run in every]
    if max(spans) - min(spans) > _SAME_END_PS or max(cycles) - min(cycles) > 100:
        raise MeasurementError(
            f"{playback.name}: not the same simulation: {sorted(set(spans))} ps, {sorted(set(cycles))} bus cycles"
        )
    speed = {
        (side, clock): median(
            (run["sim_ps"] * 1e-9 / run[clock] if run[clock] > 0 else 0.0 for run in runs),
            f"{playback.name}, {side}, {clock}",
        )
        for side, runs in (("cocotb", bench), ("plain C++", raw))
        for clock in ("wall_s", "cpu_s")
    }
    wall = speed["cocotb", "wall_s"] / speed["plain C++", "wall_s"]
    cpu = speed["cocotb", "cpu_s"] / speed["plain C++", "cpu_s"]
    if cpu > _TOO_FAST:
        raise MeasurementError(
            f"{playback.name}: cocotb {cpu:.2f} times as fast as the plain program; the clock that says so is wrong"
        )
    share, plain_share = (
        sum(run["cpu_s"] for run in runs) / sum(run["wall_s"] for run in runs) for runs in (bench, raw)
    )
    busy = f"only {min(share, plain_share):.0%} of a core" if min(share, plain_share) < _WHOLE_CORE else ""
    low = GATED_LOW if playback.gated and playback.bounded else None
    own, plain = speed["cocotb", "cpu_s"], speed["plain C++", "cpu_s"]
    return [
        Figure(GROUP, f"{playback.name}, cocotb", speed["cocotb", "wall_s"], "ms/s", low=low,
               note=f"{own:.4g} ms per CPU s; had {share:.0%} of a core", doubt=busy if low and own >= low else "",
               detail={"rounds": list(bench), "per_cpu_s": own}),
        Figure(GROUP, f"{playback.name}, plain C++", speed["plain C++", "wall_s"], "ms/s",
               note=f"{plain:.4g} ms per CPU s; had {plain_share:.0%} of a core",
               detail={"rounds": list(raw), "per_cpu_s": plain}),
        Figure(GROUP, f"{playback.name}, ratio", wall, "", low=RATIO_LOW, note=f"{cpu:.3g} by CPU time; {len(bench)} rounds each",
               doubt=busy if cpu >= RATIO_LOW else "", detail={"by_cpu_time": cpu}),
    ]  # fmt: skip
