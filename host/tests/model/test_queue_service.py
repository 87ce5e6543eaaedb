# SPDX-License-Identifier: Apache-2.0
"""Queue service of docs/device.md as memory sees it: order and place of every write, and when the device looks."""

from __future__ import annotations

import pytest

from virtone.model.driver import LINUX_FEATURES
from virtone.virtio import mmio, ring, snd

EVENT_IDX = 1 << int(mmio.VIRTIO_RING_F_EVENT_IDX)
DATA = 1 << int(mmio.VIRTIO_F_NOTIFICATION_DATA)


class Trace:
    """Records every access the device makes; the driver's own are left out because it is told when to look."""

    def __init__(self, memory, monkeypatch):
        self.reads, self.writes = [], []
        read, write = memory.read, memory.write
        monkeypatch.setattr(memory, "read", lambda a, n: (self.reads.append((a, n)), read(a, n))[1])
        monkeypatch.setattr(memory, "write", lambda a, d: (self.writes.append((a, bytes(d))), write(a, d))[1])

    def clear(self):
        self.reads.clear()
        self.writes.clear()


def places(queue):
    return {
        "element": queue.used + ring.used_elem_offset(queue.size, queue.last_used),
        "idx": queue.used + 2,
        "avail_event": queue.used + ring.avail_event_offset(queue.size),
        "avail_idx": queue.avail + 2,
        "used_event": queue.avail + ring.used_event_offset(queue.size),
    }


async def probe_quietly(world, index=0):
    """Probe, then nobody serves interrupts of the queue."""
    await world.driver.probe()
    world.driver.transport._callbacks.clear()
    return world.driver.transport.queues[index]


def add_request(world, queue):
    address = world.memory.alloc(64)
    world.memory.write(address, snd.virtio_snd_pcm_hdr.pack(hdr=snd.VIRTIO_SND_R_PCM_STOP, stream_id=0))
    queue.add([(address, 8, False), (address + 32, 4, True)], token=queue, indirect=False)
    return address + 32


@pytest.mark.parametrize("event_idx", (True, False))
def test_completion_is_written_in_order(make_world, monkeypatch, event_idx):
    world = make_world(features=LINUX_FEATURES if event_idx else LINUX_FEATURES & ~EVENT_IDX)

    async def main():
        queue = await probe_quietly(world)
        reply = add_request(world, queue)
        at = places(queue)
        head = int.from_bytes(
            world.memory.read(queue.avail + ring.avail_entry_offset(queue.size, queue.avail_idx - 1), 2), "little"
        )
        trace = Trace(world.memory, monkeypatch)
        await world.driver.transport.notify(queue)
        await world.sleep(10_000)
        expected = [
            (reply, snd.virtio_snd_hdr.pack(code=snd.VIRTIO_SND_S_BAD_MSG)),
            (at["element"], ring.vring_used_elem.pack(id=head, len=4)),
            (at["idx"], (queue.last_used + 1).to_bytes(2, "little")),
        ]
        if event_idx:
            expected.insert(0, (at["avail_event"], queue.avail_idx.to_bytes(2, "little")))
        assert trace.writes == expected
        last = trace.reads[-1]
        assert last == ((at["used_event"], 2) if event_idx else (queue.avail, 2))
        if event_idx:
            assert (at["avail_idx"], 2) in trace.reads  # read again after avail_event was written
        trace.clear()

    world.run(main())


@pytest.mark.parametrize("data", ("right", "stale", "beyond", "not_negotiated"))
def test_notified_index_is_used_only_when_it_lies_ahead(make_world, monkeypatch, data):
    features = LINUX_FEATURES & ~EVENT_IDX
    world = make_world(features=features & ~DATA if data == "not_negotiated" else features, queue_size=8)

    async def main():
        queue = await probe_quietly(world)
        add_request(world, queue)
        at = places(queue)
        index = {"right": queue.avail_idx, "stale": queue.avail_idx - 1, "beyond": queue.avail_idx + 20}.get(data, 0)
        trace = Trace(world.memory, monkeypatch)
        await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, mmio.notification(0, index))
        await world.sleep(10_000)
        assert ((at["avail_idx"], 2) in trace.reads) == (data != "right")
        assert queue.get_used() == (queue, 4)

    world.run(main())


@pytest.mark.parametrize("event_idx", (True, False))
def test_no_interrupt_unless_asked_for(make_world, event_idx):
    world = make_world(features=LINUX_FEATURES if event_idx else LINUX_FEATURES & ~EVENT_IDX)

    async def main():
        queue = await probe_quietly(world)
        served = world.driver.transport.interrupts
        queue.disable_interrupts()
        for n in range(3):
            add_request(world, queue)
            await world.driver.transport.notify(queue)
            await world.sleep(10_000)
            if n == 1:
                assert world.driver.transport.interrupts == served and queue.used_idx == queue.last_used + 2
                while queue.get_used() is not None:
                    pass
                queue.enable_interrupts()
        assert world.driver.transport.interrupts == served + 1

    world.run(main())


def test_a_chain_added_without_a_kick_is_seen_when_the_device_is_woken(world):
    """avail_event promises that no kick is needed while the device still works; it reads the index again before it rests."""

    async def main():
        queue = await probe_quietly(world)
        add_request(world, queue)
        assert queue.kick_prepare()
        add_request(world, queue)
        assert not queue.kick_prepare()
        await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, mmio.notification(0, queue.avail_idx - 1))
        await world.sleep(10_000)
        assert [queue.get_used(), queue.get_used()] == [(queue, 4)] * 2

    world.run(main())


def test_indices_wrap(world):
    async def main():
        queue = await probe_quietly(world)
        device = world.device.ctlq
        start = 0xFFFD
        queue.avail_idx = queue.last_used = start
        world.memory.write_uint(queue.avail + 2, start, 2)
        world.memory.write_uint(queue.used + 2, start, 2)
        device.next_avail = device.known_avail = device.used_idx = start
        for _ in range(8):
            add_request(world, queue)
            await world.driver.transport.notify(queue)
            await world.sleep(2_000)
            assert queue.get_used() == (queue, 4)
        assert device.next_avail == device.used_idx == queue.last_used == 5

    world.run(main())


def test_nothing_is_touched_before_driver_ok(world, monkeypatch):
    async def main():
        transport = world.driver.transport
        await transport.probe(25)
        await transport.negotiate(LINUX_FEATURES)
        queue = await transport.setup_queue(0, world.driver._serve_control, 8)
        add_request(world, queue)
        trace = Trace(world.memory, monkeypatch)
        await transport.notify(queue)
        await world.sleep(10_000)
        assert not trace.reads and not trace.writes

    world.run(main())


def test_one_event_waits_for_a_buffer(make_world, frames_of):
    """An xrun with an empty eventq is reported as soon as the driver gives a buffer; those after it are dropped."""
    world = make_world(queue_size=4)

    async def main():
        await world.driver.probe()
        world.driver.transport._callbacks.pop(int(snd.VIRTIO_SND_VQ_EVENT))
        queue = world.driver.eventq
        world.stream.params = type("P", (), {"features": snd.PCM_FEATURES.mask(["EVT_XRUNS"])})()
        await world.sleep(10_000)
        for _ in range(7):
            world.device.report_xrun(world.stream)
        assert len(world.device.eventq.used_log) == 4
        for _ in range(2):
            address = queue.get_used()[0]
            queue.add([(address, 8, True)], token=address)
        await world.driver.transport.notify(queue)
        await world.sleep(10_000)
        assert len(world.device.eventq.used_log) == 5

    world.run(main())
