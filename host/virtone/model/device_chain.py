# SPDX-License-Identifier: Apache-2.0
"""The device's walk along one descriptor chain (docs/device.md "Malformed rings").

Promise: readable bytes, then room for writable ones, whatever the framing: direct, indirect, or direct followed by
indirect, split at any byte. Descriptors are read as their bytes are needed, one ahead of the buffer in use; a fault raises
`RingFault`, a bus error `BusError`. What lies behind is not looked at.

User's duty: `finish` before the used element: it looks at the descriptor behind the last buffer written to.
"""

from __future__ import annotations

from virtone.model.memory import Memory
from virtone.virtio import ring


class RingFault(Exception):
    """The driver's ring breaks a rule; the device needs a reset."""


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
        self._last = False  # the current descriptor is the last one
        self._address, self._left, self._writable = 0, 0, False

    def _advance(self) -> bool:
        """Go to the next data descriptor; False behind the last one."""
        while True:
            if self._last:
                return False
            if self._next >= self._entries:
                raise RingFault(f"chain {self.head}: next {self._next} is outside the table of {self._entries}")
            raw = self._memory.read(self._table + self._next * ring.vring_desc.size, ring.vring_desc.size)
            desc = ring.vring_desc.unpack(raw)
            has_next = bool(desc.flags & ring.VRING_DESC_F_NEXT)
            if desc.flags & ring.VRING_DESC_F_INDIRECT:
                self._enter_table(desc.addr, desc.len, has_next)
                continue
            self._count += 1
            if self._count > self._size:
                raise RingFault(f"chain {self.head} has more than {self._size} descriptors")
            if desc.len == 0:
                raise RingFault(f"chain {self.head}: a descriptor has length 0")
            writable = bool(desc.flags & ring.VRING_DESC_F_WRITE)
            if self._writable and not writable:
                raise RingFault(f"chain {self.head}: a readable descriptor follows a writable one")
            self._last, self._next = not has_next, desc.next
            self._address, self._left, self._writable = desc.addr, desc.len, writable
            return True

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
        while not self._writable and self._left == 0:
            if not self._advance():
                return True
        return self._writable

    def read(self, count: int) -> bytes:
        """The next `count` readable bytes, fewer only at their end."""
        parts = bytearray()
        while len(parts) < count and not self.at_end():
            size = min(self._left, count - len(parts))
            parts += self._memory.read(self._address, size)
            self._address += size
            self._left -= size
        return bytes(parts)

    def read_ahead(self, count: int) -> bytes:
        """At most `count` readable bytes of one buffer, and a look at the descriptor behind it when it is used up."""
        if self.at_end():
            return b""
        data = self.read(min(count, self._left))
        self.at_end()
        return data

    def skip(self) -> None:
        """Drop the readable rest unread."""
        while not self.at_end():
            self._left = 0

    def write(self, data: bytes) -> None:
        """Response bytes, as many as fit. The readable part must have been taken or skipped."""
        self.skip()
        while data:
            while self._left == 0:
                if not self._advance():
                    return
            size = min(self._left, len(data))
            self._memory.write(self._address, data[:size])
            self.written += data[:size]
            self._address += size
            self._left -= size
            data = data[size:]

    def finish(self) -> None:
        """Look at the descriptor behind the last buffer written to."""
        if self.written:
            self._advance()
            self._left = 0
