# SPDX-License-Identifier: Apache-2.0
"""The programs with the modelled device behind a socket: how each of them ends when no virtual machine ever comes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "host"), str(ROOT)])}
WORLDS = {  # and what each writes at an orderly end
    "hil.virtual.linux_board.model_world": {"frames.npy", "report.json"},
    "hil.virtual.linux_board.recorded_world": {"frames.npy", "report.json", "recording.txt"},
    "hil.guest.probed_world": {"frames.npy", "report.json", "probe.json"},
}
STARTS = """
import subprocess, sys, time
world = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
print(world.pid, world.stdout.readline().decode(), flush=True)
time.sleep(1000)
"""
ENDS_S = 5.0


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:  # a short path, for the socket
        yield Path(name)


@pytest.mark.parametrize("module", WORLDS)
def test_ends_with_whoever_started_it(module: str, folder: Path) -> None:
    """The starter is killed by SIGKILL and cannot end anything any more."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTS, *command(module, folder)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    number, ready = starter.stdout.readline().split(maxsplit=1)
    pid = int(number)
    assert json.loads(ready)["ready"] is True and alive(pid)
    starter.kill()
    starter.communicate()
    try:
        assert ends(pid), f"still there {ENDS_S:.0f} s after its parent"
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("module", WORLDS)
def test_ends_in_order_on_sigterm(module: str, folder: Path) -> None:
    world = subprocess.Popen(
        command(module, folder), cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    try:
        assert world.stdout is not None
        assert json.loads(world.stdout.readline())["ready"] is True
        time.sleep(0.2)
        assert world.poll() is None, "it ended with a standard input that has nothing to say"
        world.send_signal(signal.SIGTERM)
        assert world.wait(ENDS_S) == 0
    finally:
        world.kill()
        world.communicate()
    assert {file.name for file in (folder / "out").iterdir()} == WORLDS[module]
    assert json.loads((folder / "out" / "report.json").read_text())["accesses"] == 0


def command(module: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", module, str(folder / "vfio.sock"), "--out", str(folder / "out")]


def ends(pid: int) -> bool:
    deadline = time.monotonic() + ENDS_S
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
