# SPDX-License-Identifier: Apache-2.0
"""control against the tables: every code at every length, every lifecycle pair, every SET_PARAMS field, resets anywhere.

The bus clock stands still wherever `busy_o` allows it.
"""

from __future__ import annotations

import random
import struct
from itertools import product
from typing import Any

import cocotb

from cocotb_tests.bfm.channel import Channel, Reply
from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.control import control_model as model
from cocotb_tests.control.control_model import Params
from cocotb_tests.engine.runner import run_bench

PATHS = {  # commands that lead from INIT to each state
    model.INIT: (),
    model.PARAMS: (model.SET_PARAMS,),
    model.PREPARED: (model.SET_PARAMS, model.PREPARE),
    model.RUNNING: (model.SET_PARAMS, model.PREPARE, model.START),
    model.STOPPED: (model.SET_PARAMS, model.PREPARE, model.START, model.STOP),
    model.RELEASED: (model.SET_PARAMS, model.PREPARE, model.RELEASE),
}
REQUEST_CYCLES = 40_000  # an INFO of 4095 bytes at the slowest pace


def command(code: int, stream: int = 0) -> bytes:
    """A PCM command; SET_PARAMS with plain parameters."""
    return Params().request(stream) if code == model.SET_PARAMS else struct.pack("<II", code, stream)


class Bench:
    """The queue and the stream around the module; `state` and `params` are what it must show when nothing is under way."""

    def __init__(self, dut: Any, pace: float = 1.0, gated: bool = True) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.clock.gated = gated
        self.channel = Channel(self.clock, self.rng, pace)
        self.state = model.INIT
        self.params = 0
        self.next: model.Answer | None = None  # what the request being served will do
        self.flush_seen = self.prepare_seen = False
        self.flush_done = self.flush_ended = False
        self.flush_wait = 0

    async def start(self) -> Bench:
        await self.clock.start(clear_i=0, queue_clear_i=0, flush_done_i=0, **Channel.idle_inputs())
        return self

    async def cycle(self) -> None:
        clock = self.clock
        self.channel.drive()
        clock.drive(flush_done_i=self.flush_done)
        await clock.look()
        self.channel.observe()
        self._observe_stream()
        await clock.tick()

    def _observe_stream(self) -> None:
        """State and parameters change together, once, and not while flush_o is high; prepare_o comes with the change."""
        get = self.clock.get
        state, params, flush = get("stream_state_o"), get("stream_params_o"), get("flush_o")
        assert not (flush and (state, params) != (self.state, self.params)), "changed while flush_o is high"
        expected = (self.state, self.params)
        if self.next is not None and (state, params) != expected:
            expected = (self.next.state, self.next.params.packed if self.next.params else self.params)
            assert (state, params) == expected, f"shows {(state, params)}, should be {expected}"
            assert self.flush_seen == self.next.flush, "a flush too many or too few"
            self.state, self.params = expected
        assert (state, params) == expected, f"state, params are {(state, params)}, should be {expected}"
        if get("prepare_o"):
            assert state == model.PREPARED and not flush, "prepare_o in another state"
            assert not self.prepare_seen, "prepare_o for more than one cycle"
            self.prepare_seen = True
        if flush:
            assert self.next is not None and self.next.flush, "flush_o without need"
            assert not self.flush_ended, "flush_o outlasts flush_done_i"
            if not self.flush_seen:
                self.flush_seen, self.flush_wait = True, self.rng.choice([0, 1, 5, 50])
            self.flush_ended = self.flush_done
            self.flush_done = self.flush_wait == 0 and not self.flush_ended
            self.flush_wait = max(0, self.flush_wait - 1)
        else:
            self.flush_done = self.flush_ended = False
        if get("reply_valid_o"):
            assert self.flush_seen == (self.next is not None and self.next.flush), "answers before the flush"

    async def request(self, data: bytes) -> model.Answer:
        """Send a request, compare everything it does with the model."""
        expected = self.next = model.answer(self.state, data)
        before = (self.state, self.params)
        self.flush_seen = self.prepare_seen = False
        chain = self.channel.send(data)
        for _ in range(REQUEST_CYCLES):
            await self.cycle()
            if self.channel.replies:
                break
        assert self.channel.replies, f"no answer to {data.hex(' ', 4)} in state {before[0]}"
        reply: Reply = self.channel.replies.popleft()
        assert reply.chain == chain, "answers another chain"
        text = f"{data.hex(' ', 4)} in state {before[0]}"
        assert bytes(reply.data) == expected.response, f"{text}: {reply.data.hex()}, expected {expected.response.hex()}"
        await self.clock.look()
        assert self.state == expected.state, f"{text}: state {self.state}"
        assert self.prepare_seen == expected.prepared and self.flush_seen == expected.flush, text
        if expected.params:
            assert self.params == expected.params.packed, text
        await self.clock.tick()
        self.next = None
        return expected

    async def reach(self, state: int) -> None:
        """Reset, then the shortest way to a state."""
        await self.clear()
        for code in PATHS[state]:
            await self.request(command(code))
        assert self.state == state

    async def clear(self, cycles: int = 1) -> None:
        """A device reset."""
        self.clock.drive(clear_i=1)
        self.channel.clear()
        self.channel.taken.clear()
        self.next = None
        self.channel.drive()
        self.flush_done = self.flush_ended = False
        self.clock.drive(flush_done_i=0)
        await self.clock.tick(cycles)
        await self.clock.look()
        assert self.clock.get("idle_o"), "not idle in the second cycle of clear_i"
        await self.clock.tick()
        self.clock.drive(clear_i=0)
        self.state = model.INIT
        self.params = 0


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def codes_and_lengths(dut: object) -> None:
    """Every code, the codes next to them and some strangers, cut off at every length, in two states."""
    bench = await Bench(dut).start()
    codes = sorted(
        {code + step for code in model.NEED for step in (-1, 0, 1)} | {0x106, 0x1101, 0x8000, 0x10100, 0xFFFFFFFF}
    )
    for state in (model.INIT, model.RELEASED):
        await bench.reach(state)
        for code in codes:
            for length in (*range(27), 40, 600):
                data = struct.pack("<I", code) + bytes(bench.rng.choice([0, 0, 1]) for _ in range(length))
                await bench.request(data[:length])
    assert bench.clock.stopped > 0


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def information(dut: object) -> None:
    """*_INFO: ranges that do and do not exist, sums that overflow, strides from 0 to one too many."""
    bench = await Bench(dut).start()
    edges = (0, 1, 2, 0x7FFFFFFF, 0xFFFFFFFF)
    for code, start, count, size in product(model.ITEMS, edges, edges, (0, 4, 32, 4095, 4096, 0xFFFFFFFF, 0x10020)):
        await bench.request(struct.pack("<IIII", code, start, count, size))
    for size in range(1, 80):
        answer = await bench.request(struct.pack("<IIII", model.PCM_INFO, 0, 1, size))
        assert len(answer.response) == 4 + size


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def lifecycle_pairs(dut: object) -> None:
    """Each command in each state, for the stream and for streams that do not exist."""
    bench = await Bench(dut).start()
    allowed = 0
    for state, code, stream in product(PATHS, model.PCM_COMMANDS, (0, 1, 0x100, 0x80000000)):
        await bench.reach(state)
        answer = await bench.request(command(code, stream))
        allowed += answer.status == model.OK
    assert allowed == 14


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def parameters(dut: object) -> None:
    """Every value of the byte fields, every feature bit, sizes that fit and sizes that do not."""
    bench = await Bench(dut).start()
    for field in ("channels", "format", "rate", "padding"):
        for value in range(256):
            await bench.request(Params(**{field: value}, period_bytes=24, buffer_bytes=240).request())
    for bit in range(32):
        await bench.request(Params(features=1 << bit).request())
    await bench.request(Params(features=model.FEATURES).request())
    sizes = (0, 1, 2, 3, 4, 6, 8, 24, 25, 0x7FFFFFFF, 0xFFFFFFF0, 0xFFFFFFFF)
    for buffer, period, (form, channels) in product(sizes, sizes, ((5, 1), (5, 2), (11, 1), (11, 2), (15, 1), (17, 2))):
        await bench.request(Params(buffer, period, 0, channels, form).request())
    # Refused parameters leave those that hold, and the stream's messages, alone.
    await bench.reach(model.PREPARED)
    for bad in (Params(rate=13), Params(period_bytes=0), Params(buffer_bytes=1921)):
        before = bench.params
        await bench.request(bad.request())
        assert (bench.state, bench.params) == (model.PREPARED, before)


def random_request(rng: random.Random) -> bytes:
    """Mostly commands that could be meant."""
    if rng.random() < 0.75:
        data = command(rng.choice(model.PCM_COMMANDS), int(rng.random() < 0.03))
        if rng.random() < 0.2:
            period = rng.randrange(1, 5000) * 12
            data = Params(period * rng.randrange(1, 9), period, rng.choice([0, 4, 16, 20]), rng.choice([1, 2]),
                          rng.choice([5, 11, 15, 17]), rng.choice(model.RATES)).request()  # fmt: skip
    elif rng.random() < 0.7:
        data = struct.pack(
            "<IIII", rng.choice(list(model.ITEMS)), rng.randrange(2), rng.randrange(2), rng.randrange(50)
        )
    else:
        data = rng.randbytes(rng.randrange(30))
    return data + rng.randbytes(rng.choice([0, 0, 0, 1, 8]))


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def random_sequences(dut: object) -> None:
    """Long sequences with every handshake stalled at random, the clock stopped and running free."""
    states: set[int] = set()
    bench = await Bench(dut).start()
    for pace in (1.0, 0.5, 0.1):
        for gated in (True, False):
            bench.channel.pace, bench.clock.gated = pace, gated
            for _ in range(250):
                await bench.request(random_request(bench.rng))
                states.add(bench.state)
    assert len(states - {model.INIT}) == 5, states
    bench.clock.gated = True
    stopped = bench.clock.stopped
    for _ in range(20):
        await bench.cycle()
    assert bench.clock.stopped >= stopped + 19, "busy without a request"


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def resets_anywhere(dut: object) -> None:
    """clear_i at every stage of a request: INIT, idle at once, and the next request is served as if nothing had been."""
    bench = await Bench(dut, pace=0.6).start()
    for code, state in (
        (model.RELEASE, model.STOPPED),
        (model.SET_PARAMS, model.PREPARED),
        (model.PREPARE, model.PARAMS),
    ):
        for when in range(0, 160, 2):
            await bench.reach(state)
            data = command(code)
            bench.next = model.answer(bench.state, data)
            bench.flush_seen = bench.prepare_seen = False
            bench.channel.send(data)
            for _ in range(when):
                await bench.cycle()
            bench.channel.replies.clear()
            await bench.clear(bench.rng.choice([1, 3]))
            for _ in range(5):
                await bench.cycle()
            assert not bench.clock.get("reply_valid_o")


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def queue_resets_anywhere(dut: object) -> None:
    """queue_clear_i at every stage of a request: no answer any more, the stream as before or as commanded, a flush finished."""
    bench = await Bench(dut, pace=0.6).start()
    flushes_cut = 0
    for code, state in (
        (model.RELEASE, model.STOPPED),
        (model.SET_PARAMS, model.PREPARED),
        (model.PREPARE, model.PARAMS),
    ):
        for when in range(0, 160, 2):
            await bench.reach(state)
            data = command(code)
            bench.next = model.answer(bench.state, data)
            bench.flush_seen = bench.prepare_seen = False
            bench.channel.send(data)
            for _ in range(when):
                await bench.cycle()
            flushes_cut += bench.clock.get("flush_o")
            bench.channel.clear()
            bench.channel.taken.clear()
            bench.channel.replies.clear()
            bench.channel.clearing = True
            bench.clock.drive(queue_clear_i=1)
            for _ in range(bench.rng.choice([1, 4])):
                bench.channel._offered = bench.channel._beat = None
                bench.channel.drive()
                bench.clock.drive(flush_done_i=bench.flush_done)
                await bench.clock.look()
                bench._observe_stream()
                await bench.clock.tick()
            bench.clock.drive(queue_clear_i=0)
            bench.channel.clearing = False
            for _ in range(60):
                await bench.cycle()
            assert not bench.clock.get("flush_o") and bench.clock.get("idle_o")
            assert bench.state in (state, bench.next.state)
            bench.next = None
            await bench.request(struct.pack("<IIII", model.PCM_INFO, 0, 1, 32))
    assert flushes_cut > 5


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def broken_off(dut: object) -> None:
    """The queue fails in the middle of a request (msg_valid falls before the end): nothing of it reaches the next one."""
    bench = await Bench(dut).start()
    for given in range(1, 24):
        bench.channel.send(Params().request())
        while bench.channel.message is None or bench.channel.message.given < given:
            await bench.cycle()
        bench.channel.clear()
        await bench.cycle()
        await bench.request(struct.pack("<IIII", model.PCM_INFO, 0, 1, 32))
        await bench.request(command(model.PREPARE)[:given])


def test_control() -> None:
    run_bench("control", __file__)
