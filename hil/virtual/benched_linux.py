# SPDX-License-Identifier: Apache-2.0
"""The Linux board on the bench: the simulated RTL in one child process, QEMU with an unmodified kernel and `sndprobe` in another.

The guest's time is wall time / N (`linux_board.time`), and the simulation is paced to it: it passes whether or not anybody looks, so the
instruments cannot ask for more of it; it stands still while this machine does not run the one or the other (`linux_board.guest_clock`).
How well the pace was kept is what the instrument `pace` tells.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import termios
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil.guest import build as guest_build

from .benched import BenchDied, BenchOptions, tail
from .build_id import build_id, parameters
from .linux_board import guest_clock, packages, qemu
from .linux_board.errors import BoardError
from .linux_board.rtl_simulation import RtlSimulation
from .pace_meter import PaceMeter
from .ring_source import RingSource
from .scpi import ScpiDevice

BOOT_S = 120.0  # wall seconds from the start of QEMU to the prompt; about 10 on a machine with nothing else to do
LEAST_DILATION = 10.0  # a pause of the host of 2.5 ms, which nobody can rule out, is 0.25 ms to the board
UP = re.compile(r"virtone: kernel \S+, up \S+ s, cards: (\d+)")
PROMPT = "\nvirtone# "


@dataclass(frozen=True)
class Parts:
    """What the board is made of."""

    board: packages.Parts
    sndprobe: Path

    @classmethod
    def obtain(cls) -> Parts:
        """Fetched and built if need be. BenchDied says what is missing."""
        try:
            return cls(packages.obtain(), guest_build.sndprobe())
        except BoardError as error:
            raise BenchDied(str(error)) from error


class PacedSource(RingSource):
    """Guest time goes on by itself."""

    def want(self, until_ps: int) -> None:
        """Nothing can be asked for: what is wanted comes when guest time comes to it."""


class LinuxOnBench:
    """The board; `time_scale` is its N."""

    def __init__(self, options: BenchOptions, folder: Path, say: Callable[[str], None], parts: Parts) -> None:
        self.options, self.folder, self._say, self._parts = options, folder, say, parts
        self.console = self.build_id = ""
        self.pids: dict[str, int] = {}
        self.facts: dict[str, Any] = {"kind": "linux"}
        self.time_scale = 1.0
        self._rtl: RtlSimulation | None = None
        self._qemu: qemu.Board | None = None
        self._line: int | None = None

    def start(self) -> None:
        try:
            self._start()
        except BoardError as error:
            raise BenchDied(f"the Linux board does not start: {error}", tail(self.folder)) from error

    def _start(self) -> None:
        own = self.options.folder is None
        self._rtl = rtl = RtlSimulation(
            self.folder,
            self.options.dilation,
            parameters=parameters(),
            env={**self.options.environment, "BENCH_CAPTURE_FRAMES": str(1 << 21)},  # 10 s at 192 kHz: nobody stops it
            own_folder=own,
            least_dilation=LEAST_DILATION,
        )
        self.time_scale = rtl.dilation
        self._say(
            f"virtual bench: simulation makes {rtl.simulated_ms_per_s:.0f} ms a second at rest, N = {rtl.dilation:g}"
        )
        board = self._parts.board
        self._qemu = machine = qemu.Board(
            board,
            dilation=rtl.dilation,
            socket=rtl.socket,
            memory_file=rtl.memory,
            memory_mb=rtl.memory_mb,
            files={"usr/bin/sndprobe": self._parts.sndprobe},
            within=self.folder,
        )
        self.console = machine.start()
        self._await_prompt()
        self.build_id = f"{build_id():08x}"
        self.pids = {"simulation": rtl.child.pid, "qemu": machine.pid or 0}
        self.facts |= {
            "kernel": board.kernel_release,
            "qemu": board.versions["qemu-system-arm"],
            "dilation": rtl.dilation,
            "simulated_ms_per_s": round(rtl.simulated_ms_per_s, 1),
            "processor_watched": guest_clock.awake_until_ns(machine.clock) != 0,
            "versions": board.versions,
        }

    def _await_prompt(self) -> None:
        """Read the console until the board says that it is up. The line stays open: a pty that nobody holds drops what is said."""
        self._line = line = os.open(self.console, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(line, termios.TCSANOW)
        text, deadline = "", time.monotonic() + BOOT_S
        while not (UP.search(text) and text.endswith(PROMPT)):
            self.check()
            qemu.raise_on_panic(text)
            if time.monotonic() > deadline:
                last = next((row for row in reversed(text.splitlines()) if row.strip()), "nothing")
                raise BenchDied(
                    f"the board was not at its prompt {BOOT_S:.0f} s after its start; its last line is {last!r}"
                )
            with contextlib.suppress(BlockingIOError):
                text += os.read(line, 4096).decode("utf-8", "replace").replace("\r", "")
            time.sleep(0.02)
        errors = [row for row in text.splitlines() if row.startswith("error: ")]
        if errors or UP.search(text)[1] == "0":
            raise BenchDied(f"the board came up without a sound card: {' | '.join(errors) or 'it does not say why'}")

    def source(self) -> RingSource:
        assert self._rtl is not None
        return PacedSource(self._rtl.capture)

    def instruments(self) -> dict[str, ScpiDevice]:
        assert self._rtl is not None
        return {"pace": PaceMeter(self._rtl.pace)}

    def check(self) -> None:
        """A simulation that failed takes QEMU with it, and a QEMU that ended ends the simulation in order."""
        status = self._rtl.child.poll() if self._rtl else None
        if status:
            raise self._died("the simulation", status)
        if self._qemu is not None:
            if (ended := self._qemu.status) is not None and ended < 0:
                raise self._died("QEMU", ended)
            try:
                self._qemu.check()
            except BoardError as error:
                raise BenchDied(str(error), tail(self.folder)) from error
        if status == 0:
            raise self._died("the simulation", 0)

    def _died(self, what: str, status: int) -> BenchDied:
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        where = f"; its log is in {self.folder}" if self.options.folder is not None else ""
        return BenchDied(f"{what} {how}{where}", tail(self.folder))

    def close(self) -> None:
        if self._line is not None:
            os.close(self._line)
            self._line = None
        if self._qemu is not None:
            self._qemu.close()
        if self._rtl is not None:
            self._rtl.close()
