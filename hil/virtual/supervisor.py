# SPDX-License-Identifier: Apache-2.0
"""The virtual bench: simulation and board in child processes, codec model and instruments in this one.

Promises: `VirtualBench.start` returns when console and instruments listen, or raises BenchDied; the instruments see the capture
ring and nothing else; `close` ends everything and removes the run directory unless it was given. The children end when this process
does, however that happens.
Its user is `__main__`: it starts, waits for one of the reasons to end (`wait`), and closes.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

from cocotb_tests.engine import build, system
from virtone import __version__

from . import run_folder
from .benched import BenchDied, Benched, BenchOptions, choose
from .build_id import parameters
from .codec import Codec, codec_by_name
from .hislip import HislipServer
from .i2s_analyzer import I2sAnalyzer
from .infiniivision import InfiniiVision
from .oscilloscope import Oscilloscope
from .ring_source import RingSource
from .scpi import ScpiDevice
from .simulation_files import READY_FILE
from .socket_server import SocketServer

__all__ = ["BenchDied", "BenchOptions", "VirtualBench"]

POLL_S = 0.05
PREFIX = "virtone-bench-"


class VirtualBench:
    """A bench that runs. `ready` is the line that goes out."""

    def __init__(self, options: BenchOptions, say: Callable[[str], None]) -> None:
        self.options, self._say = options, say
        self.codec: Codec = codec_by_name(options.codec)
        self.folder = options.folder or run_folder.make(PREFIX)
        self.ready: dict[str, Any] = {}
        self._own_folder = options.folder is None
        self.board: Benched | None = None
        self._devices: list[ScpiDevice] = []
        self._named: dict[str, HislipServer | SocketServer] = {}

    def start(self) -> None:
        """Fetch and build what is needed, start the board, wait for it, start the instruments."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / READY_FILE).unlink(missing_ok=True)
        self.board = choose(self.options, self.folder, self._say)
        began = time.monotonic()
        self._say("virtual bench: simulation of rtl/vsnd_top (the first build takes about a minute)")
        try:
            build.executable(system.system_spec(parameters=parameters()))
        except build.BuildError as error:
            raise BenchDied(f"the simulation does not build: {error}") from error
        self._say(f"virtual bench: built after {time.monotonic() - began:.1f} s, starting it")
        self.board.start()
        self._start_instruments(self.board.source())
        self.ready = {
            "ready": True,
            "console": self.board.console,
            "instruments": {name: server.resource for name, server in self._named.items()},
            "pids": {"supervisor": os.getpid(), **self.board.pids},
            "versions": {"virtone": __version__, "build_id": self.board.build_id, "python": sys.version.split()[0]},
            "board": self.board.facts,
            "time_scale": self.board.time_scale,
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
        for name, device in self.board.instruments().items():
            self._devices.append(device)
            self._named[name] = SocketServer(device, faults)

    def wait(self, ended: Callable[[float], bool]) -> None:
        """Returns when `ended(seconds)`, which waits that long at most, says so. Raises BenchDied."""
        while not ended(POLL_S):
            self.board.check()

    def close(self) -> None:
        """End instruments and simulation; safe to call twice, and half way through `start`."""
        for part in (*self._named.values(), *self._devices):
            part.close()
        if self.board is not None:
            self.board.close()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
