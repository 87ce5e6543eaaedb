# SPDX-License-Identifier: Apache-2.0
"""Exact word clock of the I2S output.

Promise: boundaries are whole ticks of the timeline, `n` frames after another exactly `n` periods later, for ever:
no drift. A boundary is where a left sample's most significant bit goes onto the wire; 64 bit clocks later the
frame's last bit has left.
"""

from __future__ import annotations

from virtone.model.timeline import TICKS_PER_SECOND
from virtone.virtio import snd

BITS_PER_FRAME = 64
MCLK_HZ = {24_576_000: "48 kHz family", 22_579_200: "44.1 kHz family"}


def frame_ticks(rate_hz: float) -> int:
    """Length of a frame in ticks. Raises `ValueError` for a rate neither master clock makes."""
    twice = round(rate_hz * 2)  # 5512.5 Hz is the only rate that is no whole number
    for mclk in MCLK_HZ:
        if twice == rate_hz * 2 and twice > 0 and mclk * 2 % twice == 0 and TICKS_PER_SECOND * 2 % twice == 0:
            return TICKS_PER_SECOND * 2 // twice
    raise ValueError(f"a word clock of {rate_hz} Hz: it would have to divide 24.576 MHz or 22.5792 MHz")


class WordClock:
    """Runs from power-up at 48 kHz, whatever the streams do."""

    def __init__(self, rate: int = snd.VIRTIO_SND_PCM_RATE_48000) -> None:
        self._epoch = 0  # a boundary
        self.rate = rate
        self.rate_hz = snd.RATES.of(rate).hz
        self.period = frame_ticks(self.rate_hz)

    def set_rate(self, rate: int, now: int) -> None:
        """Go over to a rate (a VIRTIO_SND_PCM_RATE_* code) at the next boundary after `now`; the same one changes nothing."""
        hz = snd.RATES.of(rate).hz
        period = frame_ticks(hz)
        if period != self.period:
            self._epoch = self.after(now)
        self.rate = rate
        self.rate_hz = hz
        self.period = period

    def after(self, now: int) -> int:
        """The first boundary later than `now`."""
        if now < self._epoch:
            return self._epoch
        return self._epoch + ((now - self._epoch) // self.period + 1) * self.period
