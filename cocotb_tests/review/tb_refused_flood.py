# SPDX-License-Identifier: Apache-2.0
"""A flood of refused messages does not keep the good ones from being completed at their time."""

from __future__ import annotations

import cocotb

from cocotb_tests.engine.system import run_system
from cocotb_tests.system.tb_queue_reset import TX, nobody, raw
from cocotb_tests.system.world import World, on_rtl
from virtone.virtio import snd


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def good_messages_complete_within_a_flood(dut):
    async def flood(world: World) -> None:
        await world.open(period_size=48, periods=4)
        queue, memory = world.driver.txq, world.port.memory
        world.driver.transport._callbacks[TX] = nobody
        world.witness.flushes = False
        area, size = raw(world, 48)
        good = queue.add([(area, size, False), (area + size, 8, True)], "good", indirect=False)
        bad_area, _ = raw(world, 1)
        memory.write(bad_area, snd.virtio_snd_pcm_xfer.pack(stream_id=7))
        bad = queue.add([(bad_area, 8, False), (bad_area + 8, 8, True)], "bad", indirect=False)
        for slot in range(64):
            memory.write(queue.avail + 4 + 2 * slot, (good if slot == 0 else bad).to_bytes(2, "little"))

        def fill() -> None:
            memory.write(queue.avail + 2, (queue.used_idx + 60 & 0xFFFF).to_bytes(2, "little"))

        fill()
        await world.driver.transport.notify(queue)
        assert await world.command("START") == snd.VIRTIO_SND_S_OK.name
        memory.write(queue.avail + 4, bad.to_bytes(2, "little"))  # its turn is over: only bad ones from here on
        start, seen, place = world.port.now_ns(), 0, None
        while world.port.now_ns() < start + 3e6:
            fill()
            while seen != queue.used_idx:
                head = memory.read_uint(queue.used + 4 + 8 * (seen % 64), 4)
                if head == good and place is None:
                    place = world.port.now_ns() - start
                seen = (seen + 1) & 0xFFFF
            await world.port.sleep_ns(500)
        assert seen > 200, f"{seen} messages: no flood"
        assert place is not None and place < 1.2e6, f"the good message was completed after {place} ns, {seen} refused"
        queue._outstanding.clear()
        await world.driver.transport.reset()
        world.driver.substreams.clear()

    await on_rtl(dut, flood)


def test_refused_flood() -> None:
    run_system(__file__)
