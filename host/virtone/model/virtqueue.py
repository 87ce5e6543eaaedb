# SPDX-License-Identifier: Apache-2.0
"""The driver's half of a split virtqueue (virtio 1.4, 2.7; behaviour of drivers/virtio/virtio_ring.c).

Promise: `add` exposes a chain to the device, `get_used` hands back what was given with it, in the order of
the used ring. Whether to notify follows EVENT_IDX or `used.flags`, and every used element is checked: an
id that is not outstanding or more bytes than the chain could take raises `RingViolation`.

User's duty: write `notification()` to QueueNotify when `kick_prepare()` says so; service with `disable_interrupts`,
`get_used` until None, `enable_interrupts`, and again if that returns False.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from virtone.model.errors import DeviceIoError, QueueFull
from virtone.model.memory import Memory
from virtone.virtio import mmio, ring

Segment = tuple[int, int, bool]  # (bus address, length in bytes, device-writable)


class RingViolation(DeviceIoError):
    """The device wrote something into the used ring that it must not."""


@dataclass
class _Outstanding:
    token: Any
    descriptors: list[int]
    table: int | None
    writable: int


class Virtqueue:
    """`features` is the negotiated bit map; `size` a power of two. Allocates its rings from `memory`."""

    def __init__(self, memory: Memory, index: int, size: int, features: int) -> None:
        ring.check_num(size)
        self.memory = memory
        self.index = int(index)
        self.size = size
        self.indirect = bool(features >> mmio.VIRTIO_RING_F_INDIRECT_DESC & 1)
        self.event_idx = bool(features >> mmio.VIRTIO_RING_F_EVENT_IDX & 1)
        self.notification_data = bool(features >> mmio.VIRTIO_F_NOTIFICATION_DATA & 1)
        self.desc = memory.alloc(ring.desc_table_size(size), ring.VRING_DESC_ALIGN_SIZE)
        self.avail = memory.alloc(ring.avail_ring_size(size), ring.VRING_AVAIL_ALIGN_SIZE)
        self.used = memory.alloc(ring.used_ring_size(size), ring.VRING_USED_ALIGN_SIZE)
        self.avail_idx = 0  # free-running, modulo 2^16
        self.last_used = 0
        self.kicks = 0
        self._added = 0
        self._interrupts = True
        self._triggered = False  # an interrupt has come: used_event has been passed and need not be moved away
        self._free = list(range(size))  # next one last: what came back last is used first
        self._free.reverse()
        self._outstanding: dict[int, _Outstanding] = {}

    def close(self) -> None:
        """Give the memory back. Only after the device was reset or the queue disabled."""
        for head in list(self._outstanding):
            self._release(head)
        for address in (self.desc, self.avail, self.used):
            self.memory.free(address)

    @property
    def free_descriptors(self) -> int:
        return len(self._free)

    @property
    def outstanding(self) -> int:
        """Chains the device has not used yet."""
        return len(self._outstanding)

    def tokens(self) -> list[Any]:
        """What was given with the outstanding chains, oldest first."""
        return [item.token for item in self._outstanding.values()]

    def add(self, segments: Sequence[Segment], token: Any, indirect: bool | None = None) -> int:
        """Expose one chain, readable segments before writable ones; returns its head. `token` must not be None.

        `indirect` None: as Linux, one table when negotiated and there is more than one segment.
        """
        if not segments or token is None:
            raise ValueError(f"queue {self.index}: a chain needs at least one segment and a token")
        if any(not length for _, length, _ in segments):
            raise ValueError(f"queue {self.index}: a segment of length 0 is no legal descriptor")
        writable = [write for _, _, write in segments]
        if writable != sorted(writable):
            raise ValueError(f"queue {self.index}: a readable segment follows a writable one")
        if indirect is None:
            indirect = self.indirect and len(segments) > 1
        if len(segments) > self.size:
            raise QueueFull(f"queue {self.index}: a chain of {len(segments)} descriptors, the queue has {self.size}")
        needed = 1 if indirect else len(segments)
        if needed > len(self._free):
            raise QueueFull(f"queue {self.index}: {needed} descriptors needed, {len(self._free)} of {self.size} free")
        descriptors = [self._free.pop() for _ in range(needed)]
        table = None
        if indirect:
            table = self.memory.alloc(len(segments) * ring.vring_desc.size, ring.VRING_DESC_ALIGN_SIZE, zero=False)
            self._write_chain(table, list(range(len(segments))), segments)
            length = len(segments) * ring.vring_desc.size
            self.memory.write(
                self.desc + descriptors[0] * ring.vring_desc.size,
                ring.vring_desc.pack(addr=table, len=length, flags=ring.VRING_DESC_F_INDIRECT, next=0),
            )
        else:
            self._write_chain(self.desc, descriptors, segments)
        head = descriptors[0]
        room = sum(length for _, length, write in segments if write)
        self._outstanding[head] = _Outstanding(token, descriptors, table, room)
        self.expose(head)
        return head

    def expose(self, head: int) -> None:
        """Put a head on the avail ring as it is (for tests: nothing is checked)."""
        self.memory.write_uint(self.avail + ring.avail_entry_offset(self.size, self.avail_idx), head, 2)
        self.avail_idx = (self.avail_idx + 1) & 0xFFFF
        self._added += 1
        self.memory.write_uint(self.avail + ring.vring_avail.offset("idx"), self.avail_idx, 2)

    def _write_chain(self, table: int, places: Sequence[int], segments: Sequence[Segment]) -> None:
        for k, (address, length, write) in enumerate(segments):
            last = k == len(segments) - 1
            flags = (ring.VRING_DESC_F_WRITE if write else 0) | (0 if last else ring.VRING_DESC_F_NEXT)
            following = 0 if last else places[k + 1]
            self.memory.write(
                table + places[k] * ring.vring_desc.size,
                ring.vring_desc.pack(addr=address, len=length, flags=flags, next=following),
            )

    def kick_prepare(self) -> bool:
        """Whether the device wants to be notified of what was added since the last call."""
        new, old = self.avail_idx, (self.avail_idx - self._added) & 0xFFFF
        self._added = 0
        if self.event_idx:
            event = self.memory.read_uint(self.used + ring.avail_event_offset(self.size), 2)
            wanted = ring.vring_need_event(event, new, old)
        else:
            wanted = not self.memory.read_uint(self.used, 2) & ring.VRING_USED_F_NO_NOTIFY
        self.kicks += wanted
        return wanted

    def notification(self) -> int:
        """The value for QueueNotify."""
        return mmio.notification(self.index, self.avail_idx) if self.notification_data else self.index

    @property
    def used_idx(self) -> int:
        """`used.idx` as the device has written it."""
        return self.memory.read_uint(self.used + ring.vring_used.offset("idx"), 2)

    def get_used(self) -> tuple[Any, int] | None:
        """(token, bytes written) of the next used chain, or None."""
        if self.used_idx == self.last_used:
            return None
        place = self.used + ring.used_elem_offset(self.size, self.last_used)
        element = ring.vring_used_elem.unpack(self.memory.read(place, ring.vring_used_elem.size))
        item = self._outstanding.get(element.id)
        if item is None:
            raise RingViolation(f"queue {self.index}: used id {element.id} is no outstanding chain")
        if element.len > item.writable:
            raise RingViolation(
                f"queue {self.index}: chain {element.id} used with {element.len} bytes, it has room for {item.writable}"
            )
        self._release(element.id)
        self.last_used = (self.last_used + 1) & 0xFFFF
        if self._interrupts and self.event_idx:
            self._write_used_event(self.last_used)
        return item.token, element.len

    def _release(self, head: int) -> None:
        item = self._outstanding.pop(head)
        self._free.extend(reversed(item.descriptors))
        if item.table is not None:
            self.memory.free(item.table)

    def interrupted(self) -> bool:
        """An interrupt came: whether this queue has something for its callback (vring_interrupt)."""
        more = self.used_idx != self.last_used
        self._triggered |= more and self.event_idx
        return more

    def disable_interrupts(self) -> None:
        """Ask for no used buffer notification (a hint: one may still come).

        With EVENT_IDX there is no such value: an interrupt that came has passed used_event anyway, else Linux writes 0.
        """
        was, self._interrupts = self._interrupts, False
        if not was:
            return
        if self.event_idx:
            if not self._triggered:
                self._write_used_event(0)
        else:
            self.memory.write_uint(self.avail, ring.VRING_AVAIL_F_NO_INTERRUPT, 2)

    def enable_interrupts(self) -> bool:
        """Ask for a notification of the next used chain; False if one is there already."""
        self._interrupts = True
        self._triggered = False
        if self.event_idx:
            self._write_used_event(self.last_used)
        else:
            self.memory.write_uint(self.avail, 0, 2)
        return self.used_idx == self.last_used

    def _write_used_event(self, index: int) -> None:
        self.memory.write_uint(self.avail + ring.used_event_offset(self.size), index, 2)
