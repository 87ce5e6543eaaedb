# SPDX-License-Identifier: Apache-2.0
"""Guests that do what they must not, and resets at the worst moment: the device stays whole, says so, and comes back."""

from __future__ import annotations

import random

import cocotb

from cocotb_tests.bfm.port import RtlPort
from cocotb_tests.engine.system import run_system
from cocotb_tests.system.world import RING_RESET, World, compare, on_rtl
from virtone.model.checks import check_silent_memory
from virtone.model.driver import LINUX_FEATURES
from virtone.virtio import mmio, ring, snd

NEXT, WRITE, INDIRECT = int(ring.VRING_DESC_F_NEXT), int(ring.VRING_DESC_F_WRITE), int(ring.VRING_DESC_F_INDIRECT)
NEEDS_RESET = int(mmio.VIRTIO_CONFIG_S_NEEDS_RESET)


def chain(world: World, queue, entries, table=None) -> None:
    """Writes raw descriptors (address, length, flags, next) to the queue's table or to an indirect one."""
    place = queue.desc if table is None else table
    for index, (addr, length, flags, following) in enumerate(entries):
        raw = ring.vring_desc.pack(addr=addr, len=length, flags=flags, next=following)
        world.port.memory.write(place + index * ring.vring_desc.size, raw)


def malformed(data: int, table: int, size: int):
    """Name -> (descriptors of the queue's table, descriptors of the indirect table, head)."""
    return {
        "loop": ([(data, 4, NEXT, 1), (data, 4, NEXT, 0)], [], 0),
        "next out of range": ([(data, 4, NEXT, size)], [], 0),
        "head out of range": ([(data, 4, 0, 0)], [], size),
        "zero length": ([(data, 0, 0, 0)], [], 0),
        "zero length behind the header": ([(data, 4, NEXT, 1), (data, 0, NEXT, 2), (data, 8, WRITE, 0)], [], 0),
        "nested indirect": ([(table, 16, INDIRECT, 0)], [(table, 16, INDIRECT, 0)], 0),
        "indirect and next": ([(table, 16, INDIRECT | NEXT, 1), (data, 8, WRITE, 0)], [(data, 4, 0, 0)], 0),
        "indirect length": ([(table, 17, INDIRECT, 0)], [(data, 4, 0, 0)], 0),
        "readable after writable": ([(data, 4, NEXT | WRITE, 1), (data, 4, 0, 0)], [], 0),
        "unreachable buffer": ([(0xFFFF_0000_0000, 64, NEXT, 1), (data, 8, WRITE, 0)], [], 0),
        "unreachable table": ([(0xFFFF_0000_0000, 64, INDIRECT, 0)], [], 0),
    }


def hostile(queue_index: int, entries, indirect, head: int):
    """A scenario: one malformed chain on one queue; the device must say so, and work after a reset."""

    async def scenario(world: World) -> None:
        await world.probe()
        transport, memory = world.driver.transport, world.port.memory
        queue = transport.queues[queue_index]
        area = memory.alloc(4096, 4096)
        used = queue.used_idx

        def fix(items):
            return [(area + 2048 if a == "table" else area if a == "data" else a, n, f, x) for a, n, f, x in items]

        chain(world, queue, fix(indirect), area + 2048)
        chain(world, queue, fix(entries))
        queue.expose(head)
        await transport.notify(queue)
        await world.sleep_ms(0.1)
        status = await transport.status()
        world.note("needs reset", bool(status & NEEDS_RESET))
        world.note("interrupted", transport.needs_reset)
        world.note("used", queue.used_idx - used)
        # The other queues go on, or the controlq itself is the one that stopped.
        if queue_index != int(snd.VIRTIO_SND_VQ_CONTROL):
            transport.needs_reset = False
            world.note("control goes on", hex(await world.pcm_command(snd.VIRTIO_SND_R_PCM_START)))
        transport.needs_reset = False
        queue._outstanding.clear()
        await transport.reset()
        memory.free(area)
        world.driver.substreams.clear()
        pcm = await world.open(period_size=48)
        await pcm.writei(world.music(96))
        await pcm.drain()
        await pcm.close()

    return scenario


@cocotb.test(timeout_time=500, timeout_unit="ms")
async def every_malformed_ring_on_every_queue(dut):
    for index in (snd.VIRTIO_SND_VQ_CONTROL, snd.VIRTIO_SND_VQ_TX, snd.VIRTIO_SND_VQ_RX):
        for name, (entries, indirect, head) in malformed("data", "table", 64).items():
            if name in ("readable after writable", "unreachable buffer") and index == snd.VIRTIO_SND_VQ_RX:
                continue  # nobody touches the buffers of a refused chain
            scenario = hostile(int(index), entries, indirect, head)
            scenario.__name__ = f"{name} on queue {int(index)}"
            rtl, _ = await compare(dut, scenario)
            found = dict(note for note in rtl.notes if note[0] in ("needs reset", "interrupted", "used"))
            assert found == {"needs reset": True, "interrupted": True, "used": 0}, (
                f"{name} on queue {int(index)}: {found}"
            )


@cocotb.test(timeout_time=300, timeout_unit="ms")
async def reset_while_dma_is_in_flight(dut):
    """At many moments of playback: after the reset no byte of guest memory changes, and the device plays again."""
    port = RtlPort(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    for _ in range(24):
        port.page.read_latency = port.page.write_latency = rng.choice([0, 10, 60])

        async def scenario(world: World) -> None:
            pcm = await world.open(period_size=48, periods=8, rate=192000, format="S32_LE")
            await pcm.writei(world.music(48 * 8, 8))
            await world.port.sleep_ns(rng.uniform(0, 700_000))
            await world.port.write32(mmio.VIRTIO_MMIO_STATUS, 0)
            status = await world.port.read32(mmio.VIRTIO_MMIO_STATUS)
            assert status == 0, f"Status {status:#x} after the reset"
            for queue in range(4):
                await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, queue)
                assert await world.port.read32(mmio.VIRTIO_MMIO_QUEUE_READY) == 0
            assert await world.port.read32(mmio.VIRTIO_MMIO_INTERRUPT_STATUS) == 0
            before = world.port.memory.snapshot()
            await world.sleep_ms(1.0)
            check_silent_memory(before, world.port.memory.snapshot())

        await on_rtl(dut, scenario)

    async def plays(world: World) -> None:
        pcm = await world.open()
        await pcm.writei(world.music(480))
        await pcm.drain()
        await pcm.close()

    port.page.read_latency = port.page.write_latency = 10
    await compare(dut, plays)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def reset_of_the_txq_alone(dut):
    """RING_RESET on the txq while it plays: its chains are forgotten, memory stays as it is, the other queues go on."""

    async def scenario(world: World) -> None:
        pcm = await world.open(period_size=48, periods=8)
        await pcm.writei(world.music(48 * 8))
        await world.completions(1, then_ms=0.5)
        transport = world.driver.transport
        forgotten = await transport.reset_queue(int(snd.VIRTIO_SND_VQ_TX))
        world.note("forgotten", len(forgotten))
        before = world.port.memory.snapshot()
        await world.sleep_ms(3.0)
        check_silent_memory(before, world.port.memory.snapshot())
        world.note("STOP", hex(await world.pcm_command(snd.VIRTIO_SND_R_PCM_STOP)))
        world.note("RELEASE", hex(await world.pcm_command(snd.VIRTIO_SND_R_PCM_RELEASE)))

    await on_rtl(dut, scenario, features=LINUX_FEATURES | RING_RESET)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def bad_messages_are_refused_and_good_ones_play(dut):
    """Messages for streams that are not there, too short, empty, or no whole number of frames; then good ones."""

    async def scenario(world: World) -> None:
        pcm = await world.open(period_size=48, periods=4)
        memory, queue, transport = world.port.memory, world.driver.txq, world.driver.transport
        area = memory.alloc(4096)
        serve = transport._callbacks.pop(int(snd.VIRTIO_SND_VQ_TX))  # these are not the driver's own

        def header(stream: int) -> bytes:
            return snd.virtio_snd_pcm_xfer.pack(stream_id=stream)

        for name, raw, room in (
            ("stream 1", header(1) + bytes(64), 8),
            ("stream 2^32-1", header(0xFFFF_FFFF) + bytes(4096 - 300), 8),
            ("short header", header(0)[:3], 8),
            ("no room for the status", header(1) + bytes(64), 3),
        ):
            memory.write(area, raw + b"\xee" * 16)
            status = area + len(raw)
            queue.add([(area, len(raw), False), (status, room, True)], name)
            await transport.notify(queue)
            await world.sleep_ms(0.05)
            world.note(name, queue.get_used(), memory.read(status, 12).hex())
        transport._callbacks[int(snd.VIRTIO_SND_VQ_TX)] = serve
        await pcm.writei(world.music(192))
        await pcm.drain()
        await pcm.close()
        memory.free(area)

    rtl, _ = await compare(dut, scenario)
    assert len(rtl.frames) == 192
    for name, used, status in rtl.notes:
        refused = snd.virtio_snd_pcm_status.pack(status=snd.VIRTIO_SND_S_IO_ERR, latency_bytes=0)
        room = 3 if "room" in name else 8
        assert used == (name, room), f"{name}: used with {used}"
        assert bytes.fromhex(status)[:room] == refused[:room], f"{name}: status {status}"
        assert bytes.fromhex(status)[room:] == b"\xee" * (12 - room), f"{name}: wrote beyond the status"


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def odd_messages_play_their_whole_frames(dut):
    """A payload that is no whole number of frames, and an empty one: whole frames play, the message ends in IO_ERR at its turn."""

    async def scenario(world: World) -> None:
        await world.open(period_size=48, periods=4)
        memory, queue, transport = world.port.memory, world.driver.txq, world.driver.transport
        serve = transport._callbacks.pop(int(snd.VIRTIO_SND_VQ_TX))
        areas = []
        for size in (48 * 4, 48 * 4 + 3, 0, 1, 48 * 4):
            raw = snd.virtio_snd_pcm_xfer.pack(stream_id=0) + world.music(64)[:size]
            area = memory.alloc(len(raw) + 8)
            memory.write(area, raw)
            queue.add([(area, len(raw), False), (area + len(raw), 8, True)], (size, area + len(raw)))
            areas.append(area)
        await transport.notify(queue)
        world.note("start", await world.pcm_command(snd.VIRTIO_SND_R_PCM_START))
        await world.sleep_ms(5)
        while (used := queue.get_used()) is not None:
            (size, place), length = used
            status = snd.virtio_snd_pcm_status.unpack(memory.read(place, 8))
            world.note(size, length, status.status, status.latency_bytes)
        transport._callbacks[int(snd.VIRTIO_SND_VQ_TX)] = serve
        world.note("stop", await world.pcm_command(snd.VIRTIO_SND_R_PCM_STOP))

    rtl, _ = await compare(dut, scenario)
    assert len(rtl.frames) == 3 * 48
    assert [note[2] for note in rtl.notes[1:6]] == [0x8000, 0x8003, 0x8003, 0x8003, 0x8000]


def test_hostile() -> None:
    run_system(__file__)
