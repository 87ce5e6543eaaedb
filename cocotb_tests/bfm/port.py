# SPDX-License-Identifier: Apache-2.0
"""The guest's `Port` (`virtone.model.port`) over the simulated device.

    @cocotb.test(timeout_time=50, timeout_unit="ms")
    async def probes(dut):
        port = RtlPort(dut)
        await port.reset()
        assert await port.read32(VIRTIO_MMIO_MAGIC_VALUE) == 0x74726976

Registers, interrupt line and time are words of the bench page, so an access costs one callback of the simulator and no
access to a signal. Accesses take effect at the next rising edge of the bus clock and are executed one after the other,
in the order in which the tasks asked; a cancelled task's access is still carried out.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine
from typing import Any

import cocotb
from cocotb.task import Task
from cocotb.triggers import Event, NullTrigger, Timer

from cocotb_tests.engine.bench_page import INDEX, BenchPage, map_file
from cocotb_tests.engine.capture_ring import CaptureRing
from virtone.model.memory import Memory

_SEQ, _COMMAND, _DATA = INDEX["command_seq"], INDEX["command"], INDEX["write_data"]
_ANSWERED, _READ, _CODE = INDEX["response_seq"], INDEX["read_data"], INDEX["response_code"]
_IRQ, _NOW, _CYCLE = INDEX["irq"], INDEX["now_ps"], INDEX["bus_cycle"]
_WRITE = 1 << 16
_WINDOW = 0x2000


class RegisterError(RuntimeError):
    """The device answered a register access with an AXI error response."""


class RtlPort:
    """One guest on `bench_top`. `memory`: guest memory; `page`: the bench's own words; `ring`: what the pins did."""

    def __init__(self, dut: Any) -> None:
        self.page = BenchPage()
        self.ring = CaptureRing()
        self.memory = Memory(map_file(os.environ["BENCH_MEMORY"]), base=self.page.memory_base)
        self._words = self.page.words
        self._answered = dut.answered_o.value_change
        self._irq = dut.irq_o.value_change
        self._doorbell = dut.doorbell_i.value_change

    async def reset(self, duration_ns: float = 1000) -> None:
        """Hold the device in its hardware reset for `duration_ns` (both clocks run), then release it and wait as long."""
        self.page.reset = 1
        await self.sleep_ns(duration_ns)
        self.page.reset = 0
        await self.sleep_ns(duration_ns)

    # -- registers ---------------------------------------------------------------------------------------------------

    async def _access(self, command: int, data: int = 0) -> int:
        words = self._words
        while words[_ANSWERED] != words[_SEQ]:
            await self._answered
        mine = words[_SEQ] + 1
        words[_COMMAND] = command
        words[_DATA] = data
        words[_SEQ] = mine
        while words[_ANSWERED] < mine:
            await self._answered
        if words[_CODE]:
            kind = "write" if command & _WRITE else "read"
            raise RegisterError(f"{kind} at offset {command & 0x1FFF:#x} was answered with AXI response {words[_CODE]}")
        return words[_READ]

    async def read32(self, offset: int) -> int:
        return await self._access(_checked(offset, 4) | 0x8000)

    async def read16(self, offset: int) -> int:
        return await self._access(_checked(offset, 2) | 0x4000) & 0xFFFF

    async def read8(self, offset: int) -> int:
        return await self._access(_checked(offset, 1)) & 0xFF

    async def write32(self, offset: int, value: int) -> None:
        await self._access(_checked(offset, 4) | 0x8000 | _WRITE, value & 0xFFFFFFFF)

    async def write16(self, offset: int, value: int) -> None:
        await self._access(_checked(offset, 2) | 0x4000 | _WRITE, value & 0xFFFF)

    async def write8(self, offset: int, value: int) -> None:
        await self._access(_checked(offset, 1) | _WRITE, value & 0xFF)

    # -- interrupt, time, tasks --------------------------------------------------------------------------------------

    async def interrupt(self) -> None:
        """Returns when the interrupt line is high (level)."""
        while not self._words[_IRQ]:
            await self._irq

    async def interrupt_low(self) -> None:
        """Returns when the interrupt line is low."""
        while self._words[_IRQ]:
            await self._irq

    async def doorbell(self) -> None:
        """Returns when somebody outside has incremented the page's `doorbell` after this was called."""
        before = self._words[INDEX["doorbell"]]
        while self._words[INDEX["doorbell"]] == before:
            await self._doorbell

    def now_ns(self) -> int:
        """Simulated time in whole nanoseconds, rounded down."""
        return self._words[_NOW] // 1000

    def now_ps(self) -> int:
        """Simulated time in picoseconds."""
        return self._words[_NOW]

    def bus_cycle(self) -> int:
        """Rising edges of the (ungated) bus clock since time 0."""
        return self._words[_CYCLE]

    async def sleep_ns(self, duration_ns: float) -> None:
        """Wait `duration_ns`, rounded to picoseconds; zero or less lets the other tasks run."""
        steps = round(duration_ns * 1000)
        await (Timer(steps, "ps") if steps > 0 else NullTrigger())

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> Task[Any]:
        return cocotb.start_soon(coroutine)

    def event(self) -> Event:
        return Event()


def _checked(offset: int, size: int) -> int:
    if offset % size or not 0 <= offset <= _WINDOW - size:
        raise ValueError(
            f"register access of {size} bytes at offset {offset:#x}: must be a multiple of {size} below {_WINDOW:#x}"
        )
    return offset
