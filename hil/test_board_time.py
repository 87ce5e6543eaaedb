# SPDX-License-Identifier: Apache-2.0
"""The board's clock and the pacing of a simulation to it, against a wall clock that is set by hand."""

from __future__ import annotations

import math

import pytest

from hil.virtual.linux_board.time import LARGEST_DILATION, Pacer, choose_dilation, timer_rate


class Wall:
    """A wall clock; sleeping moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def paced(dilation: float) -> tuple[Pacer, Wall]:
    wall = Wall()
    return Pacer(dilation, clock=wall, sleep=wall.sleep), wall


@pytest.mark.parametrize("dilation", [1, 2.5, 68, 69, 200, LARGEST_DILATION])
def test_timer_rate_fits_its_cell(dilation: float) -> None:
    rate = timer_rate(dilation)
    assert rate.claimed_hz < 1 << 32
    assert rate.claimed_hz / rate.counter_hz == pytest.approx(dilation)
    assert rate.counter_hz == (62_500_000 if dilation <= 68 else 10_000_000)


@pytest.mark.parametrize("dilation", [0, 0.5, -3, LARGEST_DILATION + 1, math.nan, math.inf])
def test_dilations_no_guest_can_be_given(dilation: float) -> None:
    with pytest.raises(ValueError, match="right is 1 to 429"):
        timer_rate(dilation)
    with pytest.raises(ValueError, match="right is 1 to 429"):
        Pacer(dilation)


def test_dilation_from_speed() -> None:
    assert choose_dilation(5000) == 1
    assert choose_dilation(1000, margin=1) == 1
    assert choose_dilation(100, margin=1) == 10
    assert choose_dilation(100) == 13
    assert choose_dilation(99.9, margin=1) == 11
    with pytest.raises(ValueError, match=r"at least 3\.03"):
        choose_dilation(3)
    for speed in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="positive number"):
            choose_dilation(speed)


def test_throttles_what_is_ahead() -> None:
    pacer, wall = paced(10)
    pacer.pace(5_000_000)  # starts here
    assert pacer.pace(5_000_000 + 10**9) == pytest.approx(0.01)  # 1 ms simulated is 10 ms of wall time
    assert wall.now_s == pytest.approx(1000.01)
    assert pacer.ahead_s(5_000_000 + 10**9) == pytest.approx(0, abs=1e-9)
    assert pacer.pace(5_000_000 + 10**11) > 0.9
    assert wall.now_s == pytest.approx(1000.02), "one call sleeps no longer than it may"
    assert pacer.report().kept(1)


def test_remembers_what_was_behind() -> None:
    pacer, wall = paced(10)
    pacer.pace(0)
    wall.now_s += 0.05
    assert pacer.pace(10**9) == pytest.approx(-0.04)
    assert wall.now_s == pytest.approx(1000.05), "who is behind does not wait"
    assert pacer.due_ps() == pytest.approx(5 * 10**9)
    pacer.pace(5 * 10**9)
    report = pacer.report()
    assert report.worst_behind_ns == pytest.approx(4e6) and report.behind_ns == pytest.approx(0, abs=1)
    assert not report.kept(3.9e6) and report.kept(4.1e6)
    assert pacer.report(begin_anew=True) == report
    pacer.pace(6 * 10**9)
    assert pacer.report().kept(1) and pacer.report().simulated_s == pytest.approx(0.001)
    assert "N = 10: 0.005 s simulated, at worst 4000 us behind" in str(report)


def test_a_simulation_that_has_stopped_is_behind() -> None:
    pacer, wall = paced(2)
    pacer.pace(0)
    wall.now_s += 4
    assert pacer.report().behind_ns == pytest.approx(2e9)
    assert not pacer.report().kept(1e9)
