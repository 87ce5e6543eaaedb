# SPDX-License-Identifier: Apache-2.0
"""`sndprobe` as a program for the Linux board.

Promise: `sndprobe()` returns a static arm64 program that is current with its sources; the first call may fetch a compiler (`toolchain`),
the next ones take milliseconds. Put it on the board with `qemu.Board(..., files={"usr/bin/sndprobe": sndprobe()})`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from hil.guest import toolchain
from hil.virtual.linux_board.errors import BoardUnavailable

SOURCES = Path(__file__).resolve().parent / "sndprobe"
OUT = SOURCES.parents[2] / ".build" / "sndprobe"
_LIMIT_S = 300


def compiler() -> str:
    """The C compiler for arm64: CROSS_CC, the PATH's, this machine's own if it is arm64, else `toolchain`'s. Raises BoardError."""
    if given := os.environ.get("CROSS_CC"):
        return given
    native = "cc" if os.uname().machine == "aarch64" else None
    return shutil.which("aarch64-linux-gnu-gcc") or native or str(toolchain.obtain())


def sndprobe(out: Path = OUT) -> Path:
    """The program's path. Raises BoardError: there is no compiler, or it does not build."""
    if shutil.which("make") is None:
        raise BoardUnavailable("make not found: sndprobe is built with it; on Debian: apt install make")
    command = ["make", "-s", "-C", str(SOURCES), "arm64", f"OUT={out}", f"CROSS_CC={compiler()}"]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=_LIMIT_S, stdin=subprocess.DEVNULL, check=False
    )  # fmt: skip
    if done.returncode:
        raise BoardUnavailable(f"sndprobe does not build for arm64: {done.stderr.strip()[-600:] or done.returncode}")
    return out / "arm64" / "sndprobe"
