# SPDX-License-Identifier: Apache-2.0
"""Recording Linux: the board is booted against the modelled device, and every action carried out once.

Promise: `record` returns a recording with a head (kernel, QEMU, what ALSA says the stream can do) and leaves no process. Errors:
`BoardUnavailable` and `CacheFull` where there can be no board; the console's own.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from hil.recordings.actions import ACTIONS, FILES, Action
from hil.recordings.records import Recording, RecordingError, load
from hil.virtual.engine import die_with_parent
from hil.virtual.linux_board import packages, qemu
from hil.virtual.run_folder import run_folder
from virtone.bench.console import Console
from virtone.bench.transport import SerialLine
from virtone.virtio import probe

ROOT = Path(__file__).resolve().parents[2]
DILATION = 20.0  # the model needs about 3 wall seconds for one of sound on a shared core
_LIMIT_S = 120.0
_MARKER = 0x1000_0000 + int(probe.PROBE_BASE) + int(probe.PROBE_MARKER)
_LISTEN_LIMIT_S = 30.0


def record(dilation: float = DILATION) -> Recording:
    """About a minute."""
    parts = packages.obtain()
    noise = np.random.default_rng(7)
    files: dict[str, bytes | Path] = {f"root/{name}": noise.bytes(size) for name, size in FILES.items()}
    with run_folder("vrecord-") as folder, qemu.Board(parts, dilation=dilation, files=files) as board:
        world = _start_world(board.socket, dilation, folder)
        try:
            console = Console(SerialLine(board.start()), timeout_s=_LIMIT_S)
            console.reach_prompt()
            head = _describe(console)
            for number, action in enumerate(ACTIONS, start=1):
                console.run(f"devmem {_MARKER:#x} 32 {number}")
                _carry_out(console, action, dilation)
            console.run(f"devmem {_MARKER:#x} 32 {len(ACTIONS) + 1}")
            head["warnings in the kernel's log"] = "; ".join(
                console.run("dmesg | grep -iE 'warn|bug:|oops|virtio_snd|call trace' ; true")
            )
            world.send_signal(signal.SIGTERM)
            if world.wait(_LIMIT_S) != 0:
                raise RecordingError(f"the device ended with status {world.returncode}")
        finally:
            world.kill()
            world.wait()
        found = load(folder / "recording.txt")
    found.head = head
    return found


def _start_world(socket: Path, dilation: float, out: Path) -> subprocess.Popen[bytes]:
    words = ["hil.virtual.linux_board.recorded_world", str(socket), "--dilation", str(dilation), "--out", str(out)]
    path = os.pathsep.join([str(ROOT / "host"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    world = subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        preexec_fn=die_with_parent(),
    )
    assert world.stdout is not None
    if not select.select([world.stdout], [], [], _LISTEN_LIMIT_S)[0] or not json.loads(world.stdout.readline() or "{}"):
        world.kill()
        world.wait()
        raise RecordingError(f"the device does not listen within {_LISTEN_LIMIT_S:.0f} s")
    return world


def _describe(console: Console) -> dict[str, str]:
    """What ALSA says of the stream. The format is one that it has not: `aplay` gives up before it sets anything."""
    said = console.run("aplay -D hw:0,0 --dump-hw-params -t raw -f U8 /dev/null 2>&1; true")
    limits = dict(line.split(":", 1) for line in said if ":" in line)
    wanted = ("FORMAT", "CHANNELS", "RATE", "PERIOD_BYTES", "PERIODS", "BUFFER_BYTES")
    return {
        "kernel": console.run("uname -r")[0],
        "driver": "virtio_snd over virtio_mmio, unmodified",
        **{name: limits[name].strip() for name in wanted},
    }


def _carry_out(console: Console, action: Action, dilation: float) -> None:
    def press(line: str) -> None:
        if action.keys and line.startswith("Playing"):
            for delay_s, key in action.keys:
                time.sleep(delay_s * dilation)
                console.line.write(key.encode())

    console.run(f"{action.guest} 2>&1", on_line=press)
