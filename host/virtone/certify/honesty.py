# SPDX-License-Identifier: Apache-2.0
"""What an application is told about the delay, against what comes true, and whose doing the difference is.

A shot is handed over `since` after the position was updated; the frames ahead of it were told then. Three errors, each told - true:

* raw: what snd_pcm_delay says, taken as it is.
* corrected: reduced by `since`, as a careful application does it.
* completion: as if the position had been updated in the instant in which the device completed the message that it counts. It is the
  device's alone: `latency_bytes` and when it completes. Corrected less completion is the wait for the update: interrupt, scheduling, driver.

Promise: `of_shot` is a pure function of what the board said of the shot and of its measured delay. Completions come once a period, so the
one before the hand-over is found from the completion of the shot's own message in the event log. Seconds. Source: Linux
Documentation/sound/designs/timestamping.rst, sound/virtio/virtio_pcm_msg.c (the update), virtio 1.3 sec. 5.14.6.8.1 (latency_bytes).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .plan import Configuration


@dataclass(frozen=True)
class Honesty:
    """Seconds; `completion_s` and `wait_s` are None where the event log does not have the message. `span_s`: how far it was looked back."""

    raw_s: float
    corrected_s: float
    completion_s: float | None
    wait_s: float | None
    span_s: float


def of_shot(said: dict[str, Any], delay_s: float, c: Configuration) -> Honesty:
    """`said`: the board's record of the shot; `delay_s`: from the hand-over to the analog output."""
    told_s, since_s = said["told_frames"] / c.rate, said["since_update_ns"] * 1e-9
    raw_s = told_s - delay_s
    span_s = _looked_back_s(said, c)
    waited_s = wait_s(said, c)
    corrected_s = raw_s - since_s
    return Honesty(raw_s, corrected_s, None if waited_s is None else corrected_s - waited_s, waited_s, span_s)


def wait_s(said: dict[str, Any], c: Configuration) -> float | None:
    """From the completion of the message that the position counted last to the update; None if the log does not have the shot's message, or
    no message was completed before it.

    It needs no measurement, only what the board says.
    """
    completed_ns = (said.get("stages_ns") or {}).get("C")
    if completed_ns is None or not said.get("hw_ptr"):
        return None
    completion_s = completed_ns * 1e-9 - _looked_back_s(said, c)  # after the hand-over, so it is negative
    return -said["since_update_ns"] * 1e-9 - completion_s


def longest_wait_s(board: Iterable[dict[str, Any]], c: Configuration) -> float:
    """The longest of what a series of shots says; 0 if it says nothing of it."""
    return max((waited for said in board if (waited := wait_s(said, c)) is not None), default=0.0)


def _looked_back_s(said: dict[str, Any], c: Configuration) -> float:
    """Between the completion that the position counted last and that of the shot's message, which is a period long."""
    return (said.get("appl_ptr", 0) - said.get("hw_ptr", 0) + c.period_frames) / c.rate
