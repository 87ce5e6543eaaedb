# SPDX-License-Identifier: Apache-2.0
"""The instruments' view of the wire: the capture ring, by time, with the wish for more simulated time.

Promises: spans are complete or `Overrun` is raised (never a silently shortened span); `want` only ever raises `want_ps`.
Its user opens one per process; several instruments and threads may share it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cocotb_tests.engine.capture_ring import CaptureRing, Overrun

__all__ = ["Overrun", "RingSource"]

GUARD = 16  # records that the simulation may overwrite while one span is copied


class RingSource(CaptureRing):
    """A capture ring shared by the instruments of one process."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._wish = threading.Lock()

    def want(self, until_ps: int) -> None:
        """Ask for simulated time to pass at least up to `until_ps`."""
        with self._wish:
            if int(until_ps) > self.want_ps:
                self.want_ps = int(until_ps)

    def frames_between(self, start_ps: int, end_ps: int) -> np.ndarray:
        """All frames with start_ps <= time < end_ps (dtype FRAME); Overrun if some of them are gone."""
        return self._span(self.frames, self.frames_written, len(self._frames), start_ps, end_ps, before=0)

    def markers_between(self, start_ps: int, end_ps: int) -> np.ndarray:
        """All marker changes with start_ps <= time < end_ps, preceded by the one before them if it is there; Overrun as above."""
        return self._span(self.markers, self.markers_written, len(self._markers), start_ps, end_ps, before=1)

    def _span(
        self,
        read: Callable[[int, int], np.ndarray],
        written: int,
        capacity: int,
        start_ps: int,
        end_ps: int,
        before: int,
    ) -> np.ndarray:
        oldest = max(0, written - capacity + min(GUARD, capacity // 8))
        first = _bisect(read, oldest, written, start_ps)
        if first == oldest and oldest > 0:
            raise Overrun(
                f"records at {start_ps} ps are overwritten (ring of {capacity}): read sooner, or a larger ring"
            )
        last = _bisect(read, first, written, end_ps)
        first = max(oldest, first - before)
        return read(first, last - first)


def _bisect(read: Callable[[int, int], np.ndarray], low: int, high: int, time_ps: int) -> int:
    """Index of the first record in [low, high) whose time is not before `time_ps`."""
    while low < high:
        middle = (low + high) // 2
        if int(read(middle, 1)["time_ps"][0]) < time_ps:
            low = middle + 1
        else:
            high = middle
    return low
