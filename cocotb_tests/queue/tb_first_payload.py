# SPDX-License-Identifier: Apache-2.0
"""How long a queue_channel takes from the notification to the first payload byte: docs/rtl/queue_channel.md, "Tolerances".

A txq message as Linux sends it (header, payload, status in buffers of their own), a memory that answers a given number of
cycles after it was asked and a consumer that takes the header at once.
"""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.queue.block_bench import BlockBench, begin
from cocotb_tests.queue.channel_bench import EVENT_IDX, INDIRECT_DESC, NOTIFICATION_DATA
from cocotb_tests.queue.guest_ring import INDIRECT, NEXT, WRITE, GuestRing

HEADER, PAYLOAD, STATUS, TABLE = 0x2_0000_0004, 0x2_0001_0003, 0x2_0002_0000, 0x2_0005_0004
LATENCIES = (20, 100)
CYCLES = 40  # beside the round trips


class _Always(random.Random):
    """For a memory that is always ready."""

    def random(self) -> float:
        return 0.0


def publish(ring: GuestRing, shape: str) -> None:
    """One message: `row` has its descriptors side by side, `apart` far from each other, `indirect` in a table."""
    buffers = [(HEADER, 4, NEXT), (PAYLOAD, 1920, NEXT), (STATUS, 8, WRITE)]
    slots = (0, 20, 40) if shape == "apart" else (0, 1, 2, 3)
    for place, (addr, length, flags) in enumerate(buffers):
        following = slots[place + 1] if flags & NEXT else 0
        ring.descriptor(TABLE if shape == "indirect" else ring.desc, slots[place], addr, length, flags, following)
    if shape == "indirect":
        ring.descriptor(ring.desc, 0, TABLE, 48, INDIRECT, 0)
    ring.publish(0)


async def first_payload(bench: BlockBench, latency: int, features: int, shape: str) -> int:
    """Bus cycles from notify_i to the first payload byte on the message port, on a fresh queue."""
    dut, memory = bench.dut, bench.memory
    memory.latency = (latency, latency)
    await bench.clear()
    dut.cfg_i.value = 0
    ring = GuestRing(memory, bench.rng, size=64, desc=0x1_0000_0000, driver=0x1_0000_4000, device=0x1_0000_6000)
    memory.write(ring.driver, bytes(6 + 2 * ring.size))
    memory.write(ring.device, bytes(6 + 8 * ring.size))
    await ClockCycles(dut.clk_i, 4)
    await FallingEdge(dut.clk_i)
    dut.cfg_i.value, dut.features_i.value = ring.config, features | INDIRECT_DESC
    await ClockCycles(dut.clk_i, 4 * latency + 50)
    publish(ring, shape)
    await FallingEdge(dut.clk_i)
    dut.notify_idx_i.value, dut.notify_i.value = 1, 1
    start, taken = memory.cycle, 0
    while memory.cycle < start + 20 * latency + 500:
        await FallingEdge(dut.clk_i)
        dut.notify_i.value = 0
        count = int(dut.msg_count_o.value)
        take = min(count, 4 - taken)
        dut.msg_take_i.value = take
        if taken == 4 and count:
            return memory.cycle - start
        taken += take
    raise AssertionError("no payload")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def round_trips(dut: Any) -> None:
    """The number of memory round trips of each case, and no more than 40 cycles beside them."""
    names = (
        "cfg",
        "features",
        "notify",
        "notify_idx",
        "poll",
        "drain",
        "msg_take",
        "msg_skip",
        "msg_ready",
        "reply_valid",
    )
    names += ("reply_chain", "reply_data", "reply_count", "reply_last", "reply_push")
    bench = await begin(dut, memory_rng=_Always(1), driver_ok_i=1, **dict.fromkeys([f"{name}_i" for name in names], 0))
    for features, shape in product(
        (0, NOTIFICATION_DATA, EVENT_IDX, NOTIFICATION_DATA | EVENT_IDX), ("row", "apart", "indirect")
    ):
        fast, slow = [await first_payload(bench, latency, features, shape) for latency in LATENCIES]
        trips = (slow - fast) / (LATENCIES[1] - LATENCIES[0])
        expected = 4 + (shape != "row") - bool(features & NOTIFICATION_DATA)
        case = f"features {features}, {shape}: {fast} and {slow} cycles"
        assert trips == expected, f"{case}, {trips} round trips"
        assert slow - trips * LATENCIES[1] <= CYCLES, case


def test_first_payload() -> None:
    run_bench("queue_channel", __file__)
