# SPDX-License-Identifier: Apache-2.0
"""request_reader: the first bytes of any request, zeros behind them, and the rest skipped."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.channel import Channel
from cocotb_tests.bfm.partial import REPLY_PORT, PartialCycles
from cocotb_tests.engine.runner import run_bench

WORDS = 6
ABSENT = REPLY_PORT | {"msg_head_i", "msg_chain_i", "msg_data_i", "msg_ready_o"}


class _BytePort(PartialCycles):
    """The message port of a module that sees its first byte only; the chain is taken over by somebody else: the bench."""

    take_over = 0

    def drive(self, **inputs: int) -> None:
        if "msg_data_i" in inputs:
            inputs["msg_byte_i"] = inputs["msg_data_i"] & 0xFF
        super().drive(**inputs)

    def get(self, name: str) -> int:
        return self.take_over if name == "msg_ready_o" else super().get(name)


class Bench:
    def __init__(self, dut: Any, pace: float) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = _BytePort(dut, ABSENT)
        self.channel = Channel(self.clock, self.rng, pace)

    async def start(self) -> Bench:
        await self.clock.start(start_i=0, read_i=0, msg_byte_i=0, **Channel.idle_inputs())
        return self

    async def cycle(self, *, take_over: bool = False) -> bool:
        """One cycle; True when end_o was high."""
        clock = self.clock
        self.channel.drive()
        await clock.look()
        end = bool(clock.get("end_o"))
        clock.take_over = int(take_over and end)
        assert clock.get("msg_take_o") <= 1, "more than a byte a cycle"
        self.channel.observe()
        await clock.tick()
        return end

    async def begin(self) -> None:
        self.clock.drive(start_i=1, read_i=0)
        await self.cycle()
        self.clock.drive(start_i=0, read_i=1)

    def received(self) -> bytes:
        """words_o and length_o agree: zeros behind what came."""
        length = self.clock.get("length_o")
        data = self.clock.get("words_o").to_bytes(4 * WORDS, "little")
        assert length <= 4 * WORDS and not any(data[length:]), f"{length} bytes came, {data.hex()}"
        return data[:length]

    async def request(self, data: bytes) -> None:
        await self.begin()
        self.channel.send(data)
        for _ in range(4000):
            if await self.cycle():
                break
        assert self.received() == data[: 4 * WORDS], f"{data[:32].hex()}"
        for _ in range(3):  # it keeps them until the chain is taken over
            assert await self.cycle()
        assert self.received() == data[: 4 * WORDS]
        assert await self.cycle(take_over=True)
        self.clock.drive(read_i=0)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_length(dut: object) -> None:
    """None to more than it looks at, at every pace of the queue; long ones are skipped, not read."""
    for pace in (1.0, 0.4):
        bench = await Bench(dut, pace).start()
        for length in (*range(4 * WORDS + 4), 100, 3000):
            await bench.request(bench.rng.randbytes(length))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reads_only_when_told(dut: object) -> None:
    """Without read_i nothing is taken and there is no end."""
    bench = await Bench(dut, 1.0).start()
    await bench.begin()
    bench.clock.drive(read_i=0)
    bench.channel.send(bytes(range(1, 10)))
    for _ in range(20):
        assert not await bench.cycle()
    assert bench.received() == b"" and bench.channel.message is not None and bench.channel.message.given == 0
    bench.clock.drive(read_i=1)
    for _ in range(20):
        await bench.cycle()
    assert bench.received() == bytes(range(1, 10))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def broken_off_is_forgotten(dut: object) -> None:
    """msg_valid_i falls before the end: the next message, read in the same go, is read from its first byte."""
    bench = await Bench(dut, 0.7).start()
    for given in range(0, 26):
        await bench.begin()
        bench.channel.send(bytes([0xEE]) * 60)
        for _ in range(400):
            if bench.channel.message is not None and bench.channel.message.given >= min(given, 24):
                break
            await bench.cycle()
        bench.channel.clear()
        assert not await bench.cycle()
        bench.channel.send(b"next")
        for _ in range(200):
            if await bench.cycle():
                break
        assert bench.received() == b"next", f"after {given} bytes"
        await bench.cycle(take_over=True)


def test_request_reader() -> None:
    run_bench("request_reader", __file__, parameters={"Words": WORDS})
