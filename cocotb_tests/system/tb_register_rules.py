# SPDX-License-Identifier: Apache-2.0
"""Registers written in ways no driver of today writes them: what holds, what is ignored, and when a queue goes into service."""

from __future__ import annotations

import random

import cocotb

from cocotb_tests.engine.system import run_system
from cocotb_tests.system.witness import same_registers
from cocotb_tests.system.world import RING_RESET, World, compare, on_model, on_rtl
from virtone.model.driver import LINUX_FEATURES
from virtone.virtio import mmio, snd

ACK, DRIVER, DRIVER_OK = 1, 2, 4
FEATURES_OK = int(mmio.VIRTIO_CONFIG_S_FEATURES_OK)
VERSION_1 = 1 << int(mmio.VIRTIO_F_VERSION_1)
WRITABLE = (0x014, 0x020, 0x024, 0x030, 0x038, 0x044, 0x064, 0x070, 0x080, 0x084, 0x090, 0x094, 0x0A0, 0x0A4, 0x0C0)


async def accept(world: World, features: int, *more: tuple[int, int]) -> int:
    """Reset, accept the features (and banks beyond), ask for FEATURES_OK; returns Status."""
    write, read = world.port.write32, world.port.read32
    await write(mmio.VIRTIO_MMIO_STATUS, 0)
    await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER)
    for select, value in ((1, features >> 32), (0, features & 0xFFFF_FFFF), *more):
        await write(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, select)
        await write(mmio.VIRTIO_MMIO_DRIVER_FEATURES, value)
    await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER | FEATURES_OK)
    return await read(mmio.VIRTIO_MMIO_STATUS)


async def taken_back(world: World, register: int) -> int:
    """Reads until a queue has been taken back; the last value."""
    for _ in range(1000):
        if not (value := await world.port.read32(register)):
            break
    return value


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def narrow_writes_are_ignored(dut):
    async def narrow(world: World) -> None:
        port = world.port
        await port.write32(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER)
        await port.write32(mmio.VIRTIO_MMIO_QUEUE_NUM, 16)
        for offset in WRITABLE:
            for value in (0, 0xFF):
                for lane in range(4):
                    await port.write8(offset + lane, value)
                for lane in (0, 2):
                    await port.write16(offset + lane, value << 8 | value)
            for seen in (mmio.VIRTIO_MMIO_STATUS, mmio.VIRTIO_MMIO_DEVICE_FEATURES, mmio.VIRTIO_MMIO_QUEUE_NUM_MAX,
                         mmio.VIRTIO_MMIO_QUEUE_READY, mmio.VIRTIO_MMIO_QUEUE_RESET):  # fmt: skip
                await port.read32(seen)
        await port.write32(mmio.VIRTIO_MMIO_QUEUE_READY, 1)
        assert await port.read32(mmio.VIRTIO_MMIO_QUEUE_READY) == 1, "QueueSize was lost"
        for offset in range(0, 0x100 + snd.virtio_snd_config.size, 2):
            await port.read16(offset)
            await port.read8(offset)
            await port.read8(offset + 1)

    rtl, model = await compare(dut, narrow)
    same_registers("narrow", rtl, model)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def status_and_features(dut):
    """Every Status bit, and features accepted that are not offered, too high, or too late."""

    async def rules(world: World) -> None:
        write, read = world.port.write32, world.port.read32
        for bit in range(1, 32):
            await write(mmio.VIRTIO_MMIO_STATUS, 1 << bit | ACK)
            await read(mmio.VIRTIO_MMIO_STATUS)
        offered = LINUX_FEATURES | RING_RESET
        for accepted in (offered, VERSION_1, 0, offered & ~VERSION_1, VERSION_1 | 2, VERSION_1 | 1 << 63):
            await accept(world, accepted)
        for bank in (2, 3, 0x8000_0000, 0xFFFF_FFFF):
            await accept(world, VERSION_1, (bank, 0))
            await accept(world, VERSION_1, (bank, 1), (bank, 0))  # once accepted it is accepted
        # Frozen by FEATURES_OK, and examined again only when that was given up.
        assert await accept(world, offered) & FEATURES_OK
        await write(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1)
        await write(mmio.VIRTIO_MMIO_DRIVER_FEATURES, 0)
        await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER | FEATURES_OK)
        assert await read(mmio.VIRTIO_MMIO_STATUS) & FEATURES_OK
        await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER)
        await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER | FEATURES_OK)
        assert await read(mmio.VIRTIO_MMIO_STATUS) & FEATURES_OK
        await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER)
        await write(mmio.VIRTIO_MMIO_DRIVER_FEATURES, 0)
        await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER | FEATURES_OK)
        assert not await read(mmio.VIRTIO_MMIO_STATUS) & FEATURES_OK
        for selector in (
            mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL,
            mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL,
            mmio.VIRTIO_MMIO_QUEUE_SEL,
        ):
            await write(selector, 1 if selector != mmio.VIRTIO_MMIO_QUEUE_SEL else 7)
        await write(mmio.VIRTIO_MMIO_STATUS, 0)
        await read(mmio.VIRTIO_MMIO_DEVICE_FEATURES)
        await read(mmio.VIRTIO_MMIO_QUEUE_NUM_MAX)

    rtl, model = await compare(dut, rules)
    same_registers("rules", rtl, model)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def taking_a_queue_back(dut):
    """QueueReady = 0 keeps size and addresses, QueueReset forgets them, and needs RING_RESET."""

    async def queues(world: World) -> None:
        write, read = world.port.write32, world.port.read32
        ready, reset, size = mmio.VIRTIO_MMIO_QUEUE_READY, mmio.VIRTIO_MMIO_QUEUE_RESET, mmio.VIRTIO_MMIO_QUEUE_NUM
        for features in (LINUX_FEATURES, LINUX_FEATURES | RING_RESET):
            for agreed in (False, True):
                await accept(world, features)
                if not agreed:
                    await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER)
                for queue in range(5):
                    await write(mmio.VIRTIO_MMIO_QUEUE_SEL, queue)
                    await write(size, 32)
                    for value in (2, 3):
                        await write(ready, value)
                        world.note(queue, "ready", value, await read(ready))
                    await write(ready, 0)
                    world.note(queue, "not ready", await read(ready))
                    await write(ready, 1)
                    world.note(queue, "ready again", await read(ready))
                    await write(reset, 2)
                    world.note(queue, "QueueReset 2", await read(reset))
                    await write(reset, 1)
                    world.note(queue, "reset", await taken_back(world, reset), await read(ready))
                    await write(ready, 1)
                    world.note(queue, "after the reset", await read(ready))

    rtl, _ = await compare(dut, queues)
    assert {note[2] for note in rtl.notes if note[1] == "after the reset"} == {0, 1}


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def a_queue_is_looked_at_when_it_goes_into_service(dut):
    """A request that nobody announces: nothing before FEATURES_OK and DRIVER_OK, an answer as soon as both and QueueReady are there."""

    async def service(world: World) -> None:
        transport, write = world.driver.transport, world.port.write32
        for order in ("DRIVER_OK last", "FEATURES_OK last", "QueueReady last", "QueueReady twice"):
            await transport.probe(int(mmio.VIRTIO_ID_SOUND))
            await transport.negotiate(LINUX_FEATURES & ~(1 << int(mmio.VIRTIO_F_NOTIFICATION_DATA)))
            if order == "FEATURES_OK last":
                await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER)
            if order == "QueueReady last":
                await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER | FEATURES_OK | DRIVER_OK)

            async def nothing() -> None:
                return None

            set_ready = transport.port.write32

            async def quietly(offset: int, value: int, order=order, set_ready=set_ready) -> None:
                if not (offset == mmio.VIRTIO_MMIO_QUEUE_READY and order == "QueueReady last"):
                    await set_ready(offset, value)

            transport.port.write32 = quietly
            queue = await transport.setup_queue(0, nothing, 8)
            del transport.port.write32
            area = world.port.memory.alloc(16)
            queue.add([(area, 8, False), (area + 8, 4, True)], order)
            await write(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 0x1_0000)  # no such queue, NOTIFICATION_DATA is not agreed
            if order != "QueueReady last":
                agreed = 0 if order == "FEATURES_OK last" else FEATURES_OK
                await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER | agreed | (0 if agreed else DRIVER_OK))
                await write(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 0)
            await world.sleep_ms(0.02)
            world.note(order, "before", queue.used_idx)
            if order == "QueueReady last":
                await write(mmio.VIRTIO_MMIO_QUEUE_READY, 1)
            else:
                await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER | FEATURES_OK | DRIVER_OK)
            await world.sleep_ms(0.02)
            world.note(order, "after", queue.used_idx)
            queue.add([(area, 8, False), (area + 8, 4, True)], order)
            await write(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 0x1_0000)
            await world.sleep_ms(0.02)
            world.note(order, "to nobody", queue.used_idx)
            if (
                order == "QueueReady twice"
            ):  # the avail ring is read from its start again: what is there is seen without a notification
                await write(mmio.VIRTIO_MMIO_QUEUE_READY, 0)
                await write(mmio.VIRTIO_MMIO_QUEUE_READY, 1)
            else:
                await write(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 0)
            await world.sleep_ms(0.02)
            world.note(order, "at last", queue.used_idx)
            await write(mmio.VIRTIO_MMIO_STATUS, 0)

    rtl, _ = await compare(dut, service)
    assert [note[2] for note in rtl.notes] == [0, 1, 1, 2] * 4


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def the_access_after_a_reset_is_held(dut):
    """Linux does not wait: whatever comes next, a read or a write, meets a device that has been reset."""
    rng = random.Random(cocotb.RANDOM_SEED)
    for trial in range(8):
        delay = rng.uniform(0, 700_000)

        async def reset(world: World, delay=delay, trial=trial) -> None:
            pcm = await world.open(period_size=48, periods=8)
            await pcm.writei(world.music(48 * 8))
            await world.port.sleep_ns(delay)
            await world.port.write32(mmio.VIRTIO_MMIO_STATUS, 0)
            if trial % 2:
                await world.port.write32(mmio.VIRTIO_MMIO_STATUS, ACK)
            world.note("Status", await world.port.read32(mmio.VIRTIO_MMIO_STATUS))
            for queue in range(4):
                await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, queue)
                world.note("QueueReady", await world.port.read32(mmio.VIRTIO_MMIO_QUEUE_READY))
            world.note("interrupt", await world.port.read32(mmio.VIRTIO_MMIO_INTERRUPT_STATUS))
            world.witness.tx.clear()  # how far it had played depends on the word clock

        rtl, model = await compare_notes(dut, reset)
        assert rtl.notes[0] == ("Status", trial % 2) and rtl.notes == model.notes


async def compare_notes(dut, scenario):
    """For scenarios cut off at any moment: the frames heard until then are left out."""
    rtl, model = await on_rtl(dut, scenario), on_model(scenario)
    assert rtl.notes == model.notes, f"the RTL gives {rtl.notes}, the model {model.notes}"
    return rtl, model


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def control_requests_of_every_length(dut):
    """Every code, cut off at every byte; CTL_* and JACK_REMAP name things that do not exist, however long they are."""

    async def lengths(world: World) -> None:
        await world.probe()
        for code in [*map(int, snd.REQUESTS), 0x7FF]:
            whole = code.to_bytes(4, "little") + bytes(28)
            for length in range(33):
                world.note(hex(code), length, (await world.control(whole[:length], more=8)).hex())

    rtl, _ = await compare(dut, lengths)
    assert len(rtl.notes) >= 16 * 33


def test_register_rules() -> None:
    run_system(__file__)
