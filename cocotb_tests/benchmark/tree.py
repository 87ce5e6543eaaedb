# SPDX-License-Identifier: Apache-2.0
"""A command and all its descendants, watched: greatest memory, wall time, processor time.

Promise: memory is the sum over the tree of the proportional set size (each shared page counted once, whoever shares it), of
resident size where the kernel tells no other; sampled every `INTERVAL_S`, or so much more rarely that looking takes
`SHARE` of the time at most; a peak between two samples is missed. The
command is bounded in time and ends with this process, and nothing of its group is left.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from cocotb_tests.engine import process

INTERVAL_S, SHARE = 0.1, 0.03
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


@dataclass(frozen=True)
class Watched:
    """`processes`: how many there were at the peak. `cpu_s`: user and system time of everything seen."""

    status: int
    wall_s: float
    cpu_s: float
    peak_bytes: int
    processes: int
    samples: int


def memory_bytes(member: psutil.Process) -> int:
    """Proportional set size of one process. Raises what psutil raises when it is gone."""
    full = member.memory_full_info()
    return getattr(full, "pss", full.rss)


def watch(
    command: Sequence[str],
    *,
    cwd: Path,
    log: Path,
    env: Mapping[str, str] | None = None,
    timeout_s: float,
    step: Callable[[float], None] = lambda seconds: None,
) -> Watched:
    """Run `command`; `step` gets the seconds since it started, at each sample. Raises `process.TimeLimit`."""
    started = time.monotonic()
    child = process.start(command, cwd=cwd, env={**os.environ, **(env or {})}, log=log)
    peak = at_peak = samples = 0
    times: dict[tuple[int, float], float] = {}
    root = psutil.Process(child.pid)
    family: list[psutil.Process] = []
    try:
        while child.poll() is None:
            elapsed = time.monotonic() - started
            if elapsed > timeout_s:
                raise process.TimeLimit(f"{' '.join(map(str, command[:4]))} ... ran longer than {timeout_s:.0f} s")
            looking = time.process_time()
            family = []
            with contextlib.suppress(*_GONE):
                family = [root, *root.children(recursive=True)]
            total = 0
            for member in family:
                with contextlib.suppress(*_GONE):
                    total += memory_bytes(member)
                    spent = member.cpu_times()
                    times[member.pid, member.create_time()] = spent.user + spent.system
            samples += 1
            if total > peak:
                peak, at_peak = total, len(family)
            step(elapsed)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(INTERVAL_S, (time.process_time() - looking) / SHARE))
    finally:
        if child.poll() is None:
            process.kill_group(child)
        for member in family:  # those that lead groups of their own
            with contextlib.suppress(*_GONE):
                if member.pid != child.pid and member.is_running():
                    member.terminate()
    return Watched(child.returncode, time.monotonic() - started, sum(times.values()), peak, at_peak, samples)
