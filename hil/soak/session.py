# SPDX-License-Identifier: Apache-2.0
"""The board that is soaked: an unmodified Linux on the simulated RTL, its console, its kernel log, the device's counters.

    with Session(parts, files, dilation=None, log=file) as board: ...

Promise: inside `with` the board stands at its prompt with the stock drivers bound. `run` is bounded by the guest time it is told, stretched by
N. What comes over the console goes to `log`. Everything ends with `with`. Errors: those of `linux_board.errors` and `virtone.bench.errors`.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

import numpy as np

from hil.virtual.linux_board import qemu
from hil.virtual.linux_board.device_tree import WINDOW_ADDRESS
from hil.virtual.linux_board.errors import BootFailed
from hil.virtual.linux_board.packages import Parts
from hil.virtual.linux_board.rtl_simulation import RtlSimulation
from hil.virtual.run_folder import run_folder
from virtone.bench.console import Console
from virtone.bench.transport import SerialLine
from virtone.virtio import probe

from .listener import Listener, slots
from .outcome import COUNTERS

BOOT_LIMIT_S = 120.0
_SLACK_S = 60.0  # wall seconds a command may take beside its guest time
_ENDING_S = 5.0
_SLOWNESS = 3.0  # how many times slower than planned a simulation may be before a command is given up
_RAW_LINE = re.compile(r"<(\d+)>\[\s*[\d.]+\] ?(.*)")
_WARNING = 4  # KERN_WARNING; smaller is worse (Linux include/linux/kern_levels.h)
_OURS = re.compile(r"virtio|snd|sound|pcm", re.IGNORECASE)
_BAD_WORDS = re.compile(r"\bBUG\b|\bOops\b|nobody cared|Call trace|WARNING:|stuck|hung task", re.IGNORECASE)


class Session:
    """One boot of the board. `tell` receives the simulated seconds since `begin`, a few times a second."""

    def __init__(
        self,
        parts: Parts,
        files: Mapping[str, bytes | Path],
        dilation: float | None,
        log: TextIO,
        tell: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.parts, self._files, self._wanted, self.log, self._tell = parts, files, dilation, log, tell
        self._stack = contextlib.ExitStack()
        self._marks = 0
        self._heard = ""  # on the console since the last command
        self._known: set[str] = set()
        self._before = dict.fromkeys(COUNTERS, 0)

    def __enter__(self) -> Session:
        try:
            folder = self._stack.enter_context(run_folder("vsoak-"))
            self.rtl = self._stack.enter_context(RtlSimulation(folder, self._wanted))
            self._stack.callback(self._let_it_end)
            self.dilation = self.rtl.dilation
            self.board = self._stack.enter_context(
                qemu.Board(
                    self.parts,
                    dilation=self.dilation,
                    memory_mb=self.rtl.memory_mb,
                    memory_file=self.rtl.memory,
                    socket=self.rtl.socket,
                    files=self._files,
                )
            )
            line = SerialLine(self.board.start())
            self._stack.callback(line.close)
            self.console = Console(line, timeout_s=BOOT_LIMIT_S, log=self._write_log)
            self.console.reach_prompt()
            if self.run("ls -d /proc/asound/card0 2>&1; true") != "/proc/asound/card0":
                raise BootFailed(f"no sound card; the kernel said: {self.run('dmesg | tail -n 3')}")
            self._known = {text for _, text in self._kernel_lines() if not _OURS.search(text)}
            self.listener = Listener(self.rtl.ring(), self._tell)
            self._stack.callback(self.listener.close)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- console ------------------------------------------------------------------------------------------------------
    def run(self, command: str, guest_s: float = 1.0) -> str:
        """A shell command on the board and what it says; BootFailed if the kernel panicked, ConsoleTimeout."""
        self.log.write(f"\n# {command}\n")
        self._heard = ""
        try:
            return "\n".join(self.console.run(command, timeout_s=_SLACK_S + guest_s * self.dilation * _SLOWNESS))
        finally:
            qemu.raise_on_panic(self._heard)

    def type(self, text: str) -> None:
        """Keys for the program that runs on the console."""
        self.console.line.write(text.encode())

    def restart(self, command: str) -> None:
        """Have the board start anew with a command that does not return, and wait for its prompt. BootFailed."""
        self.log.write(f"\n# {command}\n")
        self.type(f"{command}\n")
        seen, deadline = "", time.monotonic() + BOOT_LIMIT_S
        while not re.search(r"virtone: kernel .* cards: \d+\r?\n", seen):
            if time.monotonic() > deadline:
                raise BootFailed(
                    f"no prompt {BOOT_LIMIT_S:.0f} s after {command!r}; the last that came is {seen[-200:]!r}"
                )
            seen += self.console.line.read(0.2).decode("utf-8", "replace")
        self.log.write(seen)
        if "cards: 1" not in seen or "\nerror:" in seen:
            raise BootFailed(f"no sound card after {command!r}; the board said {seen[-200:]!r}")
        self.console.reach_prompt(BOOT_LIMIT_S)
        self._before = dict.fromkeys(COUNTERS, 0)  # the device was reset as well

    def wait_for(self, holds: Callable[[], bool], guest_s: float, what: str) -> None:
        """Return when `holds()`; TimeoutError if it does not within the guest time."""
        deadline = time.monotonic() + _SLACK_S + guest_s * self.dilation * _SLOWNESS
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {guest_s:g} s of guest time for {what}")
            time.sleep(0.01)

    # -- what is observed ---------------------------------------------------------------------------------------------
    def begin(self) -> None:
        """Forget what was: sound, counters, kernel log, pace."""
        self._marks += 1
        self.run(f"echo '<6>virtone soak: mark {self._marks}' > /dev/kmsg")
        self._before = self._read_counters()
        self.listener.begin()
        self.rtl.pace()

    def heard(self) -> np.ndarray:
        """Frames at the pins since `begin`: int32, shape (frames, 2)."""
        return slots(self.listener.heard())

    def counters(self) -> dict[str, int]:
        """The device's counters since `begin` (since `restart`, if there was one)."""
        now = self._read_counters()
        return {name: (now[name] - self._before[name]) & 0xFFFF_FFFF for name in COUNTERS}

    def kernel_warnings(self) -> list[str]:
        """Kernel messages since `begin` that are warnings or worse, other than those of every boot that are not about sound."""
        lines = self._kernel_lines()
        mark = f"virtone soak: mark {self._marks}"
        begin = next((place for place, (_, text) in enumerate(lines) if text == mark), -1)
        return [
            text
            for level, text in lines[begin + 1 :]
            if (level <= _WARNING or _BAD_WORDS.search(text)) and text not in self._known
        ]

    def _let_it_end(self) -> None:
        """QEMU has gone: the simulation writes its results by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.rtl.child.wait(_ENDING_S)

    def _kernel_lines(self) -> list[tuple[int, str]]:
        said = [_RAW_LINE.match(line) for line in self.run("dmesg -r").splitlines()]
        return [(int(line[1]) & 7, line[2]) for line in said if line]

    def _read_counters(self) -> dict[str, int]:
        registers = [int(getattr(probe, f"PROBE_{name.upper()}")) for name in COUNTERS]
        addresses = " ".join(hex(WINDOW_ADDRESS + int(probe.PROBE_BASE) + offset) for offset in registers)
        said = re.findall(r"^0x([0-9A-F]{8})$", self.run(f"for a in {addresses}; do devmem $a; done"), re.MULTILINE)
        if len(said) != len(COUNTERS):
            raise BootFailed(f"the probe page answered {said}; right are {len(COUNTERS)} counters")
        return dict(zip(COUNTERS, (int(word, 16) for word in said), strict=True))

    def _write_log(self, text: str) -> None:
        self._heard += text
        self.log.write(text)
        self.log.flush()
