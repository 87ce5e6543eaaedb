# SPDX-License-Identifier: Apache-2.0
"""Side by side with QEMU's device: what is read from logs and programs, the arithmetic, the verdicts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hil.peer import __main__ as command
from hil.peer import boards, figures, guest, report, sink, trace, trials
from hil.virtual.linux_board import packages
from hil.virtual.linux_board.errors import NoNetwork
from hil.virtual.linux_board.time import PaceReport
from virtone.bench.errors import CommandFailed

RATE, PERIOD, PERIODS = 48000, 480, 4

QEMU_LOG = """\
2026-11-20T10:03:22.215200Z virtio_mmio_write_offset virtio_mmio_write offset 0x64 value 0x1
2026-11-20T10:03:22.225196Z virtqueue_fill vq 0x55557ad5ea00 elem 0x55557a71cac0 len 8 idx 0
2026-11-20T10:03:22.225210Z virtio_notify vdev 0x55557ad5d1e0 vq 0x55557ad5ea00
2026-11-20T10:03:22.225218Z audio_out_played played=484
2026-11-20T10:03:22.225241Z virtio_mmio_read virtio_mmio_read offset 0x60
2026-11-20T10:03:22.225700Z virtio_queue_notify vdev 0x55557ad5d1e0 n 2 vq 0x55557ad5ea00
2026-11-20T10:03:22.249920Z virtqueue_fill vq 0x55557ad5e8d0 elem 0x55557ada3ca0 len 4 idx 0
qemu-system-aarch64: something else
"""
RTL_LOG = """\
2026-11-20T10:03:46.133300Z vfio_region_read  (vfio-user:/tmp/x/vfio.sock:region0+0x60, 4) = 0x1
2026-11-20T10:03:46.133363Z vfio_intx_interrupt  (vfio-user:/tmp/x/vfio.sock) Pin A
2026-11-20T10:03:46.133463Z vfio_region_write  (vfio-user:/tmp/x/vfio.sock:region0+0x64, 0x1, 4)
2026-11-20T10:03:46.134606Z vfio_region_write  (vfio-user:/tmp/x/vfio.sock:region0+0x50, 0x50000, 4)
2026-11-20T10:03:46.134700Z vfio_region_write  (vfio-user:/tmp/x/vfio.sock:region0+0x1020, 0x1, 4)
"""
INTERRUPTS = """\
           CPU0       CPU1
 13:       3482         12     GICv3  27 Level     arch_timer
 17:         32          4     GICv3  79 Edge      virtio0
IPI0:         0          0       Rescheduling interrupts
""".splitlines()
APLAY = [
    "Playing raw data '/dev/zero' : Signed 16 bit Little Endian, Rate 48000 Hz, Stereo",
    "ACCESS:  MMAP_INTERLEAVED RW_INTERLEAVED",
    "FORMAT:  S16_LE S24_LE S32_LE S24_3LE",
]
PLAYED = [
    '{"wakeup": 0, "time_ns": 5, "appl_ptr": 0, "hw_ptr": 0, "delay": 0, "since_update_ns": 0, "state": "PREPARED", "xruns": 0}',
    '{"frames_written": 480, "xruns": 0}',
    '{"done": true, "status": 0, "frames_written": 480, "xruns": 0}',
]


# -- what is read -----------------------------------------------------------------------------------------------------
def test_log_of_either_device() -> None:
    events = trace.parse(QEMU_LOG)
    assert [e.kind for e in events] == ["write", "fill", "interrupt", "sink", "read", "notify", "fill"]
    assert events[3].value == 484 and events[3].time_s - events[1].time_s == pytest.approx(22e-6, abs=1e-6)
    assert trace.count(events) == trace.BusCounts({2: 1}, 1, 1, 2)
    ours = trace.parse(RTL_LOG)
    assert [e.kind for e in ours] == ["read", "line", "write", "write"], "the probe page is no part of the device's bus"
    assert trace.count(ours) == trace.BusCounts({0: 1}, 1, 1, 3), (
        "a notification carries the avail index in its upper half"
    )


@pytest.mark.parametrize("fault", ["offset 0x64", "idx x", "played=", "virtio_mmio_write offset"])
def test_log_line_that_cannot_be_read_is_no_missing_event(fault: str) -> None:
    lines = QEMU_LOG.splitlines()
    broken = {
        "offset 0x64": lines[0].replace("offset 0x64", "offset ?"),
        "idx x": lines[1].replace("idx 0", "idx x"),
        "played=": lines[3].replace("484", ""),
        "virtio_mmio_write offset": lines[0].replace(" value 0x1", ""),
    }[fault]
    with pytest.raises(trace.TraceError, match="should look like"):
        trace.parse(broken)


def test_log_is_read_in_stretches(tmp_path: Path) -> None:
    log = trace.Log(tmp_path / "trace.log")
    assert log.mark() == 0
    log.path.write_text(QEMU_LOG)
    mark = log.mark()
    with log.path.open("a") as file:
        file.write(RTL_LOG + "2026-11-20T10:03:46.134606Z vfio_region_wri")
    assert [e.kind for e in log.since(mark)] == ["read", "line", "write", "write"]
    assert len(log.between(0, mark)) == 7


def test_words_of_the_board() -> None:
    assert guest.formats(APLAY) == ["S16_LE", "S24_LE", "S32_LE", "S24_3LE"]
    assert guest.count_interrupts(INTERRUPTS, "virtio0") == 36
    job = guest.outcome(PLAYED, 7)
    assert (job.error, job.xruns, job.frames, job.interrupts, len(job.wakeups)) == ("", 0, 480, 7, 1)
    stalled = guest.outcome(['{"done": true, "status": 1, "error": "hw_ptr stands", "xruns": 3}'], 0)
    assert stalled.error == "hw_ptr stands" and stalled.xruns == 3


def test_words_of_the_board_that_are_wrong() -> None:
    with pytest.raises(CommandFailed, match="no formats"):
        guest.formats(["aplay: main:831: audio open error: No such file or directory"])
    with pytest.raises(CommandFailed, match="no line for virtio0"):
        guest.count_interrupts(INTERRUPTS[:2], "virtio0")
    with pytest.raises(CommandFailed, match="without its last record"):
        guest.outcome(PLAYED[:2], 0)
    with pytest.raises(CommandFailed, match="no JSON"):
        guest.outcome([PLAYED[0][:40], *PLAYED[1:]], 0)


# -- what left the device ---------------------------------------------------------------------------------------------
def test_sink_plays_at_its_rate_and_waits_when_it_has_nothing() -> None:
    blocks = [trace.Event(time, "sink", frames) for time, frames in ((1.0, 1024), (1.01, 480), (2.0, 2))]
    left = sink.leaving_times(blocks)
    assert left[0] == 1.0 and left[1024] == pytest.approx(1 + 1024 / RATE)
    assert left[-2:] == pytest.approx([2.0, 2 + 1 / RATE])
    assert len(sink.leaving_times([])) == 0


def test_frames_are_compared_one_by_one() -> None:
    noise = command.noise(0.1)
    assert sink.compare(noise, noise) == ""
    assert sink.compare(np.concatenate([noise, np.zeros_like(noise)]), noise) == ""
    assert sink.compare(noise[:-10], noise, missing=10) == ""
    assert "only 4790 of 4800" in sink.compare(noise[:-10], noise)
    faults = (np.delete(noise, 77, 0), np.insert(noise, 77, 0, 0), noise[1:], noise ^ 1, noise[:0])
    assert all(sink.compare(fault, noise, missing=10) for fault in faults)


def test_rises_of_a_marker_pin() -> None:
    markers = np.array(
        [(10, 1, 0), (20, 0, 0), (30, 2, 0), (40, 3, 0), (50, 0, 0)],
        [("time_ps", "<u8"), ("pins", "<u4"), ("r", "<u4")],
    )
    assert sink.rises(markers, 0) == pytest.approx([10e-12, 40e-12])
    assert sink.rises(markers, 1) == pytest.approx([30e-12])


# -- arithmetic -------------------------------------------------------------------------------------------------------
def job(late: float = 0.0, told: int = 0, jitter: float = 0.0, ppm: float = 0.0) -> tuple[guest.Played, sink.Evidence]:
    """A perfect device, and what may be wrong with it: completions late by seconds or scattered by them, delay wrong by frames,
    a guest whose clock is slow."""
    messages = 100
    frames = (messages + PERIODS) * PERIOD
    left = 7.0 + np.arange(frames) / RATE
    scatter = np.random.default_rng(5).uniform(-jitter, jitter, messages)
    completed = left[PERIOD : (messages + 1) * PERIOD : PERIOD] + late + scatter
    wakeups = [
        guest.Wakeup(
            time_ns=round((completed[m] - 7 + 3e-4) * 1e9 / (1 + ppm * 1e-6)),
            appl_ptr=(m + PERIODS) * PERIOD,
            hw_ptr=(m + 1) * PERIOD,
            delay=(PERIODS - 1) * PERIOD + told,
            since_update_ns=0,
            state="RUNNING",
            xruns=0,
        )
        for m in range(messages)
    ]
    bus = trace.BusCounts({0: 5, 2: messages}, messages + 5, messages + 5, 2 * messages + 15)
    return (
        guest.Played("", 0, frames, messages + 5, wakeups),
        sink.Evidence(completed, left, completed + 1e-6, "", bus),
    )


def side(**wrong: Any) -> report.SideResult:
    found = {"shape": [PERIOD, PERIODS], **figures.measured(*job(**wrong), PERIOD, RATE)}
    tried = [
        {
            "period": 48,
            "periods": 2,
            "buffer_ms": 2.0,
            "clean": 3,
            "trials": 3,
            "verdict": "clean",
            "why": "",
            "repeated": 0,
        }
    ]
    search = {"smallest": [48, 2], "two_periods": "clean", "tried": tried}
    offers = {"formats": ["S16_LE"], "rates": [48000], "period_bytes": [100, 200]}
    return {
        "name": "x", "dilation": 30, "offers": offers, "common": found, "search": search, "smallest": dict(found),
        "load_before": 1.0, "load_after": 2.0,
    }  # fmt: skip


def verdicts(result: report.SideResult) -> set[tuple[str, str]]:
    return {(bound.name.split(",")[0].split(" at ")[0], bound.verdict) for bound in report.bounds(result)}


def test_figures_of_a_perfect_device() -> None:
    found = side()["common"]
    assert abs(found["honesty_error_s"]["low"]) < 1e-12 > abs(found["honesty_error_s"]["high"])
    assert found["used_ring_interval_s"]["sd"] < 1e-12 and found["used_ring_interval_s"]["mean"] == pytest.approx(0.01)
    assert abs(found["drift_ppm"]["ppm"]) < 0.1
    keys = ("notifications", "device_interrupts", "guest_interrupts")
    assert [found[f"{key}_per_period"] for key in keys] == pytest.approx([1, 1, 1])
    assert {verdict for _, verdict in verdicts(side())} == {"PASS"}


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [
        ({"told": 2}, {"honesty error"}),
        ({"told": -2}, {"honesty error"}),
        ({"late": 1.5 / RATE}, {"honesty error"}),
        ({"late": -1.5 / RATE}, {"honesty error"}),
        ({"jitter": 3 / RATE}, {"honesty error", "completion jitter"}),
    ],
)
def test_bounds_notice_what_is_wrong(wrong: dict[str, Any], broken: set[str]) -> None:
    assert {name for name, verdict in verdicts(side(**wrong)) if verdict == "FAIL"} == broken


def test_drift_of_a_guest_whose_clock_is_slow() -> None:
    found = side(ppm=100)["common"]["drift_ppm"]
    assert found["ppm"] == pytest.approx(100, abs=1) and found["standard_error_ppm"] < 1


def test_what_was_not_measured_is_not_kept() -> None:
    result = side()
    result["common"] = {"shape": [PERIOD, PERIODS], "missing": "3 underruns"}
    result["smallest"] = None
    result["search"] = {"smallest": None, "two_periods": "inconclusive", "tried": []}
    assert {v for _, v in verdicts(result)} == {"INCONCLUSIVE", "FAIL"}
    result["search"] = {"smallest": [480, 4], "two_periods": "dirty", "tried": []}
    assert {n for n, v in verdicts(result) if v == "FAIL"} == {"smallest clean buffer", "two periods"}
    played, evidence = job()
    with pytest.raises(figures.NoFigure, match="3 underruns"):
        figures.measured(replace(played, xruns=3), evidence, PERIOD, RATE)


def test_bounds_are_not_judged_on_a_job_that_was_not_clean() -> None:
    result = side()
    result["common"] = {**result["common"], "frames": "frame 7 of 9 is wrong"}
    found = [bound for bound in report.bounds(result) if "not clean: frame 7" in bound.value]
    assert len(found) == 2 and {bound.verdict for bound in found} == {"INCONCLUSIVE"}


def test_a_late_simulation_says_nothing() -> None:
    played, evidence = job()
    shape = trials.Shape(48, 2)
    assert trials.judge(played, evidence, shape, 1).verdict == "clean"
    for behind_ns, verdict in ((0.9e6, "clean"), (1.1e6, "inconclusive")):
        paced = replace(evidence, pace=PaceReport(30, 1.0, behind_ns, 0, 0))
        assert trials.judge(played, paced, shape, 1).verdict == verdict
    played = replace(played, wakeups=[])
    assert trials.judge(replace(played, xruns=1), evidence, shape, 1).verdict == "dirty"
    assert trials.judge(replace(played, error="hw_ptr stands"), evidence, shape, 1).verdict == "dirty"
    assert trials.judge(played, replace(evidence, fault="frame 3 is wrong"), shape, 1).verdict == "dirty"


def test_a_late_guest_excuses_the_device_and_nobody_else() -> None:
    played, evidence = job()
    shape = trials.Shape(PERIOD, PERIODS)
    wrong = replace(evidence, fault="frame 3 is wrong")
    assert trials.judge(played, wrong, shape, 1).verdict == "dirty"
    late = [replace(w, time_ns=w.time_ns + 6_000_000 * (w.hw_ptr == 9600)) for w in played.wakeups]
    assert trials.judge(replace(played, wakeups=late), wrong, shape, 1).verdict == "inconclusive"
    assert trials.judge(replace(played, wakeups=late), evidence, shape, 1).verdict == "clean"
    kept_waiting = replace(wrong, slowest_service_s=0.06)  # of the wall clock
    assert trials.judge(played, kept_waiting, shape, 10).verdict == "inconclusive"
    assert trials.judge(played, kept_waiting, shape, 20).verdict == "dirty"
    assert trace.slowest_service_s(trace.parse(QEMU_LOG)) == pytest.approx(31e-6, abs=1e-6)
    assert trace.slowest_service_s(trace.parse(RTL_LOG)) == pytest.approx(100e-6, abs=1e-6)


def test_search_goes_up_until_all_trials_are_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = [trials.Shape(25, 2), trials.Shape(48, 2), trials.Shape(480, 4), trials.Shape(960, 4)]
    said = {25: ["dirty"], 48: ["clean", "clean", "dirty"], 480: ["clean"] * 4}
    monkeypatch.setattr(trials.Bench, "trial", lambda self, shape, short: trials.Trial(said[shape.period].pop(0), ""))
    bench = trials.Bench(boards.Side(None, {}), None, command.noise(1), lambda text: None)  # type: ignore[arg-type]
    found = bench.search(3, shapes)
    assert found.smallest == shapes[2] and [(t.clean, t.trials) for t in found.tried] == [(0, 1), (1, 2), (3, 3)]
    assert found.two_periods(2.0) == "dirty"


@pytest.mark.parametrize(("faults", "jobs"), [(["", ""], 1), (["frame 7", ""], 2), (["frame 7"] * 9, 4)])
def test_figures_are_of_a_job_without_a_fault_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, faults: list[str], jobs: int
) -> None:
    said: list[str] = []

    def job(self: trials.Bench, shape: trials.Shape, source: str) -> tuple[Any, SimpleNamespace]:
        said.append(source)
        return None, SimpleNamespace(fault=faults[len(said) - 1], pace=None)

    monkeypatch.setattr(trials.Bench, "job", job)
    monkeypatch.setattr(trials.figures, "measured", lambda played, evidence, *_: {"frames": evidence.fault})
    board = boards.Side(None, {})  # type: ignore[arg-type]
    board.dilation = 20.0
    bench = trials.Bench(board, None, command.noise(1), lambda text: None)  # type: ignore[arg-type]
    found = bench.figures(trials.Shape(25, 2))
    assert found == {"shape": [25, 2], "frames": faults[jobs - 1]} and said == ["some"] * jobs


# -- outcome ----------------------------------------------------------------------------------------------------------
def test_table_and_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoiled = side()
    spoiled["common"] = {"shape": [PERIOD, PERIODS], "missing": "2 underruns"}
    result = {"sides": {"qemu": spoiled, "virtone": side()}, "seconds": 2.0, "trials": 3, "processors": 2}
    result["bounds"] = [vars(bound) for bound in report.bounds(result["sides"]["virtone"])]
    result["notes"] = command.notes(result)
    report.show(result, report.Console(width=200))
    text = capsys.readouterr().out
    assert "none: 2 underruns" in text and "2 ms (48 x 2 frames), 3 of 3" in text and "PASS" in text
    assert "wall time / 30" in text and "30 times the work" in text
    report.store(result, tmp_path / "new" / "peer.json")
    assert json.loads((tmp_path / "new" / "peer.json").read_text())["bounds"] == result["bounds"]
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["peer.json"]


@pytest.mark.parametrize(
    "words", [["--seconds", "0"], ["--trials", "0"], ["--side", "both"], ["--sndprobe", "no/such"]]
)
def test_command_line_that_is_wrong(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 2 and words[0] in capsys.readouterr().err


def test_no_board_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def obtain() -> packages.Parts:
        raise NoNetwork("the package archive cannot be reached")

    monkeypatch.setattr(packages, "obtain", obtain)
    assert command.main(["--out", str(tmp_path)]) == 0
    assert "skipped, no Linux board on this machine: the package archive" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
