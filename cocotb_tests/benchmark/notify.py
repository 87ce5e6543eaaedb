# SPDX-License-Identifier: Apache-2.0
"""Figure: bus cycles from a notify to the first payload beat.

The bound is 5 memory round trips + 40 cycles, a round trip being what the memory of the bench makes of it: the cycles from the
address handshake of a single-beat read to its data handshake, which is `read_latency`. The same message at two latencies
also says how many round trips stand one after the other, and how many cycles the device itself takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cocotb_tests.benchmark.figure import Figure, MeasurementError
from cocotb_tests.benchmark.simulation import simulate

GROUP = "notify to first payload beat"
LATENCIES = (20, 100)
ROUND_TRIPS, OWN_CYCLES = 5, 40
_FRAMING = ("indirect", "notification_data")


def bound(latency: int) -> int:
    """Bus cycles allowed at a memory latency of `latency` cycles."""
    return ROUND_TRIPS * latency + OWN_CYCLES


def figures(shots: Sequence[Mapping[str, Any]], latencies: Sequence[int] = LATENCIES) -> list[Figure]:
    """The worst shot of each latency and framing (with and without EVENT_IDX, at any alignment).

    Raises MeasurementError when a combination is missing, or a first beat came faster than one round trip.
    """
    result = []
    for indirect in (False, True):
        for data in (True, False):
            worst = {}
            for latency in latencies:
                cycles = [
                    shot["cycles"]
                    for shot in shots
                    if (shot["latency"], shot["indirect"], shot["notification_data"]) == (latency, indirect, data)
                ]
                if not cycles:
                    raise MeasurementError(
                        f"no shot with latency {latency}, indirect {indirect}, notification data {data}"
                    )
                if min(cycles) <= latency:
                    raise MeasurementError(
                        f"a first beat {min(cycles)} cycles after the notify: a read alone takes {latency}"
                    )
                worst[latency] = max(cycles)
            low, high = min(latencies), max(latencies)
            trips = (worst[high] - worst[low]) / (high - low)
            what = f"{'indirect' if indirect else 'direct'}, {'with' if data else 'no'} NOTIFICATION_DATA"
            for latency in latencies:
                result.append(Figure(
                    GROUP, f"{what}, latency {latency}", worst[latency], "cycles", high=bound(latency),
                    note=f"{trips:.4g} round trips + {worst[low] - trips * low:.4g} cycles",
                    detail={"shots": [s for s in shots if s["latency"] == latency and (s["indirect"], s["notification_data"]) == (indirect, data)]},
                ))  # fmt: skip
    return result


def measure() -> list[Figure]:
    return figures(simulate("notify", {"latencies": LATENCIES}, timeout_s=180))
