# SPDX-License-Identifier: Apache-2.0
"""Resets at any moment of a RELEASE: of the txq, of the device, and twice in a row. The device ends up whole each time."""

from __future__ import annotations

import cocotb

from cocotb_tests.engine.system import run_system
from cocotb_tests.system.tb_queue_reset import FEATURES, TX, nobody, set_up_tx
from cocotb_tests.system.world import World, on_rtl
from virtone.virtio import mmio, snd

MOMENTS_NS = (*range(0, 4000, 170), 6000, 12000, 30000)


async def releasing(world: World, moment_ns: float) -> list:
    """A stream with messages in every stage; RELEASE was posted `moment_ns` ago. Returns where its answer will appear."""
    pcm = await world.open(period_size=48, periods=16, rate=48000)
    await pcm.writei(world.music(48 * 16))
    await world.completions(1)
    await world.command("STOP")
    world.driver.transport._callbacks[TX] = nobody
    world.witness.flushes = False
    answers: list[str] = []

    async def release() -> None:
        answers.append(await world.command("RELEASE"))

    world.port.spawn(release())
    await world.port.sleep_ns(moment_ns)
    return answers


async def plays_again(world: World) -> None:
    await world.driver.transport.reset()
    world.driver.substreams.clear()
    world.witness.flushes = True
    pcm = await world.open(period_size=48)
    await pcm.writei(world.music(96))
    await pcm.drain()
    await pcm.close()


@cocotb.test(timeout_time=500, timeout_unit="ms")
async def the_txq_is_reset_during_a_release(dut):
    for moment in MOMENTS_NS:

        async def txq_reset(world: World, moment: float = moment) -> None:
            answers = await releasing(world, moment)
            queue = world.driver.txq
            await world.driver.transport.reset_queue(TX)
            await world.sleep_ms(0.3)
            assert answers == [snd.VIRTIO_SND_S_OK.name], f"RELEASE, txq reset after {moment} ns: {answers}"
            queue._outstanding.clear()
            await set_up_tx(world)
            assert await world.command("PREPARE") == snd.VIRTIO_SND_S_OK.name
            world.driver.txq._outstanding.clear()
            await plays_again(world)

        await on_rtl(dut, txq_reset, features=FEATURES)


@cocotb.test(timeout_time=500, timeout_unit="ms")
async def the_device_is_reset_twice_during_a_release(dut):
    for moment in MOMENTS_NS:

        async def device_reset(world: World, moment: float = moment) -> None:
            await releasing(world, moment)
            await world.port.write32(mmio.VIRTIO_MMIO_STATUS, 0)
            await world.port.write32(mmio.VIRTIO_MMIO_STATUS, 0)
            assert await world.port.read32(mmio.VIRTIO_MMIO_STATUS) == 0
            before = world.port.memory.snapshot()
            await world.sleep_ms(0.1)
            assert world.port.memory.snapshot() == before, f"memory changed after the reset ({moment} ns)"
            for queue in world.driver.transport.queues.values():
                queue._outstanding.clear()
            await plays_again(world)

        await on_rtl(dut, device_reset, features=FEATURES)


def test_reset_in_flush() -> None:
    run_system(__file__)
