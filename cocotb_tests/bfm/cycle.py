# SPDX-License-Identifier: Apache-2.0
"""One clock cycle at a time, without a race: drive, look, go on.

Inputs change at the falling edge. `Cycles.look` then waits until combinational outputs have settled, so that what the
test reads is what the next rising edge sees; `Cycles.tick` moves past that edge to the next falling one.
"""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly


class Cycles:
    """The clock and reset of a module bench, with `dut.clk_i` and `dut.rst_ni`; `count` cycles have passed since reset."""

    def __init__(self, dut: Any, period_ns: float = 10.0) -> None:
        self.dut = dut
        self.period_ns = period_ns
        self.count = 0

    async def start(self, **inputs: int) -> None:
        """Start the clock, set `inputs`, hold the reset for three cycles."""
        cocotb.start_soon(Clock(self.dut.clk_i, self.period_ns, unit="ns").start())
        self.drive(rst_ni=0, **inputs)
        for _ in range(3):
            await FallingEdge(self.dut.clk_i)
        self.dut.rst_ni.value = 1

    def drive(self, **inputs: int) -> None:
        """Set inputs by name; they count from the next rising edge on."""
        for name, value in inputs.items():
            getattr(self.dut, name).value = value

    async def look(self) -> None:
        """Wait until the outputs answer the inputs driven. No driving until `tick`."""
        await ReadOnly()

    async def tick(self, cycles: int = 1) -> None:
        """Pass `cycles` rising edges."""
        for _ in range(cycles):
            await FallingEdge(self.dut.clk_i)
            self.count += 1

    def get(self, name: str) -> int:
        """An output as an unsigned integer."""
        return int(getattr(self.dut, name).value)
