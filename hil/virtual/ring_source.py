# SPDX-License-Identifier: Apache-2.0
"""The instruments' view of the wire: frames, marker pins and simulated time out of a capture ring file.

Promises: reads the file of docs/architecture.md section 5 without copying more than asked, never hands out a record that
the simulation has overwritten meanwhile (`RingOverrun` instead), and only ever raises `want_ps`.
Its user opens one per process; several instruments may share it (all methods are safe to call from threads).
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

MAGIC = b"VTNCAP1\0"
HEADER_BYTES = 4096
HEADER_FIELDS = ("magic", "frames_capacity", "markers_capacity", "frames_written", "markers_written", "now_ps", "want_ps",
                 "bus_cycles_run")  # fmt: skip
FRAME = np.dtype([("time_ps", "<u8"), ("left", "<i4"), ("right", "<i4")])
MARKER = np.dtype([("time_ps", "<u8"), ("pins", "<u4"), ("reserved", "<u4")])
_GUARD = 16  # records the writer may be about to overwrite while we copy


class RingError(Exception):
    """The file is no capture ring, or not the one expected."""


class RingOverrun(RingError):
    """Records that were asked for have been overwritten: the reader was too slow or asked too late."""


class RingSource:
    """Frames and markers of one capture ring, addressed by their absolute index (0 = first ever written)."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        size = self.path.stat().st_size
        if size < HEADER_BYTES:
            raise RingError(f"{self.path}: {size} bytes, a capture ring has a header of {HEADER_BYTES}")
        self._header = np.memmap(self.path, dtype="<u8", mode="r+", shape=(len(HEADER_FIELDS),))
        if self._header[0].tobytes() != MAGIC:
            raise RingError(f"{self.path}: magic {self._header[0].tobytes()!r}, a capture ring starts with {MAGIC!r}")
        self.frames_capacity, self.markers_capacity = int(self._header[1]), int(self._header[2])
        for name, capacity in (("frames", self.frames_capacity), ("markers", self.markers_capacity)):
            if capacity < 2 or capacity & (capacity - 1):
                raise RingError(f"{self.path}: {name}_capacity {capacity}, right is a power of two")
        markers_at = HEADER_BYTES + self.frames_capacity * FRAME.itemsize
        needed = markers_at + self.markers_capacity * MARKER.itemsize
        if size < needed:
            raise RingError(f"{self.path}: {size} bytes, its header promises {needed}")
        self._frames = np.memmap(self.path, FRAME, "r", HEADER_BYTES, (self.frames_capacity,))
        self._markers = np.memmap(self.path, MARKER, "r", markers_at, (self.markers_capacity,))
        self._lock = threading.Lock()

    @property
    def frames_written(self) -> int:
        return int(self._header[3])

    @property
    def markers_written(self) -> int:
        return int(self._header[4])

    @property
    def now_ps(self) -> int:
        """Simulated time in picoseconds."""
        return int(self._header[5])

    def want(self, until_ps: int) -> None:
        """Ask for simulated time to pass at least up to `until_ps`."""
        with self._lock:
            if int(until_ps) > int(self._header[6]):
                self._header[6] = int(until_ps)

    def frames(self, first: int, count: int) -> np.ndarray:
        """Records `first .. first+count-1` (dtype FRAME), copied."""
        return self._copy(self._frames, self.frames_capacity, 3, first, count, "frames")

    def markers(self, first: int, count: int) -> np.ndarray:
        """Marker changes `first .. first+count-1` (dtype MARKER), copied."""
        return self._copy(self._markers, self.markers_capacity, 4, first, count, "markers")

    def frames_between(self, start_ps: int, stop_ps: int) -> np.ndarray:
        """All frames with start_ps <= time < stop_ps; `RingOverrun` if older ones of that span are gone."""
        return self._between(self.frames, self.frames_written, self.frames_capacity, start_ps, stop_ps, "frames")

    def markers_between(self, start_ps: int, stop_ps: int) -> np.ndarray:
        """The marker changes with start_ps <= time < stop_ps, preceded by the last one before start_ps if there is one."""
        return self._between(self.markers, self.markers_written, self.markers_capacity, start_ps, stop_ps, "markers", 1)

    def _copy(self, ring: np.ndarray, capacity: int, counter: int, first: int, count: int, what: str) -> np.ndarray:
        written = int(self._header[counter])
        if first < 0 or count < 0 or first + count > written:
            raise RingError(f"{self.path}: {what} {first}..{first + count - 1} asked for, {written} are written")
        at = first & (capacity - 1)
        head = min(count, capacity - at)
        copy = np.concatenate((ring[at : at + head], ring[: count - head])) if head < count else ring[at : at + count].copy()
        if count and first < int(self._header[counter]) - capacity + (_GUARD if capacity > 4 * _GUARD else 0):
            raise RingOverrun(
                f"{self.path}: {what} from {first} on are overwritten ({int(self._header[counter])} written, room for "
                f"{capacity}); read sooner, or give the ring more room"
            )
        return copy

    def _between(self, read, written: int, capacity: int, start_ps: int, stop_ps: int, what: str, before: int = 0):
        guard = _GUARD if capacity > 4 * _GUARD else 0
        oldest = max(0, written - capacity + 2 * guard)
        first = self._bisect(read, oldest, written, start_ps)
        if first == oldest and oldest > 0 and int(read(oldest, 1)["time_ps"][0]) > start_ps and not before:
            raise RingOverrun(f"{self.path}: {what} at {start_ps} ps are overwritten; read sooner, or give the ring more room")
        last = self._bisect(read, first, written, stop_ps)
        first = max(oldest, first - before)
        return read(first, last - first)

    @staticmethod
    def _bisect(read, low: int, high: int, time_ps: int) -> int:
        """Index of the first record in [low, high) whose time is not before `time_ps`."""
        while low < high:
            middle = (low + high) // 2
            if int(read(middle, 1)["time_ps"][0]) < time_ps:
                low = middle + 1
            else:
                high = middle
        return low
