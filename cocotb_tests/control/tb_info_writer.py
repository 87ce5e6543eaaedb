# SPDX-License-Identifier: Apache-2.0
"""info_writer: the items of PCM_INFO, zero-filled or truncated to any stride."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.control.control_model import STREAM_INFO
from cocotb_tests.engine.runner import run_bench


class Bench:
    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)

    async def start(self) -> Bench:
        await self.clock.start(clear_i=0, start_i=0, start_id_i=0, count_i=0, size_i=0, pop_i=0)
        return self

    async def answer(self, size: int, pace: float, give_up_after: int | None = None) -> bytes:
        """The bytes of one answer of one item; every beat is checked, and that it waits unchanged."""
        clock, data, offered = self.clock, bytearray(), None
        clock.drive(start_i=1, start_id_i=0, count_i=1, size_i=size)
        await clock.tick()
        clock.drive(start_i=0)
        for _ in range(20_000):
            if give_up_after is not None and len(data) >= give_up_after:
                return bytes(data)
            pop = self.rng.random() < pace
            clock.drive(pop_i=pop)
            await clock.look()
            push = clock.get("push_o")
            done = clock.get("done_o")
            if not push:
                assert offered is None, "a beat is withdrawn"
            count = clock.get("count_o")
            beat = (clock.get("data_o") & (1 << 8 * count) - 1, count, clock.get("last_o"))
            assert not push or (1 <= count <= 8 and offered in (None, beat)), f"beat {offered} became {beat}"
            assert done == (push and pop and beat[2]), "done_o comes in the cycle in which the last beat is taken"
            offered = beat if push and not pop else None
            if push and pop:
                data += beat[0].to_bytes(8, "little")[:count]
            await clock.tick()
            if done:
                clock.drive(pop_i=0)
                return bytes(data)
        raise AssertionError(f"no last beat after {len(data)} bytes")

    async def quiet(self) -> None:
        for _ in range(4):
            await self.clock.look()
            assert not self.clock.get("push_o") and not self.clock.get("done_o")
            await self.clock.tick()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_stride(dut: object) -> None:
    """1 to beyond the structure, and the longest: exactly `size` bytes, the item's first, then zeros."""
    bench = await Bench(dut).start()
    await bench.quiet()
    for size in (*range(1, 80), 255, 256, 1000, 4088, 4095):
        data = await bench.answer(size, bench.rng.choice([0.3, 1.0]))
        assert data == STREAM_INFO[:size].ljust(size, b"\0"), f"size {size}"
        await bench.quiet()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def clear_ends_it(dut: object) -> None:
    """At every beat; nothing of it in the next answer."""
    bench = await Bench(dut).start()
    for given in range(0, 64, 8):
        await bench.answer(64, 0.5, give_up_after=given)
        bench.clock.drive(clear_i=1, pop_i=0)
        await bench.clock.tick()
        bench.clock.drive(clear_i=0)
        await bench.quiet()
        assert await bench.answer(36, 0.5) == STREAM_INFO.ljust(36, b"\0")


def test_info_writer() -> None:
    run_bench("info_writer", __file__)
