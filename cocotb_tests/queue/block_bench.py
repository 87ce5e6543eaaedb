# SPDX-License-Identifier: Apache-2.0
"""One block of rtl/queue with memory behind it: what the benches of avail_reader, chain_walker, gather, scatter and used_writer share."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly

from cocotb_tests.queue.memory_port import MemoryPort


@dataclass
class BlockBench:
    """Inputs change on the falling edge of `dut.clk_i`; `faults` counts the cycles with `fault_o` high."""

    dut: Any
    rng: random.Random
    memory: MemoryPort
    faults: int = 0

    async def drive(self, **inputs: int) -> None:
        await FallingEdge(self.dut.clk_i)
        for name, value in inputs.items():
            getattr(self.dut, name).value = value

    async def pulse(self, name: str, **inputs: int) -> None:
        """`name` high for one cycle, with `inputs`."""
        await self.drive(**inputs, **{name: 1})
        await self.drive(**{name: 0})

    async def cycles(self, count: int) -> None:
        await ClockCycles(self.dut.clk_i, count)
        await FallingEdge(self.dut.clk_i)

    async def until(self, condition: Callable[[], object], what: str, cycles: int = 5000) -> None:
        """Wait for condition(), looked at when the outputs have settled; a block that stands still fails by name."""
        for _ in range(cycles):
            await FallingEdge(self.dut.clk_i)
            await ReadOnly()
            if condition():
                return
        raise AssertionError(f"{what}: not within {cycles} cycles")

    def high(self, name: str) -> Callable[[], bool]:
        signal = getattr(self.dut, name)
        return lambda: bool(int(signal.value))

    async def clear(self) -> None:
        """clear_i as the channel gives it: held until nothing is outstanding. No transfer begins meanwhile."""
        await self.drive(clear_i=1)
        await self.cycles(1)
        await self.until(lambda: not self.memory.open, "answers to what was outstanding")
        await self.drive(clear_i=0)

    async def _watch_faults(self) -> None:
        while True:
            await FallingEdge(self.dut.clk_i)
            await ReadOnly()
            self.faults += int(self.dut.fault_o.value)


async def begin(
    dut: Any, latency: tuple[int, int] = (1, 12), memory_rng: random.Random | None = None, **inputs: int
) -> BlockBench:
    """Clock, reset, every input at `inputs`. The memory's pauses are drawn from `memory_rng`."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = BlockBench(dut, rng, MemoryPort(dut, memory_rng or random.Random(cocotb.RANDOM_SEED), latency))
    dut.clear_i.value = 0
    for name, value in inputs.items():
        getattr(dut, name).value = value
    dut.rst_ni.value = 0
    cocotb.start_soon(Clock(dut.clk_i, 10, unit="ns").start())
    bench.memory.start()
    await bench.cycles(4)
    dut.rst_ni.value = 1
    if hasattr(dut, "fault_o"):
        cocotb.start_soon(bench._watch_faults())
    return bench
