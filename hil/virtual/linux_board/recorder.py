# SPDX-License-Identifier: Apache-2.0
"""A recorder at the modelled device: every register access, every exposed chain, every used element, every interrupt, in order.

Promise: it changes and delays nothing, and does not care who the driver is: Linux behind the bridge, or the reference driver. A chain
is recorded when the device could first have seen it: at the next register access, look at the avail ring, or completion. So what
a driver exposes without a notification is placed to within one look (one frame while a stream is polled).

User's duty: attached before the first access. `section` begins a section (see `hil.recordings.records`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hil.recordings.records import Access, Exposed, Interrupt, Record, Section, Segment, Used
from virtone.model.device import SoundDevice
from virtone.model.device_queue import DeviceQueue
from virtone.virtio import ring, snd

_CONTROL, _EVENT, _TX, _RX = (
    int(index)
    for index in (snd.VIRTIO_SND_VQ_CONTROL, snd.VIRTIO_SND_VQ_EVENT, snd.VIRTIO_SND_VQ_TX, snd.VIRTIO_SND_VQ_RX)
)
_LOOK_ORDER = (
    _TX,
    _RX,
    _EVENT,
    _CONTROL,
)  # a request is notified as soon as it is exposed: what else is new came before it


class Recorder:
    """`records` grows while the device works."""

    def __init__(self, device: SoundDevice, first_section: str) -> None:
        self.records: list[Record] = [Section(first_section)]
        self._device = device
        self._seen = [(-1, 0)] * len(device.queues)  # epoch of the queue, avail index seen
        self._wrap_registers()
        self._wrap_interrupt()
        for queue in device.queues:
            self._wrap_queue(queue)

    def begin_anew(self) -> None:
        """Forget what was recorded in the section that is open."""
        while not isinstance(self.records[-1], Section):
            self.records.pop()

    def section(self, name: str) -> None:
        self._look()
        self.records.append(Section(name))

    # -- taps ---------------------------------------------------------------------------------------------------------
    def _wrap_registers(self) -> None:
        device = self._device
        read, write = device.read, device.write

        def reading(offset: int, size: int) -> int:
            self._look()
            value = read(offset, size)
            self.records.append(Access(False, offset, size, value))
            return value

        def writing(offset: int, value: int, size: int) -> None:
            self._look()
            self.records.append(Access(True, offset, size, value))
            write(offset, value, size)

        _replace(device, read=reading, write=writing)

    def _wrap_interrupt(self) -> None:
        raise_interrupt = self._device.raise_interrupt

        def raising(bit: int) -> None:
            was_low = not self._device.interrupt_status
            raise_interrupt(bit)
            if was_low:
                self.records.append(Interrupt(self._device.interrupt_status))

        _replace(self._device, raise_interrupt=raising)

    def _wrap_queue(self, queue: DeviceQueue) -> None:
        complete, read_avail_idx = queue.complete, queue._read_avail_idx

        def completing(*arguments: Any) -> bool:
            self._look_at(queue)
            at = len(self.records)
            done = complete(*arguments)
            if done:  # the element is written before the interrupt it may have raised
                self.records.insert(at, self._used(queue))
            return done

        def looking() -> None:
            read_avail_idx()
            self._look_at(queue)

        _replace(queue, complete=completing, _read_avail_idx=looking)

    # -- rings --------------------------------------------------------------------------------------------------------
    def _used(self, queue: DeviceQueue) -> Used:
        element = queue.used_log[-1]
        status = int.from_bytes(element.response[:4], "little") if len(element.response) >= 4 else None
        event = self._device.memory.read_uint(queue.driver + ring.used_event_offset(queue.size), 2)
        distance = (event - queue.used_idx + 0x8000 & 0xFFFF) - 0x8000
        return Used(queue.index, element.head, element.length, status, distance)

    def _look(self) -> None:
        for index in _LOOK_ORDER:
            self._look_at(self._device.queues[index])

    def _look_at(self, queue: DeviceQueue) -> None:
        """Record what has become visible on the avail ring."""
        if not queue.ready or queue.leaving or queue.stopped:
            return
        memory = self._device.memory
        epoch, seen = self._seen[queue.index]
        if epoch != queue.epoch:
            seen = 0
        index = memory.read_uint(queue.driver + ring.vring_avail.offset("idx"), 2)
        if (index - seen & 0xFFFF) > queue.size:
            return  # malformed: the device says so
        while seen != index:
            head = memory.read_uint(queue.driver + ring.avail_entry_offset(queue.size, seen), 2)
            self.records.append(self._chain(queue, head))
            seen = seen + 1 & 0xFFFF
        self._seen[queue.index] = (queue.epoch, seen)

    def _chain(self, queue: DeviceQueue, head: int) -> Exposed:
        memory, size = self._device.memory, ring.vring_desc.size
        table, entries, at, indirect = queue.desc, queue.size, head, False
        segments: list[Segment] = []
        readable = b""
        while at < entries and len(segments) < queue.size:
            desc = ring.vring_desc.unpack(memory.read(table + at * size, size))
            if desc.flags & ring.VRING_DESC_F_INDIRECT:
                table, entries, at, indirect = desc.addr, desc.len // size, 0, True
                continue
            writable = bool(desc.flags & ring.VRING_DESC_F_WRITE)
            payload = queue.index == _TX and bool(segments) and not writable
            segments.append(Segment(desc.len, writable, desc.addr if payload else 0))
            if not writable and not payload:
                readable += memory.read(desc.addr, desc.len)
            if not desc.flags & ring.VRING_DESC_F_NEXT:
                break
            at = desc.next
        return Exposed(queue.index, head, indirect, tuple(segments), readable)


def _replace(target: object, **methods: Callable[..., Any]) -> None:
    for name, method in methods.items():
        setattr(target, name, method)
