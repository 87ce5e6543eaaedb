# SPDX-License-Identifier: Apache-2.0
"""A guest's clock that cannot leave the simulation behind, however busy the machine is.

    clock = GuestClock(socket.with_name(FILE))        in the simulation, before QEMU starts
    Pacer(dilation, guest=clock)                      grants a little more with every step
    qemu.Board(..., socket=socket)                    finds it beside the socket and counts by the same page

Promise: time is wall time while the simulation keeps up. It stands still at what was granted last, on both sides, and goes on from there; so
the guest is never further ahead of the simulation than one grant, and its time never leaps. What stood still is `held_s`. `awake` says
whether the machine runs the guest's processor: a simulation that grants nothing meanwhile is not ahead of the guest either.

How: `guest_clock.c`, preloaded into QEMU, answers clock_gettime(CLOCK_MONOTONIC), of which QEMU makes its virtual clock. A page of four 64-bit
words is shared: limit, held (both ns), pid of the user, and until when its processor is known to rest or to run. Both sides raise `held` by the same rule. The two can
meet: a time reckoned with the `held` of a moment ago would be later than one that somebody was told already, or earlier; so each side
remembers the latest that it told and never tells less.
"""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import time
from pathlib import Path

from .errors import BoardUnavailable

VARIABLE = "VIRTONE_GUEST_CLOCK"
FILE = "clock"
LIBRARY = "guest_clock.so"
_SOURCE = Path(__file__).with_name("guest_clock.c")
_OUT = Path(__file__).resolve().parents[3] / ".build" / "guest_clock"
_COMPILERS = ("cc", "gcc", "clang")
_LIMIT_S = 60
_LIMIT_NS, _HELD_NS, _USER, _AWAKE_NS = range(4)


class GuestClock:
    """The simulation's side; makes `file`, in seconds of CLOCK_MONOTONIC less what was held."""

    def __init__(self, file: Path) -> None:
        self.file = file
        part = file.with_name(f"{file.name}.part")
        part.write_bytes(bytes(mmap.PAGESIZE))
        with part.open("r+b") as page:
            self._words = memoryview(mmap.mmap(page.fileno(), mmap.PAGESIZE)).cast("q")
        part.rename(file)
        self._told = 0

    def now(self) -> float:
        """Never less than before."""
        wall = time.monotonic_ns()
        limit = self._words[_LIMIT_NS]
        now = wall - self._words[_HELD_NS]
        if limit and now > limit:
            self._words[_HELD_NS] = wall - limit
            now = limit
        self._told = max(self._told, now)
        return self._told * 1e-9

    def grant(self, until_s: float) -> None:
        """The guest's clock may go on until then. Call `now` before: what nobody has looked at since the limit was reached is not held yet."""
        self._words[_LIMIT_NS] = round(until_s * 1e9)

    @property
    def awake(self) -> bool:
        """False while this machine does not run a guest's processor that has work. True where nobody watches it."""
        until = self._words[_AWAKE_NS]
        return until == 0 or time.monotonic_ns() <= until

    @property
    def held_s(self) -> float:
        """Wall seconds it has stood still."""
        return self._words[_HELD_NS] * 1e-9


def user(file: Path) -> int:
    """The process that counts by the page; 0 while none does."""
    return _word(file, _USER)


def awake_until_ns(file: Path) -> int:
    """Until when the processor is known to rest or to run (CLOCK_MONOTONIC); 0 while nobody watches it."""
    return _word(file, _AWAKE_NS)


def _word(file: Path, place: int) -> int:
    return int.from_bytes(file.read_bytes()[8 * place : 8 * place + 8], "little")


def library() -> Path:
    """The built `guest_clock.so`, current with its source. BoardUnavailable: there is no C compiler, or it does not build."""
    built = _OUT / LIBRARY
    if built.exists() and built.stat().st_mtime >= _SOURCE.stat().st_mtime:
        return built
    compiler = os.environ.get("CC") or next(filter(shutil.which, _COMPILERS), None)
    if compiler is None:
        raise BoardUnavailable("no C compiler for the guest's clock; on Debian: apt install gcc")
    _OUT.mkdir(parents=True, exist_ok=True)
    part = _OUT / f"{LIBRARY}.{os.getpid()}"
    command = [
        *compiler.split(),
        "-std=gnu11",
        "-pthread",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        "-o",
        str(part),
        str(_SOURCE),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_LIMIT_S, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        part.unlink(missing_ok=True)
        raise BoardUnavailable(
            f"{_SOURCE.name} does not build with {compiler}: {done.stderr.strip()[-400:] or done.returncode}"
        )
    part.replace(built)
    return built
