# SPDX-License-Identifier: Apache-2.0
"""avail_reader: every published entry once and in order, with the driver's half of notification kept by the bench."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.queue.block_bench import BlockBench, begin
from cocotb_tests.queue.channel_bench import EVENT_IDX, NOTIFICATION_DATA
from cocotb_tests.queue.guest_ring import GuestRing


class Bench:
    """`published` and `heads` must be equal in the end; `take` is the chance per cycle that a head is taken."""

    def __init__(self, block: BlockBench, ring: GuestRing, features: int) -> None:
        self.block, self.ring, self.features = block, ring, features
        self.published: list[int] = []
        self.heads: list[int] = []
        self.take = 0.5

    async def _consume(self) -> None:
        dut = self.block.dut
        while True:
            await FallingEdge(dut.clk_i)
            dut.head_ready_i.value = int(self.block.rng.random() < self.take)
            await ReadOnly()
            if int(dut.head_valid_o.value) and int(dut.head_ready_i.value):
                self.heads.append(int(dut.head_o.value))

    def add(self, count: int = 1) -> bool:
        """Publish entries; says whether a driver would notify (virtio 1.4, 2.7.10)."""
        ring, old = self.ring, self.ring.avail_idx
        for _ in range(count):
            head = self.block.rng.randrange(1 << 16)  # what a head may be is not this block's concern
            self.published.append(head)
            ring.publish(head)
        event = ring.avail_event
        return not self.features & EVENT_IDX or (ring.avail_idx - event - 1) & 0xFFFF < (ring.avail_idx - old) & 0xFFFF

    async def notify(self, idx: int | None = None) -> None:
        await self.block.pulse("notify_i", notify_idx_i=self.ring.avail_idx if idx is None else idx)

    async def delivered(self, cycles: int = 5000) -> None:
        await self.block.until(lambda: len(self.heads) >= len(self.published), "every entry delivered", cycles)
        assert self.heads == self.published

    async def quiet(self, cycles: int = 100) -> None:
        """The block says that it is not busy, and touches nothing."""
        block = self.block
        await block.until(lambda: not int(block.dut.busy_o.value), "not busy", 500)
        accepted = block.memory.accepted
        for _ in range(cycles):
            await FallingEdge(block.dut.clk_i)
            await ReadOnly()
            assert not int(block.dut.busy_o.value), "busy by itself"
        assert block.memory.accepted == accepted, "a transfer although nobody asked"

    async def new_ring(self, features: int | None = None, size: int | None = None) -> None:
        """Queue reset on both sides, perhaps with another ring; out of service."""
        await self.block.drive(enable_i=0)
        await self.block.clear()
        self.features = self.features if features is None else features
        self.ring = ring = GuestRing(self.block.memory, self.block.rng, size=size or self.ring.size)
        ring.memory.write(ring.driver, bytes(6 + 2 * ring.size))
        ring.memory.write(ring.device, bytes(6 + 8 * ring.size))
        await self.block.drive(cfg_i=ring.config, features_i=self.features)
        self.published.clear()
        self.heads.clear()


async def start(
    dut: Any, features: int, size: int = 16, latency: tuple[int, int] = (1, 12), serve: bool = True
) -> Bench:
    names = ("enable_i", "notify_i", "notify_idx_i", "poll_i", "drain_i", "head_ready_i")
    block = await begin(dut, latency, cfg_i=0, features_i=features, **dict.fromkeys(names, 0))
    ring = GuestRing(block.memory, block.rng, size=size)
    bench = Bench(block, ring, features)
    await block.drive(cfg_i=ring.config)
    cocotb.start_soon(bench._consume())
    if serve:
        await block.drive(enable_i=1)
        await block.cycles(100)
    return bench


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def every_entry_once_in_order(dut: Any) -> None:
    """Bursts of entries while others are delivered, all lengths of ring, all features; notified as a driver would."""
    bench = await start(dut, 0, serve=False)
    rng = bench.block.rng
    for features in (0, EVENT_IDX, NOTIFICATION_DATA, EVENT_IDX | NOTIFICATION_DATA):
        for size in (1, 2, 8, 64):
            await bench.new_ring(features, size)
            await bench.block.drive(enable_i=1)
            for _ in range(40):
                room = size - len(bench.published) + len(bench.heads)
                if room and bench.add(rng.randint(1, room)):
                    await bench.notify()
                bench.take = rng.choice([0.1, 0.5, 1.0])
                await bench.block.cycles(rng.choice([2, 20, 150]))
            bench.take = 1.0
            await bench.delivered()
            if features & EVENT_IDX:
                await bench.block.until(lambda: bench.ring.avail_event == bench.ring.avail_idx, "avail_event")
            assert bench.block.faults == 0
            await bench.quiet()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def looks_once_on_going_into_service(dut: Any) -> None:
    """What was published before is found without a notification; what comes later is not looked for."""
    bench = await start(dut, 0, serve=False)
    bench.add(5)
    await bench.quiet()
    assert not bench.heads and not bench.block.memory.requests, "looked before it was in service"
    await bench.block.drive(enable_i=1)
    await bench.delivered()
    bench.add()
    await bench.quiet(300)
    await bench.block.pulse("poll_i")
    await bench.delivered()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def notification_data(dut: Any) -> None:
    """An index 1..size ahead is taken at its word: avail.idx, which says something else here, is not read. Any other is not."""
    bench = await start(dut, NOTIFICATION_DATA, size=8)
    ring, memory = bench.ring, bench.block.memory
    for count in (1, 3, 8):
        bench.add(count)
        memory.write16(ring.driver + 2, ring.avail_idx - count)
        await bench.notify()
        await bench.delivered()
    memory.write16(ring.driver + 2, ring.avail_idx)
    for offset in (0, -1, 9, 0x8000):
        bench.add(2)
        await bench.notify((ring.avail_idx - 2 + offset) & 0xFFFF)
        await bench.delivered()
    assert bench.block.faults == 0


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def event_idx_misses_nothing(dut: Any) -> None:
    """Entries added at every moment around the publication of avail_event, with a driver that notifies only if it has to."""
    bench = await start(dut, EVENT_IDX, size=256, latency=(5, 15))
    bench.take = 1.0
    silent = 0
    for pause in [*range(0, 120), *range(0, 120)]:
        await bench.block.until(lambda: bench.ring.avail_event == bench.ring.avail_idx, "avail_event")
        bench.add()
        await bench.notify()
        await bench.block.cycles(pause)
        if bench.add():
            await bench.notify()
        else:
            silent += 1
        await bench.delivered()
    assert 20 < silent < 220, f"{silent} of 240 entries without a notification: the race was not exercised"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def caught_up_after_drain(dut: Any) -> None:
    """caught_up_o: avail.idx was read after drain_i rose, and all of it delivered; out of service at once."""
    bench = await start(dut, 0, size=64)
    for rate in (0.1, 1.0):
        for count in (0, 1, 20):
            bench.take = rate
            bench.add(count)
            requests = len(bench.block.memory.requests)
            await bench.block.drive(drain_i=1)
            await bench.block.until(bench.block.high("caught_up_o"), "caught up")
            assert len(bench.block.memory.requests) > requests, "avail.idx was not read"
            assert bench.heads == bench.published
            await bench.block.drive(drain_i=0)
            await bench.block.cycles(2)
    await bench.block.drive(enable_i=0)
    await bench.block.drive(drain_i=1)
    await bench.block.until(bench.block.high("caught_up_o"), "a queue out of service has nothing to drain", 3)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_drain_is_bounded(dut: Any) -> None:
    """A driver that goes on publishing does not prolong it: what was there when it began is delivered, and it is over."""
    bench = await start(dut, 0, size=64)
    bench.take = 0.3
    bench.add(10)
    await bench.block.drive(drain_i=1)
    await bench.block.cycles(40)  # avail.idx has been read
    done = []
    for _ in range(300):
        if len(bench.published) - len(bench.heads) < 60:
            bench.add()
            await bench.notify()
        await ReadOnly()
        done += [len(bench.heads)] if int(dut.caught_up_o.value) else []
        await FallingEdge(dut.clk_i)
    assert done and 10 <= done[0] < 20, f"over after {done[:1]} heads, of {len(bench.published)} published"
    await bench.block.drive(drain_i=0)
    bench.take = 1.0
    await bench.delivered()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def far_ahead_and_bus_errors_are_faults(dut: Any) -> None:
    """An index of more than the ring's length ahead, and an error on every kind of access: one cycle of fault_o."""
    bench = await start(dut, EVENT_IDX, size=8)
    ring, block = bench.ring, bench.block
    bench.add(8)  # as far as it may go
    await bench.notify()
    await bench.delivered()
    assert block.faults == 0
    bench.add(9)
    await bench.notify()
    await block.until(lambda: block.faults == 1, "fault", 1000)
    assert len(bench.heads) == 8, "entries of an index that is too far ahead"
    await block.drive(clear_i=1)
    places = {"avail.idx": ring.driver + 2, "entry": ring.driver + 4, "avail_event": ring.device + 4 + 8 * ring.size}
    for name, addr in places.items():
        await bench.new_ring()
        bench.add()
        block.memory.error_range = (addr & ~7, addr | 7)
        faults = block.faults
        await block.drive(enable_i=1)
        await block.until(lambda seen=faults: block.faults > seen, f"fault at {name}", 1000)
        await block.drive(clear_i=1)  # as the channel does
        assert block.faults == faults + 1
        block.memory.error_range = None
    await bench.new_ring()
    bench.add(3)
    await block.drive(enable_i=1)
    await bench.delivered()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def indices_wrap_at_16_bits(dut: Any) -> None:
    """The free-running index passes 65535 (started near it; 65,536 entries would take too long)."""
    bench = await start(dut, 0, size=8)
    dut.last_q.value = dut.avail_q.value = bench.ring.avail_idx = 0xFFFC
    for _ in range(4):
        bench.add(3)
        await bench.notify()
        await bench.delivered()


def test_avail_reader() -> None:
    run_bench("avail_reader", __file__)
