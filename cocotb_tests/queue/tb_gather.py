# SPDX-License-Identifier: Apache-2.0
"""gather: buffers of any length and alignment become one stream of bytes; reads stay within lines and within the room there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.queue.block_bench import BlockBench, begin

LINE = 64
FETCHED_AHEAD = 16 * 8 + 16  # bytes: the beats buffered and the gearbox


@dataclass
class Chain:
    """The walker's side (readable buffers, then perhaps a writable one) and the consumer's side of one chain."""

    block: BlockBench
    buffers: list[tuple[int, int]]
    writable: bool = False
    seg_chance: float = 0.5
    take_chance: float = 0.7
    skip_at: int | None = None  # begin to skip when so many bytes were taken
    got: bytearray = field(default_factory=bytearray)

    async def deliver(self) -> None:
        """Runs until end_o; drives in each cycle, samples in each cycle."""
        block, dut, rng = self.block, self.block.dut, self.block.rng
        waiting = list(self.buffers)
        shown = False
        skipping = False
        await block.drive(active_i=1)
        for _ in range(50_000):
            await FallingEdge(dut.clk_i)
            shown = shown or rng.random() < self.seg_chance
            dut.seg_valid_i.value = int(shown and bool(waiting or self.writable))
            dut.seg_write_i.value = int(not waiting)
            dut.seg_addr_i.value, dut.seg_len_i.value = waiting[0] if waiting else (0xBAD, 0xBAD)
            dut.chain_end_i.value = int(shown and not waiting and not self.writable)
            skipping = skipping or (self.skip_at is not None and len(self.got) >= self.skip_at)
            dut.skip_i.value = int(skipping)
            count = int(dut.count_o.value)
            assert count <= 8
            take = 0 if skipping or rng.random() >= self.take_chance else rng.randint(0, count)
            dut.take_i.value = take
            self.got += (int(dut.data_o.value) & (1 << 8 * take) - 1).to_bytes(8, "little")[:take]
            await ReadOnly()
            if int(dut.seg_next_o.value):
                assert shown and waiting, "takes a buffer that is not shown, or is no readable one"
                waiting.pop(0)
                shown = False
            if int(dut.end_o.value):
                assert not waiting and (shown or self.writable), "ends before the chain does"
                assert skipping or take or not int(dut.count_o.value), "ends with bytes on show"
                await FallingEdge(dut.clk_i)
                for name in ("active_i", "seg_valid_i", "chain_end_i", "skip_i", "take_i"):
                    getattr(dut, name).value = 0
                return
        raise AssertionError(f"no end; {len(self.got)} bytes delivered")


async def start(dut: Any, latency: tuple[int, int] = (1, 12)) -> BlockBench:
    names = ("active_i", "seg_valid_i", "seg_addr_i", "seg_len_i", "seg_write_i", "chain_end_i", "take_i", "skip_i")
    return await begin(dut, latency, **dict.fromkeys(names, 0))


def fill(block: BlockBench, lengths: list[int]) -> tuple[list[tuple[int, int]], bytes]:
    """Buffers of those lengths at random addresses, and the bytes in them."""
    buffers, payload, base = [], b"", 0x4_0000_0000
    for length in lengths:
        base += block.rng.randint(0, 5000)
        data = block.rng.randbytes(length)
        block.memory.write(base, data)
        buffers.append((base, length))
        payload += data
        base += length
    return buffers, payload


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def bytes_in_order_whatever_the_framing(dut: Any) -> None:
    """Buffers of 1..300 bytes at any address, ended by the chain or by a writable buffer, taken at any speed."""
    block = await start(dut)
    for _ in range(120):
        block.memory.latency = block.rng.choice([(1, 2), (1, 12), (30, 60)])
        lengths = [block.rng.choice([1, 2, 3, 4, 7, 8, 9, 63, 64, 65, 300]) for _ in range(block.rng.randint(0, 6))]
        buffers, payload = fill(block, lengths)
        chain = Chain(
            block, buffers, block.rng.random() < 0.5, block.rng.choice([0.1, 1.0]), block.rng.choice([0.1, 1.0])
        )
        await chain.deliver()
        assert chain.got == payload, f"lengths {lengths}"
    assert block.faults == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def bursts_within_lines_and_buffers(dut: Any) -> None:
    """No burst over 64 bytes or across a 64-byte line, no word that holds no byte of the buffer, no word twice."""
    block = await start(dut)
    for _ in range(60):
        buffers, _ = fill(block, [block.rng.randint(1, 400)])
        block.memory.requests.clear()
        await Chain(block, buffers).deliver()
        addr, length = buffers[0]
        words = [a + 8 * i for a, beats in block.memory.requests for i in range(beats)]
        assert words == list(range(addr & ~7, addr + length, 8)), f"buffer {addr:#x} x {length}"
        for first, beats in block.memory.requests:
            assert first // LINE == (first + 8 * beats - 1) // LINE, f"burst {first:#x} x {beats}"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def asks_only_for_what_it_has_room_for(dut: Any) -> None:
    """Nobody takes a byte: the fetching stops, and nothing is lost when the taking begins."""
    block = await start(dut)
    most = 0
    for lengths in ([2000], [8] * 40, [1] * 40, [LINE] * 10, [5, 1000, 5], [16, 2000]):
        buffers, payload = fill(block, lengths)
        if lengths == [16, 2000]:  # a short burst before the whole lines: the gearbox is filled as well
            buffers = [(0x5_0000_0030, 16), (0x5_0000_0040, 2000)]
            block.memory.write(0x5_0000_0030, payload)
        block.memory.requests.clear()
        chain = Chain(block, buffers, take_chance=0.0, seg_chance=1.0)
        task = cocotb.start_soon(chain.deliver())
        await block.cycles(800)
        words = {a + 8 * i for a, beats in block.memory.requests for i in range(beats)}
        ahead = sum(addr + i & ~7 in words for addr, length in buffers for i in range(length))
        assert min(len(payload), 16) <= ahead <= FETCHED_AHEAD, f"{ahead} bytes fetched ahead of {lengths[:3]}..."
        most = max(most, ahead)
        chain.take_chance = 1.0
        await task
        assert chain.got == payload
    assert most == FETCHED_AHEAD, f"{most} bytes: the room was not used"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def buffers_back_to_back(dut: Any) -> None:
    """Header and payload are asked for without waiting for the header: the second request comes before the first answer."""
    block = await start(dut, (100, 100))
    buffers, payload = fill(block, [4, 32])
    chain = Chain(block, buffers, seg_chance=1.0, take_chance=1.0)
    task = cocotb.start_soon(chain.deliver())
    await block.cycles(60)
    asked = {addr for addr, _ in block.memory.requests}
    assert not block.memory.beats and {addr & ~7 for addr, _ in buffers} <= asked, "the payload waits for the header"
    await task
    assert chain.got == payload


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def skip_drops_the_rest(dut: Any) -> None:
    """Held to the end: what was taken is right, hardly anything more is read, and the next chain starts clean."""
    block = await start(dut)
    for skip_at in (0, 4, 50, 100):
        buffers, payload = fill(block, [4, 3000, 77])
        block.memory.requests.clear()
        chain = Chain(block, buffers, skip_at=skip_at)
        await chain.deliver()
        assert payload.startswith(chain.got) and len(chain.got) < skip_at + 8
        read = 8 * sum(beats for _, beats in block.memory.requests)
        assert read <= skip_at + FETCHED_AHEAD + 2 * LINE, f"{read} bytes read, {len(chain.got)} wanted"
        buffers, payload = fill(block, [7, 90])
        after = Chain(block, buffers)
        await after.deliver()
        assert after.got == payload


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def bus_error_and_clear(dut: Any) -> None:
    """A bus error is a fault; clear_i at any moment leaves nothing behind."""
    block = await start(dut)
    for pause in range(0, 60, 3):
        buffers, _ = fill(block, [4, 500])
        block.memory.error_range = (buffers[1][0], buffers[1][0] + 600) if pause > 40 else None
        task = cocotb.start_soon(Chain(block, buffers, seg_chance=1.0).deliver())
        faults = block.faults
        if pause > 40:
            await block.until(lambda seen=faults: block.faults > seen, "fault", 500)
        await block.cycles(pause)
        task.cancel()
        for name in ("active_i", "seg_valid_i", "chain_end_i", "take_i"):
            await block.drive(**{name: 0})
        await block.clear()
        block.memory.error_range = None
        buffers, payload = fill(block, [9, 100])
        chain = Chain(block, buffers)
        await chain.deliver()
        assert chain.got == payload


def test_gather() -> None:
    run_bench("gather", __file__)
