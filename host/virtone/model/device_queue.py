# SPDX-License-Identifier: Apache-2.0
"""The device's half of one split virtqueue (docs/device.md "Queue service").

Promise: chains in the order of the avail ring; a completion writes response, used element and used index in that
order and then decides the interrupt. A malformed ring stops the queue for good, tells the device, and touches
memory no more. `used_log` holds every used element with its time and response bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtone.model.device_chain import Chain, RingFault
from virtone.model.memory import BusError
from virtone.virtio import mmio, ring

if TYPE_CHECKING:
    from virtone.model.device import SoundDevice


@dataclass(frozen=True)
class UsedElement:
    """One entry of the used ring as the device wrote it; `tick` is timeline time."""

    tick: int
    head: int
    length: int
    response: bytes


class DeviceQueue:
    """Registers and service of queue `index`. `serve` is called when there may be chains."""

    def __init__(self, device: SoundDevice, index: int) -> None:
        self._device = device
        self.index = index
        self.serve: Callable[[], None] = lambda: None
        self.used_log: list[UsedElement] = []
        self.clear()

    def clear(self) -> None:
        """State after a reset of the device or of this queue."""
        self.size = 0
        self.desc = self.driver = self.device = 0
        self.ready = False
        self.restart()

    def restart(self) -> None:
        """The queue has been taken back: what was in flight is forgotten, size and addresses stay."""
        self.leaving = False  # being taken back: touches nothing
        self.resetting = False  # ... by QueueReset
        self.stopped = False
        self.fault: str | None = None
        self.next_avail = 0  # consumed up to, modulo 2^16
        self.known_avail = 0
        self.used_idx = 0
        self.epoch = getattr(self, "epoch", 0) + 1

    def enable(self) -> None:
        """QueueReady = 1: only with a legal size."""
        self.ready = 0 < self.size <= self._device.profile.queue_size_max and not self.size & (self.size - 1)

    @property
    def live(self) -> bool:
        """The device may touch this queue's memory."""
        return self.ready and not self.stopped and not self.leaving and self._device.driver_ok

    def _negotiated(self, bit: int) -> bool:
        return self._device.negotiated(bit)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Turns a malformed ring met inside into a stopped queue."""
        try:
            yield
        except (RingFault, BusError) as error:
            self.stopped = True
            self.fault = str(error)
            self._device.set_needs_reset(f"queue {self.index}: {error}")

    def notified(self, value: int) -> None:
        """A write of QueueNotify for this queue, already past the service delay."""
        if not self.live:
            return
        with self.guard():
            index = value >> 16 & 0xFFFF
            ahead = (index - self.known_avail) & 0xFFFF
            if self._negotiated(mmio.VIRTIO_F_NOTIFICATION_DATA) and 1 <= ahead <= self.size:
                self._learn(index)
            else:
                self._read_avail_idx()
        self.serve()

    @property
    def waiting(self) -> bool:
        """The device knows of chains it has not taken."""
        return self.next_avail != self.known_avail

    def look(self) -> None:
        """The queue has gone into service: read `avail.idx` once without a notification."""
        if self.live:
            self.poll()
            self.serve()

    def poll(self) -> None:
        """Read `avail.idx` afresh."""
        if self.live:
            with self.guard():
                self._read_avail_idx()

    def _read_avail_idx(self) -> None:
        self._learn(self._device.memory.read_uint(self.driver + ring.vring_avail.offset("idx"), 2))

    def _learn(self, index: int) -> None:
        ahead = (index - self.next_avail) & 0xFFFF
        if ahead > self.size:
            raise RingFault(f"avail index {index} is {ahead} ahead of {self.next_avail}, the queue has {self.size}")
        self.known_avail = index

    def take(self) -> Chain | None:
        """The next chain, its bytes still unread; None when there is none (or the ring is malformed)."""
        if not self.live or not self.waiting:
            return None
        with self.guard():
            memory = self._device.memory
            head = memory.read_uint(self.driver + ring.avail_entry_offset(self.size, self.next_avail), 2)
            chain = Chain(memory, self.desc, self.size, head, self._negotiated(mmio.VIRTIO_RING_F_INDIRECT_DESC))
            self.next_avail = (self.next_avail + 1) & 0xFFFF
            if self._negotiated(mmio.VIRTIO_RING_F_EVENT_IDX) and not self.waiting:
                memory.write_uint(self.device + ring.avail_event_offset(self.size), self.next_avail, 2)
                self._read_avail_idx()
            return chain
        return None

    def complete(self, chain: Chain, response: bytes, epoch: int | None = None) -> bool:
        """Answer a chain; True when it is used. `epoch`, the queue's when it was taken, tells chains of before a reset."""
        if not self.live or (epoch is not None and epoch != self.epoch):
            return False
        with self.guard():
            memory = self._device.memory
            chain.write(response)
            element = ring.vring_used_elem.pack(id=chain.head, len=len(chain.written))
            memory.write(self.device + ring.used_elem_offset(self.size, self.used_idx), element)
            old, self.used_idx = self.used_idx, (self.used_idx + 1) & 0xFFFF
            memory.write_uint(self.device + ring.vring_used.offset("idx"), self.used_idx, 2)
            self.used_log.append(
                UsedElement(self._device.timeline.now, chain.head, len(chain.written), bytes(chain.written))
            )
            if self._wants_interrupt(old):
                self._device.raise_interrupt(mmio.VIRTIO_MMIO_INT_VRING)
            return True
        return False

    def _wants_interrupt(self, old: int) -> bool:
        memory = self._device.memory
        if self._negotiated(mmio.VIRTIO_RING_F_EVENT_IDX):
            event = memory.read_uint(self.driver + ring.used_event_offset(self.size), 2)
            return ring.vring_need_event(event, self.used_idx, old)
        return not memory.read_uint(self.driver, 2) & ring.VRING_AVAIL_F_NO_INTERRUPT
