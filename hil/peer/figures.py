# SPDX-License-Identifier: Apache-2.0
"""From what the guest was told and what really happened to figures. Arithmetic only; seconds in, seconds out.

Definitions, the same for both boards (h = hw_ptr, P = appl_ptr, D = snd_pcm_delay at a wake-up, T(k) = when frame k left, C(h) = when the
message that ends with frame h completed):

* *honesty error* at a completion: D / rate - (T(P) - C(h)): what the application is told about the next frame it writes, less what comes true.
  D does not change between the completion and the wake-up it causes, so that the guest's own latency is no part of it.
* *completed early*: T(h) - C(h): how long after the completion the frame that follows the message leaves. Positive is too soon: the device
  must not complete a message before all of it was consumed (virtio 1.4, Sound Device, PCM I/O messages, device requirements).
* *interval*: between completions, between wake-ups of the player.
* *drift*: slope of hw_ptr over the guest's clock, less the nominal rate, with its standard error (least squares; it takes delays of the
  guest for independent, which on a busy machine they are not).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .guest import Played, Wakeup
from .sink import Evidence

Times = NDArray[np.float64]


class NoFigure(Exception):
    """There is too little to make a figure from."""


@dataclass(frozen=True)
class Spread:
    """Seconds. `count` values."""

    mean: float
    sd: float
    low: float
    high: float
    count: int

    @property
    def extreme(self) -> float:
        """The value farthest from zero."""
        return self.high if abs(self.high) >= abs(self.low) else self.low


def spread(values: Times) -> Spread:
    """NoFigure for fewer than three values, or for one that is not finite."""
    if len(values) < 3 or not np.isfinite(values).all():
        raise NoFigure(f"{len(values)} values; needed are 3 or more, all finite")
    return Spread(
        float(values.mean()), float(values.std(ddof=1)), float(values.min()), float(values.max()), len(values)
    )


@dataclass(frozen=True)
class Truth:
    """Honesty of one completion: `told`, `true` (both seconds), `early` (seconds by which it completed too soon)."""

    told: float
    true: float
    early: float

    @property
    def error(self) -> float:
        return self.told - self.true


def truths(wakeups: Sequence[Wakeup], evidence: Evidence, period: int, rate: int) -> list[Truth]:
    """One for each completion that woke the player, while the stream ran and as far as it is known when frames left.

    A figure needs a run without underrun: positions then count messages.
    """
    found: dict[int, Truth] = {}
    left = evidence.left_s
    for w in wakeups:
        message = w.hw_ptr // period - 1
        if w.state != "RUNNING" or w.hw_ptr % period or message < 0 or w.hw_ptr in found:
            continue
        if message >= len(evidence.completions_s) or w.appl_ptr >= len(left):
            continue
        completed = evidence.completions_s[message]
        found[w.hw_ptr] = Truth(w.delay / rate, float(left[w.appl_ptr] - completed), float(left[w.hw_ptr] - completed))
    return list(found.values())


@dataclass(frozen=True)
class Drift:
    ppm: float
    standard_error_ppm: float


def drift(wakeups: Sequence[Wakeup], rate: int) -> Drift:
    """hw_ptr as it was at its last update, over the guest's clock then."""
    points: dict[int, float] = {}
    for w in wakeups:
        if w.state == "RUNNING" and w.hw_ptr:
            points.setdefault(w.hw_ptr, (w.time_ns - w.since_update_ns) * 1e-9)
    if len(points) < 8:
        raise NoFigure(f"{len(points)} positions; needed are 8 or more")
    frames = np.array(list(points), dtype=np.float64)
    at = np.array(list(points.values()))
    at -= at.mean()
    frames -= frames.mean()
    slope = float((at @ frames) / (at @ at))
    rest = frames - slope * at
    error = math.sqrt(float(rest @ rest) / (len(at) - 2) / float(at @ at))
    return Drift((slope / rate - 1) * 1e6, error / rate * 1e6)


def running(times: Times, count: int) -> Times:
    """Intervals of the first `count` instants: what comes later is the flush at the end of the job."""
    return np.diff(times[:count])


def measured(played: Played, evidence: Evidence, period: int, rate: int) -> dict[str, Any]:
    """Every figure of one job with wake-ups. NoFigure if the job did not run to its end."""
    if played.error or played.xruns:
        raise NoFigure(played.error or f"{played.xruns} underruns")
    messages = max(w.hw_ptr for w in played.wakeups) // period
    completions = evidence.completions_s[:messages]
    awake = np.array([w.time_ns for w in played.wakeups if w.state == "RUNNING"], dtype=np.float64) * 1e-9
    found = truths(played.wakeups, evidence, period, rate)
    between = (evidence.interrupts_s >= completions[0]) & (evidence.interrupts_s < completions[-1])
    control = evidence.bus.notifications.get(0, 0)
    return {
        "honesty_error_s": asdict(spread(np.array([t.error for t in found]))),
        "told_s": asdict(spread(np.array([t.told for t in found]))),
        "true_s": asdict(spread(np.array([t.true for t in found]))),
        "completed_early_s": asdict(spread(np.array([t.early for t in found]))),
        "used_ring_interval_s": asdict(spread(running(evidence.completions_s, messages))),
        "wakeup_interval_s": asdict(spread(np.diff(awake))),
        "two_in_one": sum(
            b.hw_ptr - a.hw_ptr > period for a, b in zip(played.wakeups, played.wakeups[1:], strict=False)
        ),
        "drift_ppm": asdict(drift(played.wakeups, rate)),
        "notifications_per_period": (sum(evidence.bus.notifications.values()) - control) / messages,
        "device_interrupts_per_period": float(between.sum()) / (messages - 1),
        "guest_interrupts_per_period": (played.interrupts - control) / messages,
        "register_accesses_per_period": (evidence.bus.status_reads + evidence.bus.acknowledges) / messages,
        "periods": messages,
        "frames": "exact" if not evidence.fault else evidence.fault,
    }
