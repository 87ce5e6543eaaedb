# SPDX-License-Identifier: Apache-2.0
"""scatter: response bytes land in the buffers in order, one acknowledged write after the other, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.queue.block_bench import BlockBench, begin

GUARD = 0x5A  # what memory holds where no byte may land


@dataclass
class Answer:
    """One response on its way: `response` in beats of 0..8 bytes, `buffers` as the walker shows them."""

    block: BlockBench
    response: bytes
    buffers: list[tuple[int, int]]
    pace: float = 0.5

    async def run(self) -> int:
        """From start_i to done_o; gives written_o."""
        block, dut, rng = self.block, self.block.dut, self.block.rng
        waiting, rest = list(self.buffers), self.response
        shown, beat, last, over = False, None, False, False
        await block.pulse("start_i")
        for _ in range(60_000):
            shown = shown or rng.random() < self.pace
            dut.seg_valid_i.value = int(shown and bool(waiting))
            dut.seg_addr_i.value, dut.seg_len_i.value = waiting[0] if waiting else (0xBAD, 0xBAD)
            dut.chain_end_i.value = int(shown and not waiting)
            if beat is None and not over and rng.random() < self.pace:
                size = rng.randint(0, 8)
                beat, rest = rest[:size], rest[size:]
                last = not rest and rng.random() < 0.7  # else an empty beat ends it
            dut.push_i.value = int(beat is not None)
            dut.data_i.value = int.from_bytes((beat or b"").ljust(8, b"\xee"), "little")
            dut.count_i.value, dut.last_i.value = len(beat or b""), int(last)
            await ReadOnly()
            if int(dut.seg_next_o.value):
                assert shown and waiting, "takes a buffer that is not shown"
                waiting.pop(0)
                shown = False
            if beat is not None and int(dut.pop_o.value):
                beat, over = None, last
            done = int(dut.done_o.value)
            assert not (done and block.memory.open), "done before the last write is acknowledged"
            written = int(dut.written_o.value)
            await FallingEdge(dut.clk_i)
            if done:
                assert over, "done before the last byte was pushed"
                for name in ("push_i", "seg_valid_i", "chain_end_i"):
                    getattr(dut, name).value = 0
                return written
        raise AssertionError("no end")


async def start(dut: Any) -> BlockBench:
    names = (
        "start_i",
        "data_i",
        "count_i",
        "last_i",
        "push_i",
        "seg_valid_i",
        "seg_addr_i",
        "seg_len_i",
        "chain_end_i",
    )
    block = await begin(dut, **dict.fromkeys(names, 0))
    cocotb.start_soon(one_at_a_time(block))
    return block


async def one_at_a_time(block: BlockBench) -> None:
    """No write is offered while another has not been acknowledged."""
    dut, outstanding = block.dut, False
    while True:
        await FallingEdge(dut.clk_i)
        await ReadOnly()
        offered = int(dut.wr_valid_o.value)
        assert not (offered and outstanding), "a write is offered before the last one is acknowledged"
        if int(dut.wr_done_i.value):
            outstanding = False
        if offered and int(dut.wr_ready_i.value):
            outstanding = True


def place(block: BlockBench, lengths: list[int]) -> list[tuple[int, int]]:
    """Buffers of those lengths, guard bytes in them and around them."""
    buffers, base = [], 0x7_0000_0000
    for length in lengths:
        base += block.rng.randint(16, 5000)
        block.memory.write(base - 16, bytes([GUARD]) * (length + 32))
        buffers.append((base, length))
        base += length + 16
    return buffers


def check(block: BlockBench, buffers: list[tuple[int, int]], response: bytes, written: int) -> None:
    room = sum(length for _, length in buffers)
    kept = response[:room]
    assert written == len(kept), f"written_o {written}; {len(kept)} bytes had room"
    landed = b"".join(block.memory.read(addr, length) for addr, length in buffers)
    assert landed == kept + bytes([GUARD]) * (room - len(kept))
    for addr, length in buffers:
        around = block.memory.read(addr - 16, 16) + block.memory.read(addr + length, 16)
        assert around == bytes([GUARD]) * 32, f"bytes around {addr:#x} x {length} were touched"
    addresses = [w.addr for w in block.memory.writes]
    order = [next(i for i, (addr, length) in enumerate(buffers) if addr <= a < addr + length) for a in addresses]
    assert order == sorted(order), "buffers were not filled in order"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def bytes_in_order_and_nowhere_else(dut: Any) -> None:
    """Any framing, any alignment; responses that fit, that leave room, and that do not fit."""
    block = await start(dut)
    dropped = 0
    for _ in range(150):
        block.memory.latency = block.rng.choice([(1, 2), (1, 20)])
        lengths = [block.rng.choice([1, 2, 3, 4, 7, 8, 9, 40]) for _ in range(block.rng.randint(0, 5))]
        buffers = place(block, lengths)
        room = sum(lengths)
        response = block.rng.randbytes(block.rng.choice([0, 1, 8, room, max(0, room - 3), room + 1, room + 50]))
        dropped += len(response) > room
        block.memory.writes.clear()
        written = await Answer(block, response, buffers, block.rng.choice([0.2, 1.0])).run()
        check(block, buffers, response, written)
    assert dropped > 20 and block.faults == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def whole_words_in_one_write(dut: Any) -> None:
    """An aligned buffer takes 8 bytes a write, however the bytes were pushed."""
    block = await start(dut)
    block.memory.writes.clear()
    response = block.rng.randbytes(64)
    assert await Answer(block, response, [(0x7_0000_0000, 64)]).run() == 64
    assert [len(w.data) for w in block.memory.writes] == [8] * 8


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def done_stays_high_until_the_next_start(dut: Any) -> None:
    """And nothing is taken or written meanwhile."""
    block = await start(dut)
    await Answer(block, b"abcd", place(block, [8])).run()
    writes = len(block.memory.writes)
    await block.drive(push_i=1, count_i=8, seg_valid_i=1, seg_addr_i=0x7000, seg_len_i=8)
    for _ in range(30):
        await FallingEdge(dut.clk_i)
        await ReadOnly()
        assert int(dut.done_o.value) and not int(dut.pop_o.value) and not int(dut.seg_next_o.value)
        assert int(dut.written_o.value) == 4 and not int(dut.busy_o.value)
    assert len(block.memory.writes) == writes
    await block.drive(push_i=0, seg_valid_i=0)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def bus_error_and_clear(dut: Any) -> None:
    """A refused write is one cycle of fault_o; clear_i at any moment leaves nothing behind."""
    block = await start(dut)
    for pause in range(0, 80, 5):
        buffers = place(block, [30, 20])
        block.memory.error_range = (buffers[0][0] & ~7, buffers[0][0] | 7) if pause >= 60 else None
        faults = block.faults
        task = cocotb.start_soon(Answer(block, bytes(50), buffers, 1.0).run())
        if pause >= 60:
            await block.until(lambda seen=faults: block.faults == seen + 1, "fault", 500)
        await block.cycles(pause)
        task.cancel()
        for name in ("start_i", "push_i", "seg_valid_i", "chain_end_i"):
            await block.drive(**{name: 0})
        await block.clear()
        await ReadOnly()
        assert int(dut.done_o.value), "clear_i leaves it with nothing to do"
        block.memory.error_range = None
        block.memory.writes.clear()
        buffers, response = place(block, [5, 9]), block.rng.randbytes(20)
        check(block, buffers, response, await Answer(block, response, buffers).run())


def test_scatter() -> None:
    run_bench("scatter", __file__)
