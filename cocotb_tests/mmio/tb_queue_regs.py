# SPDX-License-Identifier: Apache-2.0
"""queue_regs against one queue of the register model, cycle by cycle; and the rules that decide about memory, one by one."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench
from cocotb_tests.mmio.mmio_model import ADDRESSES, QUEUE_SIZE_MAX, Queue
from virtone.virtio import mmio

READY, RESET, NUM = mmio.VIRTIO_MMIO_QUEUE_READY, mmio.VIRTIO_MMIO_QUEUE_RESET, mmio.VIRTIO_MMIO_QUEUE_NUM
END_LIMIT = 12  # cycles of idle_i after which a queue has been taken back
INPUTS = ("reset_i", "device_reset_i", "wr_i", "offset_i", "wdata_i", "ring_reset_i")


class Bench:
    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.queue = Queue()
        self.device_reset = self.was_idle = False
        self.idle_cycles = self.ended = 0

    async def start(self) -> Bench:
        await self.clock.start(**dict.fromkeys(INPUTS, 0), idle_i=1)
        return self

    async def cycle(
        self, write: tuple[int, int] | None = None, *, idle: bool = True, reset: bool = False, ring_reset: bool = True
    ) -> None:
        """One cycle; `reset` begins a device reset, which lasts until `device_reset` is put back to False."""
        clock, get = self.clock, self.clock.get
        offset, value = write or (self.rng.choice([int(READY), int(NUM)]), self.rng.getrandbits(32))
        clock.drive(
            wr_i=write is not None, offset_i=offset, wdata_i=value, idle_i=idle,
            reset_i=reset, device_reset_i=self.device_reset, ring_reset_i=ring_reset,
        )  # fmt: skip
        await clock.look()
        queue = self.queue
        if queue.clearing and not (get("in_reset_o") or get("hold_o")):
            assert self.was_idle, "taken back before the queue was idle"
            forget, queue.clearing, queue.forget = queue.forget, False, False
            if forget:
                self.queue = queue = Queue()
            self.ended += 1
        assert self.idle_cycles <= END_LIMIT, "the queue is never taken back"
        shown = {"ready": get("ready_o"), "in reset": get("in_reset_o"), "clear": get("clear_o"), "hold": get("hold_o")}
        expected = {
            "ready": queue.ready,
            "in reset": queue.forget,
            "clear": queue.clearing or self.device_reset,
            "hold": queue.clearing and not queue.forget,
        }
        assert shown == expected, f"cycle {clock.count}"
        config = queue.config(self.device_reset)
        if queue.clearing:  # what size and addresses are then concerns nobody
            assert get("cfg_o") >> 208 == 0, "cfg_o.ready while the queue is taken back"
        else:
            assert get("cfg_o") == config, f"cycle {clock.count}: cfg_o {get('cfg_o'):#x}, must be {config:#x}"
        if write is not None:
            queue.write(offset, value, ring_reset)
            if offset in (READY, RESET):
                self.idle_cycles = -1
        if reset:
            self.queue = Queue()
        self.idle_cycles = self.idle_cycles + 1 if self.queue.clearing and idle else 0
        self.was_idle = idle
        await clock.tick()

    async def set_up(self, size: int = 64) -> None:
        await self.cycle((NUM, size))
        for offset in ADDRESSES:
            await self.cycle((int(offset), self.rng.getrandbits(32)))
        await self.cycle((READY, 1))
        await self.cycle()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def sizes(dut: object) -> None:
    """QueueReady = 1 is taken with a power of two of 1..SizeMax, and with nothing else."""
    bench = await Bench(dut).start()
    for size in (*range(20), *(1 << bit for bit in range(32)), 1023, 1025, 1536, 2047, 0x10001, 0x10400, 0xFFFFFFFF):
        await bench.set_up(size)
        legal = size in [1 << bit for bit in range(11)]
        assert bench.clock.get("ready_o") == legal, f"QueueSize {size}"
        await bench.cycle((RESET, 1))
        while bench.queue.clearing:
            await bench.cycle()
    assert QUEUE_SIZE_MAX == 1024


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def nothing_changes_while_ready(dut: object) -> None:
    """Size and addresses written while QueueReady reads 1 are ignored."""
    bench = await Bench(dut).start()
    await bench.set_up()
    before = bench.clock.get("cfg_o")
    for offset in (NUM, *ADDRESSES):
        await bench.cycle((int(offset), 4))
    await bench.cycle((READY, 1))
    await bench.cycle()
    assert bench.clock.get("cfg_o") == before


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def taken_back_when_idle(dut: object) -> None:
    """By QueueReset (everything forgotten) and by QueueReady = 0 (kept), however long the queue takes."""
    bench = await Bench(dut).start()
    for wait in (0, 1, 9, 100):
        for way in ((RESET, 1), (READY, 0)):
            await bench.set_up()
            ended = bench.ended
            await bench.cycle(way, idle=False)
            for _ in range(wait):
                await bench.cycle(idle=False)
            assert bench.ended == ended
            for _ in range(END_LIMIT + 1):
                await bench.cycle()
            assert bench.ended == ended + 1 and not bench.clock.get("ready_o") and not bench.clock.get("in_reset_o")
            assert (bench.queue.written_size == 0) == (way[0] == RESET)
    await bench.set_up()
    await bench.cycle((RESET, 1), ring_reset=False)
    await bench.cycle()
    assert bench.clock.get("ready_o"), "QueueReset without RING_RESET"


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def any_traffic(dut: object) -> None:
    """Registers, resets of the queue and of the device in any order, with a driver that goes on writing meanwhile."""
    bench = await Bench(dut).start()
    rng = bench.rng
    idle = True
    for _ in range(8000):
        write = None
        if rng.random() < 0.4:
            offset = int(rng.choice([READY, READY, NUM, RESET, *ADDRESSES, 0x30]))
            value = rng.choice([0, 1, 1, 2, 64, 1024, 2048, rng.getrandbits(32)])
            write = (offset, value) if rng.random() < 0.9 or offset != RESET else (offset, 1)
        idle ^= rng.random() < 0.1
        reset = not bench.device_reset and rng.random() < 0.005
        await bench.cycle(None if reset else write, idle=idle, reset=reset, ring_reset=rng.random() < 0.9)
        if reset:
            bench.device_reset = True
        elif rng.random() < 0.1:
            bench.device_reset = False
    assert bench.ended > 50


def test_queue_regs() -> None:
    run_bench("queue_regs", __file__, parameters={"SizeMax": QUEUE_SIZE_MAX})
