# SPDX-License-Identifier: Apache-2.0
"""Reader of the capture ring: what the pins of the simulated device did, for processes that must not see more.

The file is described in docs/architecture.md, section 5: a 4 KiB header of 64-bit words, then frames, then marker edges.
Counters only grow; record `n` stands at `n modulo capacity`. This module needs numpy and no cocotb.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from cocotb_tests.engine.bench_page import map_file

MAGIC = int.from_bytes(b"VTNCAP1\0", "little")
HEADER_BYTES = 4096
FRAME = np.dtype([("time_ps", "<u8"), ("left", "<i4"), ("right", "<i4")])
MARKER = np.dtype([("time_ps", "<u8"), ("pins", "<u4"), ("reserved", "<u4")])
_FRAMES_CAPACITY, _MARKERS_CAPACITY, _FRAMES, _MARKERS, _NOW, _WANT, _BUS_CYCLES = range(1, 8)


class Overrun(RuntimeError):
    """Records that were asked for have been overwritten: the reader came too late."""


class CaptureRing:
    """The ring in `path` (default: the environment variable BENCH_CAPTURE). Times are picoseconds of simulated time."""

    def __init__(self, path: str | Path | None = None) -> None:
        path = path or os.environ.get("BENCH_CAPTURE", "")
        if not path:
            raise ValueError("no capture ring: give its path or set BENCH_CAPTURE")
        data = memoryview(map_file(path))
        if len(data) < HEADER_BYTES:
            raise ValueError(f"{path} is no capture ring: {len(data)} bytes, less than its header of {HEADER_BYTES}")
        self._header = np.frombuffer(data, "<u8", 8)
        if int(self._header[0]) != MAGIC:
            raise ValueError(f"{path} is no capture ring: it begins with {int(self._header[0]):#x}, not {MAGIC:#x}")
        frames, markers = int(self._header[_FRAMES_CAPACITY]), int(self._header[_MARKERS_CAPACITY])
        size = HEADER_BYTES + frames * FRAME.itemsize + markers * MARKER.itemsize
        if len(data) < size or frames & (frames - 1) or markers & (markers - 1) or not frames or not markers:
            raise ValueError(
                f"{path}: capacities {frames} and {markers} must be powers of two that fit {len(data)} bytes"
            )
        self._frames = np.frombuffer(data, FRAME, frames, HEADER_BYTES)
        self._markers = np.frombuffer(data, MARKER, markers, HEADER_BYTES + frames * FRAME.itemsize)

    @property
    def frames_written(self) -> int:
        """Frames recorded since the simulation began."""
        return int(self._header[_FRAMES])

    @property
    def markers_written(self) -> int:
        """Marker changes recorded since the simulation began."""
        return int(self._header[_MARKERS])

    @property
    def now_ps(self) -> int:
        """Simulated time up to which every record is in the ring."""
        return int(self._header[_NOW])

    @property
    def bus_cycles_run(self) -> int:
        """Rising edges of the bus clock that were simulated."""
        return int(self._header[_BUS_CYCLES])

    @property
    def want_ps(self) -> int:
        """Simulated time that readers still need; the simulation may stand still once it has been reached."""
        return int(self._header[_WANT])

    @want_ps.setter
    def want_ps(self, value: int) -> None:
        self._header[_WANT] = value

    def frames(self, first: int, count: int) -> np.ndarray:
        """Copies of frames `first` .. `first + count - 1` (dtype FRAME). IndexError: not written yet; Overrun: too late."""
        return self._read(self._frames, _FRAMES, first, count, "frame")

    def markers(self, first: int, count: int) -> np.ndarray:
        """Copies of marker changes (dtype MARKER), like `frames`."""
        return self._read(self._markers, _MARKERS, first, count, "marker")

    def oldest_frame(self) -> int:
        """Lowest index that can still be read, with an eighth of the ring left for what arrives meanwhile."""
        capacity = len(self._frames)
        return max(0, self.frames_written - capacity + capacity // 8)

    def frames_between(self, start_ps: int, end_ps: int) -> np.ndarray:
        """Frames with start_ps <= time < end_ps, as far as they are still in the ring."""
        first = self.oldest_frame()
        block = self.frames(first, self.frames_written - first)
        low, high = np.searchsorted(block["time_ps"], [start_ps, end_ps])
        return block[low:high]

    def _read(self, ring: np.ndarray, counter: int, first: int, count: int, what: str) -> np.ndarray:
        written = int(self._header[counter])
        if first < 0 or count < 0 or first + count > written:
            raise IndexError(f"{what}s {first}..{first + count - 1} asked for, {written} written")
        index = (first + np.arange(count)) & (len(ring) - 1)
        block = ring[index]
        if count and int(self._header[counter]) - first > len(ring):
            raise Overrun(
                f"{what} {first} has been overwritten: {int(self._header[counter])} written, ring of {len(ring)}"
            )
        return block
