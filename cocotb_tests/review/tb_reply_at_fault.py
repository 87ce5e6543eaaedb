# SPDX-License-Identifier: Apache-2.0
"""queue_channel: a reply that is pushed around the cycle in which the queue stops ends all the same."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.queue.channel_bench import begin
from cocotb_tests.queue.guest_ring import Buffer


async def _reply_around_fault(bench, offset: int, beats: int) -> None:
    """One good chain is held; the next head is out of range. Its answer is offered `offset` cycles after that head."""
    dut, ring, memory, consumer = bench.dut, bench.ring, bench.memory, bench.consumer
    status = Buffer(ring.allocate(64), 64, True)
    ring.add([Buffer(ring.allocate(4), 4, False), status])
    await bench.notify()
    await bench.until(lambda: consumer.messages, "message")
    chain = consumer.messages.popleft().chain
    faults = consumer.faults
    ring.publish(ring.size)
    await bench.notify()
    while True:  # the cycle in which the walk of the bad head begins
        await FallingEdge(dut.clk_i)
        await ReadOnly()
        if int(dut.head_valid.value) and int(dut.head_ready.value):
            break
    for _ in range(offset):
        await FallingEdge(dut.clk_i)
    await FallingEdge(dut.clk_i)
    done = 0
    dut.reply_valid_i.value, dut.reply_chain_i.value = 1, chain
    left = beats + 1  # the offer, then the beats
    for _ in range(200):
        await ReadOnly()
        taken = int(dut.reply_ready_o.value) if left > beats else int(dut.reply_pop_o.value)
        done += int(dut.reply_done_o.value)
        await FallingEdge(dut.clk_i)
        if left and taken:
            left -= 1
        dut.reply_valid_i.value = int(left > beats)
        dut.reply_push_i.value = int(0 < left <= beats)
        dut.reply_data_i.value, dut.reply_count_i.value, dut.reply_last_i.value = 0x8000, 8, int(left == 1)
    assert left == 0, f"offset {offset}: {left} beats were never taken"
    assert done == 1, f"offset {offset}, {beats} beats: reply_done {done} times"
    assert consumer.faults == faults + 1, f"offset {offset}: {consumer.faults - faults} faults"
    await bench.clear()
    ring.avail_idx = ring.used_seen = 0
    memory.write(ring.driver, bytes(6 + 2 * ring.size))
    memory.write(ring.device, bytes(6 + 8 * ring.size))
    ring.free, ring.chains = list(range(ring.size)), {}


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_reply_ends_whenever_the_queue_stops(dut):
    bench = await begin(dut, features=0, size=8, latency=(3, 3))
    for beats in (1, 2):
        for offset in range(6):
            await _reply_around_fault(bench, offset, beats)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_stopped_queue_is_at_rest(dut):
    """busy_o is low: a stopped queue does not keep the bus clock running until the reset."""
    bench = await begin(dut, features=0, size=8)
    bench.ring.publish(bench.ring.size)
    await bench.notify()
    await bench.until(lambda: bench.consumer.faults, "fault")
    await ClockCycles(dut.clk_i, 20)
    await FallingEdge(dut.clk_i)
    await ReadOnly()
    assert not int(dut.busy_o.value), "busy after the queue has stopped"


def test_reply_at_fault() -> None:
    run_bench("queue_channel", __file__)
