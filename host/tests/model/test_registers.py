# SPDX-License-Identifier: Apache-2.0
"""Registers and status of docs/device.md, and the driver's half of them in Linux' order."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtone.model.device_profile import DEFAULT
from virtone.model.driver import LINUX_FEATURES
from virtone.model.errors import DeviceIoError, NoDevice, NoQueue
from virtone.virtio import mmio, probe
from virtone.virtio.profile import load

ACK, DRIVER = mmio.VIRTIO_CONFIG_S_ACKNOWLEDGE, mmio.VIRTIO_CONFIG_S_DRIVER
FEATURES_OK, DRIVER_OK = mmio.VIRTIO_CONFIG_S_FEATURES_OK, mmio.VIRTIO_CONFIG_S_DRIVER_OK
VERSION_1 = 1 << int(mmio.VIRTIO_F_VERSION_1)


def test_the_default_profile_is_the_one_the_rtl_is_built_with():
    built = load(Path(__file__).parents[3] / "rtl/profiles/stereo_out.toml")
    assert (built.features, built.queue_size_max) == (DEFAULT.features, DEFAULT.queue_size_max)
    assert [stream.info() for stream in built.streams] == [stream.info() for stream in DEFAULT.streams]
    assert built.config() == DEFAULT.config()


def test_identity_and_constants(world):
    async def main():
        read = world.port.read32
        assert [await read(offset) for offset in (0, 4, 8, 12)] == [0x74726976, 2, 25, 0x4E4F5456]
        for offset in (0x0B0, 0x0B4, 0x0B8, 0x0BC):
            assert await read(offset) == 0xFFFFFFFF
        for offset in (0x014, 0x020, 0x024, 0x030, 0x038, 0x050, 0x064, 0x080, 0x094, 0x0A4, 0x0AC, 0x0FC, 0x0F0):
            assert await read(offset) == 0
        assert await read(0x100) == 0 and await read(0x104) == 1 and await read(0x108) == 0 and await read(0x10C) == 0
        assert await world.port.read8(0x104) == 1 and await world.port.read8(0x105) == 0
        assert await world.port.read16(0x104) == 1 and await world.port.read16(0x106) == 0
        await world.port.write32(0x104, 7)
        assert await read(0x104) == 1

    world.run(main())


def test_offered_features(world):
    async def offered():
        words = []
        for select in (0, 1, 2):
            await world.port.write32(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, select)
            words.append(await world.port.read32(mmio.VIRTIO_MMIO_DEVICE_FEATURES))
        return words

    async def main():
        first = await offered()
        assert first == [1 << 28 | 1 << 29 | 1, 1 << 0 | 1 << 1 | 1 << 4 | 1 << 6 | 1 << 8, 0]
        await world.driver.probe()
        await world.driver.transport.reset()
        assert await offered() == first

    world.run(main())


@pytest.mark.parametrize(
    "accepted,agreed",
    [(DEFAULT.features, True), (VERSION_1, True), (0, False), (1 << 28, False), (VERSION_1 | 1 << 34, False),
     (VERSION_1 | 2, False), (VERSION_1 | 1 << 63, False)],
)  # fmt: skip
def test_features_ok(world, accepted, agreed):
    async def main():
        write = world.port.write32
        await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER)
        for select in (1, 0):
            await write(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, select)
            await write(mmio.VIRTIO_MMIO_DRIVER_FEATURES, accepted >> 32 * select & 0xFFFFFFFF)
        await write(mmio.VIRTIO_MMIO_STATUS, ACK | DRIVER | FEATURES_OK)
        status = await world.port.read32(mmio.VIRTIO_MMIO_STATUS)
        assert status == (ACK | DRIVER | FEATURES_OK if agreed else ACK | DRIVER)

    world.run(main())


@pytest.mark.parametrize("size,ready", [(0, 0), (1, 1), (2, 1), (3, 0), (1023, 0), (1024, 1), (2048, 0), (1 << 16, 0)])
def test_queue_ready_needs_a_legal_size(world, size, ready):
    async def main():
        await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_NUM, size)
        await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_READY, 1)
        assert await world.port.read32(mmio.VIRTIO_MMIO_QUEUE_READY) == ready

    world.run(main())


def test_queue_registers_are_locked_while_ready(world):
    async def main():
        await world.driver.probe()
        queue = world.device.txq
        before = (queue.size, queue.desc, queue.driver, queue.device)
        await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, 2)
        for offset in (0x038, 0x080, 0x084, 0x090, 0x094, 0x0A0, 0x0A4):
            await world.port.write32(offset, 0x55555555)
        assert (queue.size, queue.desc, queue.driver, queue.device) == before
        await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, 4)
        assert await world.port.read32(mmio.VIRTIO_MMIO_QUEUE_NUM_MAX) == 0
        await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_READY, 1)
        assert await world.port.read32(mmio.VIRTIO_MMIO_QUEUE_READY) == 0

    world.run(main())


def test_probe_makes_linux_register_accesses_in_linux_order(world, monkeypatch):
    seen = []
    read, write = world.device.read, world.device.write
    monkeypatch.setattr(
        world.device, "read", lambda offset, size: (seen.append(("r", int(offset))), read(offset, size))[1]
    )
    monkeypatch.setattr(world.device, "write", lambda o, v, s: (seen.append(("w", int(o), v)), write(o, v, s))[1])
    world.run(world.driver.probe())
    assert seen[:9] == [
        ("r", 0x000), ("r", 0x004), ("r", 0x008), ("r", 0x00C), ("w", 0x070, 0),
        ("r", 0x070), ("w", 0x070, 1), ("r", 0x070), ("w", 0x070, 3),
    ]  # fmt: skip
    assert seen[9:13] == [("w", 0x014, 1), ("r", 0x010), ("w", 0x014, 0), ("r", 0x010)]
    assert [entry[:2] for entry in seen[13:20]] == [
        ("w", 0x024), ("w", 0x020), ("w", 0x024), ("w", 0x020), ("r", 0x070), ("w", 0x070), ("r", 0x070),
    ]  # fmt: skip
    assert [entry[:2] for entry in seen[20:31]] == [
        ("w", 0x030), ("r", 0x044), ("r", 0x034), ("w", 0x038), ("w", 0x080), ("w", 0x084),
        ("w", 0x090), ("w", 0x094), ("w", 0x0A0), ("w", 0x0A4), ("w", 0x044),
    ]  # fmt: skip
    assert ("w", 0x070, 0xF) in seen


def test_probe_refuses_strangers(make_world, monkeypatch):
    for offset, value, message in ((0, 1, "MagicValue"), (4, 1, "Version is 1"), (8, 2, "DeviceID is 2")):
        world = make_world()
        read = world.device.read
        monkeypatch.setattr(
            world.device,
            "read",
            lambda o, s, offset=offset, value=value, read=read: value if o == offset else read(o, s),
        )
        with pytest.raises(NoDevice, match=message):
            world.run(world.driver.probe())


def test_queue_that_is_ready_before_setup_is_refused(world):
    async def main():
        await world.driver.transport.probe(25)
        await world.driver.transport.negotiate(LINUX_FEATURES)
        for queue in world.device.queues:
            queue.ready = True
        with pytest.raises(NoQueue, match="ENOENT: queue 0: QueueReady is not 0"):
            await world.driver.transport.setup_queue(0, world.driver._serve_control)
        with pytest.raises(NoQueue, match="no such queue"):
            await world.driver.transport.setup_queue(4, world.driver._serve_control)

    world.run(main())


def test_needs_reset_before_driver_ok_raises_no_interrupt(world):
    world.device.set_needs_reset("test")
    assert world.device.status == mmio.VIRTIO_CONFIG_S_NEEDS_RESET and not world.device.interrupt_status


def test_interrupt_line_that_stays_high_for_nothing_is_reported(world):
    async def main():
        await world.driver.probe()
        world.device.interrupt.clear = lambda: None
        world.device.interrupt.set()
        await world.sleep(1e6)

    with pytest.raises(DeviceIoError, match="stays high with InterruptStatus 0"):
        world.run(main())


def test_probe_page_counts_and_logs_markers(world, frames_of):
    async def main():
        def read(register):
            return world.port.read32(probe.PROBE_BASE + register)

        assert await read(probe.PROBE_MAGIC) == probe.PROBE_MAGIC_WORD
        pcm = await world.open()
        await world.port.write32(probe.PROBE_BASE + probe.PROBE_MARKER, 7)
        marked = world.timeline.now
        await pcm.writei(frames_of(480, 4))
        await pcm.drain()
        assert await read(probe.PROBE_FRAMES_PLAYED) == 480 and await read(probe.PROBE_UNDERRUNS) == 1
        cycles = await read(probe.PROBE_TIME_LOW) | await read(probe.PROBE_TIME_HIGH) << 32
        assert abs(cycles * 10 - world.port.now_ns()) < 500
        assert [(e.tick, e.arg) for e in world.device.events if e.kind == "marker"] == [(marked, 7)]

    world.run(main())
