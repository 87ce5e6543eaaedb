# SPDX-License-Identifier: Apache-2.0
"""remainder: whether one number divides another, always 33 cycles later."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench

CYCLES = 33
EDGES = (0, 1, 2, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


async def start(dut: Any) -> tuple[Cycles, random.Random]:
    clock = Cycles(dut)
    await clock.start(clear_i=0, start_i=0, dividend_i=0, divisor_i=1)
    return clock, random.Random(cocotb.RANDOM_SEED)


async def divides(clock: Cycles, dividend: int, divisor: int) -> bool:
    """One division; done_o exactly once, exactly when it is promised."""
    clock.drive(start_i=1, dividend_i=dividend, divisor_i=divisor)
    for cycle in range(CYCLES + 1):
        await clock.look()
        assert clock.get("done_o") == (cycle == CYCLES), f"done_o {clock.get('done_o')}, {cycle} cycles after start_i"
        answer = bool(clock.get("divides_o"))
        await clock.tick()
        clock.drive(start_i=0)
    await clock.look()
    assert not clock.get("done_o"), "done_o for more than one cycle"
    await clock.tick()
    return answer


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def exact(dut: object) -> None:
    """The edges of 32 bits against each other, products, products plus or minus one, any numbers."""
    clock, rng = await start(dut)
    pairs = [(a, b) for a in EDGES for b in EDGES if b]
    for _ in range(150):
        b = rng.randrange(1, 1 << rng.randint(1, 32))
        a = b * rng.randrange(0, (1 << 32) // b)
        pairs += [(a, b), (min(a + 1, 0xFFFFFFFF), b), (max(a - 1, 0), b), (rng.getrandbits(32), b)]
    for a, b in pairs:
        assert await divides(clock, a, b) == (a % b == 0), f"{a:#x} by {b:#x}"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def clear_ends_it(dut: object) -> None:
    """Without done_o, at every moment; the next division is as exact as ever."""
    clock, _ = await start(dut)
    for when in range(CYCLES + 2):
        clock.drive(start_i=1, dividend_i=0xFFFFFFFF, divisor_i=3)
        await clock.tick()
        clock.drive(start_i=0)
        await clock.tick(when)
        clock.drive(clear_i=1)
        await clock.tick()
        clock.drive(clear_i=0)
        for _ in range(CYCLES + 2):
            await clock.look()
            assert not clock.get("done_o"), f"done after a clear {when} cycles in"
            await clock.tick()
        assert await divides(clock, 91, 7) and not await divides(clock, 92, 7)


def test_remainder() -> None:
    run_bench("remainder", __file__)
