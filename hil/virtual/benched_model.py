# SPDX-License-Identifier: Apache-2.0
"""The reference-driver board on the bench: one child process that is simulation and board (`simulation.py`)."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cocotb_tests.engine import process, system

from .benched import BenchDied, BenchOptions, tail
from .build_id import parameters
from .codec import codec_by_name
from .ring_source import RingSource
from .scpi import ScpiDevice
from .simulation_files import FACTS, FOLDER, OWN_FOLDER, READY_FILE

SIMULATION = Path(__file__).with_name("simulation.py")
START_S = 60.0  # from the start of the child to a board at its prompt
POLL_S = 0.05


class ModelOnBench:
    """`fallback`: why it is not the Linux board that was asked for."""

    time_scale = 1.0

    def __init__(
        self, options: BenchOptions, folder: Path, say: Callable[[str], None], fallback: str | None = None
    ) -> None:
        self.options, self.folder, self._say = options, folder, say
        self.facts: dict[str, Any] = {"kind": "reference driver"} | ({"fallback": fallback} if fallback else {})
        self.console = self.build_id = ""
        self.pids: dict[str, int] = {}
        self._capture = ""
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        own = self.options.folder is None
        codec = codec_by_name(self.options.codec)
        facts = {"codec": codec.name, "converter_delay_frames": [d / 16 for d in codec.converter_delay]}
        self._child = system.start_system(
            str(SIMULATION),
            folder=self.folder,
            parameters=parameters(),
            env={
                **self.options.environment,
                "BENCH_CAPTURE_FRAMES": str(1 << 18),
                FOLDER: str(self.folder),
                OWN_FOLDER: str(int(own)),
                FACTS: json.dumps(facts),
            },
        )
        board = self._wait_for_board()
        self.console, self.build_id, self._capture = board["console"], board["build_id"], board["capture"]
        self.pids = {"simulation": board["pid"]}

    def source(self) -> RingSource:
        return RingSource(self._capture)

    def instruments(self) -> dict[str, ScpiDevice]:
        return {}

    def check(self) -> None:
        status = self._child.poll() if self._child else None
        if status is not None:
            how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
            where = f"; its log is in {self.folder}" if self.options.folder is not None else ""
            raise BenchDied(f"the simulation {how}{where}", tail(self.folder))

    def close(self) -> None:
        if self._child is not None:
            process.kill_group(self._child)

    def _wait_for_board(self) -> dict[str, Any]:
        deadline = time.monotonic() + START_S
        file = self.folder / READY_FILE
        while not file.exists():
            self.check()
            if time.monotonic() > deadline:
                raise BenchDied(f"the board was not at its prompt after {START_S:.0f} s", tail(self.folder))
            time.sleep(POLL_S)
        said: dict[str, Any] = json.loads(file.read_text())
        return said
