# SPDX-License-Identifier: Apache-2.0
"""Shell and `sndprobe` of the reference-driver board against the modelled device: no simulator, milliseconds."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import deque
from typing import Any

import numpy as np
import pytest

from hil.virtual.board_shell import Shell
from hil.virtual.model_probe import ProbedPort
from hil.virtual.playback import Board, Interrupted
from hil.virtual.sndprobe import Sndprobe
from virtone.model.device import SoundDevice
from virtone.model.memory import Memory
from virtone.model.timeline import TICKS_PER_NS, Timeline
from virtone.signal import stimulus

CONFIGURATIONS = {
    "S16-10ms": (48000, "S16", 480, 4, 90),
    "S24-1ms": (48000, "S24", 48, 4, 20),
    "S32-0.5ms": (192000, "S32", 96, 8, 20),
}


class Desk:
    """A board on the timeline with somebody at its console."""

    def __init__(self, converter_delay_ns: float = 0.0) -> None:
        self.timeline = Timeline()
        self.device = SoundDevice(self.timeline, Memory(8 << 20), converter_delay_ns=converter_delay_ns)
        self.port = ProbedPort(self.device)
        self.lines: deque[str] = deque()
        self.text = ""
        self.break_at_ns = float("inf")
        self.shell = Shell(self, Sndprobe(Board(self.port, self.interrupted), self, {"codec": "none"}), "test 1")

    def write(self, text: str) -> None:
        self.text += text

    async def read_line(self, echo: bool = True) -> str:
        if not self.lines:
            raise Interrupted
        return self.lines.popleft()

    def interrupted(self) -> bool:
        return self.timeline.now_ns() > self.break_at_ns

    def run(self, line: str, *more: str) -> list[dict[str, Any]]:
        """The JSON lines of one command."""
        self.text = ""
        self.lines.extend(more)
        self.timeline.run(self.shell.execute(line))
        return [json.loads(part) for part in self.text.splitlines() if part.startswith("{")]

    def put(self, name: str, data: bytes) -> list[dict[str, Any]]:
        lines = [base64.b64encode(data[k : k + 768]).decode() for k in range(0, len(data), 768)]
        return self.run(f"sndprobe put {name} {len(data)} {hashlib.sha256(data).hexdigest()}", *lines, "")


@pytest.fixture()
def desk() -> Desk:
    return Desk()


def shots(desk: Desk, name: str, **options: Any) -> list[dict[str, Any]]:
    rate, fmt, period, periods, spacing = CONFIGURATIONS[name]
    words = {"rate": rate, "format": fmt, "period": period, "periods": periods, "spacing-ms": spacing, **options}
    return desk.run("sndprobe shots " + " ".join(f"--{key} {value}" for key, value in words.items()))


def burst_times_ns(desk: Desk, codes: range, rate: int) -> list[float]:
    """When the first frame of each burst was on the wire, found by comparing every frame with the stimulus."""
    left = np.array([frame.left for frame in desk.device.frames], dtype=np.int64)
    times = []
    for code in codes:
        wanted = stimulus.burst(code, rate).astype(np.int64)
        starts = np.flatnonzero(left[: len(left) - len(wanted) + 1] == wanted[0])
        found = [s for s in starts if np.array_equal(left[s : s + len(wanted)], wanted)]
        assert len(found) == 1, f"code {code} was played {len(found)} times"
        times.append(desk.device.frames[found[0]].tick / TICKS_PER_NS)
    return times


@pytest.mark.parametrize("policy", ["ack", "requeue"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("cold", [0, 1])
def test_shots_say_when_their_burst_was_on_the_wire(desk: Desk, name: str, policy: str, cold: int) -> None:
    *records, done = shots(desk, name, policy=policy, count=6, cold=cold, **{"first-code": 7})
    rate, _, period, _, spacing = CONFIGURATIONS[name]
    assert done["status"] == 0 and done["xruns"] == done["underruns"] == done["events_lost"] == 0
    assert [r["code"] for r in records] == list(range(7, 13))
    begin = [e.tick / TICKS_PER_NS for e in desk.device.events if e.kind == "marker"]
    assert len(desk.port.pulses) == len(begin) == 6
    assert min(np.diff(begin)) >= spacing * 1e6
    phases = set()
    for record, mark, wire in zip(records, begin, burst_times_ns(desk, range(7, 13), rate), strict=True):
        stages = record["stages_ns"]
        assert abs(stages["W"] - (wire - mark)) <= 2
        assert stages["A"] == 0 and stages["F"] <= stages["W"] < stages["C"]
        # What it is told, less the time since it was last true, is the delay up to the wire (here: no converter).
        error_ns = (record["told_frames"] * 1e9 / rate - record["since_update_ns"]) - stages["W"]
        assert abs(error_ns) < (60_000 if not cold else 100_000)
        phases.add(round(record["since_update_ns"] * rate / period / 1e8))
        assert record["frame"] % period == 0
    assert cold or len(phases) > 2, "the phase does not vary"


@pytest.mark.parametrize("policy", ["ack", "requeue"])
@pytest.mark.parametrize(("marker", "stage"), [("notify", "N"), ("first_bit", "W")])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_pin_shows_the_bursts_own_event_only(desk: Desk, name: str, policy: str, marker: str, stage: str) -> None:
    *records, done = shots(desk, name, policy=policy, count=5, marker=marker)
    assert done["status"] == 0
    assert len(desk.port.pulses) == 5
    begin = [e.tick / TICKS_PER_NS for e in desk.device.events if e.kind == "marker"]
    for record, pulse, mark in zip(records, desk.port.pulses, begin, strict=True):
        assert abs(record["stages_ns"][stage] - (pulse - mark)) <= 2


@pytest.mark.parametrize("options", [{}, {"msg-polling": 0}], ids=["polled", "event_idx"])
def test_a_notify_that_was_not_needed_is_none(desk: Desk, options: dict[str, int]) -> None:
    *records, _ = shots(desk, "S24-1ms", count=3, **options)
    assert all(record["stages_ns"]["N"] is None for record in records)
    assert all(record["stages_ns"]["W"] for record in records)


def test_two_periods_leave_little_slack(desk: Desk) -> None:
    line = "sndprobe shots --period 240 --periods 2 --count 8 --spacing-ms 30 --marker first_bit"
    *records, done = desk.run(line)
    assert len(records) == 8 and done["status"] == 0 and len(desk.port.pulses) == 8


def test_play_brings_every_sample_to_the_wire(desk: Desk) -> None:
    samples = np.random.default_rng(3).integers(-(2**15), 2**15, (1000, 2)).astype("<i2")
    assert desk.put("noise.raw", samples.tobytes())[-1]["status"] == 0
    counts, done = desk.run("sndprobe play --source noise.raw --period 240 --marker complete")
    assert done["status"] == 0 and counts["xruns"] == counts["underruns"] == 0
    assert counts["frames_written"] == 1200  # whole periods
    played = np.array([(f.left >> 16, f.right >> 16) for f in desk.device.frames[:1000]])
    assert np.array_equal(played, samples)
    assert len(desk.port.pulses) >= 5  # one a period


@pytest.mark.parametrize("fault", ["none", "lost", "repeated", "gap"])
def test_material_is_what_the_stimulus_says(desk: Desk, fault: str) -> None:
    *_, done = desk.run(
        f"sndprobe material --frames 4800 --first-code 3 --fault {fault} --at-frame 2400 --fault-frames 480"
    )
    assert done["status"] == 0 and done["underruns"] == 0
    wanted = stimulus.faulty_material(4800, 48000, fault, 2400, 480, 3)
    assert np.array_equal(np.array([f.left for f in desk.device.frames[:4800]]), wanted)


def test_tone(desk: Desk) -> None:
    assert desk.run("sndprobe tone --seconds 0.05 --hz 1000 --format S32")[-1]["status"] == 0
    wanted = stimulus.tone(2400, 48000, 1000)
    assert np.array_equal(np.array([f.left for f in desk.device.frames[:2400]]), wanted)


def test_info_and_version(desk: Desk) -> None:
    info, done = desk.run("sndprobe info")
    assert done == {"done": True, "status": 0}
    assert info["formats"] == ["S16", "S24_3", "S24", "S32"] and info["codec"] == "none"
    assert desk.run("sndprobe version")[0]["sndprobe"]
    desk.run("uname -r")
    assert desk.text == "test 1\n"


def test_ctrl_c_ends_a_job_and_the_board_goes_on(desk: Desk) -> None:
    desk.break_at_ns = desk.timeline.now_ns() + 50e6
    assert desk.run("sndprobe tone --seconds 5")[-1] == {"done": True, "status": 130, "error": "interrupted"}
    assert desk.timeline.now_ns() < 80e6
    desk.break_at_ns = float("inf")
    assert desk.run("sndprobe tone --seconds 0.02")[-1]["status"] == 0


@pytest.mark.parametrize(
    ("line", "status", "expected"),
    [
        ("sndprobe", 2, "no verb"),
        ("sndprobe dance", 2, "'dance'"),
        ("sndprobe shots --rat 1", 2, "did you mean --rate"),
        ("sndprobe shots --rate", 2, "has no value"),
        ("sndprobe shots --rate x", 2, "a whole number from 4000"),
        ("sndprobe shots --rate 48000 --rate 48000", 2, "twice"),
        ("sndprobe shots --format U8", 2, "S16 or S24"),
        ("sndprobe shots --rate 12345", 1, "the stream offers"),
        ("sndprobe shots --channels 3", 1, "1..2"),
        ("sndprobe shots --period 60000 --spacing-ms 3000", 1, "a period of 60000 frames"),
        ("sndprobe shots --spacing-ms 2", 2, "at least"),
        ("sndprobe shots --first-code 2040 --count 10", 2, "codes end"),
        ("sndprobe play --file none.raw", 2, "no such file"),
        ("sndprobe play", 2, "--source is missing"),
        ("sndprobe record --target a", 1, "card 0 (reference driver) has no input stream, so nothing can be recorded"),
        ("sndprobe record --seconds 1", 2, "--target is missing"),
        ("sndprobe record --target a --source b", 2, "'--source'"),
        ("sndprobe rm none", 2, "no file"),
        ("sndprobe put a/b 1 x", 2, "put NAME SIZE SHA256"),
        ("sndprobe tone --hz nan", 2, "right is a number"),
    ],
)
def test_what_cannot_be_done_is_said(desk: Desk, line: str, status: int, expected: str) -> None:
    done = desk.run(line)[-1]
    assert done["done"] is True and done["status"] == status
    assert expected in done["error"]
    assert desk.run("sndprobe tone --frames 480")[-1]["status"] == 0


def test_an_upload_that_is_not_what_was_announced(desk: Desk) -> None:
    good = hashlib.sha256(b"abcd").hexdigest()
    assert "announced" in desk.run(f"sndprobe put f 4 {good}", base64.b64encode(b"abce").decode(), "")[-1]["error"]
    assert "no base64" in desk.run(f"sndprobe put f 4 {good}", "!!", "")[-1]["error"]
    assert "no such file" in desk.run("sndprobe play --file f")[-1]["error"]


@pytest.mark.parametrize("line", ["reboot", "uname -x", "help me", "sndprobr info", 'sndprobe "'])
def test_other_commands_end_in_one_error_line(desk: Desk, line: str) -> None:
    desk.run(line)
    assert desk.text.startswith("error: ") and desk.text.count("\n") == 1
