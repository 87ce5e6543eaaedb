# SPDX-License-Identifier: Apache-2.0
"""The virtual bench: simulation and board in a child process, codec model and instruments in this one.

Promises: `VirtualBench.start` returns when console and instruments listen, or raises BenchDied; the instruments see the capture
ring and nothing else; `close` ends everything and removes the run directory unless it was given. The child ends when this process
does, however that happens.
Its user is `__main__`: it starts, waits for one of the reasons to end (`wait`), and closes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cocotb_tests.engine import build, process, system
from virtone import __version__

from .build_id import parameters
from .codec import Codec, codec_by_name
from .faults import Faults
from .hislip import HislipServer
from .i2s_analyzer import I2sAnalyzer
from .infiniivision import InfiniiVision
from .oscilloscope import Oscilloscope
from .ring_source import RingSource
from .scpi import ScpiDevice
from .simulation_files import FACTS, FOLDER, OWN_FOLDER, READY_FILE
from .socket_server import SocketServer

SIMULATION = Path(__file__).with_name("simulation.py")
START_S = 60.0  # from the start of the child to a board at its prompt
POLL_S = 0.05
LOG_TAIL = 15
PREFIX = "virtone-bench-"


def remove_left_over() -> None:
    """Remove run directories whose simulation is gone: of a bench that was killed together with its simulation."""
    for folder in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            if not Path(f"/proc/{json.loads((folder / READY_FILE).read_text())['pid']}").exists():
                shutil.rmtree(folder)


class BenchDied(RuntimeError):
    """The simulation did not start, or ended by itself. `log`: the last lines it wrote."""

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = list(log)


@dataclass(frozen=True)
class BenchOptions:
    """What can be chosen. `memory_latency` in bus cycles, `folder` None: a run directory of its own, `seed`: noise and clocks."""

    codec: str = "PCM5102A"
    folder: Path | None = None
    memory_latency: int = 20
    seed: int = 1
    gating: bool = True
    timebase_ppm: float = 0.8
    faults: Faults = field(default_factory=Faults)  # armed on every instrument

    @property
    def environment(self) -> dict[str, str]:
        """What the simulation gets of it."""
        delays = codec_by_name(self.codec).converter_delay
        return {
            "BENCH_READ_LATENCY": str(self.memory_latency),
            "BENCH_WRITE_LATENCY": str(self.memory_latency),
            "BENCH_CONVERTER_DELAY": str(sum(delay << 16 * place for place, delay in enumerate(delays))),
            "BENCH_GATING": str(int(self.gating)),
            "BENCH_CAPTURE_FRAMES": str(1 << 18),
            "COCOTB_RANDOM_SEED": str(self.seed),
        }


class VirtualBench:
    """A bench that runs. `ready` is the line that goes out."""

    def __init__(self, options: BenchOptions, say: Callable[[str], None]) -> None:
        self.options, self._say = options, say
        self.codec: Codec = codec_by_name(options.codec)
        remove_left_over()
        self.folder = options.folder or Path(tempfile.mkdtemp(prefix=PREFIX))
        self.ready: dict[str, Any] = {}
        self._own_folder = options.folder is None
        self._child: subprocess.Popen[bytes] | None = None
        self._devices: list[ScpiDevice] = []
        self._named: dict[str, HislipServer | SocketServer] = {}

    def start(self) -> None:
        """Build if needed, start the simulation, wait for its board, start the instruments."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / READY_FILE).unlink(missing_ok=True)
        began = time.monotonic()
        self._say("virtual bench: simulation of rtl/vsnd_top (the first build takes about a minute)")
        try:
            chosen = parameters()
            build.executable(system.system_spec(parameters=chosen))
        except build.BuildError as error:
            raise BenchDied(f"the simulation does not build: {error}") from error
        self._say(f"virtual bench: built after {time.monotonic() - began:.1f} s, starting it")
        facts = {"codec": self.codec.name, "converter_delay_frames": [d / 16 for d in self.codec.converter_delay]}
        self._child = system.start_system(
            str(SIMULATION),
            folder=self.folder,
            parameters=chosen,
            env={
                **self.options.environment,
                FOLDER: str(self.folder),
                OWN_FOLDER: str(int(self._own_folder)),
                FACTS: json.dumps(facts),
            },
        )
        board = self._wait_for_board()
        self._start_instruments(RingSource(board["capture"]))
        self.ready = {
            "ready": True,
            "console": board["console"],
            "instruments": {name: server.resource for name, server in self._named.items()},
            "pids": {"supervisor": os.getpid(), "simulation": board["pid"]},
            "versions": {"virtone": __version__, "build_id": board["build_id"], "python": sys.version.split()[0]},
            "codec": self.codec.name,
            "folder": str(self.folder),
        }

    def _start_instruments(self, source: RingSource) -> None:
        faults = self.options.faults
        scope = InfiniiVision(
            Oscilloscope(source, self.codec, timebase_ppm=self.options.timebase_ppm, seed=self.options.seed),
            faults=faults,
        )
        analyzer = I2sAnalyzer(source)
        self._devices = [scope, analyzer]
        self._named = {
            "oscilloscope": HislipServer(scope, faults),
            "oscilloscope_socket": SocketServer(scope, faults),
            "i2s": HislipServer(analyzer, faults),
            "i2s_socket": SocketServer(analyzer, faults),
        }

    def _wait_for_board(self) -> dict[str, Any]:
        deadline = time.monotonic() + START_S
        file = self.folder / READY_FILE
        while not file.exists():
            self.check()
            if time.monotonic() > deadline:
                raise BenchDied(f"the board was not at its prompt after {START_S:.0f} s", self._log_tail())
            time.sleep(POLL_S)
        return json.loads(file.read_text())

    def check(self) -> None:
        """Raises BenchDied once the simulation has ended."""
        status = self._child.poll() if self._child else None
        if status is not None:
            how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
            where = f"; its log is in {self.folder}" if not self._own_folder else ""
            raise BenchDied(f"the simulation {how}{where}", self._log_tail())

    def _log_tail(self) -> list[str]:
        log = self.folder / "sim.log"
        return log.read_text(errors="replace").splitlines()[-LOG_TAIL:] if log.is_file() else []

    def wait(self, ended: Callable[[float], bool]) -> None:
        """Returns when `ended(seconds)`, which waits that long at most, says so. Raises BenchDied."""
        while not ended(POLL_S):
            self.check()

    def close(self) -> None:
        """End instruments and simulation; safe to call twice, and half way through `start`."""
        for part in (*self._named.values(), *self._devices):
            part.close()
        if self._child is not None:
            process.kill_group(self._child)
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
