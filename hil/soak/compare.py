# SPDX-License-Identifier: Apache-2.0
"""What was heard against what was played, frame by frame.

Promise: nothing is aligned that does not begin with the same frame. Frames are int32, shape (frames, 2). Silence before the first
sound and after the last one is nobody's; silence in between belongs to the sound, unless the caller allows pauses.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

_LOOK = 32  # frames that tell where the sound goes on
_REACH = 1 << 16  # how far a shift is looked for


@dataclass(frozen=True)
class Comparison:
    """`compared`: frames that should have been heard; `different`: those that were not, or others in their place, or too many.
    `pauses`: silent frames of each pause, where they are allowed. `said`: the first difference in words, empty if there is none.
    """

    compared: int
    different: int
    pauses: tuple[int, ...]
    said: str
    sha256: str

    @property
    def exact(self) -> bool:
        return self.different == 0 and self.compared > 0


def sound(frames: np.ndarray) -> slice:
    """From the first frame that is not silent to the last one."""
    loud = np.flatnonzero((frames != 0).any(axis=1))
    return slice(int(loud[0]), int(loud[-1]) + 1) if len(loud) else slice(0, 0)


def digest(frames: np.ndarray) -> str:
    """SHA-256 of little-endian frames."""
    return hashlib.sha256(np.ascontiguousarray(frames, "<i4").tobytes()).hexdigest()


def exact(heard: np.ndarray, played: np.ndarray) -> Comparison:
    """All that was played, in one piece."""
    heard, played = heard[sound(heard)], played[sound(played)]
    return _compare(heard, played, ())


def with_pauses(heard: np.ndarray, played: np.ndarray) -> Comparison:
    """All that was played, with silence anywhere in between. ValueError if what was played has silent frames itself."""
    if not played.any(axis=1).all():
        raise ValueError("material with silent frames; right is noise, so that a pause can be told from sound")
    heard = heard[sound(heard)]
    silent = ~heard.any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], silent.astype(np.int8), [0]])))
    pauses = tuple(int(end - begin) for begin, end in zip(edges[::2], edges[1::2], strict=True))
    return _compare(heard[~silent], played, pauses)


def beginning(heard: np.ndarray, played: np.ndarray) -> Comparison:
    """The first part of what was played, for a player that was broken off."""
    heard, played = heard[sound(heard)], played[sound(played)]
    if len(heard) > len(played):
        return _compare(heard, played, ())
    return _compare(heard, played[: len(heard)], ())


def _compare(heard: np.ndarray, played: np.ndarray, pauses: tuple[int, ...]) -> Comparison:
    both = min(len(heard), len(played))
    unequal = (heard[:both] != played[:both]).any(axis=1)
    different = int(unequal.sum()) + abs(len(heard) - len(played))
    said = "" if not different else _first(heard, played, int(np.argmax(unequal)) if unequal.any() else both)
    if not len(played):
        said = "nothing was heard"
    return Comparison(len(played), different, pauses, said, digest(heard))


def _first(heard: np.ndarray, played: np.ndarray, at: int) -> str:
    """Where and how they part: lost, repeated, silent or altered frames."""
    what = f"{len(heard)} frames heard, {len(played)} played; they part at frame {at}"
    if at >= len(heard):
        return f"{what}: the end is missing"
    if at >= len(played):
        return f"{what}: more follows"
    shift = _shift(heard, played, at)
    if shift:
        return f"{what}: {abs(shift)} frames are {'missing' if shift > 0 else 'too many'}, then it goes on"
    values = " instead of ".join(str(tuple(f"{int(v) & 0xFFFFFFFF:08x}" for v in side[at])) for side in (heard, played))
    return f"{what}: {values}"


def _shift(heard: np.ndarray, played: np.ndarray, at: int) -> int:
    """By how many frames what is heard from `at` on is ahead of (positive) or behind what was played; 0 if it is found nowhere."""
    for here, there, sign in ((heard, played, 1), (played, heard, -1)):
        piece = here[at : at + _LOOK]
        if len(piece) < _LOOK:
            continue
        reach = there[at : at + _REACH + _LOOK]
        for candidate in np.flatnonzero((reach[: len(reach) - _LOOK + 1] == piece[0]).all(axis=1)):
            if candidate and np.array_equal(reach[candidate : candidate + _LOOK], piece):
                return sign * int(candidate)
    return 0
