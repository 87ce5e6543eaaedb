# SPDX-License-Identifier: Apache-2.0
"""Digital audio analyzer: frames on the I2S wire, as a logic analyzer with I2S decode sees them.

Command set: `:CAPTure:STARt|STOP`, `:CAPTure:STATe?`, `:CAPTure:FRAMes?`, `:CAPTure:DATA? <first>,<count>` (block of
little-endian int32, left and right), `:CAPTure:TIME? <first>,<count>` (block of float64, seconds), `:CAPTure:RATE?` (frames/s).
"""

from __future__ import annotations

import time

import numpy as np

from ..errors import BadAnswer, InstrumentRefused, InstrumentTimeout
from ..transport import Link
from .digitizer import Identity, check_identity

MODELS = ("I2S-ANALYZER",)
FRAMES_PER_READ = 1 << 18
POLL_S = 0.02


class I2sAnalyzer:
    """One analyzer. Samples are left-justified int32."""

    def __init__(self, link: Link, serial: str | None = None) -> None:
        self.link = link
        self.identity = Identity.parse(link.identity)
        check_identity(link.resource, self.identity, MODELS, serial)

    def close(self) -> None:
        self.link.close()

    def start(self) -> None:
        """Begin a capture; what was captured before is forgotten."""
        self.link.query("*CLS;:CAPTure:STARt;*OPC?")  # returns when it is capturing: what is played next is in

    def stop(self) -> int:
        """End the capture; returns the number of frames. InstrumentRefused if frames were lost or memory was full."""
        self.link.write(":CAPTure:STOP")
        error = self.link.query(":SYSTem:ERRor?")
        if error.split(",")[0].strip() not in ("0", "+0"):
            raise InstrumentRefused(self.link.resource, ":CAPTure:STOP", None, error)
        return self.frames()

    def frames(self) -> int:
        """Frames captured so far."""
        return int(self._number(":CAPTure:FRAMes?"))

    def wait_frames(self, count: int, timeout_s: float) -> int:
        """Until at least `count` frames are captured. InstrumentTimeout says how many there are."""
        began = time.monotonic()
        while (have := self.frames()) < count:
            if time.monotonic() - began > timeout_s:
                raise InstrumentTimeout(
                    self.link.resource, ":CAPTure:FRAMes?", timeout_s, f"{have} of {count} frames on the wire"
                )
            time.sleep(POLL_S)
        return have

    def rate_hz(self) -> float:
        """Frames per second of the last run of even spacing, on the analyzer's clock."""
        return self._number(":CAPTure:RATE?")

    def samples(self, first: int = 0, count: int | None = None) -> np.ndarray:
        """int32 array [count, 2] (left, right), left-justified; all frames from `first` on if count is None."""
        return self._read("DATA", "<i4", 2, first, count)

    def times(self, first: int = 0, count: int | None = None) -> np.ndarray:
        """float64 array [count]: seconds from the start of the capture to the first bit of each frame."""
        return self._read("TIME", "<f8", 1, first, count)[:, 0]

    def _number(self, query: str) -> float:
        answer = self.link.query(query)
        try:
            return float(answer)
        except ValueError:
            raise BadAnswer(self.link.resource, query, None, f"{answer[:60]!r} is no number") from None

    def _read(self, what: str, kind: str, columns: int, first: int, count: int | None) -> np.ndarray:
        count = max(0, self.frames() - first) if count is None else count
        parts = [np.zeros((0, columns), kind)]
        for begin in range(first, first + count, FRAMES_PER_READ):
            length = min(FRAMES_PER_READ, first + count - begin)
            query = f":CAPTure:{what}? {begin},{length}"
            data = self.link.query_block(query)
            if len(data) != length * columns * np.dtype(kind).itemsize:
                raise BadAnswer(self.link.resource, query, None, f"{len(data)} bytes for {length} frames")
            parts.append(np.frombuffer(data, kind).reshape(length, columns))
        return np.concatenate(parts)
