# SPDX-License-Identifier: Apache-2.0
"""A child process that is bounded in time and ends with its parent.

The child leads a process group of its own, so that a time-out or Ctrl-C ends everything it started. The kernel sends it
`parent_death_signal` when the parent dies, also by SIGKILL (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_GRACE_S = 2.0


class TimeLimit(RuntimeError):
    """The child ran longer than it may; it and its process group have been killed."""


def die_with_parent(signum: int = signal.SIGKILL, parent: int | None = None) -> Callable[[], None]:
    """A `preexec_fn` that ties the child to the life of the calling thread's process. `parent`: None for this process; a process
    that ties itself gives its own `os.getppid()` and calls what it gets.
    """
    parent = os.getpid() if parent is None else parent

    def bind() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if os.getppid() != parent:  # the parent died between fork and prctl
            os._exit(1)

    return bind


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the process group that `process` leads: first politely, after two seconds by force."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def start(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, parent_death_signal: int = signal.SIGKILL
) -> subprocess.Popen[bytes]:
    """Start `command` in a process group of its own, its output appended to the file `log`, bound to this process's life."""
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(parent_death_signal),
        )


def run_bounded(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    timeout_s: float,
    parent_death_signal: int = signal.SIGKILL,
) -> int:
    """Run `command`, its output appended to the file `log`; return its exit status (negative: ended by that signal).

    Raises TimeLimit after `timeout_s` seconds of wall time. Whatever the way out, no process of the group is left.
    """
    started = time.monotonic()
    child = start(command, cwd=cwd, env=env, log=log, parent_death_signal=parent_death_signal)
    try:
        return child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise TimeLimit(f"{Path(command[0]).name} ran longer than {time.monotonic() - started:.0f} s") from None
    finally:
        if child.poll() is None:
            kill_group(child)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
