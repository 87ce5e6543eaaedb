# SPDX-License-Identifier: Apache-2.0
"""What a driver may rely on when it takes a queue back, and that no queue keeps the controlq from being served."""

from __future__ import annotations

import cocotb

from cocotb_tests.bfm.port import RtlPort
from cocotb_tests.engine.system import run_system
from cocotb_tests.system.tb_queue_reset import RX, TX, nobody, raw
from cocotb_tests.system.world import World, on_rtl
from virtone.virtio import mmio


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def no_access_after_queue_ready_reads_0(dut):
    """virtio 1.4, 4.2.2.1: no access while QueueReady is 0; 4.2.2.2: the driver reads it back and frees the ring (Linux: vm_del_vq)."""
    page = RtlPort(dut).page

    def scenario(pause_ns: float):
        async def taken_back(world: World) -> None:
            await world.probe()
            transport, memory = world.driver.transport, world.port.memory
            transport._callbacks[RX] = nobody
            page.write_latency = 200  # bus cycles, in AXI terms: a write lands with its response
            queue = transport.queues[RX]
            area = memory.alloc(64)
            queue.add([(area, 4, False), (area + 8, 32, True)], "rx")
            await transport.notify(queue)
            await world.port.sleep_ns(pause_ns)
            await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, RX)
            await world.port.write32(mmio.VIRTIO_MMIO_QUEUE_READY, 0)
            assert await world.port.read32(mmio.VIRTIO_MMIO_QUEUE_READY) == 0
            before = memory.snapshot()
            await world.sleep_ms(0.02)
            assert memory.snapshot() == before, (
                f"memory changed after QueueReady read 0, {pause_ns} ns after the notify"
            )
            page.write_latency = 20
            queue._outstanding.clear()
            await transport.reset()
            world.driver.substreams.clear()

        return taken_back

    for pause_us in range(0, 10):
        await on_rtl(dut, scenario(pause_us * 1e3))


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def release_ends_while_the_txq_is_kept_full(dut):
    """RELEASE completes what was available when it was executed; a driver that adds more all the time gets its answer too."""

    async def kept_full(world: World) -> None:
        await world.open(period_size=48, periods=4)
        queue, memory = world.driver.txq, world.port.memory
        world.driver.transport._callbacks[TX] = nobody
        area, size = raw(world, 16)
        head = queue.add([(area, size, False), (area + size, 8, True)], "again", indirect=False)
        avail = queue.avail
        for slot in range(64):
            memory.write(avail + 4 + 2 * slot, head.to_bytes(2, "little"))

        def fill() -> None:
            memory.write(avail + 2, (queue.used_idx + 64 & 0xFFFF).to_bytes(2, "little"))

        fill()
        await world.driver.transport.notify(queue)
        stopped = False

        async def keep_full() -> None:
            while not stopped:
                fill()
                await world.port.sleep_ns(500)

        task = world.port.spawn(keep_full())
        world.witness.flushes = False  # it knows of no message that comes during a RELEASE
        used, available = queue.used_idx, memory.read_uint(avail + 2, 2)
        start = world.port.now_ns()
        release = world.port.spawn(world.command("RELEASE"))
        while not release.done() and world.port.now_ns() < start + 2e6:
            await world.port.sleep_ns(10_000)
        took = world.port.now_ns() - start
        stopped = True
        await task
        assert release.done(), f"RELEASE took {took / 1e6:.1f} ms, {queue.used_idx - used & 0xFFFF} messages"
        assert (queue.used_idx - available & 0xFFFF) < 0x8000, "answered before all that was available was completed"
        queue._outstanding.clear()
        await world.driver.transport.reset()
        world.driver.substreams.clear()

    await on_rtl(dut, kept_full)


def test_taken_back() -> None:
    run_system(__file__)
