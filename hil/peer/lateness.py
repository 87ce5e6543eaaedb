# SPDX-License-Identifier: Apache-2.0
"""How late the guest itself was: time that passed between what the device did and the guest's reaction, whatever made it slow.

An emulated processor waits for the processors of this machine, which others use as well. A job that went wrong while the guest was later
than half a period says nothing about the device. Two signs are looked at, for a stalled player no longer wakes up: interrupts that
waited for their handler (trace log) and completions that waited for the player (wake-ups). The log's times are wall time: where the guest's
clock was held, the first sign makes the guest look later than it was, so that a job which went wrong says less, never more.
"""

from __future__ import annotations

from collections.abc import Sequence

from .guest import Played, Wakeup
from .sink import Evidence


def slowest_wakeup_s(wakeups: Sequence[Wakeup], evidence: Evidence, period: int) -> float:
    """How much later than the promptest one the slowest wake-up came after its completion; 0 if nothing is known."""
    waited = []
    for w in wakeups:
        message = w.hw_ptr // period - 1
        if w.state == "RUNNING" and not w.xruns and 0 <= message < len(evidence.completions_s):
            waited.append(w.time_ns * 1e-9 - float(evidence.completions_s[message]))
    return max(waited) - min(waited) if waited else 0.0


def guest_late_s(played: Played, evidence: Evidence, period: int, dilation: float) -> float:
    """The worse of both signs, in guest time."""
    return max(evidence.slowest_service_s / dilation, slowest_wakeup_s(played.wakeups, evidence, period))
