# SPDX-License-Identifier: Apache-2.0
"""Queues taken back while they are in use, set up again and used on; and how far a malformed chain is looked at."""

from __future__ import annotations

import cocotb

from cocotb_tests.engine.system import run_system
from cocotb_tests.system.tb_hostile import NEEDS_RESET, NEXT, WRITE, chain
from cocotb_tests.system.world import RING_RESET, World, compare, on_model, on_rtl
from virtone.model.driver import LINUX_FEATURES
from virtone.virtio import mmio, snd

CTL, EVENT, TX, RX = map(
    int, (snd.VIRTIO_SND_VQ_CONTROL, snd.VIRTIO_SND_VQ_EVENT, snd.VIRTIO_SND_VQ_TX, snd.VIRTIO_SND_VQ_RX)
)
OK, BAD_MSG = snd.VIRTIO_SND_S_OK.name, snd.VIRTIO_SND_S_BAD_MSG.name
FEATURES = LINUX_FEATURES | RING_RESET


async def nobody() -> None:
    """Serves a queue's interrupts."""


async def take_back(world: World, index: int, way: str = "QueueReset") -> list:
    """What the queue still had, once it is taken back by QueueReset = 1 or QueueReady = 0."""
    transport, port = world.driver.transport, world.port
    if way == "QueueReset":
        return await transport.reset_queue(index)
    await port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, index)
    await port.write32(mmio.VIRTIO_MMIO_QUEUE_READY, 0)
    assert await port.read32(mmio.VIRTIO_MMIO_QUEUE_READY) == 0
    queue = transport.queues.pop(index)
    transport._callbacks.pop(index)
    tokens = queue.tokens()
    queue.close()
    return tokens


async def set_up_tx(world: World) -> None:
    world.driver.txq = await world.driver.transport.setup_queue(TX, world.driver._serve_tx, 64)
    world.witness._watch_tx(world.driver)


async def forget_tx(world: World, way: str = "QueueReset") -> list:
    messages = await take_back(world, TX, way)
    world.note("forgotten", len(messages))
    if way == "QueueReady at once":  # set up again while it is still being taken back
        return messages
    await world.port.sleep_ns(1000)  # a transfer that had begun may end
    before = world.port.memory.snapshot()
    await world.sleep_ms(2.0)
    assert world.port.memory.snapshot() == before, "memory changed after the queue was taken back"
    return messages


async def add_again(world: World, messages: list) -> None:
    for message in messages:
        world.driver.txq.add(message.segments(), message)
    await world.driver.transport.notify(world.driver.txq)


@cocotb.test(timeout_time=300, timeout_unit="ms")
async def txq_taken_back_while_running_and_played_on(dut):
    """What was fetched is dropped, nothing is reported as an underrun, and the messages added again play from their start."""

    def scenario(way: str, **wishes):
        async def play_on(world: World) -> None:
            pcm = await world.open(period_size=48, periods=8, **wishes)
            size = pcm.runtime.params.frame_bytes
            await pcm.writei(world.music(48 * 8, size))
            await world.completions(2, then_ms=0.0)
            await world.sleep_ms(20.3e3 / wishes.get("rate", 48000))
            messages = await forget_tx(world, way)
            await set_up_tx(world)
            await add_again(world, messages)
            await pcm.writei(world.music(48 * 6, size))
            await pcm.drain()
            await pcm.close()

        play_on.__name__ = f"{way} {wishes}"
        return play_on

    for way in ("QueueReset", "QueueReady", "QueueReady at once"):
        for wishes in ({}, {"format": "S32_LE", "rate": 32000}):
            rtl, _ = await compare(dut, scenario(way, **wishes), features=FEATURES, rate=wishes.get("rate", 48000))
            assert len(rtl.tx) == 14 and rtl.notes == [("forgotten", 6)]
            assert len(rtl.frames) == 14 * 48 + 20 + 1, (
                f"{len(rtl.frames)} frames were heard"
            )  # the last one was on the wire
            assert len(rtl.events) <= 1, "the gap is no underrun"


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def txq_taken_back_while_stopped(dut):
    """The frames that a STOP held are dropped too."""

    async def stopped(world: World) -> None:
        pcm = await world.open(period_size=48, periods=8)
        await pcm.writei(world.music(48 * 8))
        await world.completions(1, then_ms=0.319)
        await pcm.pause(True)
        messages = await forget_tx(world)
        await set_up_tx(world)
        await pcm.pause(False)
        await world.sleep_ms(1.0)
        await add_again(world, messages)
        await pcm.drain()
        await pcm.close()

    rtl, _ = await compare(dut, stopped, features=FEATURES)
    assert len(rtl.tx) == 8 and len(rtl.frames) == 8 * 48 + 16


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def the_other_queues_taken_back(dut):
    """Each loses what it had, the others go on, and it serves again when it is set up again."""

    async def others(world: World) -> None:
        driver, memory = world.driver, world.port.memory
        pcm = await world.open(period_size=48, periods=4)
        transport = driver.transport
        await pcm.writei(world.music(192))
        # Controlq: a request nobody announced, then one more the usual way.
        request = memory.alloc(64)
        memory.write(request, snd.virtio_snd_pcm_hdr.pack(hdr=snd.VIRTIO_SND_R_PCM_STOP, stream_id=0))
        driver.ctlq.add([(request, 8, False), (request + 8, 4, True)], "unseen")
        world.note("controlq", await take_back(world, CTL))
        driver.ctlq = driver.control._queue = await transport.setup_queue(CTL, driver._serve_control, 64)
        world.witness._watch_control(driver)
        world.note("START while RUNNING", await world.command("START"))
        # Eventq: all buffers are lost; new ones get the event of the underrun.
        world.note("eventq", len(await take_back(world, EVENT)))
        driver.eventq = await transport.setup_queue(EVENT, driver._serve_events, 64)
        await world.sleep_ms(6)
        world.note("events without a buffer", len(driver.events), (await pcm.status()).state.name)
        address = memory.alloc(8)
        driver.eventq.add([(address, 8, True)], address)
        await transport.notify(driver.eventq)
        await world.sleep_ms(0.1)
        world.note("events with one", len(driver.events))
        # Rxq: a chain comes back empty, before and after.
        transport._callbacks[RX] = nobody
        for turn in range(2):
            if turn:
                world.note("rxq", len(await take_back(world, RX)))
                driver.rxq = await transport.setup_queue(RX, nobody, 16)
            driver.rxq.add([(request, 4, False), (request + 8, 32, True)], "rx")
            await transport.notify(driver.rxq)
            await world.sleep_ms(0.05)
            world.note("rx used", driver.rxq.get_used())
        await pcm.prepare()
        await pcm.writei(world.music(192))
        await pcm.drain()
        await pcm.close()

    rtl, _ = await compare(dut, others, features=FEATURES)
    assert len(rtl.tx) == 8 and ("events with one", 1) in rtl.notes


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def controlq_taken_back_during_a_release(dut):
    """A flush that has begun ends and takes effect, unanswered."""

    async def release(world: World) -> None:
        driver, transport = world.driver, world.driver.transport
        pcm = await world.open(period_size=480, periods=12)
        await pcm.writei(world.music(480 * 12))
        await world.completions(1, then_ms=0.51)
        world.note("STOP", await world.command("STOP"))
        serve = transport._callbacks[CTL]
        transport._callbacks[CTL] = nobody
        await driver.control.post(snd.virtio_snd_pcm_hdr.pack(hdr=snd.VIRTIO_SND_R_PCM_RELEASE, stream_id=0))
        await world.port.sleep_ns(3000)
        await take_back(world, CTL)
        await world.sleep_ms(0.2)
        driver.ctlq = driver.control._queue = await transport.setup_queue(CTL, serve, 64)
        world.witness._watch_control(driver)
        world.note("START after RELEASE", await world.command("START"))
        world.note("PREPARE after RELEASE", await world.command("PREPARE"))

    rtl, _ = await compare(dut, release, features=FEATURES)
    assert len(rtl.tx) == 12 and [note[1] for note in rtl.notes] == [OK, BAD_MSG, OK]


def raw(world: World, frames: int) -> tuple[int, int]:
    """A good message in fresh memory: address and bytes of its readable part; its status is behind it."""
    data = snd.virtio_snd_pcm_xfer.pack(stream_id=0) + world.music(frames)
    area = world.port.memory.alloc(len(data) + 8)
    world.port.memory.write(area, data)
    return area, len(data)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def release_after_a_malformed_txq(dut):
    """The queue has stopped: what is in the FIFO plays, nothing is completed any more, RELEASE is answered all the same."""

    async def malformed(world: World) -> None:
        await world.open(period_size=48, periods=4)
        queue, transport = world.driver.txq, world.driver.transport
        transport._callbacks.pop(TX)
        for _ in range(2):
            area, size = raw(world, 100)
            queue.add([(area, size, False), (area + size, 8, True)], "good")
        head = queue.add([(area, size, False)], "bad", indirect=False)
        world.port.memory.write(queue.desc + 16 * head + 8, bytes(4))  # length 0
        await transport.notify(queue)
        world.note("START", await world.command("START"))
        await world.sleep_ms(6)
        world.note("used", queue.used_idx, bool(await transport.status() & NEEDS_RESET))
        transport.needs_reset = False
        world.witness.flushes = False
        for command in ("STOP", "RELEASE", "PREPARE", "START", "STOP", "RELEASE"):
            world.note(command, await world.command(command))
        world.note("used", queue.used_idx)
        world.witness.flushes = True
        queue._outstanding.clear()
        await transport.reset()
        world.driver.substreams.clear()
        pcm = await world.open(period_size=48)
        await pcm.writei(world.music(192))
        await pcm.drain()
        await pcm.close()

    rtl, _ = await compare(dut, malformed)
    assert len(rtl.frames) == 200 + 192 and ("used", 1, True) in rtl.notes


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def a_late_fault_of_a_message(dut):
    """How many of its frames play is the prefetch window's business; they are its first, in order, and it is never completed."""

    async def late(world: World) -> None:
        await world.open(period_size=48, periods=4)
        queue, transport = world.driver.txq, world.driver.transport
        area, _ = raw(world, 200)
        chain(world, queue, [(area, 404, NEXT, 1), (area + 404, 400, NEXT, 2), (area, 0, WRITE, 0)])
        queue.expose(0)
        await transport.notify(queue)
        await world.sleep_ms(0.5)
        world.note("early", bool(await transport.status() & NEEDS_RESET))
        world.note("START", await world.command("START"))
        await world.sleep_ms(6)
        transport.needs_reset = False
        world.note("late", bool(await transport.status() & NEEDS_RESET), queue.used_idx)
        queue._outstanding.clear()

    rtl, model = await on_rtl(dut, late), on_model(late)
    assert rtl.notes == model.notes and rtl.notes[0] == ("early", False) and rtl.notes[2] == ("late", True, 0)
    longer, shorter = sorted((rtl.frames, model.frames), key=len, reverse=True)
    assert 100 - 36 <= len(shorter) <= len(longer) <= 100, f"RTL {len(rtl.frames)}, model {len(model.frames)} frames"
    assert longer[: len(shorter)] == shorter


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def no_further_than_one_descriptor_behind(dut):
    """The descriptor behind the last buffer written to is looked at, those behind it are not."""

    def scenario(index: int, name: str, behind: list):
        async def look(world: World) -> None:
            await world.probe()
            transport, memory = world.driver.transport, world.port.memory
            queue = transport.queues[index]
            transport._callbacks.pop(index)
            area = memory.alloc(4096)
            memory.write(area, snd.virtio_snd_pcm_hdr.pack(hdr=snd.VIRTIO_SND_R_PCM_STOP, stream_id=0))
            room = 4 if index == CTL else 8
            first = [(area, 8, NEXT, 1), (area + 64, room, WRITE | (NEXT if behind else 0), 2)]
            used = queue.used_idx
            chain(world, queue, first + [(area + 128, n, f, x) for n, f, x in behind])
            queue.expose(0)
            await transport.notify(queue)
            await world.sleep_ms(0.1)
            world.note(name, queue.used_idx - used, bool(await transport.status() & NEEDS_RESET))
            queue._outstanding.clear()
            transport.needs_reset = False
            await transport.reset()
            world.driver.substreams.clear()

        look.__name__ = f"{name} on queue {index}"
        return look

    tails = {
        "good": ([(4, WRITE, 0)], True),
        "zero length": ([(0, WRITE, 0)], False),
        "readable": ([(4, 0, 0)], False),
        "good, then zero length": ([(4, WRITE | NEXT, 3), (0, WRITE, 0)], True),
        "next outside": ([(4, WRITE | NEXT, 64)], True),
        "loop": ([(4, WRITE | NEXT, 1)], True),
    }
    for index in (CTL, TX, RX):
        for name, (behind, good) in tails.items():
            rtl, _ = await compare(dut, scenario(index, name, behind))
            expected = good or index == RX  # an empty response needs no buffer at all
            assert rtl.notes == [(name, int(expected), not expected)], f"queue {index}: {rtl.notes}"


def test_queue_reset() -> None:
    run_system(__file__)
