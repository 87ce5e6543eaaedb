# SPDX-License-Identifier: Apache-2.0
"""One clock cycle at a time, without a race: drive, look, go on.

Inputs change while the clock is low. `Cycles.look` then waits until combinational outputs have settled, so that what
the test reads is what the next rising edge sees; `Cycles.tick` moves past that edge.
"""

from __future__ import annotations

from typing import Any

from cocotb.triggers import ReadOnly, Timer


class Cycles:
    """The clock and reset of a module bench, with `dut.clk_i` and `dut.rst_ni`.

    `count` cycles have passed since the start. With `gated`, the clock stands still in every cycle with `busy_o` low, even if
    inputs have just changed: a block that says it is not busy but had something to do hangs. `stopped` counts those cycles.
    """

    def __init__(self, dut: Any, period_ns: int = 10) -> None:
        self.dut = dut
        self.half_ns = period_ns // 2
        self.count = 0
        self.gated = False
        self.stopped = 0
        self._handles: dict[str, Any] = {}
        self._inputs: dict[str, int] = {}

    async def start(self, **inputs: int) -> None:
        """Set `inputs`, hold the reset for three cycles."""
        gated, self.gated = self.gated, False
        self.dut.clk_i.value = 0
        self.drive(rst_ni=0, **inputs)
        await self.tick(3)
        self.drive(rst_ni=1)
        self.gated = gated

    def drive(self, **inputs: int) -> None:
        """Set inputs by name; they count from the next rising edge on."""
        for name, value in inputs.items():
            if self._inputs.get(name) != value:
                self._handle(name).value = value
                self._inputs[name] = int(value)

    async def look(self) -> None:
        """Wait until the outputs answer the inputs driven. No driving until `tick`."""
        await ReadOnly()

    async def tick(self, cycles: int = 1) -> None:
        """Pass `cycles` rising edges (with `gated`: or the time of one)."""
        for _ in range(cycles):
            await Timer(self.half_ns, "ns")
            if self.gated and not self.get("busy_o"):
                self.stopped += 1
            else:
                self._handle("clk_i").value = 1
            await Timer(self.half_ns, "ns")
            self._handle("clk_i").value = 0
            self.count += 1

    def get(self, name: str) -> int:
        """An output as an unsigned integer."""
        return int(self._handle(name).value)

    def _handle(self, name: str) -> Any:
        if name not in self._handles:
            self._handles[name] = getattr(self.dut, name)
        return self._handles[name]
