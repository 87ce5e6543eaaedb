# SPDX-License-Identifier: Apache-2.0
"""The Linux board's register window, interrupt line and clock, carried into a simulated world through its `Port`.

Promise: an access of the guest happens once, in order, at the simulated time that guest time has reached (at most `quantum_ns`
behind it, unless the simulation as a whole is behind, which `Pacer` reports). The interrupt line is passed on at the instant it rises.
Simulated time stands still while nothing is due: the bridge then waits for the socket, so it needs no thread and burns no processor.

A processor that this machine does not run cannot keep a buffer full, and a device that plays on meanwhile would run dry as on no board of its
own. So simulated time, and with it a `GuestClock`, stands still while the processor has work and is not run (`GuestClock.awake`), and
`answer_ns` after an interrupt rose that nobody has answered, for `PATIENCE_S` of wall time at most: a guest that has its interrupts off
for longer is let go on without an answer.

User's duty: `memory` of the port is the guest's memory (the same file, or mapped in `on_memory`), and nobody else paces the world.
"""

from __future__ import annotations

import contextlib
import math
import select
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from virtone.model.port import Port
from virtone.virtio import mmio

from .errors import Disconnected
from .time import Pacer
from .vfio_user import Access, Server

QUANTUM_NS = 20_000  # a fiftieth of a millisecond: one frame at 48 kHz
ANSWER_NS = 100_000  # simulated; an emulated processor that runs reads the interrupt status sooner
PATIENCE_S = 0.25  # wall seconds
_RECHECK_S = 0.2e-3
_LONGEST_LOOK_S = 0.01  # what a look may count for: it took longer because this process was not run either


class Bridge:
    """`level`: whether the interrupt line is high now. `answer_ns`: `ANSWER_NS` where the guest's clock can be held, else never.
    `register_errors`: what the port raises for an access nothing answers; such a read gives all ones, as on a PCI bus. Counters: `accesses`, `bus_errors`, `unanswered` (interrupts that patience ended for).
    """

    def __init__(
        self,
        server: Server,
        port: Port,
        level: Callable[[], bool],
        pacer: Pacer,
        *,
        quantum_ns: int = QUANTUM_NS,
        answer_ns: float = math.inf,
        reset: Callable[[], Awaitable[Any]] | None = None,
        on_memory: Callable[[Server], None] | None = None,
        register_errors: tuple[type[Exception], ...] = (),
    ) -> None:
        self.server, self.port, self.level, self.pacer = server, port, level, pacer
        self.quantum_ns, self.answer_ns = quantum_ns, answer_ns
        self.accesses = self.bus_errors = self.unanswered = 0
        self._raised_ns: float | None = None  # of an interrupt without an answer
        self._patience_s = PATIENCE_S
        self._reset = reset or self._reset_by_status
        self._on_memory = on_memory
        self._errors = register_errors
        self._dropped = port.event()

    async def run(self, stop: Callable[[], bool] = lambda: False, wake: Sequence[Any] = ()) -> None:
        """Serve until `stop()` or until the virtual machine has gone. `wake`: descriptors that end a wait, so that `stop` is asked."""
        watcher = self.port.spawn(self._watch())
        resets = maps = 0
        try:
            while not stop():
                access = self.server.receive()
                if self._on_memory is not None and self.server.maps != maps:
                    maps = self.server.maps
                    self._on_memory(self.server)
                if self.server.resets != resets:
                    resets = self.server.resets
                    await self._reset()
                if access is not None:
                    await self._advance(self._late_ns())
                    await self._carry_out(access)
                    continue
                late_ns = self._late_ns()
                if self._unanswered() or not self.pacer.guest_awake:
                    began = time.monotonic()
                    self._wait(_RECHECK_S, wake)
                    self._patience_s -= min(time.monotonic() - began, _LONGEST_LOOK_S)
                elif late_ns >= self.quantum_ns:
                    await self._advance(late_ns)
                else:
                    self._wait((self.quantum_ns - late_ns) * 1e-9 * self.pacer.dilation, wake)
        except Disconnected:
            return
        finally:
            watcher.cancel()

    # -- time ---------------------------------------------------------------------------------------------------------
    def _late_ns(self) -> float:
        """How far simulated time is behind guest time."""
        return -self.pacer.ahead_s(self.port.now_ns() * 1000) / self.pacer.dilation * 1e9

    async def _advance(self, late_ns: float) -> None:
        """Catch up, one quantum at most: the socket is looked at in between."""
        if late_ns > 0:
            await self.port.sleep_ns(min(late_ns, self.quantum_ns))
            self._follow()

    def _wait(self, seconds: float, wake: Sequence[Any]) -> None:
        """Simulated time stands still until a message comes or the next quantum is due."""
        began = time.perf_counter()
        select.select([self.server, *wake], [], [], seconds)
        self.pacer.waited(time.perf_counter() - began)

    def _unanswered(self) -> bool:
        """Whether simulated time has to wait for an answer to the interrupt."""
        if self._raised_ns is None or self.port.now_ns() - self._raised_ns < self.answer_ns:
            return False
        if self._patience_s > 0:
            return True
        self._raised_ns = None
        self.unanswered += 1
        self.pacer.gave_up()
        return False

    # -- registers and interrupt --------------------------------------------------------------------------------------
    async def _carry_out(self, access: Access) -> None:
        self.accesses += 1
        self._raised_ns = None  # it runs
        width = 8 * access.size
        value = (1 << width) - 1
        try:
            if access.value is None:
                read = {1: self.port.read8, 2: self.port.read16, 4: self.port.read32}[access.size]
                value = await read(access.offset)
            else:
                write = {1: self.port.write8, 2: self.port.write16, 4: self.port.write32}[access.size]
                await write(access.offset, access.value)
        except self._errors:
            self.bus_errors += 1
        self._follow()  # before the answer: a line that this access lowered is low when the guest goes on
        self.server.answer(access, value)

    def _follow(self) -> None:
        high = self.level()
        self.server.set_interrupt(high)
        if not high:
            self._dropped.set()

    async def _watch(self) -> None:
        while True:
            await self.port.interrupt()
            self._dropped.clear()
            self._raised_ns, self._patience_s = self.port.now_ns(), PATIENCE_S
            self.server.set_interrupt(True)
            await self._dropped.wait()

    async def _reset_by_status(self) -> None:
        with contextlib.suppress(*self._errors):
            await self.port.write32(int(mmio.VIRTIO_MMIO_STATUS), 0)
            while await self.port.read32(int(mmio.VIRTIO_MMIO_STATUS)):
                pass
