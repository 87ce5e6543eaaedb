# SPDX-License-Identifier: Apache-2.0
"""Evaluation ahead: a second process measures finished steps while the bench plays the next ones.

Promises: the results are those of `measure.Measurer`, bit for bit; a step that the process did not measure, for whatever reason, is
simply absent and measured by whoever needs it; the process ends when its standard input ends, when its parent dies, and at
`close`; Ctrl-C at the terminal does not reach it.
Its user names each step after it is in the record's log (`submit`), and asks for `results` once, at the end.

As a program (`python -m virtone.certify.ahead FOLDER`): keys of steps on standard input, one a line; on standard output one
JSON object ``{"key", "result"}`` a line.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

from virtone.bench.config import load_bench
from virtone.bench.errors import BenchError

from .measure import Measurer, Result
from .plan import load_plan
from .record import Record

PR_SET_PDEATHSIG = 1
STEP_S = 120.0  # no step takes longer to measure
NICE = 15  # what plays comes first, and a paced simulation must not wait at all
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before the fork


class Ahead:
    """The process. A context manager; without a user the process costs nothing but its memory."""

    def __init__(self, folder: Path) -> None:
        parent = os.getpid()

        def bind() -> None:
            if _libc is not None:
                _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:
                    os._exit(1)

        self._done: dict[str, Result] = {}
        self._came = threading.Event()
        self._ended = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what it cannot do is done again, and reported, by its parent
            start_new_session=True,
            preexec_fn=bind,
        )
        threading.Thread(target=self._read, name="ahead", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def submit(self, key: str) -> None:
        """Measure this step; it is in the log already. Never waits."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                self._process.stdin.write(key.encode() + b"\n")
                self._process.stdin.flush()

    def results(self, step_s: float = STEP_S) -> dict[str, Result]:
        """Results by key, after all that was submitted is measured, or nothing came for `step_s` seconds."""
        self._hang_up()
        while not self._ended.is_set():
            self._came.clear()
            if not self._ended.is_set() and not self._came.wait(step_s):
                break
        return dict(self._done)

    def close(self) -> None:
        """End it now; safe to call twice."""
        self._hang_up()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with contextlib.suppress(ValueError, KeyError):
                    answer = json.loads(line)
                    self._done[answer["key"]] = answer["result"]
                self._came.set()
        self._ended.set()
        self._came.set()


def main(folder: str) -> int:
    """Measure what standard input names."""
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    place = Path(folder)
    results: dict[str, Result] = {}
    for line in sys.stdin:
        key = line.strip()
        record = Record(place)
        entry = next((e for e in record.entries if e.get("key") == key), None)
        if entry is None:
            return 1
        try:
            plan, config = load_plan(place / "plan.toml"), load_bench(place / "bench.toml")
            results[key] = Measurer(record, plan, config, results).step(entry)
        except (BenchError, ValueError):
            continue
        sys.stdout.write(json.dumps({"key": key, "result": results[key]}) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
