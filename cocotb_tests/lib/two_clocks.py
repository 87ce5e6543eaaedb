# SPDX-License-Identifier: Apache-2.0
"""Two unrelated clocks for a crossing: periods and phases drawn at random, extreme ratios among them."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer, ValueChange

RATIOS = ((10_000, 40_690), (40_690, 10_000), (10_000, 10_000), (10_000, 10_002), (2_000, 90_000), (90_000, 2_000))


def period_pairs(rng: random.Random, count: int) -> list[tuple[int, int]]:
    """Pairs of even periods in ps: the fixed ratios, and `count` random ones."""
    drawn = [(2 * rng.randint(1_000, 40_000), 2 * rng.randint(1_000, 40_000)) for _ in range(count)]
    return [*RATIOS, *drawn]


class TwoClocks:
    """Starts and stops both clocks and holds both resets."""

    def __init__(self, first: Any, second: Any, first_reset: Any, second_reset: Any) -> None:
        self._signals = (first, second)
        self._resets = (first_reset, second_reset)
        self._clocks: list[Clock] = []

    async def restart(self, periods: tuple[int, int], phase_ps: int) -> None:
        """Reset with new clocks. `phase_ps` is how much later the second one begins."""
        for clock in self._clocks:
            clock.stop()
        for reset in self._resets:
            reset.value = 1
        await Timer(1, "ns")
        for reset in self._resets:
            reset.value = 0
        self._clocks = [Clock(s, p, "ps") for s, p in zip(self._signals, periods, strict=True)]
        self._clocks[0].start()
        await Timer(phase_ps + 1, "ps")
        self._clocks[1].start()
        await Timer(4 * max(periods), "ps")
        for reset in self._resets:
            reset.value = 1


async def one_bit_at_a_time(reset: Any, *signals: Any) -> None:
    """Watch what crosses: out of reset, never two bits of it change at once (the simulator knows no metastability)."""

    async def watch(signal: Any) -> None:
        before = None
        while True:
            await ValueChange(signal)
            value = int(signal.value) if signal.value.is_resolvable else None
            if before is not None and value is not None and int(reset.value):
                changed = before ^ value
                assert changed & (changed - 1) == 0, f"{signal._name} went from {before:#x} to {value:#x}"
            before = value

    for signal in signals:
        cocotb.start_soon(watch(signal))


def rng() -> random.Random:
    return random.Random(cocotb.RANDOM_SEED)
