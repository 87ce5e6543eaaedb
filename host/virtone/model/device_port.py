# SPDX-License-Identifier: Apache-2.0
"""A `Port` to the modelled device on the timeline.

Promise: a register access takes `access_ns` of simulated time and happens at its end; while the device is being
reset it is held as docs/device.md says. `accesses` counts them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from virtone.model.device import SoundDevice
from virtone.model.memory import Memory
from virtone.model.timeline import TICKS_PER_NS, Timeline, TimelineEvent, TimelineTask


class DevicePort:
    """Implements `virtone.model.port.Port`."""

    def __init__(self, device: SoundDevice, access_ns: float = 100.0) -> None:
        self.device = device
        self.timeline: Timeline = device.timeline
        self.memory: Memory = device.memory
        self.access_ns = access_ns
        self.accesses = 0

    async def _access(self, offset: int, size: int) -> None:
        if offset < 0 or offset % size:
            raise ValueError(f"access of {size} bytes at offset {offset:#x}: would have to be naturally aligned")
        self.accesses += 1
        await self.timeline.sleep_ns(self.access_ns)
        if hold := self.device.hold_ticks():
            await self.timeline.sleep_ns(hold / TICKS_PER_NS)

    async def _read(self, offset: int, size: int) -> int:
        await self._access(offset, size)
        return self.device.read(offset, size)

    async def _write(self, offset: int, value: int, size: int) -> None:
        if not 0 <= int(value) < 1 << 8 * size:
            raise ValueError(f"write of {value} to offset {offset:#x}: would have to fit {size} bytes")
        await self._access(offset, size)
        self.device.write(offset, int(value), size)

    async def read32(self, offset: int) -> int:
        return await self._read(offset, 4)

    async def read16(self, offset: int) -> int:
        return await self._read(offset, 2)

    async def read8(self, offset: int) -> int:
        return await self._read(offset, 1)

    async def write32(self, offset: int, value: int) -> None:
        await self._write(offset, value, 4)

    async def write16(self, offset: int, value: int) -> None:
        await self._write(offset, value, 2)

    async def write8(self, offset: int, value: int) -> None:
        await self._write(offset, value, 1)

    async def interrupt(self) -> None:
        await self.device.interrupt.wait()

    def now_ns(self) -> int:
        return self.timeline.now_ns()

    async def sleep_ns(self, duration_ns: float) -> None:
        await self.timeline.sleep_ns(duration_ns)

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> TimelineTask:
        return self.timeline.spawn(coroutine)

    def event(self) -> TimelineEvent:
        return self.timeline.event()
