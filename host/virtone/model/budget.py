# SPDX-License-Identifier: Apache-2.0
"""Latency arithmetic: what `latency_bytes` must be, and the A to O delay a configuration has to show.

Promise: closed forms, in seconds and frames, of the path docs/device.md describes; the models agree with them to the
tick. A: the application hands a frame over. O: that frame is at the analog output. Nothing here is measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction


def latency_frames(converter_delay_ns: float, rate_hz: float) -> int:
    """The converter's delay in whole frames, to nearest, halves up. Raises `ValueError` for a delay below 0."""
    if converter_delay_ns < 0 or rate_hz <= 0:
        raise ValueError(f"a converter delay of {converter_delay_ns} ns at {rate_hz} Hz: neither can be negative")
    return math.floor(Fraction(converter_delay_ns) * Fraction(rate_hz) / 10**9 + Fraction(1, 2))


def latency_bytes(converter_delay_ns: float, rate_hz: float, frame_bytes: int) -> int:
    """What every completion of a tx message must carry."""
    return latency_frames(converter_delay_ns, rate_hz) * frame_bytes


@dataclass(frozen=True)
class Path:
    """One configuration. Sizes in frames, `converter_delay_s` from the first bit on the wire to the analog output,
    `wake_s` from a completion to the write that it allows (interrupt, work item, application)."""

    rate_hz: float
    period_size: int
    periods: int
    converter_delay_s: float
    wake_s: float = 0.0

    def __post_init__(self) -> None:
        if self.rate_hz <= 0 or self.period_size < 1 or self.periods < 1:
            raise ValueError(f"{self}: rate, period and number of periods must be positive")
        if self.converter_delay_s < 0 or self.wake_s < 0:
            raise ValueError(f"{self}: a delay cannot be negative")

    @property
    def period_s(self) -> float:
        return self.period_size / self.rate_hz

    @property
    def buffer_size(self) -> int:
        return self.period_size * self.periods

    def continuous_s(self, frame: int = 0) -> float:
        """A to O of frame `frame` of a period that is written as soon as one is free, buffer otherwise full.

        The completion that frees the period leaves `buffer_size - period_size` frames to play first.
        """
        if not 0 <= frame < self.period_size:
            raise ValueError(f"frame {frame} of a period of {self.period_size} frames")
        ahead = self.buffer_size - self.period_size + frame
        return ahead / self.rate_hz + self.converter_delay_s - self.wake_s

    def cold_s(self, frame: int = 0, start_s: float = 0.0) -> tuple[float, float]:
        """Least and greatest A to O of frame `frame` written into an empty stopped stream that starts `start_s` later.

        START takes effect at the next frame boundary, at most one frame away.
        """
        least = start_s + frame / self.rate_hz + self.converter_delay_s
        return least, least + 1 / self.rate_hz

    def underrun_margin_s(self) -> float:
        """How late the application may be after a completion before silence goes out, `continuous_s` kept full."""
        return (self.buffer_size - self.period_size) / self.rate_hz


def told_s(delay_frames: int, rate_hz: float, age_s: float = 0.0) -> float:
    """When the next frame written will be heard, as a guest works it out: snd_pcm_delay less the age of its hw_ptr."""
    return delay_frames / rate_hz - age_s


def honesty_bound_s(rate_hz: float) -> float:
    """Greatest honesty error that rounding `latency_bytes` to whole frames can make."""
    return 0.5 / rate_hz
