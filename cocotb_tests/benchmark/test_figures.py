# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the figures, on made-up findings: right ones give the figure, wrong ones are refused."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from cocotb_tests.benchmark import beats, certify, notify, period, registers, speed
from cocotb_tests.benchmark.figure import (
    INCONCLUSIVE,
    MET,
    NO_BOUND,
    NOT_MEASURED,
    NOT_MET,
    Figure,
    MeasurementError,
    median,
)
from cocotb_tests.benchmark.period_search import STALE, UNDERRUN, smallest
from cocotb_tests.benchmark.tree import Watched

PLAYBACK = speed.MATERIAL[0]


@pytest.mark.parametrize(
    ("value", "low", "high", "doubt", "verdict"),
    [
        (5.0, None, 5.0, "", MET), (5.1, None, 5.0, "", NOT_MET), (5.0, 5.0, None, "", MET), (4.9, 5.0, None, "", NOT_MET),
        (4.9, 5.0, None, "busy", INCONCLUSIVE), (5.0, 5.0, None, "busy", MET), (1.0, None, None, "", NO_BOUND),
        (float("nan"), None, 5.0, "", NOT_MEASURED), (float("inf"), 0.0, None, "", NOT_MEASURED), (None, 1.0, None, "busy", NOT_MEASURED),
    ],
)  # fmt: skip
def test_verdict(value, low, high, doubt, verdict) -> None:
    figure = Figure("g", "n", value, "u", low, high, doubt=doubt)
    assert figure.verdict == verdict
    assert figure.data()["verdict"] == verdict


@pytest.mark.parametrize("values", [[], [1.0, 0.0], [1.0, -1.0], [1.0, float("nan")], [float("inf")]])
def test_median_of_nonsense_is_refused(values) -> None:
    with pytest.raises(MeasurementError, match="positive numbers"):
        median(values, "speed")


def run(wall_s: float = 1.0, cpu_s: float | None = None, **changes):
    """A run of 400 simulated milliseconds."""
    values = {
        "sim_ps": 400_000_000_000,
        "bus_cycles_run": 120_000,
        "wall_s": wall_s,
        "cpu_s": cpu_s or wall_s,
        "xruns": 0,
    }
    return {**values, **changes}


def test_speed_is_the_median_and_the_ratio_that_of_both() -> None:
    cocotb, plain, ratio = speed.figures(PLAYBACK, [run(1.0), run(0.8), run(5.0)], [run(0.75), run(0.7), run(3.0)])
    assert (cocotb.value, plain.value) == (pytest.approx(400), pytest.approx(400 / 0.75))
    assert ratio.value == pytest.approx(0.75) and ratio.verdict == NOT_MET, "a quarter slower than the plain program"
    assert cocotb.verdict == MET
    (slow, _, _) = speed.figures(PLAYBACK, [run(1.4)], [run(1.4)])
    assert slow.verdict == NOT_MET, "286 ms/s"


def test_a_busy_machine_makes_a_missed_speed_inconclusive_but_excuses_no_slow_bench() -> None:
    (busy, _, ratio) = speed.figures(PLAYBACK, [run(4.0, 0.8)], [run(0.8)])
    assert busy.verdict == INCONCLUSIVE and "20% of a core" in busy.doubt
    assert ratio.verdict == INCONCLUSIVE
    (slow, _, ratio) = speed.figures(PLAYBACK, [run(4.0, 2.0)], [run(1.0)])
    assert slow.verdict == NOT_MET and ratio.verdict == NOT_MET


@pytest.mark.parametrize(
    ("bench", "raw", "why"),
    [
        ([], [], "come in pairs"),
        ([run()], [run(), run()], "come in pairs"),
        ([run(xruns=1)], [run()], "underruns"),
        ([run()], [run(sim_ps=390_000_000_000)], "not the same simulation"),
        ([run()], [run(bus_cycles_run=130_000)], "not the same simulation"),
        ([run(0.5)], [run(1.0)], "the clock that says so is wrong"),
        ([run(0.0, 1.0)], [run()], "positive numbers"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(bench, raw, why) -> None:
    with pytest.raises(MeasurementError, match=why):
        speed.figures(PLAYBACK, bench, raw)


def shots(cycles=lambda latency, indirect, data: (3 + indirect + (not data)) * latency + 24):
    """What the notify scene finds, with `cycles` for each combination."""
    names = ("indirect", "notification_data", "event_idx")
    return [
        {"latency": latency, **dict(zip(names, taken, strict=True)), "offset": 0, "cycles": cycles(latency, *taken[:2])}
        for latency in notify.LATENCIES
        for taken in itertools.product((True, False), repeat=3)
    ]


def test_notify_names_round_trips_and_own_cycles_of_the_worst_shot() -> None:
    figures = notify.figures(shots())
    assert len(figures) == 8 and all(figure.verdict == MET for figure in figures)
    worst = next(figure for figure in figures if figure.name == "indirect, no NOTIFICATION_DATA, latency 20")
    assert (worst.value, worst.high, worst.note) == (124, 140, "5 round trips + 24 cycles")
    late = shots()
    late[0]["cycles"] = 541
    late[-1]["cycles"] = 541
    assert [figure.verdict for figure in notify.figures(late)].count(NOT_MET) == 2, "one shot too late is enough"


def test_notify_shots_that_cannot_be_are_refused() -> None:
    with pytest.raises(MeasurementError, match="no shot with latency 20"):
        notify.figures([shot for shot in shots() if shot["latency"] != 20])
    with pytest.raises(MeasurementError, match="a read alone takes 100"):
        notify.figures(shots(lambda latency, indirect, data: 90))


WISH = {"name": "c", "period": 48, "period_bytes": 384, "polling": False}
COUNT = {"read": 16 * 67, "written": 16 * 5, "payload_beats": 16 * 48.0, "periods": 16, "frames": 16 * 48}


def test_beats_are_held_against_what_a_period_needs() -> None:
    read, written = beats.figures([WISH], [COUNT])
    assert (
        read.value == pytest.approx(67 / 48) and read.high == pytest.approx((48 + 2 + 22) / 48) and read.verdict == MET
    )
    assert written.value == pytest.approx(5 / 48) and written.verdict == MET
    assert [f.verdict for f in beats.figures([WISH], [{**COUNT, "read": 16 * 73}])] == [NOT_MET, MET]
    assert [f.verdict for f in beats.figures([WISH], [{**COUNT, "written": 16 * 7}])] == [MET, NOT_MET]
    (polled, _) = beats.figures([{**WISH, "polling": True}], [{**COUNT, "read": 16 * (67 + 48)}])
    assert polled.verdict == MET, "one read of avail.idx per frame"


@pytest.mark.parametrize("wrong", [{"read": 16 * 47}, {"payload_beats": 16 * 24.0}, {"written": 0}, {"periods": 8}])
def test_beats_that_cannot_be_are_refused(wrong) -> None:
    with pytest.raises(MeasurementError, match="cannot be"):
        beats.figures([WISH], [{**COUNT, **wrong}])


def search(works, largest: int = 128):
    async def attempt(frames: int) -> str:
        return "" if works(frames) else UNDERRUN

    return asyncio.run(smallest(attempt, largest))


def test_search_finds_the_edge() -> None:
    for edge in range(1, 129):
        best, trials = search(lambda frames, edge=edge: frames >= edge)
        assert best == edge
        assert edge == 1 or (edge - 1, UNDERRUN) in trials
        assert len(trials) <= 9
    assert search(lambda frames: False)[0] is None
    with pytest.raises(ValueError, match="starts at 0 frames"):
        search(lambda frames: True, 0)


def test_period_says_what_limits_it_and_refuses_an_answer_without_trials() -> None:
    case = {"policy": "ack", "periods": 2, "reaction_us": 50, "polling": True}

    def note(best, below, **changes):
        return period.figures(
            48000, [{**case, **changes}], [{"smallest": best, "trials": [[best, ""], [best - 1, below]]}]
        )[0].note

    assert "3: the rest of the buffer, 62.5 us, is too short" in note(4, UNDERRUN)
    assert "shorter than the reaction" in note(3, UNDERRUN, periods=4)
    assert "fetched ahead before it was refilled" in note(36, STALE, policy="requeue")
    assert "no period is shorter" in note(1, "")
    (none,) = period.figures(48000, [case], [{"smallest": None, "trials": [[128, UNDERRUN]]}])
    assert none.verdict == NOT_MEASURED and "128 frames: underrun" in none.note
    for trials in ([[3, UNDERRUN]], [[4, ""]], [[4, ""], [3, ""]]):
        with pytest.raises(MeasurementError, match="the trials say"):
            period.figures(48000, [case], [{"smallest": 4, "trials": trials}])


def test_registers_need_time_to_pass() -> None:
    found = {"reads": 1000, "read_wall_s": 0.01, "read_cpu_s": 0.005, "read_sim_ns": 50_000, "probe_accesses": 73,
             "probe_sim_ns": [7500.0], "probe_wall_s": [0.002], "probe_cpu_s": [0.002]}  # fmt: skip
    assert [figure.value for figure in registers.figures(found)] == [pytest.approx(100_000), 7.5, pytest.approx(2)]
    for wrong in (
        {"read_wall_s": 0.0},
        {"reads": 0},
        {"read_sim_ns": 0},
        {"probe_sim_ns": []},
        {"probe_wall_s": [0.0]},
    ):
        with pytest.raises(MeasurementError):
            registers.figures({**found, **wrong})


def test_certify_needs_a_certificate() -> None:
    seen = Watched(status=0, wall_s=8.0, cpu_s=7.0, peak_bytes=2 << 30, processes=4, samples=70)
    memory, wall = certify.figures("quick", seen)
    assert (memory.value, memory.verdict, wall.verdict) == (2048, NOT_MET, MET)
    for wrong in ({"status": 2}, {"status": -9}, {"samples": 0}, {"peak_bytes": 0}):
        with pytest.raises(MeasurementError, match="quick plan"):
            certify.figures("quick", Watched(**{**vars(seen), **wrong}))
