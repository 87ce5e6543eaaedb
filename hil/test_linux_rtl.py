# SPDX-License-Identifier: Apache-2.0
"""An unmodified Linux kernel plays through the simulated RTL, bit-exact at the I2S pins."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hil.test_linux_board import FRAMES, noise, wav
from hil.virtual.linux_board import packages, qemu
from hil.virtual.linux_board.errors import BoardUnavailable, CacheFull, Disconnected, SimulationFailed
from hil.virtual.linux_board.rtl_simulation import RtlSimulation
from hil.virtual.linux_board.time import ALLOWANCE_NS, choose_dilation
from virtone.bench.console import Console
from virtone.bench.transport import SerialLine

pytestmark = pytest.mark.timeout(600)  # the first run builds the simulation
N = 20  # four times what the simulation needs by itself: tests run beside each other


class LinuxOnRtl:
    def __init__(self, rtl: RtlSimulation, console: Console) -> None:
        self.rtl, self.console = rtl, console

    def run(self, command: str) -> str:
        text = "\n".join(self.console.run(command, timeout_s=120))
        qemu.raise_on_panic(text)
        return text

    def heard(self, first: int) -> np.ndarray:
        """Frames on the wire since ring position `first`, from the first one that is not silent to the last."""
        ring = self.rtl.ring()
        frames = ring.frames(first, ring.frames_written - first)
        slots = np.stack([frames["left"], frames["right"]], axis=1)
        sound = np.flatnonzero((slots != 0).any(axis=1))
        return slots[sound[0] : sound[-1] + 1] if len(sound) else slots[:0]


@contextlib.contextmanager
def linux_on_rtl(dilation: float | None = None, expect_report: bool = True) -> Iterator[LinuxOnRtl]:
    try:
        parts = packages.obtain()
    except (BoardUnavailable, CacheFull) as error:
        pytest.skip(f"no Linux board on this machine: {error}")
    with tempfile.TemporaryDirectory() as folder, RtlSimulation(Path(folder), dilation) as rtl:
        shared = {"memory_file": rtl.memory, "memory_mb": rtl.memory_mb}
        sound = {"root/noise.wav": wav(noise())}
        with qemu.Board(parts, dilation=rtl.dilation, socket=rtl.socket, files=sound, **shared) as board:
            console = Console(SerialLine(board.start()), timeout_s=60)
            console.reach_prompt()
            print(f"{rtl.simulated_ms_per_s:.0f} simulated ms per second at rest, N = {rtl.dilation:g}")
            yield LinuxOnRtl(rtl, console)
        if expect_report:
            report = rtl.report()
            print(report)
            assert report["bus_errors"] == 0 and report["accesses"] > 0


@pytest.fixture(scope="module")
def linux() -> Iterator[LinuxOnRtl]:
    with linux_on_rtl(N) as one:
        yield one


@pytest.mark.parametrize(("period", "buffer"), [(0, 0), (480, 1920), (48, 192)])
def test_plays_bit_exact(linux: LinuxOnRtl, period: int, buffer: int) -> None:
    first = linux.rtl.ring().frames_written
    linux.rtl.pace()
    shape = f"--period-size={period} --buffer-size={buffer}" if period else ""
    said = linux.run(f"aplay -v -D hw:0,0 {shape} noise.wav; echo status $?")
    pace = linux.rtl.pace()
    print(pace)
    heard = linux.heard(first)
    assert pace.kept(ALLOWANCE_NS + 1)
    assert len(heard) == FRAMES and np.array_equal(heard >> 16, noise()) and not (heard & 0xFFFF).any()
    assert "status 0" in said and "underrun" not in said
    if period:
        assert int(re.search(r"period_size\s*:\s*(\d+)", said)[1]) == period


def test_probe_page(linux: LinuxOnRtl) -> None:
    markers = linux.rtl.ring().markers_written
    assert linux.run("devmem 0x10001000") == "0x504E5456"
    assert linux.run("devmem 0x10001004") == "0x00000001"
    linux.run("devmem 0x10001020 32 5")
    assert linux.rtl.ring().markers_written > markers


def test_driver_comes_and_goes(linux: LinuxOnRtl) -> None:
    for _ in range(3):
        linux.run("rmmod virtio_snd; insmod /modules/virtio_snd.ko")
    assert "virtio-snd" in linux.run("cat /proc/asound/cards")
    assert linux.run("dmesg | grep -iE 'warn|bug:|oops|nobody cared|call trace' ; true") == ""


def test_guest_reboots_while_playing(linux: LinuxOnRtl) -> None:
    """The device is reset with the board; nothing of the old life is heard after it, and the new one plays."""
    linux.run("aplay -q -D hw:0,0 noise.wav & usleep 50000")
    linux.console.line.write(b"reboot -f\n")
    seen = ""
    deadline = time.monotonic() + 60
    while not re.search(r"cards: \d+\r?\n", seen) and time.monotonic() < deadline:
        seen += linux.console.line.read(0.2).decode("utf-8", "replace")
    assert "cards: 1" in seen and "error:" not in seen
    linux.console.reach_prompt(60)
    first = linux.rtl.ring().frames_written
    assert "status 0" in linux.run("aplay -D hw:0,0 noise.wav; echo status $?")
    assert np.array_equal(linux.heard(first) >> 16, noise())


def test_simulation_killed() -> None:
    """Board and simulation both say so, by name, and nothing is left."""
    with linux_on_rtl(expect_report=False) as linux:
        os.killpg(linux.rtl.child.pid, signal.SIGKILL)
        with pytest.raises(Disconnected):
            linux.rtl.pace()
            linux.rtl.pace()
        linux.rtl.child.wait(10)
        with pytest.raises(SimulationFailed, match="ended by itself"):
            linux.rtl.check()
        with pytest.raises(SimulationFailed, match="left no report"):
            linux.rtl.report()


def test_a_simulation_that_is_too_slow_holds_the_guests_clock() -> None:
    """At N = 1 it is: it makes less than a simulated second a second. The guest does not notice, and the run says for how long it waited."""
    with linux_on_rtl(dilation=1) as linux:
        first = linux.rtl.ring().frames_written
        linux.rtl.pace()
        said = linux.run("aplay -D hw:0,0 --period-size=2400 --buffer-size=9600 noise.wav; echo status $?")
        pace = linux.rtl.pace()
        print(pace)
        assert pace.kept(ALLOWANCE_NS + 1)
        assert pace.held_s > 0.05 or linux.rtl.simulated_ms_per_s > 900, "a machine that keeps up at N = 1?"
        assert "status 0" in said and "underrun" not in said
        assert np.array_equal(linux.heard(first) >> 16, noise())


def test_dilation_is_chosen_from_the_speed() -> None:
    with tempfile.TemporaryDirectory() as folder, RtlSimulation(Path(folder)) as rtl:
        print(f"{rtl.simulated_ms_per_s:.0f} simulated ms per second at rest, N = {rtl.dilation:g}")
        assert rtl.dilation == choose_dilation(rtl.simulated_ms_per_s, 2.0)


def test_simulation_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_READ_LATENCY", "none")
    with tempfile.TemporaryDirectory() as folder, pytest.raises(SimulationFailed, match="BENCH_READ_LATENCY"):
        RtlSimulation(Path(folder))
