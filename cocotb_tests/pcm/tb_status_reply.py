# SPDX-License-Identifier: Apache-2.0
"""status_reply: every message that is completed or refused is answered once, with struct virtio_snd_pcm_status."""

from __future__ import annotations

import random
import struct
from collections import deque
from typing import Any

import cocotb

from cocotb_tests.bfm.channel import CHAIN_BITS, Channel
from cocotb_tests.bfm.partial import MESSAGE_PORT, PartialCycles
from cocotb_tests.engine.runner import run_bench
from virtone.virtio import snd

OK, IO_ERR = int(snd.VIRTIO_SND_S_OK), int(snd.VIRTIO_SND_S_IO_ERR)


class Bench:
    """`expected` are the (chain, response) of requests taken and not yet answered: at most one."""

    def __init__(self, dut: Any, pace: float) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = PartialCycles(dut, MESSAGE_PORT)
        self.channel = Channel(self.clock, self.rng, pace)
        self.refuse: int | None = None
        self.complete: tuple[int, bool, int] | None = None
        self.expected: deque[tuple[int, bytes]] = deque()
        self.answered = self.both = 0

    async def start(self) -> Bench:
        names = ("refuse_valid_i", "refuse_chain_i", "complete_valid_i", "complete_chain_i", "complete_ok_i")
        await self.clock.start(clear_i=0, complete_latency_i=0, **dict.fromkeys(names, 0), **Channel.idle_inputs())
        return self

    async def cycle(self, ask: float) -> None:
        clock, rng = self.clock, self.rng
        if self.refuse is None and rng.random() < ask:
            self.refuse = rng.getrandbits(CHAIN_BITS)
        if self.complete is None and rng.random() < ask:
            self.complete = (rng.getrandbits(CHAIN_BITS), rng.random() < 0.5, rng.getrandbits(32))
        chain, ok, latency = self.complete or (0, False, 0)
        self.channel.drive()
        clock.drive(
            refuse_valid_i=self.refuse is not None, refuse_chain_i=self.refuse or 0,
            complete_valid_i=self.complete is not None, complete_chain_i=chain, complete_ok_i=ok, complete_latency_i=latency,
        )  # fmt: skip
        await clock.look()
        self.channel.observe()
        while self.channel.replies:
            reply = self.channel.replies.popleft()
            assert (reply.chain, bytes(reply.data)) == self.expected.popleft()
            self.answered += 1
        refused = self.refuse is not None and clock.get("refuse_ready_o")
        completed = self.complete is not None and clock.get("complete_ready_o")
        assert not (refused and completed), "two at a time"
        assert not (refused and self.complete is not None), "completions go first"
        self.both += bool(completed and self.refuse is not None)
        idle = clock.get("idle_o")
        assert idle == (not self.expected or self.channel._done) or self.channel._done, (
            "idle_o with an answer under way, or not"
        )
        if refused:
            self._taken(self.refuse, struct.pack("<II", IO_ERR, 0))
            self.refuse = None
        if completed:
            self._taken(chain, struct.pack("<II", OK if ok else IO_ERR, latency))
            self.complete = None
        await clock.tick()

    def _taken(self, chain: int, response: bytes) -> None:
        assert not self.expected, "taken before the last answer was on the used ring"
        self.expected.append((chain, response))
        self.channel.taken.append(chain)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def one_answer_each(dut: object) -> None:
    """Refusals and completions in every mixture, at every pace of the queue."""
    for pace in (1.0, 0.5, 0.1):
        for ask in (1.0, 0.05):
            bench = await Bench(dut, pace).start()
            for _ in range(600):
                await bench.cycle(ask)
            assert bench.answered > 10 and (bench.both > 5 or ask < 1)
            for _ in range(300):
                await bench.cycle(0.0)
            assert not bench.expected and bench.clock.get("idle_o") and not bench.clock.get("busy_o")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def clear_drops_what_is_under_way(dut: object) -> None:
    """At every stage: idle in the next cycle, no answer to it, and the next message is answered."""
    bench = await Bench(dut, 0.5).start()
    for when in range(40):
        for _ in range(when % 13):
            await bench.cycle(1.0)
        bench.channel.clear()
        bench.channel.taken.clear()
        bench.expected.clear()
        bench.refuse = bench.complete = None
        bench.channel.drive()
        bench.clock.drive(clear_i=1, refuse_valid_i=0, complete_valid_i=0)
        await bench.clock.tick()
        await bench.clock.look()
        assert (
            bench.clock.get("idle_o") and not bench.clock.get("reply_valid_o") and not bench.clock.get("reply_push_o")
        )
        await bench.clock.tick()
        bench.clock.drive(clear_i=0)
        answered = bench.answered
        for _ in range(60):
            await bench.cycle(1.0)
        assert bench.answered > answered


def test_status_reply() -> None:
    run_bench("status_reply", __file__)
