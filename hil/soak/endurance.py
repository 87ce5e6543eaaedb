# SPDX-License-Identifier: Apache-2.0
"""Random sound without a break, made on the board by noise.c and piped into aplay: every frame compared, and the hash of all."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

from hil.guest import toolchain
from hil.virtual.linux_board.errors import CacheBroken
from hil.virtual.run_folder import run_folder

from . import compare, material
from .listener import slots
from .outcome import Findings
from .playback import check_rate
from .session import Session
from .workload import Files, Stream

SEED = 29
RATE = 48000
STREAM = Stream(RATE, 4800, 10)  # a second of buffer: a machine that is busy for a moment does not spoil half an hour
_SOURCE = Path(__file__).with_name("noise.c")
_LIMIT_S = 120


@lru_cache(maxsize=1)
def program() -> bytes:
    """noise.c for the board. Raises BoardError where no compiler can be had."""
    with run_folder("vmaterial-") as folder:
        binary = folder / "noise"
        command = [str(toolchain.obtain()), "-O2", "-Wall", "-static", "-s", "-o", str(binary), str(_SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        if done.returncode:
            raise CacheBroken(f"{_SOURCE.name} cannot be compiled: {done.stderr.strip()[-300:]}")
        return binary.read_bytes()


def files(root: Path, seconds: float) -> Files:
    del root, seconds
    return {"usr/bin/noise": program()}


def noise(session: Session, seconds: float) -> Findings:
    found = Findings(dry_ends=1)
    frames = int(seconds * RATE)
    said = session.run(
        f"noise {SEED} {frames} | aplay -D hw:0,0 {STREAM.options} -t raw -f S16_LE -c 2 -r {RATE} 2>&1; echo status $?",
        seconds + 5,
    )
    heard = session.listener.heard()
    played = material.wire(material.noise(SEED, frames), 16)
    found.add(compare.exact(slots(heard), played))
    found.xruns = said.count("underrun!!!")
    found.demand(not found.xruns, f"aplay reports {found.xruns} underruns")
    found.demand(said.endswith("status 0"), f"aplay ended with {said.splitlines()[-1:]}")
    found.demand(found.sha256 == compare.digest(played), "the hashes differ")
    check_rate(found, heard, RATE)
    found.notes.append(f"sha256 of all frames {found.sha256[:16]}...")
    return found
