# SPDX-License-Identifier: Apache-2.0
"""Every malformed ring of docs/device.md: DEVICE_NEEDS_RESET, a configuration interrupt, nothing on the used ring, the others go on."""

from __future__ import annotations

import pytest

from virtone.model.driver import LINUX_FEATURES
from virtone.model.errors import NeedsReset
from virtone.virtio import mmio, ring, snd

NEXT, WRITE, INDIRECT = ring.VRING_DESC_F_NEXT, ring.VRING_DESC_F_WRITE, ring.VRING_DESC_F_INDIRECT
NEEDS_RESET = mmio.VIRTIO_CONFIG_S_NEEDS_RESET
SIZE = 8
OUTSIDE = 0x1000


class Builder:
    """Writes descriptors by hand into the control queue, and heads onto its avail ring."""

    def __init__(self, world):
        self.world = world
        self.queue = world.driver.ctlq
        self.request = world.memory.alloc(64)
        self.reply = world.memory.alloc(64)
        world.memory.write(self.request, snd.virtio_snd_pcm_hdr.pack(hdr=snd.VIRTIO_SND_R_PCM_STOP, stream_id=0))

    def desc(self, index, addr, length, flags=0, following=0, table=None):
        place = (self.queue.desc if table is None else table) + index * 16
        self.world.memory.write(place, ring.vring_desc.pack(addr=addr, len=length, flags=flags, next=following))

    def table(self, *entries):
        """An indirect table of (addr, len, flags, next); returns its address."""
        address = self.world.memory.alloc(16 * len(entries))
        for k, entry in enumerate(entries):
            self.desc(k, *entry, table=address)
        return address

    def good(self, first=0):
        self.desc(first, self.request, 8, NEXT, first + 1)
        self.desc(first + 1, self.reply, 4, WRITE)


def next_outside(b):
    b.desc(0, b.request, 8, NEXT, SIZE)


def loop(b):
    b.desc(0, b.request, 1, NEXT, 1)
    b.desc(1, b.request, 1, NEXT, 0)


def loop_of_writable(b):
    b.desc(
        0, b.table(*[(b.request + k, 1, NEXT, k + 1) for k in range(7)], (b.reply, 1, NEXT | WRITE, 7)), 128, INDIRECT
    )


def length_zero(b):
    b.desc(0, b.request, 0, NEXT, 1)
    b.desc(1, b.reply, 4, WRITE)


def length_zero_behind_the_response(b):
    b.good()
    b.desc(1, b.reply, 4, WRITE | NEXT, 2)
    b.desc(2, b.reply, 0, WRITE)


def readable_after_writable(b):
    b.desc(0, b.request, 8, NEXT, 1)
    b.desc(1, b.reply, 4, WRITE | NEXT, 2)
    b.desc(2, b.request, 4)


def indirect_too_long(b):
    entries = [(b.request, 1, NEXT, k + 1) for k in range(SIZE)] + [(b.reply, 4, WRITE, 0)]
    b.desc(0, b.table(*entries), 16 * len(entries), INDIRECT)


def direct_and_indirect_too_long(b):
    for k in range(4):
        b.desc(k, b.request, 2, NEXT, k + 1)
    entries = [(b.reply, 1, WRITE | NEXT, k + 1) for k in range(4)] + [(b.reply, 1, WRITE, 0)]
    b.desc(4, b.table(*entries), 16 * len(entries), INDIRECT)


def loop_in_table(b):
    b.desc(0, b.table((b.request, 1, NEXT, 1), (b.request, 1, NEXT, 0)), 32, INDIRECT)


def next_outside_table(b):
    b.desc(0, b.table((b.request, 8, NEXT, 2), (b.reply, 4, WRITE, 0)), 32, INDIRECT)


def nested_indirect(b):
    inner = b.table((b.request, 8, NEXT, 1), (b.reply, 4, WRITE, 0))
    b.desc(0, b.table((inner, 32, INDIRECT, 0)), 16, INDIRECT)


def indirect_with_next(b):
    b.desc(0, b.table((b.request, 8, NEXT, 1), (b.reply, 4, WRITE, 0)), 32, INDIRECT | NEXT, 1)
    b.desc(1, b.reply, 4, WRITE)


def table_of_no_length(b):
    b.desc(0, b.table((b.request, 8, 0, 0)), 0, INDIRECT)


def table_of_odd_length(b):
    b.desc(0, b.table((b.request, 8, NEXT, 1), (b.reply, 4, WRITE, 0)), 31, INDIRECT)


def request_at_no_memory(b):
    b.good()
    b.desc(0, OUTSIDE, 8, NEXT, 1)


def reply_at_no_memory(b):
    b.good()
    b.desc(1, OUTSIDE, 4, WRITE)


def table_at_no_memory(b):
    b.desc(0, OUTSIDE, 32, INDIRECT)


def buffer_over_the_end(b):
    b.good()
    memory = b.world.memory
    last = memory.base + memory.size - 4
    memory.write(last, snd.virtio_snd_hdr.pack(code=snd.VIRTIO_SND_R_PCM_STOP))
    b.desc(0, last, 8, NEXT, 1)


CHAINS = (
    next_outside, loop, loop_of_writable, length_zero, length_zero_behind_the_response, readable_after_writable,
    indirect_too_long, direct_and_indirect_too_long, loop_in_table, next_outside_table, nested_indirect,
    indirect_with_next, table_of_no_length, table_of_odd_length, request_at_no_memory, reply_at_no_memory,
    table_at_no_memory, buffer_over_the_end,
)  # fmt: skip


def provoke(world, build, expose=lambda queue: queue.expose(0)):
    """Probe, expose what `build` has written, notify; the fault must be found and everything else must stay right."""

    async def main():
        await world.driver.probe()
        queue = world.driver.ctlq
        answered = len(world.device.ctlq.used_log)
        builder = Builder(world)
        build(builder)
        expose(queue)
        await world.driver.transport.notify(queue)
        await world.sleep(20_000)
        assert await world.driver.transport.status() & NEEDS_RESET
        assert world.driver.transport.needs_reset
        assert len(world.device.ctlq.used_log) == answered and queue.used_idx == queue.last_used
        # The queue has stopped for good, and the driver says so.
        builder.good(4)
        queue.expose(4)
        await world.driver.transport.notify(queue)
        await world.sleep(20_000)
        assert len(world.device.ctlq.used_log) == answered
        with pytest.raises(NeedsReset, match="EIO"):
            await world.driver.control.request(bytes(8))
        # The other queues go on: a message for nobody is answered.
        address = world.memory.alloc(16)
        world.driver.txq.add([(address, 3, False), (address + 8, 8, True)], token=world)
        world.driver.transport._callbacks.pop(int(snd.VIRTIO_SND_VQ_TX))
        await world.driver.transport.kick(world.driver.txq)
        await world.sleep(20_000)
        assert len(world.device.txq.used_log) == 1
        # A reset heals.
        await world.driver.transport.reset()
        world.driver.substreams.clear()
        await world.driver.probe()
        assert await world.set_params() == snd.VIRTIO_SND_S_OK

    world.run(main())


@pytest.mark.parametrize("build", CHAINS, ids=lambda f: f.__name__)
def test_malformed_chain(make_world, build):
    provoke(make_world(queue_size=SIZE), build)


@pytest.mark.parametrize("build", CHAINS, ids=lambda f: f.__name__)
def test_malformed_chain_without_event_idx_and_data(make_world, build):
    features = LINUX_FEATURES & ~(1 << mmio.VIRTIO_RING_F_EVENT_IDX) & ~(1 << mmio.VIRTIO_F_NOTIFICATION_DATA)
    provoke(make_world(queue_size=SIZE, features=features), build)


def test_indirect_not_negotiated(make_world):
    world = make_world(queue_size=SIZE, features=LINUX_FEATURES & ~(1 << mmio.VIRTIO_RING_F_INDIRECT_DESC))
    provoke(world, lambda b: b.desc(0, b.table((b.request, 8, NEXT, 1), (b.reply, 4, WRITE, 0)), 32, INDIRECT))


@pytest.mark.parametrize("head", (SIZE, 0xFFFF))
def test_head_outside(make_world, head):
    provoke(make_world(queue_size=SIZE), lambda b: b.good(), lambda queue: queue.expose(head))


@pytest.mark.parametrize("ahead", (SIZE + 1, 0x8000, 0xFFFF))
def test_avail_index_too_far_ahead(make_world, ahead):
    def expose(queue):
        queue.avail_idx = (queue.avail_idx + ahead) & 0xFFFF
        queue.memory.write_uint(queue.avail + 2, queue.avail_idx, 2)

    provoke(make_world(queue_size=SIZE), lambda b: b.good(), expose)


def test_the_legal_extremes_are_no_faults(make_world):
    """Exactly QueueSize descriptors, direct and indirect; direct followed by indirect; WRITE on INDIRECT; unused entries."""
    world = make_world(queue_size=SIZE)

    def direct(b):
        for k in range(7):
            b.desc(k, b.request + k, 1 if k < 6 else 2, NEXT, k + 1)
        b.desc(7, b.reply, 4, WRITE)

    def indirect(b):
        entries = [(b.request + k, 1, NEXT, k + 1) for k in range(6)] + [
            (b.request + 6, 2, NEXT, 7),
            (b.reply, 4, WRITE, 0),
        ]
        b.desc(0, b.table(*entries), 16 * 8, INDIRECT | WRITE)

    def mixed(b):
        b.desc(0, b.request, 3, NEXT, 5)
        b.desc(
            5, b.table((b.request + 3, 5, NEXT, 2), (0, 0, 0xFFFF, 0xFFFF), (b.reply, 4, WRITE, 0xFFFF)), 48, INDIRECT
        )

    async def main():
        await world.driver.probe()
        queue = world.driver.ctlq
        world.driver.transport._callbacks.pop(int(snd.VIRTIO_SND_VQ_CONTROL))
        for n, build in enumerate((direct, indirect, mixed), start=len(world.device.ctlq.used_log) + 1):
            builder = Builder(world)
            build(builder)
            queue.expose(0)
            await world.driver.transport.notify(queue)
            await world.sleep(20_000)
            assert len(world.device.ctlq.used_log) == n, (build, world.device.ctlq.fault)
            assert world.memory.read(builder.reply, 4) == snd.virtio_snd_hdr.pack(code=snd.VIRTIO_SND_S_BAD_MSG)

    world.run(main())


def behind_the_next(b):
    b.good()
    b.desc(1, b.reply, 4, WRITE | NEXT, 2)
    b.desc(2, b.reply + 4, 4, WRITE | NEXT, 3)
    b.desc(3, b.reply + 8, 0, WRITE)


def loop_behind(b):
    b.good()
    b.desc(1, b.reply, 4, WRITE | NEXT, 1)


def next_of_the_next(b):
    b.good()
    b.desc(1, b.reply, 4, WRITE | NEXT, 2)
    b.desc(2, b.reply + 4, 4, WRITE | NEXT, SIZE)


@pytest.mark.parametrize("build", (behind_the_next, loop_behind, next_of_the_next), ids=lambda f: f.__name__)
def test_what_lies_behind_the_last_byte_needed_is_not_looked_at(make_world, build):
    world = make_world(queue_size=SIZE)

    async def main():
        await world.driver.probe()
        world.driver.transport._callbacks.pop(int(snd.VIRTIO_SND_VQ_CONTROL))
        builder = Builder(world)
        build(builder)
        answered = len(world.device.ctlq.used_log)
        world.driver.ctlq.expose(0)
        await world.driver.transport.notify(world.driver.ctlq)
        await world.sleep(20_000)
        assert not world.driver.transport.needs_reset
        assert [used.length for used in world.device.ctlq.used_log[answered:]] == [4]

    world.run(main())


def test_a_late_fault_of_a_message_is_found_late(world, frames_of):
    """The fault is found when the buffer before it is taken up; what is in the FIFO plays, the message never completes."""

    async def main():
        pcm = await world.open()
        queue, frames = world.driver.txq, 200
        address = world.memory.alloc(4 + 4 * frames)
        world.memory.write(address, snd.virtio_snd_pcm_xfer.pack(stream_id=0) + frames_of(frames, 4))
        half = 4 + 2 * frames
        buffers = [(address, half, NEXT, 1), (address + half, 2 * frames, NEXT, 2), (address, 0, WRITE, 0)]
        for k, (addr, length, flags, following) in enumerate(buffers):
            desc = ring.vring_desc.pack(addr=addr, len=length, flags=flags, next=following)
            world.memory.write(queue.desc + 16 * k, desc)
        queue.expose(0)
        await world.driver.transport.notify(queue)
        await world.sleep(20_000)
        assert not world.driver.transport.needs_reset
        await pcm.substream.trigger("start")
        await world.sleep(10e6)
        assert world.driver.transport.needs_reset

    world.run(main())
    assert 100 - 36 <= len(world.device.frames) <= 100 and not world.device.txq.used_log
