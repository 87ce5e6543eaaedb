# SPDX-License-Identifier: Apache-2.0
"""Search for the smallest period, downwards.

Promise: `smallest` returns the smallest length that works with everything tried above it working, and the length just
below it, if there is one, was tried and does not work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

# How a trial ends that did not play.
XRUN, UNDERRUN, STALE = "xrun", "underrun in the device", "a frame lost, repeated or silent"


async def smallest(attempt: Callable[[int], Awaitable[str]], largest: int) -> tuple[int | None, list[tuple[int, str]]]:
    """`attempt(frames)` answers what went wrong, or an empty text. Returns the length (None: not even `largest` works) and all
    attempts in order."""
    if largest < 1:
        raise ValueError(f"the search starts at {largest} frames; a period has at least one")
    trials: list[tuple[int, str]] = []

    async def works(frames: int) -> bool:
        trials.append((frames, await attempt(frames)))
        return not trials[-1][1]

    good, bad = None, 0
    frames = largest
    while frames and await works(frames):
        good, frames = frames, frames // 2
    if good is None:
        return None, trials
    bad = frames  # 0 when one frame works
    while good - bad > 1:
        middle = (good + bad) // 2
        if await works(middle):
            good = middle
        else:
            bad = middle
    return good, trials
