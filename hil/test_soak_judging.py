# SPDX-License-Identifier: Apache-2.0
"""What judges the workloads of the soak finds seeded faults; what runs them repeats, restarts and reports as it promises."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from hil.soak import __main__ as command
from hil.soak import compare, endurance, material, runner, table
from hil.soak.listener import Listener
from hil.soak.outcome import Findings, Outcome, Verdict, judge
from hil.soak.workload import Workload
from hil.virtual.engine import FRAME, HEADER_BYTES, MAGIC, CaptureRing, Overrun
from hil.virtual.linux_board.errors import BoardUnavailable, BootFailed

QUICK = tuple(work for work in table.WORKLOADS if work.quick)
PLAYED = material.wire(material.noise(5, 2000), 16)


# -- the comparison ---------------------------------------------------------------------------------------------------
def with_silence(frames: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((7, 2), np.int32), frames, np.zeros((9, 2), np.int32)])


def test_equal_is_equal() -> None:
    found = compare.exact(with_silence(PLAYED), PLAYED)
    assert found.exact and found.compared == len(PLAYED) and found.sha256 == compare.digest(PLAYED)


def _flipped(frames: np.ndarray) -> np.ndarray:
    frames = frames.copy()
    frames[700, 1] ^= 1
    return frames


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (_flipped, "part at frame 700"),
        (lambda f: np.delete(f, range(700, 748), axis=0), "48 frames are missing"),
        (lambda f: np.insert(f, [700] * 48, f[652:700], axis=0), "48 frames are too many"),
        (lambda f: np.insert(f, [700] * 48, 0, axis=0), "48 frames are too many"),
        (lambda f: f[:, ::-1], "part at frame 0"),
        (lambda f: f[:-1], "the end is missing"),
        (lambda f: np.concatenate([f, f[:3]]), "more follows"),
        (lambda f: f[:0], "the end is missing"),
        (lambda f: f << 1, "part at frame 0"),
    ],
    ids=["bit", "lost", "repeated", "gap", "swapped", "cut", "longer", "nothing", "shifted"],
)
def test_seeded_faults_are_found(fault, said: str) -> None:
    found = compare.exact(with_silence(fault(PLAYED)), PLAYED)
    assert not found.exact and said in found.said
    assert compare.with_pauses(with_silence(fault(PLAYED)), PLAYED).exact == (
        said.startswith("48 frames are too many") and not fault(PLAYED).all()
    )


def test_pauses_are_counted() -> None:
    heard = np.insert(np.insert(PLAYED, [1500] * 20, 0, axis=0), [500] * 10, 0, axis=0)
    found = compare.with_pauses(with_silence(heard), PLAYED)
    assert found.exact and found.pauses == (10, 20)
    assert not compare.exact(heard, PLAYED).exact
    with pytest.raises(ValueError, match="silent frames"):
        compare.with_pauses(heard, heard)


def test_a_beginning_is_a_beginning() -> None:
    assert compare.beginning(with_silence(PLAYED[:300]), PLAYED).compared == 300
    assert compare.beginning(with_silence(PLAYED[:300]), PLAYED).exact
    assert not compare.beginning(PLAYED[1:300], PLAYED).exact
    assert not compare.beginning(np.concatenate([PLAYED, PLAYED]), PLAYED).exact
    assert not compare.beginning(PLAYED[:0], PLAYED).exact


# -- the material -----------------------------------------------------------------------------------------------------
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this machine")
def test_the_boards_noise_is_ours(tmp_path: Path) -> None:
    subprocess.run(["cc", "-o", tmp_path / "noise", endurance._SOURCE], check=True, timeout=60)
    said = subprocess.run([tmp_path / "noise", "29", "5000"], capture_output=True, check=True, timeout=60).stdout
    assert said == material.packed(material.noise(29, 5000), "S16")
    assert np.array_equal(material.noise(29, 10, 4000), material.noise(29, 5000)[4000:4010])
    assert subprocess.run([tmp_path / "noise"], capture_output=True, check=False, timeout=60).returncode == 2


def test_formats_on_the_wire() -> None:
    samples = np.array([[-2, 1]], np.int32)
    assert material.wire(samples, 24).tolist() == [[-512, 256]]
    assert material.wire(samples[:, :1], 16).tolist() == [[-131072, -131072]]
    assert material.packed(samples, "S24_3") == bytes.fromhex("feffff010000")
    assert material.packed(samples, "S24") == bytes.fromhex("feffffff01000000")
    with pytest.raises(ValueError, match="S24 in a WAVE file"):
        material.wav(samples, "S24", 48000)
    with pytest.raises(material.RecordingMissing, match="alsa-utils"):
        material.recording(Path("nowhere"), "Front_Left")


def test_table() -> None:
    names = [work.name for work in table.WORKLOADS]
    assert len(names) == len(set(names)) and all(work.guest_s > 0 for work in table.WORKLOADS)
    assert {work.family for work in QUICK} == {work.family for work in table.WORKLOADS} - {"speaker-test"}
    with pytest.raises(ValueError, match="families are aplay"):
        table.named(["nothing like it"])


# -- listening and judging --------------------------------------------------------------------------------------------
def test_a_late_listener_says_so(tmp_path: Path) -> None:
    file = tmp_path / "ring"
    header = np.array([MAGIC, 8, 8, 0, 0, 0, 0, 0], "<u8")
    file.write_bytes(header.tobytes().ljust(HEADER_BYTES, b"\0") + bytes(8 * FRAME.itemsize + 8 * 16))
    listener = Listener(CaptureRing(file))
    try:
        assert len(listener.heard()) == 0
        np.memmap(file, "<u8", "r+", shape=(8,))[3] = 100
        with pytest.raises(Overrun, match="too busy"):
            listener.heard()
        listener.begin()
        assert len(listener.heard()) == 0
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.PASS),
        ({"findings": Findings(problems=["x"])}, Verdict.FAIL),
        ({"kernel_warnings": ["x"]}, Verdict.FAIL),
        ({"counters": {"underruns": 2}}, Verdict.FAIL),
        ({"counters": {"bus_errors": 1}}, Verdict.FAIL),
        ({"pace": {"worst_behind_ns": 11e6}}, Verdict.INCONCLUSIVE),
        ({"pace": {"unanswered": 1}, "counters": {"underruns": 2}}, Verdict.INCONCLUSIVE),
        ({"pace": {"unanswered": 1}}, Verdict.PASS),
        ({"pace": {"worst_behind_ns": 9e6}, "counters": {"underruns": 1}}, Verdict.PASS),
    ],
)
def test_verdicts(change: dict, verdict: Verdict) -> None:
    outcome = Outcome("x", "x", Verdict.ERROR, **{"findings": Findings(dry_ends=1), "behind_limit_ms": 10, **change})
    outcome.findings.dry_ends = 1
    judge(outcome)
    assert outcome.verdict is verdict
    assert bool(outcome.reason) == (verdict is not Verdict.PASS)


class FakeBoard:
    """A board that is late at N below 20."""

    boots: ClassVar[list[float]] = []

    def __init__(self, parts, files, dilation, log, tell) -> None:
        self.dilation, self.log = dilation, log
        pace = SimpleNamespace(dilation=dilation, worst_behind_ns=50e6 if dilation < 20 else 0)
        self.rtl = SimpleNamespace(pace=lambda: pace, check=lambda: None)
        self.board = SimpleNamespace(check=lambda: None)
        FakeBoard.boots.append(dilation)

    def __enter__(self):
        if self.dilation == 7:
            raise BootFailed("no prompt")
        return self

    def __exit__(self, *_: object) -> None: ...

    def begin(self) -> None: ...

    def counters(self) -> dict[str, int]:
        return {}

    def kernel_warnings(self) -> list[str]:
        return []


def fake_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dilation: float, *works: Workload) -> list[Outcome]:
    monkeypatch.setattr(runner, "Session", FakeBoard)
    FakeBoard.boots = []
    parts = SimpleNamespace(root=tmp_path, versions={}, kernel_release="test")
    report = tmp_path / "soak.json"
    ignore = lambda *_: None  # noqa: E731
    outcomes = runner.Run(parts, dilation, io.StringIO(), report, ignore, ignore).all(works)
    written = json.loads(report.read_text())
    assert written["state"] == "finished"
    assert [line["verdict"] for line in written["workloads"]] == [str(outcome.verdict) for outcome in outcomes]
    return outcomes


def strict(name: str, problem: str = "") -> Workload:
    def carry_out(_: object) -> Findings:
        if problem == "raise":
            raise TimeoutError("too long")
        return Findings(problems=[problem] if problem else [])

    return Workload(name, "fake", carry_out, 1.0, 40)


def test_late_is_repeated_at_a_larger_n(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outcomes = fake_run(monkeypatch, tmp_path, 10, strict("a"), strict("b"))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.PASS] * 2
    assert [outcome.attempt for outcome in outcomes] == [2, 2] and FakeBoard.boots == [10, 20]
    (outcome,) = fake_run(monkeypatch, tmp_path, 5, strict("a"))
    assert outcome.verdict is Verdict.INCONCLUSIVE and "50.0 ms behind" in outcome.reason and FakeBoard.boots == [5, 10]


def test_after_a_problem_comes_a_fresh_board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outcomes = fake_run(monkeypatch, tmp_path, 20, strict("a"), strict("b", "x"), strict("c", "raise"), strict("d"))
    assert [str(outcome.verdict) for outcome in outcomes] == ["PASS", "FAIL", "ERROR", "PASS"]
    assert FakeBoard.boots == [20, 20, 20]


def test_a_board_that_does_not_come(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outcomes = fake_run(monkeypatch, tmp_path, 7, strict("a"), strict("b"))
    assert [outcome.reason for outcome in outcomes] == ["no board: no prompt"] * 2


def test_files_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def files(_: Path) -> dict:
        raise BoardUnavailable("no compiler")

    (outcome,) = fake_run(monkeypatch, tmp_path, 20, dataclasses.replace(strict("a"), files=files))
    assert outcome.verdict is Verdict.NOT_RUN and outcome.reason == "no compiler" and FakeBoard.boots == []


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list", "--quick"]) == 0
    assert "pause and resume" in capsys.readouterr().out
    assert command.main(["--only", "dance"]) == 2
    with pytest.raises(SystemExit):
        command.main(["--dilation", "0"])
