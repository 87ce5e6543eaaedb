# SPDX-License-Identifier: Apache-2.0
"""tx_message: every message leaves as frames and a record, or as a refusal; never both, never neither."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import cocotb

from cocotb_tests.bfm.channel import CHAIN_BITS, Channel
from cocotb_tests.bfm.partial import REPLY_PORT, PartialCycles
from cocotb_tests.engine.runner import run_bench
from cocotb_tests.pcm.samples import SIZE, frames

STREAM_ID, FIRST_NUMBER = 3, 0xFFFF_FFC0  # the numbers pass 2^32
HEADER = STREAM_ID.to_bytes(4, "little")


@dataclass(frozen=True)
class Left:
    """How a message left: its chain, and for a record the end number, ok and empty."""

    chain: int
    end: int | None = None
    ok: bool = False
    empty: bool = False


class Bench:
    """Takes everything that leaves at random pace, and checks the order of things in each cycle."""

    def __init__(self, dut: Any, pace: float = 0.7) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = PartialCycles(dut, REPLY_PORT)
        self.clock.gated = True
        self.channel = Channel(self.clock, self.rng, pace)
        self.pace = self.room = pace
        self.fmt, self.channels = 5, 2
        self.accept, self.flush, self.hold = True, False, False
        self.frames: list[int] = []
        self.left: list[Left] = []
        self.fetched: list[int] = []
        self.first: list[tuple[int, int]] = []  # head, number
        self.number = FIRST_NUMBER
        self.frames_of_message = 0

    async def start(self) -> Bench:
        names = ("clear_i", "renumber_i", "renumber_to_i", "first_ready_i", "record_ready_i", "refuse_ready_i")
        inputs = dict.fromkeys((*names, "accept_i", "flush_i", "hold_i", "format_i", "channels_i", "frame_ready_i"), 0)
        await self.clock.start(**inputs, **Channel.idle_inputs())
        return self

    def luck(self) -> bool:
        return self.rng.random() < self.pace

    async def cycle(self, **inputs: int) -> None:
        clock, channel, get = self.clock, self.channel, self.clock.get
        channel.drive()
        frame_ready, first_ready = self.rng.random() < self.room, self.luck()
        record_ready, refuse_ready = self.luck(), self.luck()
        clock.drive(
            accept_i=self.accept, flush_i=self.flush, hold_i=self.hold, format_i=self.fmt, channels_i=self.channels,
            frame_ready_i=frame_ready, first_ready_i=first_ready, record_ready_i=record_ready, refuse_ready_i=refuse_ready,
            **inputs,
        )  # fmt: skip
        await clock.look()
        message, taken = channel.message, get("msg_take_o")
        payload = message is not None and message.given >= 4
        assert not (payload and taken and not frame_ready), "bytes taken without room for a frame"
        if get("frame_valid_o"):
            assert frame_ready and not self.flush, "a frame without room, or in a flush"
            first = self.frames_of_message == 0
            assert get("first_valid_o") == first, "first_valid_o comes with a message's first frame"
            if first:
                assert first_ready
                self.first.append((get("first_head_o"), get("first_number_o")))
                assert self.first[-1] == (self.head(message), self.number)
            self.frames.append(get("frame_o"))
            self.number = (self.number + 1) & 0xFFFFFFFF
            self.frames_of_message += 1
        else:
            assert not get("first_valid_o")
        if get("ev_fetch_o"):
            assert payload and message.window, "ev_fetch_o without a payload byte"
            self.fetched.append(get("ev_fetch_head_o"))
        record, refuse = get("record_valid_o") and record_ready, get("refuse_valid_o") and refuse_ready
        assert bool(get("msg_ready_o")) == bool(record or refuse) and not (record and refuse), "two ways, or none"
        if record:
            self.left.append(
                Left(get("record_chain_o"), get("record_end_o"), bool(get("record_ok_o")), bool(get("record_empty_o")))
            )
        if refuse:
            self.left.append(Left(get("refuse_chain_o")))
        channel.observe()
        if record or refuse:
            channel.taken.clear()
            self.frames_of_message = 0
        await clock.tick()

    @staticmethod
    def head(message: Any) -> int:
        return message.chain >> CHAIN_BITS - 16

    async def until_left(self, count: int = 1) -> None:
        for _ in range(8000):
            if len(self.left) >= count:
                return
            await self.cycle()
        raise AssertionError(f"{len(self.left)} of {count} messages left")

    async def message(self, data: bytes) -> None:
        """One message from end to end, against what its bytes mean."""
        self.frames.clear()
        self.left.clear()
        self.fetched.clear()
        chain = self.channel.send(data)
        await self.until_left()
        assert self.left[0].chain == chain and len(self.left) == 1
        if data[:4] != HEADER or not self.accept:
            assert self.left[0].end is None, f"{data[:8].hex()} must be refused"
            assert not self.frames and not self.fetched, "something of a refused message was used"
            return
        payload, size = data[4:], SIZE[self.fmt] * self.channels
        expected = frames(self.fmt, self.channels, payload)
        assert self.frames == expected, f"{len(self.frames)} frames of {len(expected)}"
        whole = bool(payload) and len(payload) % size == 0
        assert self.left[0] == Left(chain, self.number, whole, not expected), f"{len(payload)} bytes, frames of {size}"
        assert self.fetched == [chain >> CHAIN_BITS - 16] * bool(payload), "ev_fetch_o once a message with a payload"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def good_or_refused(dut: object) -> None:
    """All formats, ragged payloads, short headers, other streams, states that allow nothing; at every pace."""
    for pace in (1.0, 0.7, 0.3):
        bench = await Bench(dut, pace).start()
        rng = bench.rng
        for _ in range(80):
            bench.fmt, bench.channels, bench.accept = rng.choice(list(SIZE)), rng.choice([1, 2]), rng.random() < 0.9
            size = SIZE[bench.fmt] * bench.channels
            header = rng.choice([HEADER] * 8 + [HEADER[: rng.randrange(4)], rng.randbytes(4), bytes(4), b"\3\0\0\1"])
            payload = rng.randbytes(
                rng.choice([0, 1, size - 1, size, size * rng.randint(1, 12), size * 3 + 1, size * 5 // 2])
            )
            await bench.message(header + payload if len(header) == 4 else header)
    assert bench.clock.stopped > 0, "the clock never stood still"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def nothing_is_taken_without_room(dut: object) -> None:
    """The FIFO is full: the header is read, the payload waits; then all of it comes."""
    bench = await Bench(dut, 1.0).start()
    for fmt in SIZE:
        bench.fmt, bench.room = fmt, 0.0
        bench.left.clear()
        bench.frames.clear()
        payload = bench.rng.randbytes(SIZE[fmt] * 2 * 9)
        bench.channel.send(HEADER + payload)
        for _ in range(50):
            await bench.cycle()
        assert bench.channel.message is not None and bench.channel.message.given == 4 and not bench.left
        bench.room = 0.4
        await bench.until_left()
        assert bench.frames == frames(fmt, 2, payload)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def flush_gives_records_without_frames(dut: object) -> None:
    """flush_i at any moment: what was given out stays, no frame after it, one record each; strangers are still refused."""
    bench = await Bench(dut, 0.7).start()
    cut = 0
    for when in range(0, 60):
        bench.left.clear()
        bench.frames.clear()
        payload = bench.rng.randbytes(4 * 30)
        chains = [
            bench.channel.send(HEADER + payload),
            bench.channel.send(HEADER + payload),
            bench.channel.send(bytes(9)),
        ]
        for _ in range(when):
            await bench.cycle()
        bench.flush = True
        await bench.until_left(3)
        assert [left.chain for left in bench.left] == chains
        first, second, stranger = bench.left
        assert bench.frames == (frames(5, 2, payload) * 2)[: len(bench.frames)] and stranger.end is None
        assert second.end == bench.number and first.end is not None
        # ok and empty of a message that the flush has cut say nothing: in_flight answers OK with latency 0.
        cut += 0 < len(bench.frames) < 30
        bench.flush = False
        bench.fmt = 5
        await bench.message(HEADER + bytes(range(1, 9)))
    assert cut > 10, cut


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def withdrawn_messages_are_forgotten(dut: object) -> None:
    """msg_valid_i falls before the end: no record, no refusal, and nothing of it in the next message."""
    bench = await Bench(dut, 0.7).start()
    for when in range(1, 60):
        bench.left.clear()
        payload = bench.rng.randbytes(4 * 100)
        bench.channel.send(HEADER + payload)
        for _ in range(when):
            await bench.cycle()
        bench.channel.clear()
        await bench.cycle()
        await bench.cycle()
        assert not bench.left and bench.clock.get("idle_o")
        bench.frames_of_message = 0
        await bench.message(HEADER + bench.rng.randbytes(4 * 5 + bench.rng.choice([0, 1])))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def hold_renumber_and_clear(dut: object) -> None:
    """hold_i lets no message begin; renumber_i sets the next number; clear_i leaves nothing behind."""
    bench = await Bench(dut, 0.7).start()
    bench.hold = True
    chain = bench.channel.send(HEADER + bytes(8))
    for _ in range(50):
        await bench.cycle()
        assert bench.clock.get("idle_o")
    assert bench.channel.message is not None and bench.channel.message.given == 0
    bench.hold = False
    await bench.until_left()
    assert bench.left == [Left(chain, bench.number, True, False)]
    for number in (0, 1000, 0xFFFF_FFFE):
        await bench.cycle(renumber_i=1, renumber_to_i=number)
        bench.number = number
        bench.clock.drive(renumber_i=0)
        await bench.message(HEADER + bytes(range(16)))
        assert bench.first[-1][1] == number
    for when in range(1, 30):
        bench.channel.send(HEADER + bench.rng.randbytes(400))
        for _ in range(when):
            await bench.cycle()
        bench.channel.clear()
        bench.channel.drive()
        bench.clock.gated = False
        bench.clock.drive(clear_i=1)
        await bench.clock.tick(2)
        bench.clock.drive(clear_i=0)
        bench.clock.gated = True
        bench.frames_of_message = 0
        await bench.message(HEADER + bench.rng.randbytes(24))


def test_tx_message() -> None:
    run_bench("tx_message", __file__, parameters={"StreamId": STREAM_ID, "FirstFrameNumber": FIRST_NUMBER})
