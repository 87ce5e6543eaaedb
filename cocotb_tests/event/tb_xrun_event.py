# SPDX-License-Identifier: Apache-2.0
"""xrun_event: random xruns, buffers and stalls against a model of one waiting event; the bus clock stands still when it may."""

from __future__ import annotations

import random
import struct
from collections import deque
from typing import Any

import cocotb

from cocotb_tests.bfm.channel import Channel
from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench
from virtone.virtio import snd


class Bench:
    """The module, its queue, and what it must send: `pending` waits, `due` are chains taken and the events to be in them."""

    def __init__(self, dut: Any, pace: float = 1.0) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.clock.gated = True
        self.channel = Channel(self.clock, self.rng, pace)
        self.enable = 1
        self.stream = 0
        self.pending: int | None = None
        self.due: deque[tuple[int, int]] = deque()
        self.sent = self.dropped = 0

    async def start(self) -> Bench:
        await self.clock.start(clear_i=0, xrun_i=0, enable_i=1, stream_i=0, **Channel.idle_inputs())
        return self

    async def cycle(self, xrun: bool = False) -> None:
        clock, channel = self.clock, self.channel
        if xrun:
            self.stream = self.rng.getrandbits(32)
        channel.drive()
        clock.drive(xrun_i=xrun, enable_i=self.enable, stream_i=self.stream)
        await clock.look()
        chain = channel.message.chain if channel.message else None
        channel.observe()
        if clock.get("msg_ready_o"):
            assert self.pending is not None and self.enable and chain is not None, "takes a chain without an event"
            self.due.append((chain, self.pending))
            self.pending = None
        if xrun and self.enable:
            if self.pending is None:
                self.pending = self.stream
            else:
                self.dropped += 1
        if not self.enable:
            self.pending = None
        while channel.replies:
            reply = channel.replies.popleft()
            chain, stream = self.due.popleft()
            assert reply.chain == chain
            assert bytes(reply.data) == struct.pack("<II", snd.VIRTIO_SND_EVT_PCM_XRUN, stream)
            self.sent += 1
        await clock.tick()

    async def settle(self) -> None:
        """As many cycles as anything can need."""
        for _ in range(400):
            await self.cycle()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def random_xruns(dut: object) -> None:
    """Every event that found room is sent, once, in order; with buffers scarce and plenty, some with readable bytes."""
    bench = await Bench(dut).start()
    for buffers, xruns, pace in ((0.02, 0.02, 0.3), (0.2, 0.02, 1.0), (0.005, 0.1, 0.5), (0.2, 0.5, 0.2)):
        bench.channel.pace = pace
        for _ in range(4000):
            if bench.rng.random() < buffers and len(bench.channel.waiting) < 4:
                bench.channel.send(bench.rng.randbytes(bench.rng.choice([0, 0, 0, 5, 40])))
            if bench.rng.random() < 0.003:
                bench.enable ^= 1
            await bench.cycle(bench.rng.random() < xruns)
        bench.enable = 1
        bench.channel.send(b"")
        await bench.settle()
        assert bench.pending is None and not bench.due, "an event that could be sent was not"
    assert bench.sent > 100 and bench.dropped > 100, (bench.sent, bench.dropped)
    assert bench.clock.stopped > 1000


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def one_waits(dut: object) -> None:
    """Without a buffer the first of three events waits; it goes out when one comes, and no second chain is taken."""
    bench = await Bench(dut).start()
    for _ in range(3):
        await bench.cycle(xrun=True)
    first = bench.pending
    await bench.settle()
    bench.channel.send(b"")
    bench.channel.send(b"")
    await bench.settle()
    assert bench.sent == 1 and bench.dropped == 2 and first is not None
    assert bench.channel.message is not None, "a chain was taken without an event"
    assert bench.clock.get("idle_o") and not bench.clock.get("busy_o")


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def disabled(dut: object) -> None:
    """Not agreed: nothing is sent. An event that waits when the agreement ends is dropped."""
    bench = await Bench(dut).start()
    bench.enable = 0
    await bench.cycle(xrun=True)
    bench.enable = 1
    await bench.cycle(xrun=True)
    bench.enable = 0
    await bench.cycle()
    bench.enable = 1
    bench.channel.send(b"")
    await bench.settle()
    assert bench.sent == 0 and bench.channel.message is not None


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def resets_anywhere(dut: object) -> None:
    """clear_i in every cycle of an event: nothing goes out any more, the next event does."""
    bench = await Bench(dut, pace=0.5).start()
    for when in range(60):
        bench.channel.send(bytes(when % 3))
        await bench.cycle(xrun=True)
        for _ in range(when):
            await bench.cycle()
        bench.channel.clear()
        bench.channel.taken.clear()
        bench.channel.replies.clear()
        bench.pending = None
        bench.due.clear()
        bench.channel.drive()
        bench.clock.drive(clear_i=1, xrun_i=0)
        await bench.clock.tick(2)
        assert bench.clock.get("idle_o")
        bench.clock.drive(clear_i=0)
        sent = bench.sent
        bench.channel.send(b"")
        for _ in range(30):
            await bench.cycle()
        assert bench.sent == sent, "an event outlived the reset"
        await bench.cycle(xrun=True)
        await bench.settle()
        assert bench.sent == sent + 1


def test_xrun_event() -> None:
    run_bench("xrun_event", __file__)
