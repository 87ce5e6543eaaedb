# SPDX-License-Identifier: Apache-2.0
"""Command lines run as a user runs them, on a bench that misbehaves: what the tests of bad input share.

Promises: every process that a `Run` starts, in whatever session and under whatever parent, carries its mark and is found by `members`;
`ends` checks status, the one line on standard error, and that nothing is left; one `Rack` is one bench file and one --out folder.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BENCH, PLAN = ROOT / "hil/benches/virtual.toml", ROOT / "hil/plans/quick.toml"
READY_S = 400.0  # includes a build on a busy machine
MARK = "VIRTONE_TEST_RUN"
CLI = (sys.executable, "-m", "virtone.cli.main")

WRAPPER = textwrap.dedent("""
    import json, os, pty, resource, select, subprocess, sys, tty
    from pathlib import Path
    here = Path(__file__).parent
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    options = (here / "options").read_text().split()
    command = [sys.executable, "-m", "hil.virtual", *[o for o in options if o != "relay"]]
    if "relay" not in options:
        os.execv(command[0], command)
    # The console goes over a line of our own, which is cut as soon as the file `cut` is there.
    bench = subprocess.Popen([*command, "--parent-pid", str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ready = json.loads(bench.stdout.readline())
    board = os.open(ready["console"], os.O_RDWR | os.O_NOCTTY)
    tty.setraw(board)
    master, slave = pty.openpty()
    tty.setraw(slave)
    print(json.dumps(ready | {"console": os.ttyname(slave)}), flush=True)
    while not (here / "cut").exists():
        for source in select.select([master, board, 0], [], [], 0.05)[0]:
            data = os.read(source, 4096)
            if source == 0 and not data:
                sys.exit(0)
            os.write({master: board, board: master}[source], data)
    os.close(slave)
    os.close(master)
    while os.read(0, 4096):
        pass
""")


class Rack:
    """A bench file, and how the bench behind it misbehaves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "bench.toml"
        (folder / "wrapper.py").write_text(WRAPPER)
        text = BENCH.read_text()
        text = re.sub(r"command = .*", f'command = ["{{python}}", "{folder}/wrapper.py"]', text)
        text = re.sub(r"time_scale = \S+", "time_scale = 2.0", text)
        text = re.sub(r"ready_timeout_s = \S+", f"ready_timeout_s = {READY_S:.0f}", text)
        self.file.write_text(re.sub(r"timeout_s = 30", "timeout_s = 3", text))
        self.out = folder / "out"
        self.misbehave()

    def misbehave(self, *options: str) -> None:
        (self.folder / "cut").unlink(missing_ok=True)
        (self.folder / "options").write_text("\n".join(options))

    def certify(self, plan: Path = PLAN, **more: object) -> Run:
        return Run("certify", "--bench", str(self.file), "--plan", str(plan), "--out", str(self.out), **more)

    def recorded(self) -> int:
        """Whole lines in the log."""
        log = self.out / "log.jsonl"
        return log.read_bytes().count(b"\n") if log.exists() else 0

    def check_nothing_half_written(self) -> None:
        assert not [path for path in self.out.rglob("*") if path.name.endswith(".part")]
        log = self.out / "log.jsonl"
        assert not log.exists() or log.read_bytes()[-1:] in (b"", b"\n")


class Run:
    """One command line in a session of its own; everything that it starts carries a mark in its environment."""

    def __init__(self, *words: str, largest_file: int | None = None, program: Sequence[str] = CLI) -> None:
        self.mark = uuid.uuid4().hex
        path = os.pathsep.join([str(ROOT / "host"), str(ROOT), os.environ.get("PYTHONPATH", "")])
        self.verb, self.began = words[0], time.monotonic()

        def limit() -> None:
            if largest_file is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))

        self.process = subprocess.Popen(
            [*program, *words],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": path, MARK: self.mark}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=limit, text=True,
        )  # fmt: skip

    def members(self) -> dict[int, str]:
        """Living processes of this run, in whatever session and under whatever parent, with their names."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "comm").read_text().strip()
            except OSError:
                continue
        return found

    def until(self, condition: Callable[[], bool], within_s: float = READY_S) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert self.process.poll() is None, f"ended early: {self.process.communicate()}"
            assert time.monotonic() < deadline, "did not come so far"
            time.sleep(0.01)

    def interrupt(self) -> None:
        """What a terminal does at Ctrl-C: SIGINT to its foreground process group."""
        self.began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)

    def ends(self, status: int, message: str, within_s: float = READY_S, patience_s: float = 10.0) -> str:
        """It ends by itself with this status, one line that matches, and no process left; returns the line."""
        try:
            out, err = self.process.communicate(timeout=within_s)
        finally:
            if self.process.poll() is None:
                self.process.kill()
        took = time.monotonic() - self.began
        lines = [line for line in err.splitlines() if line.strip()]
        assert (self.process.returncode, len(lines)) == (status, 1), (out, err)
        assert re.search(message, lines[0]), lines[0]
        assert lines[0].startswith(f"virtone {self.verb}: ") and "Traceback" not in out
        deadline = time.monotonic() + patience_s
        while (left := self.members()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not left, f"left running: {left}"
        sys.stdout.write(f"{took:.1f} s, status {status}: {lines[0]}\n")  # shown by pytest -rP
        return lines[0]
