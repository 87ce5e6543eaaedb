# SPDX-License-Identifier: Apache-2.0
"""Any framing is legal: the same request, message or event whatever the descriptors it is cut into."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.tests.model.conftest import World, pattern
from virtone.model.checks import check_bit_exact, expected_slots
from virtone.model.driver import LINUX_FEATURES
from virtone.virtio import mmio, ring, snd

WHOLE = settings(max_examples=40, deadline=None)


def cut(address, length, cuts, writable):
    """Segments of `length` bytes at `address`, cut at the given places (each taken modulo the length)."""
    places = sorted({0, length, *(place % length for place in cuts)})
    return [(address + a, b - a, writable) for a, b in itertools.pairwise(places)]


def scatter(memory, segments):
    """The same bytes with every segment moved to a place of its own, at an odd alignment. Returns (segments, gather)."""
    moved = []
    for n, (address, length, writable) in enumerate(segments):
        place = memory.alloc(length + 8) + n % 8
        memory.write(place, memory.read(address, length))
        moved.append((place, length, writable))
    return moved, lambda: b"".join(memory.read(a, n) for a, n, w in moved if w)


def add_mixed(queue, segments, direct):
    """A chain whose first `direct` descriptors are direct and the rest in an indirect table."""
    memory = queue.memory
    if direct >= len(segments) or not queue.indirect:
        return queue.add(segments, token=queue, indirect=False)
    table = memory.alloc(16 * (len(segments) - direct))
    queue._write_chain(table, list(range(len(segments) - direct)), segments[direct:])
    last = (table, 16 * (len(segments) - direct), bool(direct) and segments[direct - 1][2])
    head = queue.add([*segments[:direct], last], token=queue, indirect=False)
    place = head
    for _ in range(direct):
        place = ring.vring_desc.unpack(memory.read(queue.desc + 16 * place, 16)).next
    memory.write(
        queue.desc + 16 * place,
        ring.vring_desc.pack(addr=table, len=16 * (len(segments) - direct), flags=ring.VRING_DESC_F_INDIRECT, next=0),
    )
    queue._outstanding[head].writable = sum(n for _, n, w in segments if w)
    return head


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@WHOLE
@given(request=CUTS, reply=CUTS, direct=st.integers(0, 20), size=st.integers(1, 80))
def test_a_request_in_any_framing_gets_the_same_answer(request, reply, direct, size):
    world = World()

    async def main():
        await world.driver.probe()
        world.driver.transport._callbacks.pop(int(snd.VIRTIO_SND_VQ_CONTROL))
        memory, queue = world.memory, world.driver.ctlq
        query = snd.virtio_snd_query_info.pack(hdr=snd.VIRTIO_SND_R_PCM_INFO, start_id=0, count=1, size=size)
        address = memory.alloc(len(query) + 4 + size)
        memory.write(address, query)
        segments = cut(address, len(query), request, False) + cut(address + len(query), 4 + size, reply, True)
        segments, gather = scatter(memory, segments)
        add_mixed(queue, segments, direct)
        await world.driver.transport.notify(queue)
        await world.sleep(10_000)
        item = world.device.profile.streams[0].info()
        assert gather() == snd.virtio_snd_hdr.pack(code=snd.VIRTIO_SND_S_OK) + item[:size].ljust(size, b"\0")
        assert queue.get_used() == (queue, 4 + size)

    world.run(main())


@WHOLE
@given(
    frames=st.integers(1, 150),
    messages=st.lists(CUTS, min_size=1, max_size=4),
    status=CUTS,
    direct=st.integers(0, 20),
    fmt=st.sampled_from(["S16_LE", "S24_3LE", "S24_LE", "S32_LE"]),
    channels=st.integers(1, 2),
    event_idx=st.booleans(),
)
def test_messages_in_any_framing_play_the_same_frames(frames, messages, status, direct, fmt, channels, event_idx):
    features = LINUX_FEATURES if event_idx else LINUX_FEATURES & ~(1 << mmio.VIRTIO_RING_F_EVENT_IDX)
    world = World(features=features, queue_size=64)
    code = int(snd.FORMATS[fmt.replace("_LE", "").replace("LE", "")])
    size = snd.frame_bytes(code, channels)
    data = pattern(frames * len(messages), size)

    async def main():
        await world.driver.probe()
        world.driver.transport._callbacks.pop(int(snd.VIRTIO_SND_VQ_TX))
        assert await world.set_params(format=code, channels=channels, period_bytes=size, buffer_bytes=size) == 0x8000
        assert await world.pcm_command(snd.VIRTIO_SND_R_PCM_PREPARE) == 0x8000
        memory, queue = world.memory, world.driver.txq
        gathers = []
        for k, cuts in enumerate(messages):
            out = snd.virtio_snd_pcm_xfer.pack(stream_id=0) + data[k * frames * size : (k + 1) * frames * size]
            address = memory.alloc(len(out) + 8)
            memory.write(address, out)
            segments = cut(address, len(out), cuts, False) + cut(address + len(out), 8, status, True)
            segments, gather = scatter(memory, segments)
            add_mixed(queue, segments, direct if len(segments) <= 16 else 0)
            gathers.append(gather)
            await world.driver.transport.notify(queue)
        assert await world.pcm_command(snd.VIRTIO_SND_R_PCM_START) == 0x8000
        await world.sleep(frames * len(messages) * 25_000 + 100_000)
        assert [gather() for gather in gathers] == [
            snd.virtio_snd_pcm_status.pack(status=0x8000, latency_bytes=0)
        ] * len(messages)
        for _ in messages:
            assert queue.get_used() == (queue, 8)

    world.run(main())
    check_bit_exact(world.slots(), expected_slots(fmt, channels, data))
    assert world.device.txq.fault is None


@pytest.mark.parametrize("room", range(1, 12))
def test_an_event_buffer_of_any_size_gets_what_fits(world, room, frames_of):
    async def main():
        await world.driver.probe()
        queue = world.driver.eventq
        world.driver.transport._callbacks.pop(int(snd.VIRTIO_SND_VQ_EVENT))
        address = world.memory.alloc(16)
        # The device has looked at the first buffer already: replace the second.
        await world.sleep(10_000)
        world.memory.write(
            queue.desc + ring.vring_desc.size,
            ring.vring_desc.pack(addr=address, len=room, flags=ring.VRING_DESC_F_WRITE, next=0),
        )
        world.stream.params = type("P", (), {"features": snd.PCM_FEATURES.mask(["EVT_XRUNS"])})()
        for _ in range(2):
            world.device.report_xrun(world.stream)
        event = snd.virtio_snd_event.pack(hdr=snd.VIRTIO_SND_EVT_PCM_XRUN, data=0)
        assert world.memory.read(address, room) == event[:room].ljust(room, b"\0")
        assert world.device.eventq.used_log[-1].length == min(room, 8)

    world.run(main())


def test_rx_chains_come_back_empty(world):
    async def main():
        await world.driver.probe()
        queue = world.driver.rxq
        world.driver.transport._callbacks.pop(int(snd.VIRTIO_SND_VQ_RX))
        address = world.memory.alloc(64)
        for _ in range(3):
            queue.add([(address, 4, False), (address + 4, 32, True), (address + 40, 8, True)], token=queue)
        await world.driver.transport.notify(queue)
        await world.sleep(10_000)
        assert [queue.get_used() for _ in range(3)] == [(queue, 0)] * 3

    world.run(main())
    assert bytes(44) not in [used.response for used in world.device.rxq.used_log]
