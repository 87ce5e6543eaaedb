# SPDX-License-Identifier: Apache-2.0
"""The device's walk along one descriptor chain (docs/device.md "Malformed rings").

Promise: readable bytes, then room for writable ones, whatever the framing: direct, indirect, or direct followed by
indirect, split at any byte. A descriptor is looked at when the buffer before it is taken up, those behind it not yet; a fault
raises `RingFault`, a bus error `BusError`.
"""

from __future__ import annotations

from typing import NamedTuple

from virtone.model.memory import Memory
from virtone.virtio import ring


class RingFault(Exception):
    """The driver's ring breaks a rule; the device needs a reset."""


class _Buffer(NamedTuple):
    address: int
    length: int
    writable: bool


class Chain:
    """One chain, from its head. `size` is the queue size, `indirect_allowed` whether the feature was negotiated."""

    def __init__(self, memory: Memory, desc: int, size: int, head: int, indirect_allowed: bool) -> None:
        if head >= size:
            raise RingFault(f"head {head} is outside the table of {size}")
        self.head = head
        self.written = bytearray()
        self._memory = memory
        self._size = size
        self._indirect_allowed = indirect_allowed
        self._table, self._entries, self._next = desc, size, head
        self._in_indirect = False
        self._count = 0
        self._last = False  # the descriptor looked at last is the chain's last one
        self._ahead: _Buffer | None = None  # looked at, not taken up
        self._address, self._left, self._writable = 0, 0, False  # of the buffer in use

    def look(self) -> _Buffer | None:
        """The buffer behind the one in use; None behind the last one."""
        while self._ahead is None and not self._last:
            self._ahead = self._examine()
        return self._ahead

    def _examine(self) -> _Buffer | None:
        """Judge the next descriptor; None for one that leads to an indirect table."""
        if self._next >= self._entries:
            raise RingFault(f"chain {self.head}: next {self._next} is outside the table of {self._entries}")
        raw = self._memory.read(self._table + self._next * ring.vring_desc.size, ring.vring_desc.size)
        desc = ring.vring_desc.unpack(raw)
        has_next = bool(desc.flags & ring.VRING_DESC_F_NEXT)
        if desc.flags & ring.VRING_DESC_F_INDIRECT:
            self._enter_table(desc.addr, desc.len, has_next)
            return None
        self._count += 1
        if self._count > self._size:
            raise RingFault(f"chain {self.head} has more than {self._size} descriptors")
        if desc.len == 0:
            raise RingFault(f"chain {self.head}: a descriptor has length 0")
        writable = bool(desc.flags & ring.VRING_DESC_F_WRITE)
        if self._writable and not writable:
            raise RingFault(f"chain {self.head}: a readable descriptor follows a writable one")
        self._last, self._next = not has_next, desc.next
        return _Buffer(desc.addr, desc.len, writable)

    def _take(self) -> None:
        """Take up the buffer that was looked at, and look at the one behind it."""
        buffer, self._ahead = self.look(), None
        assert buffer is not None
        self._address, self._left, self._writable = buffer
        self.look()

    def _enter_table(self, address: int, length: int, has_next: bool) -> None:
        if not self._indirect_allowed:
            raise RingFault(f"chain {self.head}: INDIRECT without VIRTIO_RING_F_INDIRECT_DESC")
        if self._in_indirect:
            raise RingFault(f"chain {self.head}: INDIRECT inside an indirect table")
        if has_next:
            raise RingFault(f"chain {self.head}: INDIRECT together with NEXT")
        if length == 0 or length % ring.vring_desc.size:
            raise RingFault(f"chain {self.head}: an indirect table of {length} bytes")
        self._in_indirect = True
        self._table, self._entries, self._next = address, length // ring.vring_desc.size, 0

    def at_end(self) -> bool:
        """No readable byte is left."""
        if self._writable or self._left:
            return self._writable
        ahead = self.look()
        return ahead is None or ahead.writable

    def read(self, count: int) -> bytes:
        """The next `count` readable bytes, fewer only at their end."""
        parts = bytearray()
        while len(parts) < count and (part := self.read_ahead(count - len(parts))):
            parts += part
        return bytes(parts)

    def read_ahead(self, count: int) -> bytes:
        """At most `count` readable bytes of one buffer; when it is used up the next one is taken up at once."""
        self._take_readable()
        size = 0 if self._writable else min(self._left, count)
        data = self._memory.read(self._address, size) if size else b""
        self._address += size
        self._left -= size
        self._take_readable()
        return data

    def _take_readable(self) -> None:
        if self._left == 0 and not self.at_end():
            self._take()

    def skip(self) -> None:
        """Drop the readable rest unread."""
        while not self.at_end():
            self._left = 0
            self._take_readable()

    def write(self, data: bytes) -> None:
        """Response bytes, as many as fit. The readable part must have been taken or skipped."""
        self.skip()
        while data:
            if self._left == 0:
                if self.look() is None:
                    return
                self._take()
            size = min(self._left, len(data))
            self._memory.write(self._address, data[:size])
            self.written += data[:size]
            self._address += size
            self._left -= size
            data = data[size:]
