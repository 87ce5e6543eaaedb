# SPDX-License-Identifier: Apache-2.0
"""Starting and ending the simulated RTL that the Linux board talks to (the supervisor's side; imports no cocotb).

    with RtlSimulation(folder) as rtl:                      builds (once), starts, calibrates
        board = Board(parts, dilation=rtl.dilation, memory_file=rtl.memory, socket=rtl.socket)

Promise: the constructor returns when the simulation listens, or raises `SimulationFailed` with what it said. The child ends when the
board's QEMU has gone, at `close`, and with this process. Guest memory is the simulation's own (a memfd); QEMU maps it by its path below /proc.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cocotb_tests.engine import process
from cocotb_tests.engine.capture_ring import CaptureRing
from cocotb_tests.engine.system import start_system

from .control import Asker
from .errors import SimulationFailed
from .qemu import MEMORY_BASE
from .time import PaceReport

_START_LIMIT_S = 60.0  # without the build
_END_LIMIT_S = 20.0
_WORLD = Path(__file__).with_name("rtl_world.py")


class RtlSimulation:
    """`dilation`: None to have it chosen, at least `least_dilation`. `folder` receives sim.log, the capture ring and the report; its path must be short (sockets).
    `parameters` of bench_top and `env` as in `cocotb_tests.engine.system`; with `own_folder` the folder goes with the simulation, even if
    this process is killed.
    """

    def __init__(
        self,
        folder: Path,
        dilation: float | None = None,
        memory_mb: int = 256,
        *,
        parameters: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
        own_folder: bool = False,
        least_dilation: float = 1,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.capture = folder, folder / "capture"
        for name in ("vfio.sock", "control.sock", "clock", "ready.json", "report.json"):
            (folder / name).unlink(missing_ok=True)
        self.memory_mb, self.socket = memory_mb, folder / "vfio.sock"
        self._asker: Asker | None = None
        self.child = start_system(
            str(_WORLD),
            folder=folder,
            parameters=parameters,
            env={
                **(env or {}),
                "BOARD_FOLDER": str(folder),
                "BOARD_LEAST_DILATION": str(least_dilation),
                "BOARD_OWN_FOLDER": str(int(own_folder)),
                "BOARD_DILATION": "" if dilation is None else str(dilation),
                "BENCH_MEMORY_BASE": str(MEMORY_BASE),
                "BENCH_MEMORY_SIZE": str(memory_mb << 20),
                "BENCH_CAPTURE": str(self.capture),
            },
        )
        try:
            ready = self._wait_ready()
        except BaseException:
            self.close()
            raise
        self.dilation: float = ready["dilation"]
        self.simulated_ms_per_s: float = ready["simulated_ms_per_s"]
        self.memory = Path(ready["memory"])

    def pace(self) -> PaceReport:
        """How the pace was since the last call. Disconnected when the simulation has gone."""
        if self._asker is None:
            self._asker = Asker(self.folder / "control.sock")
        return self._asker.pace()

    def ring(self) -> CaptureRing:
        """What the pins did; may be read while the simulation runs and after it."""
        return CaptureRing(self.capture)

    def check(self) -> None:
        """Raise SimulationFailed if it has ended."""
        status = self.child.poll()
        if status is not None:
            raise SimulationFailed(f"the simulation ended by itself (status {status}); it said: {self._said()}")

    def report(self) -> dict[str, int]:
        """Its closing figures, once it has ended (its QEMU has gone): accesses, bus_errors, unanswered, events, withdrawn."""
        with contextlib.suppress(process.subprocess.TimeoutExpired):
            self.child.wait(_END_LIMIT_S)
        try:
            figures: dict[str, int] = json.loads((self.folder / "report.json").read_text())
        except OSError:
            raise SimulationFailed(f"the simulation left no report; it said: {self._said()}") from None
        return figures

    def close(self) -> None:
        """End it; safe to call twice."""
        if self._asker is not None:
            self._asker.close()
            self._asker = None
        if self.child.poll() is None:
            process.kill_group(self.child)

    def __enter__(self) -> RtlSimulation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait_ready(self) -> dict[str, Any]:
        deadline = time.monotonic() + _START_LIMIT_S
        file = self.folder / "ready.json"
        while not file.exists():
            self.check()
            if time.monotonic() > deadline:
                raise SimulationFailed(
                    f"the simulation was not ready after {_START_LIMIT_S:.0f} s; it said: {self._said()}"
                )
            time.sleep(0.02)
        ready: dict[str, Any] = json.loads(file.read_text())
        return ready

    def _said(self) -> str:
        log = self.folder / "sim.log"
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
        return " | ".join(lines[-3:]) or "nothing"
