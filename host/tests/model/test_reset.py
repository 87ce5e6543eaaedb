# SPDX-License-Identifier: Apache-2.0
"""Reset of the device and of one queue: silence at once, rest before the answer, and a fresh start after it."""

from __future__ import annotations

import pytest

from virtone.model.checks import check_silent_memory
from virtone.model.driver import LINUX_FEATURES
from virtone.model.errors import InvalidArgument
from virtone.virtio import mmio, snd


def test_reset_silences_memory_at_once(world, frames_of):
    async def main():
        pcm = await world.open()
        await pcm.writei(frames_of(480, 4))
        await world.sleep(1.01e6)
        await world.driver.transport._add_status(0)
        await world.port.write32(mmio.VIRTIO_MMIO_STATUS, 0)
        before, frames = world.memory.snapshot(), len(world.device.frames)
        await world.sleep(30e6)
        check_silent_memory(before, world.memory.snapshot())
        assert len(world.device.frames) == frames
        assert world.device.interrupt_status == 0 and await world.driver.transport.status() == 0
        for index in range(4):
            await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, index)
            assert await world.port.read32(mmio.VIRTIO_MMIO_QUEUE_READY) == 0

    world.run(main())


def test_notification_on_its_way_does_not_survive_a_reset(make_world):
    world = make_world(service_ns=5000)

    async def main():
        await world.driver.probe()
        address = world.memory.alloc(16)
        world.driver.ctlq.add([(address, 8, False), (address + 8, 4, True)], token=world)
        await world.driver.transport.notify(world.driver.ctlq)
        await world.port.write32(mmio.VIRTIO_MMIO_STATUS, 0)
        before = world.memory.snapshot()
        await world.sleep(50_000)
        check_silent_memory(before, world.memory.snapshot())

    world.run(main())


def test_the_next_access_is_held_until_a_slow_reset_has_ended(make_world):
    world = make_world(reset_ns=40_000)

    async def main():
        await world.driver.probe()
        # What Linux does: no wait after the reset. The next access is held until it has ended, whatever that takes.
        start = world.port.now_ns()
        await world.driver.transport.probe(25)
        assert world.port.now_ns() - start > 40_000

    world.run(main())


def test_probe_again_after_a_reset(world, frames_of):
    async def main():
        for _ in range(2):
            pcm = await world.open()
            await pcm.writei(frames_of(480, 4))
            await world.sleep(1e6)
            world.driver.pcm(0).substream.runtime.dma.free()
            await world.driver.remove()
            assert world.memory.allocated() == 0

    world.run(main())


def test_queue_reset_drops_one_queue_and_leaves_the_others(make_world, frames_of):
    world = make_world(pcm_features=())  # the stream runs dry: no event shall say so

    async def main():
        pcm = await world.open()
        await pcm.writei(frames_of(480, 4))
        await world.sleep(1e6)
        await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, 2)
        await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_RESET, 1)
        before = world.memory.snapshot()
        assert world.device.txq.resetting
        await world.sleep(20e6)
        check_silent_memory(before, world.memory.snapshot())
        assert not world.device.txq.used_log and not world.device.txq.ready
        tokens = await world.driver.transport.reset_queue(2)
        assert len(tokens) == 4
        assert await world.pcm_command(snd.VIRTIO_SND_R_PCM_STOP) == snd.VIRTIO_SND_S_OK
        # Set up again, it starts from index 0 and works.
        world.driver.txq = await world.driver.transport.setup_queue(2, world.driver._serve_tx, 16)
        world.driver.substreams[0].forget()
        world.driver.substreams[0]._stopped = False
        pcm._free_buffer()
        again = world.driver.pcm()
        await again.open()
        await again.hw_params(format="S16_LE", channels=1, rate=44100, period_size=100, periods=2)
        await again.prepare()
        played = len(world.device.frames)
        await again.writei(frames_of(200, 2))
        await again.drain()
        assert len(world.device.frames) == played + 200

    world.run(main())


def test_queue_reset_needs_the_feature(make_world):
    world = make_world(features=LINUX_FEATURES)

    async def main():
        await world.driver.probe()
        with pytest.raises(InvalidArgument, match="RING_RESET is not negotiated"):
            await world.driver.transport.reset_queue(2)
        await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, 2)
        await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_RESET, 1)
        assert world.device.txq.ready and not world.device.txq.resetting

    world.run(main())
