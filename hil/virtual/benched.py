# SPDX-License-Identifier: Apache-2.0
"""A board on the virtual bench, whichever it is: what the supervisor needs of it.

Promises of every `Benched`: `start` returns when the board is at its prompt and its pins are in the capture ring, or raises
BenchDied; `check` raises BenchDied, with the culprit by name, once a process of it has ended by itself; everything it started ends with
`close` and, however that happens, with this process.
`choose` says which board it is going to be: `linux` (BenchDied says what is missing), `model`, or `auto`, the first of them that this machine
can have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .codec import codec_by_name
from .faults import Faults
from .ring_source import RingSource
from .scpi import ScpiDevice

BOARDS = ("model", "linux", "auto")
LOG_TAIL = 15


class BenchDied(RuntimeError):
    """The board did not start, or ended by itself. `log`: the last lines its simulation wrote."""

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = list(log)


@dataclass(frozen=True)
class BenchOptions:
    """What can be chosen. `memory_latency` in bus cycles, `folder` None: a run directory of its own, `seed`: noise and clocks,
    `dilation` of the Linux board's time, None: as the machine can.
    """

    codec: str = "PCM5102A"
    folder: Path | None = None
    memory_latency: int = 20
    seed: int = 1
    gating: bool = True
    timebase_ppm: float = 0.8
    faults: Faults = field(default_factory=Faults)  # armed on every instrument
    board: str = "model"
    dilation: float | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the simulation gets of it."""
        delays = codec_by_name(self.codec).converter_delay
        return {
            "BENCH_READ_LATENCY": str(self.memory_latency),
            "BENCH_WRITE_LATENCY": str(self.memory_latency),
            "BENCH_CONVERTER_DELAY": str(sum(delay << 16 * place for place, delay in enumerate(delays))),
            "BENCH_GATING": str(int(self.gating)),
            "COCOTB_RANDOM_SEED": str(self.seed),
        }


class Benched(Protocol):
    """One board. `facts` goes out in the ready line; `time_scale`: wall seconds that one of its seconds takes, 1 if nobody knows."""

    console: str
    build_id: str
    pids: dict[str, int]
    facts: dict[str, Any]
    time_scale: float

    def start(self) -> None: ...
    def source(self) -> RingSource: ...
    def instruments(self) -> dict[str, ScpiDevice]: ...
    def check(self) -> None: ...
    def close(self) -> None: ...


def tail(folder: Path) -> list[str]:
    """The last lines of a simulation's log."""
    log = folder / "sim.log"
    return log.read_text(errors="replace").splitlines()[-LOG_TAIL:] if log.is_file() else []


def choose(options: BenchOptions, folder: Path, say: Callable[[str], None]) -> Benched:
    """The board that `options.board` asks for. May fetch and build what the Linux board needs. BenchDied."""
    from .benched_linux import LinuxOnBench, Parts  # both late: the one that is not wanted costs nothing
    from .benched_model import ModelOnBench

    if options.board == "model":
        return ModelOnBench(options, folder, say)
    try:
        return LinuxOnBench(options, folder, say, Parts.obtain())
    except BenchDied as error:
        if options.board == "linux":
            raise
        say(f"virtual bench: no Linux board ({error}); the reference-driver board takes its place")
        return ModelOnBench(options, folder, say, fallback=str(error))
