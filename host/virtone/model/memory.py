# SPDX-License-Identifier: Apache-2.0
"""Guest memory: bytes at bus addresses, with an allocator for driver code.

Promise: every access outside the memory raises `BusError` (an AXI error response on the device's side),
and the allocator never hands out a byte twice. `read` and `write` are the only ways in and out besides numpy
views, so a subclass that overrides them sees all traffic of the models.

User's duty: the buffer may be shared (mmap of a file another process maps); its first page is never allocated, so
that a zero address stays a mistake.
"""

from __future__ import annotations

import struct
from bisect import insort
from typing import Any

import numpy as np

PAGE_SIZE = 4096


class BusError(Exception):
    """An access that no memory answers. `address` and `size` in bytes."""

    def __init__(self, address: int, size: int, base: int, length: int) -> None:
        super().__init__(f"access of {size} bytes at {address:#x}: guest memory is {base:#x}..{base + length - 1:#x}")
        self.address = address
        self.size = size


class OutOfMemory(Exception):
    """The allocator has no free area of the wanted size and alignment."""


class Memory:
    """`buffer`: anything writable with the buffer protocol (bytearray, mmap, numpy uint8), or a size in bytes."""

    def __init__(self, buffer: Any = 4 << 20, base: int = 0x4000_0000) -> None:
        self._view = memoryview(bytearray(buffer) if isinstance(buffer, int) else buffer).cast("B")
        if self._view.readonly:
            raise ValueError("guest memory needs a writable buffer, this one is read-only")
        if base % PAGE_SIZE:
            raise ValueError(f"guest memory base {base:#x}: would have to be a multiple of {PAGE_SIZE}")
        self.base = base
        self.size = len(self._view)
        self._free: list[tuple[int, int]] = [(base + PAGE_SIZE, self.size - PAGE_SIZE)]  # (address, length), sorted
        self._used: dict[int, int] = {}

    def _offset(self, address: int, size: int) -> int:
        offset = address - self.base
        if size < 0 or offset < 0 or offset + size > self.size:
            raise BusError(address, size, self.base, self.size)
        return offset

    def read(self, address: int, size: int) -> bytes:
        offset = self._offset(address, size)
        return bytes(self._view[offset : offset + size])

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        offset = self._offset(address, len(data))
        self._view[offset : offset + len(data)] = data

    def read_uint(self, address: int, size: int) -> int:
        """Little-endian unsigned integer of `size` bytes."""
        return int.from_bytes(self.read(address, size), "little")

    def write_uint(self, address: int, value: int, size: int) -> None:
        self.write(address, value.to_bytes(size, "little"))

    def unpack(self, layout: str, address: int) -> tuple[Any, ...]:
        """`struct.unpack` at an address; `layout` without byte order, little-endian is added."""
        layout = "<" + layout
        return struct.unpack(layout, self.read(address, struct.calcsize(layout)))

    def view(self, address: int, count: int, dtype: Any = np.uint8) -> np.ndarray:
        """numpy view (no copy) of `count` elements of `dtype`, little-endian on this host."""
        size = count * np.dtype(dtype).itemsize
        offset = self._offset(address, size)
        return np.frombuffer(self._view[offset : offset + size], dtype=dtype)

    def snapshot(self) -> bytes:
        return bytes(self._view)

    def alloc(self, size: int, align: int = 16, zero: bool = True) -> int:
        """Address of `size` free bytes, a multiple of `align` (a power of two); first fit, zeroed if `zero`."""
        if size <= 0 or align <= 0 or align & (align - 1):
            raise ValueError(f"alloc of {size} bytes aligned to {align}: size must be positive, align a power of two")
        for index, (start, length) in enumerate(self._free):
            address = (start + align - 1) & -align
            gap = address - start
            if gap + size > length:
                continue
            rest = [(start, gap), (address + size, length - gap - size)]
            self._free[index : index + 1] = [area for area in rest if area[1]]
            self._used[address] = size
            if zero:
                self.write(address, bytes(size))
            return address
        raise OutOfMemory(f"no {size} bytes aligned to {align} left of {self.size} bytes of guest memory")

    def alloc_pages(self, count: int, contiguous: bool = True) -> list[int]:
        """`count` pages. Not contiguous: in an order in which no page follows its predecessor in memory."""
        if contiguous:
            first = self.alloc(count * PAGE_SIZE, PAGE_SIZE)
            # Each page is its own allocation, so that it can be freed alone.
            del self._used[first]
            pages = [first + i * PAGE_SIZE for i in range(count)]
            self._used.update(dict.fromkeys(pages, PAGE_SIZE))
            return pages
        return [self.alloc(PAGE_SIZE, PAGE_SIZE) for _ in range(count)][::-1]

    def free(self, address: int) -> None:
        size = self._used.pop(address, None)
        if size is None:
            raise ValueError(f"free of {address:#x}: nothing is allocated there")
        insort(self._free, (address, size))
        merged: list[tuple[int, int]] = []
        for start, length in self._free:
            if merged and merged[-1][0] + merged[-1][1] == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + length)
            else:
                merged.append((start, length))
        self._free = merged

    def allocated(self) -> int:
        """Bytes handed out and not freed."""
        return sum(self._used.values())


class PageList:
    """A buffer of pages, contiguous for the CPU and scattered for the device (vmalloc).

    `segments` is what a driver gives the device: one (address, length) per physically contiguous part.
    """

    def __init__(self, memory: Memory, size: int, contiguous: bool = False) -> None:
        if size <= 0:
            raise ValueError(f"a buffer of {size} bytes: would have to be positive")
        self.memory = memory
        self.size = size
        self.pages = memory.alloc_pages(-(-size // PAGE_SIZE), contiguous)

    def segments(self, offset: int, length: int) -> list[tuple[int, int]]:
        if offset < 0 or length <= 0 or offset + length > self.size:
            raise ValueError(f"bytes {offset}..{offset + length} of a buffer of {self.size} bytes")
        result: list[tuple[int, int]] = []
        while length:
            page, inside = divmod(offset, PAGE_SIZE)
            size = min(PAGE_SIZE - inside, length)
            address = self.pages[page] + inside
            if result and sum(result[-1]) == address:
                result[-1] = (result[-1][0], result[-1][1] + size)
            else:
                result.append((address, size))
            offset += size
            length -= size
        return result

    def write(self, offset: int, data: bytes | memoryview) -> None:
        done = 0
        for address, size in self.segments(offset, len(data)):
            self.memory.write(address, data[done : done + size])
            done += size

    def read(self, offset: int, length: int) -> bytes:
        return b"".join(self.memory.read(address, size) for address, size in self.segments(offset, length))

    def free(self) -> None:
        for page in self.pages:
            self.memory.free(page)
        self.pages = []
