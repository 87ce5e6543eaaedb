# SPDX-License-Identifier: Apache-2.0
"""The Linux board against the modelled device: an unmodified kernel boots, binds its stock drivers and plays bit-exact."""

from __future__ import annotations

import io
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hil.virtual.linux_board import packages, qemu
from hil.virtual.linux_board.errors import BoardUnavailable, CacheFull
from virtone.bench.console import Console
from virtone.bench.transport import SerialLine

ROOT = Path(__file__).resolve().parents[1]
BOOT_LIMIT_S = 60.0  # a shared machine; the figure itself is checked in test_boots_quickly
N = 8  # the model needs about 3 wall seconds for one of sound on a shared core
FRAMES, RATE = 9000, 48000


@pytest.fixture(scope="module")
def parts() -> packages.Parts:
    try:
        return packages.obtain()
    except (BoardUnavailable, CacheFull) as error:
        pytest.skip(f"no Linux board on this machine: {error}")


class Bench:
    """A board and, in a process of its own, the modelled device."""

    def __init__(self, parts: packages.Parts, folder: Path, dilation: float, files: dict[str, bytes]) -> None:
        self.out = folder / "out"
        self.board = qemu.Board(parts, dilation=dilation, files=files)
        self.world = start_world(self.board.socket, dilation, self.out)
        started = time.monotonic()
        self.console_path = self.board.start()
        self.console = Console(SerialLine(self.console_path), timeout_s=BOOT_LIMIT_S)
        self.console.reach_prompt()
        self.boot_s = time.monotonic() - started

    def run(self, command: str) -> str:
        text = "\n".join(self.console.run(command))
        qemu.raise_on_panic(text)
        return text

    def finish(self) -> tuple[np.ndarray, dict]:
        """End the device; what it played and its report."""
        self.world.send_signal(signal.SIGTERM)
        assert self.world.wait(20) == 0
        return np.load(self.out / "frames.npy"), json.loads((self.out / "report.json").read_text())

    def close(self) -> None:
        self.console.close()
        self.board.close()
        if self.world.poll() is None:
            self.world.kill()
        self.world.wait()


def start_world(socket: Path, dilation: float, out: Path) -> subprocess.Popen[bytes]:
    world = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "hil.virtual.linux_board.model_world",
            str(socket),
            "--dilation",
            str(dilation),
            "--out",
            str(out),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'host'}:{ROOT}"},
        stdout=subprocess.PIPE,
    )
    assert world.stdout is not None
    assert select.select([world.stdout], [], [], 20)[0], "the device does not listen"
    assert json.loads(world.stdout.readline())["ready"] is True
    return world


@pytest.fixture
def bench(parts: packages.Parts, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(dilation: float = N, files: dict[str, bytes] | None = None) -> Bench:
        made.append(Bench(parts, tmp_path, dilation, files or {}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def noise() -> np.ndarray:
    """Random frames, int16, none of them zero, so that padding can be told from sound."""
    frames = np.random.default_rng(3).integers(-32768, 32767, (FRAMES, 2), dtype=np.int16)
    frames[frames == 0] = 1
    return frames


def wav(frames: np.ndarray) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(frames.astype("<i2").tobytes())
    return file.getvalue()


def test_plays_bit_exact(bench: Callable[..., Bench]) -> None:
    board = bench(files={"root/noise.wav": wav(noise())})
    assert (
        "snd_virtio" in board.run("cat /proc/asound/cards").lower()
        or "virtio" in board.run("cat /proc/asound/cards").lower()
    )
    said = board.run("aplay -D hw:0,0 -v noise.wav; echo status $?")
    assert "status 0" in said
    period = int(re.search(r"period_size\s*:\s*(\d+)", said)[1])
    log = board.run("dmesg -l warn,err,crit,alert,emerg")
    interrupts = board.run("grep virtio /proc/interrupts")
    frames, report = board.finish()
    print(f"booted in {board.boot_s:.1f} s; {report}; {interrupts}; period {period}; kernel log: {log}")
    assert compare(frames, noise(), period) == []


def compare(played: np.ndarray, wanted: np.ndarray, period: int) -> list[str]:
    """Differences between what was played and the frames of the file, filled up with silence to a whole period."""
    faults = []
    slots = (played[:, 1:] >> 16).astype(np.int64)
    if (played[:, 1:] & 0xFFFF).any():
        faults.append("low half of a slot is not zero")
    if len(slots) < len(wanted) or len(slots) % period:
        faults.append(f"{len(slots)} frames played, {len(wanted)} wanted, period {period}")
    if (slots[: len(wanted)] != wanted[: len(slots)]).any():
        faults.append(f"first wrong frame {int(np.argmax((slots[: len(wanted)] != wanted[: len(slots)]).any(axis=1)))}")
    if slots[len(wanted) :].any():
        faults.append("sound after the end")
    return faults
