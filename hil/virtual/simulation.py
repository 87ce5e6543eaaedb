# SPDX-License-Identifier: Apache-2.0
"""What runs inside the simulator: the reference-driver board on the simulated device, with its console.

Promises: simulated time passes only while the board has work or a reader of the capture ring wants it (`want_ps`); when the
board is ready, the file `board.json` in the run directory says where console and capture ring are; on SIGTERM (also the one
that the kernel sends when the supervisor dies) the run directory is removed if it is ours, and the process ends.
Its user is the supervisor, by environment (`simulation_files`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb

from cocotb_tests.bfm.port import RtlPort
from virtone import __version__

from .board_shell import Shell
from .ending import end_on_sigterm
from .playback import Board
from .pty_console import LineReader, PtyConsole
from .simulation_files import FACTS, FOLDER, OWN_FOLDER, READY_FILE
from .sndprobe import Sndprobe


class Idle:
    """Simulated time standing still until somebody rings the bench page's doorbell."""

    def __init__(self, dut: Any, port: RtlPort) -> None:
        self._page, self._bell = port.page, dut.doorbell_i
        self._heard = self._page.doorbell

    def ring(self) -> None:
        """From any one thread."""
        self._page.doorbell += 1

    async def wait(self) -> None:
        """Returns when it has rung since the last time this returned."""
        self._page.hold = 1
        while self._page.doorbell == self._heard:
            await self._bell.value_change
        self._heard = self._page.doorbell
        self._page.hold = 0


@cocotb.test()
async def board(dut: Any) -> None:
    """The board, until the process is ended."""
    folder = Path(os.environ[FOLDER])
    facts = json.loads(os.environ.get(FACTS, "{}"))
    end_on_sigterm(folder, os.environ.get(OWN_FOLDER) == "1")
    port = RtlPort(dut)
    await port.reset()
    idle = Idle(dut, port)
    console = PtyConsole(idle.ring)
    terminal = LineReader(console, idle.wait)
    guest = Board(port, terminal.interrupted)
    await guest.start()
    identity = guest.probe.identity
    _announce(folder, {
        "console": console.path,
        "capture": os.environ["BENCH_CAPTURE"],
        "pid": os.getpid(),
        "build_id": f"{identity.build_id:08x}",
        "clock_hz": identity.clock_hz,
    })  # fmt: skip
    release = f"virtone reference-driver board {__version__}, build {identity.build_id:08x}"
    await Shell(terminal, Sndprobe(guest, terminal, facts), release).run()


def _announce(folder: Path, what: dict[str, Any]) -> None:
    aside = folder / f"{READY_FILE}.part"
    aside.write_text(json.dumps(what))
    aside.rename(folder / READY_FILE)
