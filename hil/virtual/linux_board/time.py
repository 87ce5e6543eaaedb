# SPDX-License-Identifier: Apache-2.0
"""Time of the board: how many times slower than the wall clock it runs, and a simulation kept in step with it.

The guest counts the virtual timer of its processor. Told (device tree, timer/clock-frequency) that this timer runs N times faster
than it does, the guest's clock is N times slower than the wall clock; so a simulation paced to wall time / N is real time to it.

Promise: `choose_dilation` gives the smallest N that a simulation of a known speed keeps up with; `Pacer` holds the simulation
back when it is ahead of wall time / N and remembers by how much it ever was behind. With a `GuestClock` it also holds the guest back when
the simulation is behind: then it never is by more than `ALLOWANCE_NS`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from .guest_clock import GuestClock

MARGIN = 1.3  # a calibration is an average; bursts of work cost more
ALLOWANCE_NS = 100_000  # simulated; how far a guest's clock may be ahead of the simulation: five steps of the bridge
_COUNTERS_HZ = (62_500_000, 10_000_000)  # what QEMU's processor counts with: its default, and one for large N
_CELL = 1 << 32  # clock-frequency is one cell of 32 bits
LARGEST_DILATION = (_CELL - 1) // _COUNTERS_HZ[-1]


class TimerRate(NamedTuple):
    """`counter_hz`: what the processor's timer really runs at; `claimed_hz`: what the device tree says."""

    counter_hz: int
    claimed_hz: int


def timer_rate(dilation: float) -> TimerRate:
    """Timer frequencies for a guest clock `dilation` times slower than the wall clock. ValueError outside 1..429."""
    if not 1 <= dilation <= LARGEST_DILATION:
        raise ValueError(f"time dilation {dilation}; right is 1 to {LARGEST_DILATION}")
    counter = next(hz for hz in _COUNTERS_HZ if hz * dilation < _CELL)
    return TimerRate(counter, round(counter * dilation))


def choose_dilation(simulated_ms_per_wall_s: float, margin: float = MARGIN) -> int:
    """The smallest whole N at which a simulation of this speed keeps in step with `margin` to spare.

    ValueError if the speed is not positive or the simulation is too slow for any N.
    """
    if not simulated_ms_per_wall_s > 0 or math.isinf(simulated_ms_per_wall_s):
        raise ValueError(f"speed of {simulated_ms_per_wall_s} simulated ms per second; right is a positive number")
    dilation = max(1, math.ceil(1000.0 / simulated_ms_per_wall_s * margin))
    if dilation > LARGEST_DILATION:
        raise ValueError(
            f"the simulation makes {simulated_ms_per_wall_s:.2f} ms per second; it would have to make at least "
            f"{1000 * margin / LARGEST_DILATION:.2f} for a guest to be stretched to it"
        )
    return dilation


@dataclass(frozen=True)
class PaceReport:
    """`worst_behind_ns`, `behind_ns` (now): simulated ns by which the simulation was later than guest time. In wall seconds: `throttled_s`,
    which the simulation waited for the guest's clock, and `held_s`, which that clock waited for the simulation. `unanswered`: interrupts after
    which the simulation went on although the guest had not answered.
    """

    dilation: float
    simulated_s: float
    worst_behind_ns: float
    behind_ns: float
    throttled_s: float
    held_s: float = 0.0
    unanswered: int = 0

    def kept(self, limit_ns: float) -> bool:
        """Whether figures of applications on the board may be trusted: never later than `limit_ns`."""
        return self.worst_behind_ns <= limit_ns

    def __str__(self) -> str:
        return (
            f"N = {self.dilation:g}: {self.simulated_s:.3f} s simulated, at worst {self.worst_behind_ns / 1000:.0f} us behind "
            f"guest time, {self.throttled_s:.1f} s waited, guest held {self.held_s:.2f} s"
        )


class Pacer:
    """Keeps simulated time at (wall time - start) / N. Starts at its first call. `guest`: a clock that is granted what it may count."""

    def __init__(
        self,
        dilation: float,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
        guest: GuestClock | None = None,
    ) -> None:
        timer_rate(dilation)  # refuses what no guest can be given
        self.dilation = dilation
        self._clock, self._sleep, self._guest = clock if guest is None else guest.now, sleep, guest
        self._start: tuple[float, int] | None = None
        self._now_ps = self._since_ps = 0
        self._worst_ps = 0.0
        self._throttled_s = self._held_s = 0.0
        self._unanswered = 0

    def due_ps(self, now_ps: int = 0) -> int:
        """Simulated time that guest time has reached; the simulation may run up to it. The first call starts at `now_ps`."""
        wall = self._clock()
        if self._start is None:
            self._start = (wall, now_ps)
            self._now_ps = self._since_ps = now_ps
        return self._start[1] + int((wall - self._start[0]) * 1e12 / self.dilation)

    def ahead_s(self, now_ps: int) -> float:
        """Wall seconds until guest time reaches `now_ps`; negative when the simulation is late. Remembers the worst."""
        ahead_ps = now_ps - self.due_ps(now_ps)
        self._now_ps = now_ps
        if self._guest is not None and self._start is not None:
            beyond_ps = now_ps + ALLOWANCE_NS * 1000 - self._start[1]
            self._guest.grant(self._start[0] + beyond_ps * 1e-12 * self.dilation)
        self._worst_ps = max(self._worst_ps, -ahead_ps)
        return ahead_ps * 1e-12 * self.dilation

    def pace(self, now_ps: int, longest_s: float = 0.01) -> float:
        """Throttle: sleep until guest time reaches `now_ps`, at most `longest_s`. Returns what `ahead_s` found."""
        ahead_s = self.ahead_s(now_ps)
        if ahead_s > 0:
            pause = min(ahead_s, longest_s)
            self._sleep(pause)
            self.waited(pause)
        return ahead_s

    @property
    def guest_awake(self) -> bool:
        """Whether the guest can follow; see `GuestClock.awake`."""
        return self._guest is None or self._guest.awake

    def gave_up(self) -> None:
        """Count an interrupt that was not answered."""
        self._unanswered += 1

    def waited(self, seconds: float) -> None:
        """Count a wait that the owner of the simulation made itself."""
        self._throttled_s += seconds

    def report(self, begin_anew: bool = False) -> PaceReport:
        """What happened since the start, or since the last report that began anew (once before a measurement, once after it)."""
        behind = max(0.0, self.due_ps(self._now_ps) - self._now_ps)
        held_s = self._guest.held_s if self._guest is not None else 0.0
        said = PaceReport(
            self.dilation,
            (self._now_ps - self._since_ps) * 1e-12,
            max(self._worst_ps, behind) / 1000,
            behind / 1000,
            self._throttled_s,
            held_s - self._held_s,
            self._unanswered,
        )
        if begin_anew:
            self._held_s = held_s
            self._since_ps, self._worst_ps, self._throttled_s, self._unanswered = self._now_ps, 0.0, 0.0, 0
        return said
