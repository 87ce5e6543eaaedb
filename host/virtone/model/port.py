# SPDX-License-Identifier: Apache-2.0
"""The one thing driver code knows of the world it runs in.

Promise: a coroutine that touches nothing but a `Port` behaves the same on the plain-Python
timeline (`virtone.model.timeline`) and over the simulated RTL; it cannot tell which one it is in.

User's duty: await only what a `Port`, `Event` or `Task` hands out, never a primitive of asyncio or of a simulator.

Registers are the virtio-mmio window of the device, little-endian, offsets in bytes (virtio 1.4, 4.2.2).
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol, runtime_checkable

from virtone.model.memory import Memory


@runtime_checkable
class Event(Protocol):
    """A level that tasks wait for: `wait` returns at once while it is set."""

    def set(self) -> None: ...

    def clear(self) -> None: ...

    def wait(self) -> Awaitable[None]: ...


@runtime_checkable
class Task(Protocol):
    """A coroutine that was given its own thread of control."""

    def cancel(self) -> Any:
        """End it at the point where it waits. Cancelling a finished task does nothing."""
        ...


@runtime_checkable
class Port(Protocol):
    """Registers, interrupt line, time, tasks and memory of one guest."""

    memory: Memory

    def read32(self, offset: int) -> Awaitable[int]: ...

    def read16(self, offset: int) -> Awaitable[int]: ...

    def read8(self, offset: int) -> Awaitable[int]: ...

    def write32(self, offset: int, value: int) -> Awaitable[None]: ...

    def write16(self, offset: int, value: int) -> Awaitable[None]: ...

    def write8(self, offset: int, value: int) -> Awaitable[None]: ...

    def interrupt(self) -> Awaitable[None]:
        """Returns when the interrupt line is high (level)."""
        ...

    def now_ns(self) -> int:
        """Simulated time in whole nanoseconds, rounded down."""
        ...

    def sleep_ns(self, duration_ns: float) -> Awaitable[None]: ...

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> Task: ...

    def event(self) -> Event: ...


async def wait_with_timeout(port: Port, event: Event, timeout_ns: float) -> bool:
    """Wait for `event`, at most `timeout_ns` nanoseconds. True when the event came first."""
    gate = port.event()
    came: list[bool] = []

    async def watch() -> None:
        await event.wait()
        came.append(True)
        gate.set()

    async def expire() -> None:
        await port.sleep_ns(timeout_ns)
        gate.set()

    tasks = [port.spawn(watch()), port.spawn(expire())]
    try:
        await gate.wait()
    finally:
        for task in tasks:
            task.cancel()
    return bool(came)
