# SPDX-License-Identifier: Apache-2.0
"""Ears at the I2S pins: a thread that takes every frame out of the capture ring before it is overwritten.

Promise: between `begin` and `heard` no frame is missing, or `heard` raises `Overrun`. Frames are those of `CaptureRing`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from hil.virtual.engine import FRAME, CaptureRing, Overrun

_EVERY_S = 0.1
_MOST = 1 << 15  # frames a copy


class Listener:
    """Listens from its making to `close`. `tell` receives the simulated seconds since `begin`, a few times a second."""

    def __init__(self, ring: CaptureRing, tell: Callable[[float], None] = lambda _: None) -> None:
        self.ring, self.tell = ring, tell
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._blocks: list[np.ndarray] = []
        self._loud = 0
        self._overrun: Overrun | None = None
        self._next, self._begin_ps = ring.frames_written, ring.now_ps
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Forget what was heard."""
        with self._lock:
            self._blocks, self._loud, self._overrun = [], 0, None
            self._next, self._begin_ps = self.ring.frames_written, self.ring.now_ps

    def heard(self) -> np.ndarray:
        """Frames on the wire since `begin` (dtype FRAME: time_ps, left, right)."""
        self._take()
        with self._lock:
            if self._overrun is not None:
                raise Overrun(f"{self._overrun}; this machine was too busy to listen")
            return np.concatenate([np.zeros(0, FRAME), *self._blocks])

    def loud_frames(self) -> int:
        """Frames since `begin` that were not silent."""
        self._take()
        return self._loud

    def simulated_s(self) -> float:
        """Simulated time since `begin`."""
        return (self.ring.now_ps - self._begin_ps) * 1e-12

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _listen(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._take()
            self.tell(self.simulated_s())

    def _take(self) -> None:
        with self._lock:
            end = self.ring.frames_written
            while self._next < end and self._overrun is None:
                count = min(_MOST, end - self._next)
                try:
                    block = self.ring.frames(self._next, count)
                except Overrun as error:
                    self._overrun = error
                    return
                self._blocks.append(block)
                self._loud += int(((block["left"] != 0) | (block["right"] != 0)).sum())
                self._next += count


def slots(frames: np.ndarray) -> np.ndarray:
    """Records of the ring as int32 frames, shape (frames, 2)."""
    return np.stack([frames["left"], frames["right"]], axis=1)
