# SPDX-License-Identifier: Apache-2.0
"""Starting and ending a virtual bench: one child process that offers VISA resources and a console on loopback.

Contract with the child: when everything listens it prints one line of JSON on standard output,
`{"ready": true, "console": "/dev/pts/N", "instruments": {"NAME": "VISA resource", ...}, "time_scale": N}`; it ends when its standard input
ends or on SIGTERM; what it has to say to people goes to standard error.
Promises: `start` returns when the bench is ready or raises `VirtualBenchError` with the end of what the child said; `close` (and
the end of this process, even by SIGKILL) ends the child and all of its process group.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from .config import VIRTUAL
from .errors import VirtualBenchError

PR_SET_PDEATHSIG = 1
GRACE_S, END_S = 3.0, 10.0  # how long a child may take to end after its input ended, and after SIGTERM
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before the fork


class VirtualBench:
    """A running virtual bench."""

    def __init__(self, process: subprocess.Popen[bytes], stderr: Any, ready: dict[str, Any]) -> None:
        self.process, self._stderr, self.ready = process, stderr, ready

    @classmethod
    def start(cls, command: Sequence[str], ready_timeout_s: float = 120.0) -> VirtualBench:
        words = [sys.executable if word == "{python}" else word for word in command]
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        parent = os.getpid()

        def end_with_parent() -> None:
            if _libc is not None:
                _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
                if os.getppid() != parent:
                    os._exit(1)

        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        except OSError as error:
            stderr.close()
            raise VirtualBenchError(
                f"cannot start the virtual bench {words[0]!r}: {error.strerror}; correct virtual.command in the bench file"
            ) from error
        bench = cls(process, stderr, {})
        try:
            bench.ready = bench._wait_ready(ready_timeout_s, " ".join(words))
        except BaseException:
            bench.close()
            raise
        return bench

    @property
    def time_scale(self) -> float:
        """Wall seconds that a second of its board takes, as the bench says when it is ready; 1 if it leaves that to the bench file."""
        said = self.ready.get("time_scale", 1.0)
        return float(said) if isinstance(said, (int, float)) and said > 0 else 1.0

    def resolve(self, place: str) -> str:
        """The address behind `virtual:NAME`; other addresses as they are."""
        if not place.startswith(VIRTUAL):
            return place
        name = place.removeprefix(VIRTUAL)
        places = {"console": self.ready.get("console"), **self.ready.get("instruments", {})}
        if not isinstance(places.get(name), str):
            raise VirtualBenchError(
                f"the virtual bench has no {name!r}; it has {', '.join(k for k, v in places.items() if v)}"
            )
        return places[name]

    def check(self, within_s: float = 0.0) -> None:
        """Raise VirtualBenchError if it has died, or does so within `within_s` seconds."""
        self._ended_within(within_s)
        status = self._status()
        if status is not None:
            raise VirtualBenchError(f"the virtual bench ended by itself ({_describe(status)}){self._said()}")

    def close(self) -> None:
        """End the child and its group; safe to call twice."""
        with contextlib.suppress(OSError):
            if self.process.stdin:
                self.process.stdin.close()
        if self.process.returncode is None and not (
            self.ready and self._ended_within(GRACE_S)
        ):  # one that never was ready has nothing to put away
            self._signal_group(signal.SIGTERM)
            self._ended_within(END_S)
        if self.process.returncode is None:
            self._signal_group(signal.SIGKILL)  # whatever is left of the group, its leader included
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self._stderr.close()

    def _status(self) -> int | None:
        """How it ended, or None; it stays unreaped until `close`, so that its process group cannot become another's."""
        if self.process.returncode is not None:
            return self.process.returncode
        result = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if result is None:
            return None
        return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status

    def _ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._status() is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def __enter__(self) -> VirtualBench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait_ready(self, timeout_s: float, command: str) -> dict[str, Any]:
        deadline, text = time.monotonic() + timeout_s, b""
        stdout = self.process.stdout
        assert stdout is not None
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise VirtualBenchError(
                    f"the virtual bench ({command}) was not ready after {timeout_s:.0f} s{self._said()}"
                )
            if not select.select([stdout], [], [], min(left, 0.5))[0]:
                continue
            piece = os.read(stdout.fileno(), 65536)
            if not piece:
                self._ended_within(GRACE_S)
                raise VirtualBenchError(
                    f"the virtual bench ({command}) ended before it was ready ({_describe(self._status())}){self._said()}"
                )
            text += piece
            *lines, text = text.split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError):
                    message = json.loads(line)
                    if isinstance(message, dict) and message.get("ready") is True:
                        return message

    def _said(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - 2000))
        lines = [line for line in self._stderr.read().decode("utf-8", "replace").splitlines() if line.strip()]
        errors = [place for place, line in enumerate(lines) if line.startswith("error:")]
        told = lines[errors[-1] :][:3] if errors else lines[-3:]  # its own error, else the last it said
        return f"; it said: {' | '.join(told)}" if lines else "; it said nothing"


def _describe(status: int | None) -> str:
    if status is None:
        return "still running"
    return f"status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
