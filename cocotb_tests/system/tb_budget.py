# SPDX-License-Identifier: Apache-2.0
"""What the device may cost in bus cycles, beats and periods: the figures of `make bench` that no clock on the wall has a part in."""

from __future__ import annotations

import pytest

from cocotb_tests.benchmark import beats, notify, period
from cocotb_tests.benchmark.figure import MET, NOT_MET
from cocotb_tests.benchmark.simulation import simulate


def missed(figures) -> list[str]:
    return [f"{f.name}: {f.value:g} {f.unit}, bound {f.bound}; {f.note}" for f in figures if f.verdict != MET]


def test_notify_to_first_beat_takes_five_round_trips_and_forty_cycles_at_most() -> None:
    figures = notify.measure()
    assert len(figures) == 8
    assert not missed(figures), missed(figures)


def test_a_memory_slower_than_it_is_said_to_be_is_found_out() -> None:
    """The seeded fault behind the test above: eight cycles more a round trip than the bound is worked out with."""
    shots = simulate("notify", {"latencies": [latency + 8 for latency in notify.LATENCIES]})
    figures = notify.figures([{**shot, "latency": shot["latency"] - 8} for shot in shots])
    assert any(figure.verdict == NOT_MET for figure in figures)


def test_playback_moves_little_besides_its_payload() -> None:
    figures = beats.measure()
    assert len(figures) == 12
    assert not missed(figures), missed(figures)


@pytest.mark.parametrize(
    ("rate", "format", "policy", "frames"),
    # ack: the reaction of 50 us, one frame of MSG_POLLING, one frame to spare. requeue: the prefetch window (32 frames and the
    # fetch buffer) must be refilled within three periods.
    [(48000, "S16_LE", "ack", 5), (192000, "S32_LE", "ack", 12), (48000, "S16_LE", "requeue", 24)],
)
def test_short_periods_play(rate: int, format: str, policy: str, frames: int) -> None:
    case = {"policy": policy, "periods": 4, "reaction_us": 50, "polling": True}
    given = {"rate": rate, "format": format, "latency": period.LATENCY, "cases": [case]}
    (figure,) = period.figures(rate, [case], simulate("period", given))
    assert figure.value is not None and figure.value <= frames, f"{figure.name}: {figure.value} frames; {figure.note}"
