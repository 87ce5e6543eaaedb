# SPDX-License-Identifier: Apache-2.0
"""Guest memory, its allocator, and the driver's half of a queue."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtone.model.driver import LINUX_FEATURES
from virtone.model.errors import QueueFull
from virtone.model.memory import PAGE_SIZE, BusError, Memory, OutOfMemory, PageList
from virtone.model.virtqueue import RingViolation, Virtqueue
from virtone.virtio import mmio, ring

EVENT_IDX = 1 << int(mmio.VIRTIO_RING_F_EVENT_IDX)


def test_bounds():
    memory = Memory(8192, base=0x1000)
    memory.write(0x2FFC, b"abcd")
    assert memory.read(0x2FFC, 4) == b"abcd" and memory.read_uint(0x2FFC, 2) == 0x6261
    assert memory.unpack("HH", 0x2FFC) == (0x6261, 0x6463)
    for address, size in ((0xFFF, 1), (0x2FFD, 4), (0x3000, 1), (0, 1), (1 << 63, 8)):
        with pytest.raises(BusError, match=r"guest memory is 0x1000\.\.0x2fff"):
            memory.read(address, size)
        with pytest.raises(BusError):
            memory.write(address, bytes(size))
    with pytest.raises(ValueError, match="multiple of 4096"):
        Memory(8192, base=5)
    with pytest.raises(ValueError, match="read-only"):
        Memory(bytes(8192))


def test_shared_buffers_and_views():
    with mmap.mmap(-1, 16384) as shared:
        memory = Memory(shared)
        memory.view(memory.base, 4, np.uint16)[:] = [1, 2, 3, 4]
        assert shared[:8] == memory.read(memory.base, 8) == bytes([1, 0, 2, 0, 3, 0, 4, 0])
        memory._view.release()
    array = np.zeros(8192, np.uint8)
    Memory(array).write_uint(0x4000_0000, 0x1234, 2)
    assert array[0] == 0x34


@given(st.lists(st.tuples(st.integers(1, 900), st.sampled_from([1, 2, 16, 64, 4096]), st.booleans()), max_size=30))
def test_allocations_never_overlap_and_come_back(wishes):
    memory, held = Memory(1 << 18), []
    for size, align, free in wishes:
        address = memory.alloc(size, align)
        assert address % align == 0
        assert all(address + size <= a or a + n <= address for a, n in held)
        held.append((address, size))
        if free:
            memory.free(held.pop(0)[0])
    for address, _ in held:
        memory.free(address)
    assert memory.allocated() == 0
    assert memory.alloc(memory.size - PAGE_SIZE, 1) == memory.base + PAGE_SIZE
    with pytest.raises(OutOfMemory, match="no 1 bytes"):
        memory.alloc(1)
    with pytest.raises(ValueError, match="nothing is allocated"):
        memory.free(memory.base)


def test_page_list_scatters_and_merges():
    memory = Memory(1 << 18)
    apart, together = PageList(memory, 3 * PAGE_SIZE), PageList(memory, 3 * PAGE_SIZE, contiguous=True)
    assert [n for _, n in apart.segments(100, 2 * PAGE_SIZE)] == [PAGE_SIZE - 100, PAGE_SIZE, 100]
    assert together.segments(100, 2 * PAGE_SIZE) == [(together.pages[0] + 100, 2 * PAGE_SIZE)]
    data = bytes(range(256)) * 40
    apart.write(300, data)
    assert apart.read(300, len(data)) == data
    with pytest.raises(ValueError, match="of a buffer of"):
        apart.segments(0, 3 * PAGE_SIZE + 1)
    apart.free()
    together.free()
    assert memory.allocated() == 0


def queue(features=LINUX_FEATURES, size=4):
    return Virtqueue(Memory(1 << 18), 1, size, features)


def use(q, head, length, index=None):
    """What a device does to the used ring."""
    index = q.used_idx if index is None else index
    q.memory.write(q.used + ring.used_elem_offset(q.size, index), ring.vring_used_elem.pack(id=head, len=length))
    q.memory.write_uint(q.used + 2, (index + 1) & 0xFFFF, 2)


def test_chains_go_out_and_come_back_in_any_order():
    q = queue()
    heads = [q.add([(0x5000, 4, False), (0x6000, 8, True)], token=name) for name in "abcd"]
    with pytest.raises(QueueFull, match="ENOSPC: queue 1: 1 descriptors needed, 0 of 4 free"):
        q.add([(0x5000, 4, False)], token="e")
    for head in (heads[2], heads[0]):
        use(q, head, 8)
    assert [q.get_used(), q.get_used(), q.get_used()] == [("c", 8), ("a", 8), None]
    assert q.outstanding == 2 and q.tokens() == ["b", "d"] and q.free_descriptors == 2


def test_used_ring_is_checked():
    q = queue()
    head = q.add([(0x5000, 4, False), (0x6000, 8, True)], token="a")
    use(q, head ^ 1, 8)
    with pytest.raises(RingViolation, match="no outstanding chain"):
        q.get_used()
    use(q, head, 9, index=0)
    with pytest.raises(RingViolation, match="9 bytes, it has room for 8"):
        q.get_used()


@pytest.mark.parametrize("segments", [[], [(0, 0, False)], [(0, 4, True), (0, 4, False)]])
def test_illegal_chains_are_refused(segments):
    with pytest.raises(ValueError):
        queue().add(segments, token="a")


def test_direct_chains_when_indirect_is_not_negotiated():
    q = queue(LINUX_FEATURES & ~(1 << mmio.VIRTIO_RING_F_INDIRECT_DESC))
    q.add([(0x5000, 4, False), (0x6000, 8, True), (0x7000, 8, True)], token="a")
    assert q.free_descriptors == 1
    with pytest.raises(QueueFull, match="2 descriptors needed, 1 of 4 free"):
        q.add([(0x5000, 4, False), (0x6000, 8, True)], token="b")


@pytest.mark.parametrize("start", (0, 0xFFFE))
def test_kick_follows_avail_event(start):
    q = queue(size=8)
    q.avail_idx = start

    def event(value):
        q.memory.write_uint(q.used + ring.avail_event_offset(8), (start + value) & 0xFFFF, 2)

    for published, added, kick in ((0, 1, True), (0, 1, False), (2, 1, True), (2, 2, False), (6, 2, True)):
        event(published)
        for _ in range(added):
            q.add([(0x5000, 4, False)], token="a")
        assert q.kick_prepare() is kick
    assert not q.kick_prepare()
    assert q.notification() == 1 | (start + 7 & 0xFFFF) << 16


def test_kick_follows_used_flags_without_event_idx():
    q = queue(LINUX_FEATURES & ~EVENT_IDX & ~(1 << mmio.VIRTIO_F_NOTIFICATION_DATA))
    for flags, kick in ((0, True), (1, False), (0, True)):
        q.memory.write_uint(q.used, flags, 2)
        q.add([(0x5000, 4, False)], token="a")
        assert q.kick_prepare() is kick
    assert q.notification() == 1


@pytest.mark.parametrize("event_idx", (True, False))
def test_interrupt_suppression(event_idx):
    q = queue(LINUX_FEATURES if event_idx else LINUX_FEATURES & ~EVENT_IDX)
    heads = [q.add([(0x5000, 4, False)], token=name) for name in "ab"]
    used_event = q.avail + ring.used_event_offset(4)
    q.disable_interrupts()
    assert q.memory.read_uint(q.avail, 2) == (0 if event_idx else 1)
    use(q, heads[0], 0)
    assert q.get_used() == ("a", 0) and q.memory.read_uint(used_event, 2) == 0
    assert q.enable_interrupts() and q.memory.read_uint(q.avail, 2) == 0
    if event_idx:
        assert q.memory.read_uint(used_event, 2) == 1
    use(q, heads[1], 0)
    assert q.interrupted()
    q.disable_interrupts()  # with EVENT_IDX the interrupt has passed used_event: it stays
    assert q.memory.read_uint(used_event, 2) == (1 if event_idx else 0)
    assert not q.enable_interrupts()
