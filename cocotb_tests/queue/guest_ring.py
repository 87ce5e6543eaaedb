# SPDX-License-Identifier: Apache-2.0
"""The guest's half of one split ring, as free with framing as the specification allows, and as wrong as a test wants."""

from __future__ import annotations

import itertools
import random
import struct
from dataclasses import dataclass, field

from cocotb_tests.queue.memory_port import MemoryPort

NEXT, WRITE, INDIRECT = 1, 2, 4


@dataclass
class Buffer:
    addr: int
    length: int
    write: bool


@dataclass
class GuestRing:
    """Rings of `size` entries placed in `memory`; addresses are deliberately as unaligned as virtio 1.4, 2.7 allows."""

    memory: MemoryPort
    rng: random.Random
    size: int = 16
    desc: int = 0x1_0000_0010
    driver: int = 0x1_0000_4FF6  # even: the ring crosses a page
    device: int = 0x1_0000_6FF4  # multiple of 4: an element crosses a page
    avail_idx: int = 0
    used_seen: int = 0
    free: list[int] = field(default_factory=list)
    chains: dict[int, list[int]] = field(default_factory=dict)
    _heap: int = 0x2_0000_0000

    def __post_init__(self) -> None:
        self.free = list(range(self.size))
        self.rng.shuffle(self.free)

    @property
    def config(self) -> int:
        """queue_cfg_t, packed."""
        return 1 << 208 | self.size << 192 | self.desc << 128 | self.driver << 64 | self.device

    def allocate(self, length: int, align: int = 1) -> int:
        addr = -(-(self._heap + self.rng.randint(0, 40)) // align) * align
        self._heap = addr + length + self.rng.choice([0, 1, 5, 64, 4096])
        return addr

    def split(self, length: int, write: bool, parts: int) -> list[Buffer]:
        """`length` bytes cut at random places into at most `parts` buffers."""
        cuts = sorted(self.rng.sample(range(1, length), min(parts - 1, length - 1))) if length > 1 else []
        edges = [0, *cuts, length]
        sizes = [b - a for a, b in itertools.pairwise(edges)]
        return [Buffer(self.allocate(size), size, write) for size in sizes if size]

    def descriptor(self, table: int, index: int, addr: int, length: int, flags: int, following: int) -> None:
        self.memory.write(table + 16 * index, struct.pack("<QIHH", addr, length, flags, following))

    def add(self, buffers: list[Buffer], indirect: str = "none") -> int:
        """Publishes a chain; `indirect`: none, all, or tail (normal descriptors first, then the table)."""
        direct = {"none": len(buffers), "all": 0, "tail": self.rng.randint(0, len(buffers) - 1)}[indirect]
        slots = [self.free.pop() for _ in range(direct + (indirect != "none"))]
        entries = [(b.addr, b.length, WRITE if b.write else 0) for b in buffers[:direct]]
        if indirect != "none":
            table = self.allocate(16 * (len(buffers) - direct))
            rest = buffers[direct:]
            order = list(range(1, len(rest)))
            self.rng.shuffle(order)
            order = [0, *order]
            for place, (buffer, slot) in enumerate(zip(rest, order, strict=True)):
                last = place == len(rest) - 1
                flags = (WRITE if buffer.write else 0) | (0 if last else NEXT)
                self.descriptor(table, slot, buffer.addr, buffer.length, flags, 0 if last else order[place + 1])
            entries.append((table, 16 * len(rest), INDIRECT))
        for place, ((addr, length, flags), slot) in enumerate(zip(entries, slots, strict=True)):
            last = place == len(entries) - 1
            self.descriptor(
                self.desc, slot, addr, length, flags | (0 if last else NEXT), 0 if last else slots[place + 1]
            )
        self.chains[slots[0]] = slots
        self.publish(slots[0])
        return slots[0]

    def publish(self, head: int) -> None:
        self.memory.write16(self.driver + 4 + 2 * (self.avail_idx % self.size), head)
        self.avail_idx = (self.avail_idx + 1) & 0xFFFF
        self.memory.write16(self.driver + 2, self.avail_idx)

    @property
    def used_idx(self) -> int:
        return self.memory.read16(self.device + 2)

    @property
    def avail_event(self) -> int:
        return self.memory.read16(self.device + 4 + 8 * self.size)

    def set_used_event(self, value: int) -> None:
        self.memory.write16(self.driver + 4 + 2 * self.size, value)

    def collect(self) -> list[tuple[int, int]]:
        """(head, length) of every new used element."""
        found = []
        while self.used_seen != self.used_idx:
            raw = self.memory.read(self.device + 4 + 8 * (self.used_seen % self.size), 8)
            head, length = struct.unpack("<II", raw)
            found.append((head, length))
            self.free.extend(self.chains.pop(head, []))
            self.used_seen = (self.used_seen + 1) & 0xFFFF
        return found
