# SPDX-License-Identifier: Apache-2.0
"""The Linux board against the modelled device: an unmodified kernel boots, binds its stock drivers and plays bit-exact."""

from __future__ import annotations

import io
import json
import mmap
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
from typing import Any

import numpy as np
import psutil
import pytest

from hil.virtual.linux_board import packages, qemu, vfio_user
from hil.virtual.linux_board.errors import BoardUnavailable, BootFailed, CacheFull, QemuFailed
from hil.virtual.linux_board.guest_clock import GuestClock
from virtone.bench.console import Console
from virtone.bench.errors import BoardPanicked, ConsoleError
from virtone.bench.transport import SerialLine
from virtone.virtio import probe

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT / "host"), str(ROOT), os.environ.get("PYTHONPATH", "")]),
}
BOOT_LIMIT_S = 60.0  # a shared machine; the figure itself is checked in test_boots_quickly
BOOT_CPU_LIMIT_S = 5.0
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

    def __init__(self, parts: packages.Parts, folder: Path, dilation: float, **options: Any) -> None:
        self.out = folder / "out"
        self.board = qemu.Board(parts, dilation=dilation, **options)
        self.world: subprocess.Popen[bytes] | None = None
        try:
            self.world = start_world(self.board.socket, dilation, self.out)
            started = time.monotonic()
            self.console = Console(SerialLine(self.board.start()), timeout_s=BOOT_LIMIT_S)
            self.console.reach_prompt()
            self.boot_s = time.monotonic() - started
            used = psutil.Process(self.board.pid).cpu_times()
            self.boot_cpu_s = used.user + used.system
        except BaseException:
            self.close()
            raise

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
        self.board.close()
        if self.world is not None:
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
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
    )
    assert world.stdout is not None
    assert select.select([world.stdout], [], [], 20)[0], "the device does not listen"
    assert json.loads(world.stdout.readline())["ready"] is True
    return world


@pytest.fixture
def bench(parts: packages.Parts, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Boards of a test's own."""
    made: list[Bench] = []

    def make(dilation: float = N, **options: Any) -> Bench:
        made.append(Bench(parts, tmp_path, dilation, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def board(parts: packages.Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One board for all tests that leave it as they found it."""
    one = Bench(parts, tmp_path_factory.mktemp("board"), N, files={"root/noise.wav": wav(noise())})
    yield one
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


def test_boots_quickly(board: Bench) -> None:
    """Start to prompt within 5 s. The limit is checked on processor time, for the machine may be busy with other things."""
    print(f"prompt after {board.boot_s:.1f} s of wall time, {board.boot_cpu_s:.1f} s of processor time")
    assert board.boot_cpu_s < BOOT_CPU_LIMIT_S


def test_binds_the_stock_drivers(board: Bench) -> None:
    assert "virtio-snd - VirtIO SoundCard" in board.run("cat /proc/asound/cards")
    assert board.run("readlink /sys/bus/virtio/devices/virtio0/driver").endswith("virtio_snd")
    assert board.run("uname -r") == board.board.parts.kernel_release
    assert board.run("dmesg | grep -iE 'warn|bug:|oops|nobody cared|call trace' ; true") == ""


def test_probe_page_is_open_to_programs(board: Bench) -> None:
    """The driver claims the first page; /dev/mem maps the second one, and only that."""
    assert int(board.run("devmem 0x10001000"), 16) == probe.PROBE_MAGIC_WORD
    assert "not permitted" in board.run("devmem 0x10000000 2>&1 ; true")
    board.run("devmem 0x10001020 32 0xcafe0001")
    assert int(board.run("devmem 0x10001000"), 16) == probe.PROBE_MAGIC_WORD


def test_guest_time_is_stretched(board: Bench) -> None:
    started = time.monotonic()
    before, after = board.run("cut -d ' ' -f 1 /proc/uptime; sleep 1; cut -d ' ' -f 1 /proc/uptime").splitlines()
    wall = time.monotonic() - started
    guest = float(after) - float(before)
    assert 0.98 <= guest < 1.3  # the clock is read in hundredths
    assert wall / guest == pytest.approx(N, rel=0.15)


def test_plays_bit_exact(board: Bench) -> None:
    """The last test of the shared board: it ends the device and looks at what went out."""
    said = board.run("aplay -D hw:0,0 -v noise.wav; echo status $?")
    assert "status 0" in said
    period = int(re.search(r"period_size\s*:\s*(\d+)", said)[1])
    interrupts = board.run("grep virtio0 /proc/interrupts")
    assert "Level" in interrupts
    frames, report = board.finish()
    print(
        f"{report['pace']}; {report['accesses']} accesses; {report['interrupts']}; {interrupts.split()[1]} interrupts in Linux"
    )
    assert compare(frames, noise(), period) == []
    for fault in (
        frames[1:],
        np.delete(frames, 4000, 0),
        frames[:-1],
        np.insert(frames, 7, frames[7], 0),
        frames ^ (1 << 20),
    ):
        assert compare(fault, noise(), period), "the comparison misses a fault"
    assert [value for _, value in report["markers"]] == [0xCAFE0001]


def test_time_can_be_stretched_far(bench: Callable[..., Bench]) -> None:
    """Beyond 68 the processor's counter has to be slowed down as well."""
    board = bench(100)
    started = time.monotonic()
    board.run("usleep 20000")
    assert 2.0 <= time.monotonic() - started < 8


def test_memory_can_be_a_file(bench: Callable[..., Bench], tmp_path: Path) -> None:
    """A simulation maps the guest's memory by its path instead of taking a descriptor."""
    ram = tmp_path / "ram"
    board = bench(memory_file=ram, memory_mb=128)
    assert ram.stat().st_size == 128 << 20
    secret = os.urandom(16)
    board.run(f"echo {secret.hex()} > /tmp/secret")
    with ram.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert view.find(secret.hex().encode()) >= 0


# -- faults -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("killed", [True, False], ids=["killed", "stuck"])
def test_server_lost_in_the_middle_of_a_request(bench: Callable[..., Bench], killed: bool) -> None:
    """QEMU waits for an answer and takes no SIGTERM, or breaks down when the connection does; it is ended all the same."""
    board = bench(1)
    board.world.send_signal(signal.SIGSTOP)
    board.console.line.write(b"devmem 0x10001000\n")
    time.sleep(0.5)
    if killed:
        board.world.kill()
        board.world.wait()
    with pytest.raises(ConsoleError) as seen:
        board.console.run("echo alive", timeout_s=1)
    print(seen.value, board.board.log.read_text())
    pid, folder = board.board.pid, board.board.folder
    started = time.monotonic()
    board.board.close()
    assert time.monotonic() - started < 5
    assert not alive(pid) and not folder.exists()


def test_qemu_killed(bench: Callable[..., Bench]) -> None:
    """The console and the board say so, and the device ends by itself with its report."""
    board = bench(1)
    os.kill(board.board.pid, signal.SIGKILL)
    assert board.world.wait(10) == 0
    assert json.loads((board.out / "report.json").read_text())["accesses"] > 0
    with pytest.raises(QemuFailed, match="ended by itself"):
        board.board.check()
    with pytest.raises(ConsoleError):
        board.console.run("echo alive", timeout_s=2)


def test_kernel_panic_is_named(bench: Callable[..., Bench]) -> None:
    board = bench(1)
    with pytest.raises((BootFailed, BoardPanicked), match="panicked"):
        board.run("echo c > /proc/sysrq-trigger")
    board.console.reach_prompt(BOOT_LIMIT_S)  # the board boots again
    assert "virtio-snd" in board.run("cat /proc/asound/cards")


def test_ends_with_its_parent(parts: packages.Parts, tmp_path: Path) -> None:
    """Even when the parent is killed by SIGKILL; the folder it left is removed by the next board."""
    program = (
        "import sys; from hil.virtual.linux_board import packages, qemu, vfio_user\n"
        "board = qemu.Board(packages.obtain()); server = vfio_user.Server(board.socket)\n"
        "board.start(); print(board.pid, board.folder, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    pid, folder = parent.stdout.readline().split()
    assert alive(int(pid))
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(int(pid))
    qemu.Board(parts).close()
    assert not Path(folder).exists()


def test_nobody_listens(parts: packages.Parts) -> None:
    with qemu.Board(parts) as board, pytest.raises(QemuFailed, match="start the server"):
        board.start()


def test_qemu_that_does_not_count_by_the_clock(parts: packages.Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board whose time nobody holds would be taken for one whose time is held."""
    monkeypatch.setattr(qemu.Board, "_counting", lambda self: {})  # as with a QEMU that is statically linked
    with qemu.Board(parts) as board:
        server = vfio_user.Server(board.socket)
        GuestClock(board.clock)
        with pytest.raises(QemuFailed, match=r"has not taken guest_clock\.so"):
            board.start()
        assert board.status is not None, "it was left running"
        server.close()


def test_qemu_that_does_not_start(parts: packages.Parts, tmp_path: Path) -> None:
    with qemu.Board(parts, memory_file=tmp_path / "no" / "such" / "folder") as board:
        server = vfio_user.Server(board.socket)
        with pytest.raises(QemuFailed, match="No such file"):
            board.start()
        server.close()


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


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
