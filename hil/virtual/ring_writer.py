# SPDX-License-Identifier: Apache-2.0
"""Writes a capture ring as the simulation does, from frames that a test made up: instruments without a simulation.

Promises: the layout of docs/architecture.md section 5; frames are even at one rate until `rate_hz` is changed; time only goes on
by `play`. Its user hands `path` to a `RingSource`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cocotb_tests.engine.capture_ring import FRAME, HEADER_BYTES, MAGIC, MARKER


class RingWriter:
    """One ring and the wire that fills it."""

    def __init__(self, path: Path, rate_hz: float = 48000.0, frames: int = 1 << 14, markers: int = 1 << 8) -> None:
        self.path, self.rate_hz = path, rate_hz
        size = HEADER_BYTES + frames * FRAME.itemsize + markers * MARKER.itemsize
        with path.open("wb") as file:
            file.truncate(size)
        self.header = np.memmap(path, "<u8", "r+", shape=(8,))
        self.header[:3] = MAGIC, frames, markers
        self._frames = np.memmap(path, FRAME, "r+", HEADER_BYTES, (frames,))
        self._markers = np.memmap(path, MARKER, "r+", HEADER_BYTES + frames * FRAME.itemsize, (markers,))
        self.next_ps = 0.0  # when the next frame's first bit goes out

    @property
    def want_ps(self) -> int:
        return int(self.header[6])

    def play(self, left: np.ndarray, right: np.ndarray | None = None) -> np.ndarray:
        """Put frames (int32, or floats of full scale 1) on the wire; returns their times in ps."""
        x = [self._codes(left), self._codes(left if right is None else right)]
        times = np.round(self.next_ps + np.arange(len(left)) * 1e12 / self.rate_hz).astype(np.uint64)
        first = int(self.header[3])
        block = np.zeros(len(left), FRAME)
        block["time_ps"], block["left"], block["right"] = times, *x
        self._frames[(first + np.arange(len(left))) % len(self._frames)] = block
        self.header[3] = first + len(left)
        self.next_ps += len(left) * 1e12 / self.rate_hz
        self.header[5] = int(self.next_ps)
        return times

    def silence(self, seconds: float) -> None:
        """Frames of zeros."""
        self.play(np.zeros(round(seconds * self.rate_hz)))

    def marker(self, time_ps: float, pins: int) -> None:
        """A change of the marker pins. The tests' wire is not in order of time: markers go in before `play` passes them."""
        count = int(self.header[4])
        self._markers[count % len(self._markers)] = (int(time_ps), pins, 0)
        self.header[4] = count + 1

    def pulse(self, time_ps: float, width_ps: float = 10e6) -> None:
        """Marker pin 0 up and down."""
        self.marker(time_ps, 1)
        self.marker(time_ps + width_ps, 0)

    @staticmethod
    def _codes(x: np.ndarray) -> np.ndarray:
        x = np.asarray(x)
        if np.issubdtype(x.dtype, np.floating):
            x = np.clip(np.round(x * 2.0**31), -(2**31), 2**31 - 1).astype(np.int64)
        return x.astype(np.int32)
