# SPDX-License-Identifier: Apache-2.0
"""Frames on the wire against frames that were to be played, bit by bit.

Promise: `compare` finds where the material begins among the captured frames and says which frames differ, are missing or come
twice as much as was played; silence before and after it is allowed. Both arrays are int32, left-justified, (frames, 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PROBE = 32  # frames that must match to call it the beginning


@dataclass(frozen=True)
class Comparison:
    """``start``: frame of the capture at which frame 0 was seen, or None; ``wrong``: frames of the material that differ (those
    beyond the capture's end included); ``first_wrong``: the first of them or None; ``surplus``: non-silent frames after the end."""

    frames: int
    start: int | None
    wrong: int
    first_wrong: int | None
    surplus: int

    @property
    def exact(self) -> bool:
        return self.start is not None and self.wrong == 0 and self.surplus == 0


def compare(played: np.ndarray, captured: np.ndarray) -> Comparison:
    """See the module. Raises ValueError for silent material, in which no beginning can be found."""
    played, captured = np.asarray(played), np.asarray(captured)
    loud = np.flatnonzero(np.any(played != 0, axis=1))
    if not len(loud):
        raise ValueError("the material is silent throughout: nothing to compare")
    first = int(loud[0])
    needle = played[first : first + PROBE]
    at = np.flatnonzero(np.all(captured == needle[0], axis=1))
    at = [int(i) for i in at if np.array_equal(captured[i : i + len(needle)], needle)] or [
        int(i) for i in np.flatnonzero(np.any(captured != 0, axis=1))[:1]
    ]
    if not at:
        return Comparison(len(played), None, len(played), 0, 0)
    start = at[0] - first
    seen = np.zeros_like(played)
    low, high = max(0, start), min(len(captured), start + len(played))
    seen[low - start : high - start] = captured[low:high]
    missing = np.ones(len(played), dtype=bool)
    missing[low - start : high - start] = False
    wrong = np.flatnonzero(np.any(seen != played, axis=1) | (missing & np.any(played != 0, axis=1)))
    surplus = int(np.any(captured[max(0, start + len(played)) :] != 0, axis=1).sum())
    return Comparison(len(played), start, len(wrong), int(wrong[0]) if len(wrong) else None, surplus)
