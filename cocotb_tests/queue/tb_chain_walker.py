# SPDX-License-Identifier: Apache-2.0
"""chain_walker: the buffers of any legal chain, from any place in it; every other chain ends in one fault."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.queue.block_bench import BlockBench, begin
from cocotb_tests.queue.channel_bench import INDIRECT_DESC
from cocotb_tests.queue.cursor import cursor
from cocotb_tests.queue.guest_ring import INDIRECT, NEXT, WRITE, Buffer, GuestRing
from cocotb_tests.queue.tb_queue_channel import malformed

FETCH = 4  # descriptors in a burst
TABLE = 0x3_0001_0000  # where malformed() points its indirect descriptors
Shown = tuple[int, int, bool]


async def start(dut: Any, size: int = 16) -> tuple[BlockBench, GuestRing]:
    bench = await begin(dut, indirect_ok_i=1, start_i=0, start_cursor_i=0, writable_only_i=0, next_i=0)
    ring = GuestRing(bench.memory, bench.rng, size=size)
    return bench, ring


def head_cursor(ring: GuestRing, head: int, budget: int | None = None) -> int:
    return cursor(ring.desc, ring.size, head, ring.size if budget is None else budget)


async def walk(
    bench: BlockBench, place: int, *, writable_only: bool = False, give_up_after: int | None = None
) -> tuple[list[Shown], list[int], str]:
    """Buffers shown from `place` on, the cursor of each, and how it ended: "end", "fault" or "given up"."""
    dut, shown, places = bench.dut, [], []
    faults = bench.faults
    await bench.pulse("start_i", start_cursor_i=place, writable_only_i=int(writable_only))
    for _ in range(20_000):
        await ReadOnly()
        if int(dut.fault_o.value):
            await bench.cycles(3)
            assert bench.faults == faults + 1 and not int(dut.busy_o.value), "a fault is one cycle, and then it is over"
            return shown, places, "fault"
        if int(dut.end_o.value):
            assert not int(dut.seg_valid_o.value)
            return shown, places, "end"
        valid = int(dut.seg_valid_o.value)
        if valid and give_up_after == len(shown):
            return shown, places, "given up"
        if valid:
            buffer = (int(dut.seg_addr_o.value), int(dut.seg_len_o.value), bool(int(dut.seg_write_o.value)))
        await FallingEdge(dut.clk_i)
        dut.next_i.value = 0
        if valid and bench.rng.random() < 0.5:
            shown.append(buffer)
            places.append(int(dut.seg_cursor_o.value))
            dut.next_i.value = 1
            await FallingEdge(dut.clk_i)
            dut.next_i.value = 0
    raise AssertionError(f"the walk does not end; {len(shown)} buffers shown")


def legal_chain(bench: BlockBench, ring: GuestRing) -> tuple[int, list[Buffer]]:
    rng = bench.rng
    readable, writable = rng.randint(0, 6), rng.randint(0, 6)
    if readable + writable == 0:
        writable = 1
    buffers = [
        Buffer(rng.getrandbits(64), rng.randint(1, 2**32 - 1), i >= readable) for i in range(readable + writable)
    ]
    ring.free = list(range(ring.size))
    rng.shuffle(ring.free)
    return ring.add(buffers, rng.choice(["none", "all", "tail"])), buffers


def tables(ring: GuestRing, head: int) -> list[tuple[int, int]]:
    """(address, length) of the tables that the chain of `head` lives in."""
    found = [(ring.desc, 16 * ring.size)]
    for slot in ring.chains[head]:
        addr, length, flags, _ = struct.unpack("<QIHH", ring.memory.read(ring.desc + 16 * slot, 16))
        if flags & INDIRECT:
            found.append((addr, length))
    return found


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def follows_next_and_indirect_from_any_place(dut: Any) -> None:
    """All buffers with address, length and direction; again from a place in the middle, after a walk given up."""
    bench, ring = await start(dut)
    for _ in range(150):
        ring.desc = 0x1_0000_0000 + bench.rng.randint(0, 5000)  # any address: the table may cross a page anywhere
        head, buffers = legal_chain(bench, ring)
        expected = [(b.addr, b.length, b.write) for b in buffers]
        shown, places, how = await walk(bench, head_cursor(ring, head))
        assert (shown, how) == (expected, "end")
        middle = bench.rng.randrange(len(buffers))
        shown, _, how = await walk(bench, head_cursor(ring, head), give_up_after=middle)
        assert how == "given up" and shown == expected[:middle]
        shown, _, how = await walk(bench, places[middle])
        assert (shown, how) == (expected[middle:], "end")
    assert bench.faults == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reads_the_tables_and_nothing_else(dut: Any) -> None:
    """No read outside the words of the tables; descriptors in a row come Fetch to a burst."""
    bench, ring = await start(dut)
    for _ in range(100):
        ring.desc = 0x1_0000_0000 + bench.rng.randint(0, 5000)
        head, _ = legal_chain(bench, ring)
        bench.memory.requests.clear()
        await walk(bench, head_cursor(ring, head))
        allowed = tables(ring, head)
        for addr, beats in bench.memory.requests:
            inside = [addr > first - 8 and addr + 8 * beats < first + length + 8 for first, length in allowed]
            assert any(inside), f"read at {addr:#x} x {beats}, tables {allowed}"
    for skew in (0, 1, 4, 7):
        ring.desc = 0x1_0000_0000 + skew
        for count in range(1, ring.size + 1):
            buffers = [Buffer(0x1000 * i, i + 1, False) for i in range(count)]
            ring.free = list(reversed(range(ring.size)))
            bench.memory.requests.clear()
            await walk(bench, head_cursor(ring, ring.add(buffers)))
            assert len(bench.memory.requests) == -(-count // FETCH), f"{count} descriptors in {bench.memory.requests}"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def at_most_budget_buffers(dut: Any) -> None:
    """A chain as long as the budget ends; one buffer more is a fault, and that buffer is not shown."""
    bench, ring = await start(dut)
    for indirect in ("none", "all", "tail"):
        for budget in (1, 4, 5, 14):
            for extra in (0, 1):
                buffers = [Buffer(0x1000 * i, 8, False) for i in range(budget + extra)]
                ring.free = list(range(ring.size))
                shown, _, how = await walk(bench, head_cursor(ring, ring.add(buffers, indirect), budget))
                assert (len(shown), how) == (budget, "fault" if extra else "end"), (
                    f"{indirect}, budget {budget} + {extra}"
                )


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def malformed_chains_are_faults(dut: Any) -> None:
    """virtio 1.4, 2.7.5 and 2.7.5.3, one violation at a time; no bad descriptor is shown."""
    bench, ring = await start(dut, size=8)
    for features in (INDIRECT_DESC, 0):
        await bench.drive(indirect_ok_i=int(features != 0))
        for name, (main, table) in malformed(SimpleNamespace(ring=ring, features=features)).items():
            for place, entries in ((ring.desc, main), (TABLE, table)):
                for index, entry in enumerate(entries):
                    ring.descriptor(place, index, *entry)
            shown, _, how = await walk(bench, head_cursor(ring, 0))
            assert how == "fault", f"{name}: {how} after {shown}"
            assert len(shown) <= ring.size and all(length for _, length, _ in shown), f"{name}: {shown}"
        for index in (ring.size, 0xFFFF):
            requests = len(bench.memory.requests)
            _, _, how = await walk(bench, head_cursor(ring, index))
            assert how == "fault" and len(bench.memory.requests) == requests, "a head outside the table"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def indirect_tables_of_whole_descriptors(dut: Any) -> None:
    """Any length but a multiple of 16 above 0 is a fault, though the table's first descriptor ends the chain."""
    bench, ring = await start(dut)
    ring.descriptor(TABLE, 0, 0x1000, 8, 0, 0)
    for length in (0, 1, 8, 15, 16, 17, 24, 31, 32, 48, 100, 0x10000, 0x100000, 0x100008, 0xFFFFFFF0, 0xFFFFFFFF):
        ring.descriptor(ring.desc, 0, TABLE, length, INDIRECT, 0)
        shown, _, how = await walk(bench, head_cursor(ring, 0))
        legal = length > 0 and length % 16 == 0
        assert (len(shown), how) == ((1, "end") if legal else (0, "fault")), f"a table of {length} bytes"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def writable_only(dut: Any) -> None:
    """With writable_only_i the first readable buffer is a fault, also when it is the first."""
    bench, ring = await start(dut)
    for writable, readable in ((0, 1), (1, 1), (3, 2), (3, 0)):
        for index in range(writable + readable):
            flags = (WRITE if index < writable else 0) | (NEXT if index < writable + readable - 1 else 0)
            ring.descriptor(ring.desc, index, 0x1000, 8, flags, index + 1)
        shown, _, how = await walk(bench, head_cursor(ring, 0), writable_only=True)
        assert (len(shown), how) == (writable, "fault" if readable else "end")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def nothing_to_walk(dut: Any) -> None:
    """A cursor that is not valid is a chain without a buffer: its end, without a read."""
    bench, _ = await start(dut)
    assert await walk(bench, cursor(0, 0, 0, 0, valid=False)) == ([], [], "end")
    assert not bench.memory.requests


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def bus_error(dut: Any) -> None:
    """An error on any beat is a fault; after clear_i the same chain can be walked."""
    bench, ring = await start(dut)
    ring.descriptor(ring.desc, 0, TABLE, 64, INDIRECT, 0)
    for index in range(4):
        ring.descriptor(TABLE, index, 0x1000, 8, NEXT if index < 3 else 0, index + 1)
    for addr in (ring.desc, ring.desc + 8, *range(TABLE, TABLE + 64, 8)):
        bench.memory.error_range = (addr, addr + 7)
        faults = bench.faults
        await bench.pulse("start_i", start_cursor_i=head_cursor(ring, 0))
        await bench.until(lambda seen=faults: bench.faults > seen, f"fault for {addr:#x}")
        await bench.clear()
        bench.memory.error_range = None
        shown, _, how = await walk(bench, head_cursor(ring, 0))
        assert (len(shown), how) == (4, "end")


def test_chain_walker() -> None:
    run_bench("chain_walker", __file__)
