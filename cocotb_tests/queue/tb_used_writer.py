# SPDX-License-Identifier: Apache-2.0
"""used_writer: element, then index, then the decision about the interrupt (virtio 1.4, 2.7.7, 2.7.8, 2.7.10)."""

from __future__ import annotations

import struct
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.queue.block_bench import BlockBench, begin
from cocotb_tests.queue.channel_bench import EVENT_IDX
from cocotb_tests.queue.guest_ring import GuestRing

WITHIN, ACROSS = 0x1_0000_6FF4, 0x1_0000_6FF8  # of the used ring: an element within one 8-byte word, and across two


class Watch:
    """Collects published_o and done_o with irq_o, and what was in memory at that moment."""

    def __init__(self, block: BlockBench) -> None:
        self.block = block
        self.ring: GuestRing | None = None
        self.published: list[int] = []  # used.idx in memory when published_o came
        self.done: list[bool] = []  # irq_o
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut = self.block.dut
        while True:
            await FallingEdge(dut.clk_i)
            await ReadOnly()
            if int(dut.published_o.value):
                assert self.ring is not None
                assert int(dut.wr_done_i.value) or not self.block.memory.open, "published before the index is in memory"
                self.published.append(self.ring.used_idx)
            if int(dut.done_o.value):
                self.done.append(bool(int(dut.irq_o.value)))
            else:
                assert not int(dut.irq_o.value), "irq_o without done_o"


async def start(dut: Any) -> tuple[BlockBench, Watch]:
    block = await begin(dut, cfg_i=0, features_i=0, start_i=0, head_i=0, len_i=0)
    return block, Watch(block)


async def new_ring(block: BlockBench, watch: Watch, *, size: int, device: int, features: int) -> GuestRing:
    await block.clear()
    ring = GuestRing(block.memory, block.rng, size=size, device=device)
    block.memory.write(ring.driver, bytes(6 + 2 * size))
    block.memory.write(ring.device - 8, b"\x5a" * (30 + 8 * size))
    block.memory.write(ring.device, bytes(6 + 8 * size))
    await block.drive(cfg_i=ring.config, features_i=features)
    watch.ring = ring
    return ring


async def put(block: BlockBench, watch: Watch, head: int, length: int) -> bool:
    """One chain onto the ring; gives irq_o. Inputs are only valid with start_i."""
    published, done, faults = len(watch.published), len(watch.done), block.faults
    block.memory.writes.clear()
    block.memory.requests.clear()
    await block.pulse("start_i", head_i=head, len_i=length)
    await block.drive(head_i=block.rng.getrandbits(16), len_i=block.rng.getrandbits(32))
    await block.until(lambda: len(watch.done) > done, "done")
    assert len(watch.published) == published + 1 and block.faults == faults
    await block.cycles(2)
    assert len(watch.done) == done + 1 and not int(block.dut.busy_o.value)
    return watch.done[-1]


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def element_before_index_before_interrupt(dut: Any) -> None:
    """Every size and alignment, wrapped around: the right element in the right slot, each step acknowledged before the next."""
    block, watch = await start(dut)
    for size, device in ((1, WITHIN), (8, WITHIN), (8, ACROSS), (1024, ACROSS)):
        ring = await new_ring(block, watch, size=size, device=device, features=0)
        for count in range(1, 20):
            head, length = block.rng.randrange(size), block.rng.getrandbits(32)
            irq = await put(block, watch, head, length)
            assert irq, "avail.flags is 0: the driver wants to know"
            assert watch.published[-1] == ring.used_idx == count
            slot = ring.device + 4 + 8 * ((count - 1) % size)
            assert struct.unpack("<II", block.memory.read(slot, 8)) == (head, length)
            assert all(slot <= w.addr < slot + 8 for w in block.memory.writes[:-1]), "another place was written"
            assert (block.memory.writes[-1].addr, block.memory.writes[-1].data) == (
                ring.device + 2,
                count.to_bytes(2, "little"),
            )
        outside = block.memory.read(ring.device - 8, 8) + block.memory.read(ring.device + 6 + 8 * size, 16)
        assert block.memory.read(ring.device, 2) == b"\0\0" and outside == b"\x5a" * 24


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def one_step_after_the_other(dut: Any) -> None:
    """With memory that answers late: no write or read is offered while the one before is not acknowledged."""
    block, watch = await start(dut)
    await new_ring(block, watch, size=8, device=ACROSS, features=0)
    block.memory.latency = (30, 60)
    offers = []

    async def offers_watched() -> None:
        while True:
            await FallingEdge(dut.clk_i)
            await ReadOnly()
            if int(dut.wr_valid_o.value) or int(dut.rd_valid_o.value):
                # wr_done_i or rsp_valid_i of the last one may be there in this very cycle, but no earlier.
                offers.append(block.memory.open)

    cocotb.start_soon(offers_watched())
    for _ in range(8):
        await put(block, watch, 3, 5)
    assert len(offers) >= 24 and not any(offers), "offered while another was outstanding"


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def interrupt_as_the_driver_asked(dut: Any) -> None:
    """EVENT_IDX: exactly when used_event names the element just written. Without: unless avail.flags has NO_INTERRUPT."""
    block, watch = await start(dut)
    ring = await new_ring(block, watch, size=8, device=WITHIN, features=EVENT_IDX)
    for count in range(60):
        event = (count + block.rng.choice([0, 0, -1, 1, 7, 0x8000])) & 0xFFFF
        ring.set_used_event(event)
        block.memory.write16(ring.driver, block.rng.getrandbits(16))  # avail.flags says nothing here
        assert await put(block, watch, 0, 0) == (event == count), f"used_event {event}, element {count}"
    ring = await new_ring(block, watch, size=8, device=WITHIN, features=0)
    for _ in range(30):
        flags = block.rng.getrandbits(16)
        ring.set_used_event(block.rng.getrandbits(16))
        block.memory.write16(ring.driver, flags)
        assert await put(block, watch, 0, 0) == (flags & 1 == 0), f"avail.flags {flags:#x}"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def index_wraps_at_16_bits(dut: Any) -> None:
    """Started near 65535, where 65,536 chains would lead to."""
    block, watch = await start(dut)
    ring = await new_ring(block, watch, size=8, device=WITHIN, features=EVENT_IDX)
    dut.idx_q.value = 0xFFFE
    for used in (0xFFFF, 0, 1):
        ring.set_used_event((used - 1) & 0xFFFF)
        assert await put(block, watch, 1, 1), "used_event names this one"
        assert ring.used_idx == used


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def bus_errors_and_clear(dut: Any) -> None:
    """An error on element, index or the driver's wish is a fault; an index that was refused is not published."""
    block, watch = await start(dut)
    for name in ("element", "index", "event"):
        ring = await new_ring(block, watch, size=8, device=WITHIN, features=EVENT_IDX)
        addr = {"element": ring.device + 4, "index": ring.device + 2, "event": ring.driver + 4 + 16}[name]
        block.memory.error_range = (addr & ~7, addr | 7)
        published, faults = len(watch.published), block.faults
        await block.pulse("start_i", head_i=1, len_i=1)
        await block.until(lambda seen=faults: block.faults > seen, f"fault at {name}", 500)
        await block.drive(clear_i=1)  # as the channel does
        assert block.faults == faults + 1
        assert len(watch.published) == published + (name == "event"), name
        block.memory.error_range = None
    for pause in range(0, 40):
        await block.pulse("start_i", head_i=1, len_i=1)
        await block.cycles(pause)
        ring = await new_ring(block, watch, size=8, device=ACROSS, features=0)
        await put(block, watch, 5, 6)
        assert ring.used_idx == 1 and struct.unpack("<II", block.memory.read(ring.device + 4, 8)) == (5, 6)
        await put(block, watch, 5, 6)


def test_used_writer() -> None:
    run_bench("used_writer", __file__)
