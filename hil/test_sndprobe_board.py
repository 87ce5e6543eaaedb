# SPDX-License-Identifier: Apache-2.0
"""`sndprobe` on the Linux board against the modelled device: what it says is compared with what the device did."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.guest import build
from hil.virtual.linux_board import packages, qemu
from hil.virtual.linux_board.errors import BoardError
from virtone.bench.board import Board
from virtone.bench.console import Console
from virtone.bench.errors import CommandFailed
from virtone.bench.transport import SerialLine
from virtone.signal import stimulus

ROOT = Path(__file__).resolve().parents[1]
N = 20  # the model takes about 3 wall seconds for one of sound on a shared core
LIMIT_S = 200.0
pytestmark = pytest.mark.timeout(600)


class Desk:
    """A board with the program on it, and the device in a process of its own."""

    def __init__(self, parts: packages.Parts, program: Path, folder: Path) -> None:
        self.out = folder / "out"
        self.qemu = qemu.Board(parts, dilation=N, files={"usr/bin/sndprobe": program})
        world = [sys.executable, "-m", "hil.guest.probed_world", self.qemu.socket, "--dilation", N, "--out", self.out]
        self.world = subprocess.Popen(
            [str(word) for word in world],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'host'}:{ROOT}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self.world.stdout is not None and select.select([self.world.stdout], [], [], 30)[0]
        self.world.stdout.readline()
        self.console = Console(SerialLine(self.qemu.start()), timeout_s=LIMIT_S)
        self.console.reach_prompt()
        self.board = Board(self.console)

    def run(self, verb: str, **options: object) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Records and last line."""
        words = [f"--{name.replace('_', '-')} {value}" for name, value in options.items()]
        lines = self.console.run(f"sndprobe {verb} {' '.join(words)}")
        *records, done = [json.loads(line) for line in lines if line.startswith("{")]
        assert done["done"] is True
        return records, done

    def close(self) -> None:
        self.console.close()
        self.qemu.close()
        if self.world.poll() is None:
            self.world.send_signal(signal.SIGTERM)
        try:
            self.world.wait(60)
        except subprocess.TimeoutExpired:
            self.world.kill()
            self.world.wait()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build.sndprobe(tmp_path_factory.mktemp("arm64"))
    except BoardError as error:
        pytest.skip(f"no sndprobe for the Linux board on this machine: {error}")


@pytest.fixture(scope="module")
def desk(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    try:
        parts = packages.obtain()
    except BoardError as error:
        pytest.skip(f"no Linux board on this machine: {error}")
    one = Desk(parts, program, tmp_path_factory.mktemp("desk"))
    yield one
    one.close()


def test_says_what_it_is(desk: Desk) -> None:
    said = desk.board.version()
    assert (
        said["kernel"] == desk.qemu.parts.kernel_release and said["driver"] == "virtio_snd" and said["policy"] == "ack"
    )
    assert said["parameters"]["pcm_periods_min"] == "2" and said["probe"] == "0x10001000" and said["clock_hz"] == 10**9
    offered = desk.board.info()
    assert offered["formats"] == list(stimulus.FORMATS) and offered["channels"] == [1, 2] and 192000 in offered["rates"]


def test_files_go_both_ways(desk: Desk) -> None:
    data = np.random.default_rng(5).bytes(40_000)
    desk.board.put("noise.raw", data)
    head, *_ = desk.board.probe("get", "noise.raw")
    assert head["size"] == len(data)
    assert desk.console.run("sha256sum /tmp/sndprobe/noise.raw")[0].split()[0] == head["sha256"]
    desk.board.probe("rm", "noise.raw")
    with pytest.raises(CommandFailed, match="there is no file noise"):
        desk.board.probe("get", "noise.raw")


@pytest.mark.parametrize(
    ("verb", "options", "message"),
    [
        ("tone", {"rate": 12000}, "--rate is 12000; the driver allows 5512 to 192000 Hz here, but not this one"),
        ("tone", {"periods": 40}, "--periods is 40; the driver allows 2 to 16 here"),
        ("tone", {"period": 8}, "--period is 8; the driver allows"),
        ("tone", {"policy": "requeue"}, "--policy is requeue; this kernel's driver does ack"),
        ("tone", {"probe": "0x10000000"}, "a driver holds it, and the kernel has CONFIG_IO_STRICT_DEVMEM"),
        ("tone", {"probe": "0x10002000"}, "no probe page at 0x10002000"),
        ("record", {"target": "a"}, "card 0 (virtio-snd - VirtIO SoundCard) has no input stream, so nothing can be"),
        ("shots", {"marker": "notify"}, "the driver sent none for shot 0: it lets the device poll"),
    ],
)
def test_refuses(desk: Desk, verb: str, options: dict[str, object], message: str) -> None:
    _, done = desk.run(verb, **options)
    assert done["status"] == 1 and message in done["error"]


CASES: list[dict[str, object]] = [
    {"format": "S16", "period": 480, "periods": 4, "count": 3, "first_code": 10},
    {"format": "S24", "period": 96, "periods": 4, "count": 3, "first_code": 20, "spacing_ms": 20},
    {"format": "S32", "period": 240, "periods": 2, "count": 3, "first_code": 30, "spacing_ms": 30, "access": "mmap"},
    {"format": "S24_3", "period": 240, "periods": 4, "count": 2, "first_code": 40, "cold": 1},
    {"format": "S16", "period": 480, "periods": 4, "count": 2, "first_code": 50, "marker": "first_bit"},
    {"format": "S16", "period": 480, "periods": 4, "count": 2, "first_code": 60, "marker": "complete"},
    {"format": "S16", "period": 480, "periods": 4, "count": 2, "first_code": 70, "marker": "complete", "cold": 1},
]


def test_says_what_the_device_did(desk: Desk) -> None:
    """The last one: it ends the device and looks at what went out."""
    runs = []
    for options in CASES:
        shots, done = desk.run("shots", **options)
        assert done["status"] == done["xruns"] == done["underruns"] == done["events_lost"] == 0, done
        assert done["msg_polling"] is True and done["event_idx"] is True and len(shots) == options["count"]
        runs.append(shots)
    counts, done = desk.run("material", frames=4800, first_code=1000, marker="off")
    assert counts[0]["frames_written"] == 4800 and done["xruns"] == done["underruns"] == 0
    desk.close()
    played = np.load(desk.out / "frames.npy")
    left = played[:, 1]
    facts = json.loads((desk.out / "probe.json").read_text())
    marks = [at for at, kind, _ in facts["events"] if kind == "marker"]
    pulses = list(facts["pulses"])
    print(json.loads((desk.out / "report.json").read_text())["pace"])
    del marks[: -sum(map(len, runs)) - 1]  # the last one is the material's
    for options, shots in zip(CASES, runs, strict=True):
        since = [shot["since_update_ns"] for shot in shots]
        assert options.get("cold") or min(np.diff(sorted(since))) > 0
        for shot in shots:
            mark = marks.pop(0)
            wire = played[place(left, stimulus.burst(shot["code"], 48000)), 0]
            stages = shot["stages_ns"]
            assert stages["A"] == 0 and stages["N"] is None and 0 < stages["F"] < stages["W"] < stages["C"]
            assert abs(stages["W"] - (wire - mark)) <= 2
            assert abs(stages["C"] - stages["W"] - options["period"] * 1e9 / 48000) < 100_000
            told_ns = shot["told_frames"] * 1e9 / 48000 - shot["since_update_ns"]
            assert abs(told_ns - stages["W"]) < 10e6, "far off: frames or nanoseconds of something else"
            stage = {"first_bit": "W", "complete": "C"}.get(str(options.get("marker")), "A")
            assert abs(pulses.pop(0) - mark - stages[stage]) <= 2
    assert pulses == []
    wanted = stimulus.material(4800, 48000, 1000)
    begin = place(left, stimulus.burst(1000, 48000))
    assert np.array_equal(left[begin : begin + 4800], wanted & ~0xFFFF)


def place(left: np.ndarray, burst: np.ndarray) -> int:
    """Where this burst was played, which must be once."""
    windows = np.lib.stride_tricks.sliding_window_view(left, len(burst))
    candidates = np.flatnonzero((windows[:, 1:16] == burst[1:16]).all(axis=1))
    found = [start for start in candidates if np.array_equal(windows[start], burst)]
    assert len(found) == 1, f"played {len(found)} times"
    return int(found[0])
