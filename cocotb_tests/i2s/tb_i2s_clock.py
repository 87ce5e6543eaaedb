# SPDX-License-Identifier: Apache-2.0
"""i2s_clock, master clock cycle by master clock cycle: equal bit clocks, 64 of them a frame, settings at frame boundaries only."""

from __future__ import annotations

import random
from itertools import groupby, pairwise
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench

HALVES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


class _MasterClocked:
    """The module with its clock under the name that `Cycles` drives."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dut, "mclk_i" if name == "clk_i" else name)


class Bench:
    """`trace` holds (bclk, lrclk, bit, frame, take, family) of every cycle."""

    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(_MasterClocked(dut))
        self.trace: list[tuple[int, ...]] = []

    async def start(self) -> Bench:
        await self.clock.start(set_pending_i=0, family_i=0, half_i=4)
        return self

    async def cycle(self) -> bool:
        """One cycle; True when the setting was taken."""
        await self.clock.look()
        names = ("bclk_o", "lrclk_o", "bit_o", "frame_o", "set_take_o", "family_o")
        self.trace.append(tuple(self.clock.get(name) for name in names))
        take = bool(self.trace[-1][4])
        await self.clock.tick()
        return take

    async def cycles(self, count: int) -> None:
        for _ in range(count):
            assert not await self.cycle(), "takes a setting that is not pending"

    async def set(self, family: int, half: int) -> None:
        self.clock.drive(set_pending_i=1, family_i=family, half_i=half)
        for _ in range(2 * 64 * 64):
            if await self.cycle():
                # Not pending any more: what stands there now is not a setting.
                self.clock.drive(set_pending_i=0, family_i=self.rng.getrandbits(1), half_i=self.rng.choice(HALVES))
                return
        raise AssertionError("the setting is not taken within a frame")

    def check(self, settings: list[tuple[int, int]]) -> None:
        """The whole trace against its settings (family, half), the reset's first."""
        trace = self.trace
        bits: int | None = None  # of the frame that has begun
        expected = iter(settings)
        family, half = next(expected)
        edges = [i + 1 for i, (now, then) in enumerate(pairwise(trace)) if now[0] != then[0]]
        intervals = {edge: later - edge for edge, later in pairwise(edges)}
        for i, (now, then) in enumerate(pairwise(trace)):
            assert now[2] == (now[0] == 1 and then[0] == 0), f"cycle {i}: bit_o does not announce the falling bclk_o"
            assert now[2] or not now[3], "frame_o without bit_o"
            assert now[5] == family, f"cycle {i}: family_o"
            if now[3]:
                assert bits in (None, 64), f"cycle {i}: a frame of {bits} bits"
                bits = 0
            assert now[4] <= now[3], "a setting is taken off the frame boundary"
            if now[4]:
                family, half = next(expected)
            if now[2] and bits is not None:
                bits += 1
            if now[1] != then[1]:
                assert now[2], "lrclk_o changes off the falling bclk_o"
            if i + 1 in intervals:
                assert intervals[i + 1] == half, (
                    f"cycle {i + 1}: half a bit clock of {intervals[i + 1]} cycles, must be {half}"
                )
        assert next(expected, None) is None, "a setting was not taken"

    def frames(self) -> list[list[int]]:
        """lrclk_o of each bit, frame by frame."""
        words, current = [], []
        for i, now in enumerate(self.trace[:-1]):
            if now[3]:
                words.append(current)
                current = []
            if now[2]:
                current.append(self.trace[i + 1][1])
        return words[1:]


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def as_reset_leaves_it(dut: object) -> None:
    """48 kHz out of 24.576 MHz: 512 cycles a frame; never stops; the first frame has its word clock edge."""
    bench = await Bench(dut).start()
    await bench.cycles(512 * 4)
    boundaries = [i for i, now in enumerate(bench.trace) if now[3]]
    assert [later - sooner for sooner, later in pairwise(boundaries)] == [512] * (len(boundaries) - 1)
    assert len(boundaries) >= 3
    before = [now[1] for now in bench.trace[: boundaries[0] + 1]]
    assert [word for word, _ in groupby(before)] == [1, 0], "no word clock edge before the first frame"
    bench.check([(0, 4)])


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def every_divider_at_frame_boundaries(dut: object) -> None:
    """Each setting from each other at any moment: 64 equal bit clocks a frame, word clock one bit ahead of the slots."""
    bench = await Bench(dut).start()
    settings = [(0, 4)]
    for half in [*HALVES, *bench.rng.sample(HALVES, 6)]:
        settings.append((bench.rng.getrandbits(1), half))
        await bench.set(*settings[-1])
        await bench.cycles(bench.rng.randint(1, 2 * 128 * half))
    bench.check(settings)
    frames = bench.frames()
    assert len(frames) > 15
    for frame in frames:
        assert frame == [0] * 31 + [1] * 32 + [0], f"word clock: {frame}"


def test_i2s_clock() -> None:
    run_bench("i2s_clock", __file__)
