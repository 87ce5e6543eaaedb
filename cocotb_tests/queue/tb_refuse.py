# SPDX-License-Identifier: Apache-2.0
"""refuse: every chain comes back, once, with nothing read and nothing written."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.channel import Channel
from cocotb_tests.bfm.partial import PartialCycles
from cocotb_tests.engine.runner import run_bench

ABSENT = frozenset({"msg_head_i", "msg_data_i", "msg_count_i"})


class Bench:
    """The channel checks the port rules in each cycle; here: what is taken, and what comes back."""

    def __init__(self, dut: Any, pace: float) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = PartialCycles(dut, ABSENT)
        self.channel = Channel(self.clock, self.rng, pace)

    async def start(self) -> Bench:
        await self.clock.start(clear_i=0, **Channel.idle_inputs())
        self.clock.gated = True
        return self

    async def cycle(self) -> None:
        self.channel.drive()
        await self.clock.look()
        assert self.clock.get("msg_take_o") == 0, "reads bytes of a refused chain"
        self.channel.observe()
        await self.clock.tick()

    async def replies(self, count: int) -> None:
        for _ in range(500 * count):
            if len(self.channel.replies) >= count:
                break
            await self.cycle()
        assert len(self.channel.replies) == count, f"{len(self.channel.replies)} of {count} chains came back"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_chain_with_length_0(dut: object) -> None:
    """In order, with chain_t untouched, whatever the pace; the clock stands while busy_o is low."""
    for pace in (1.0, 0.5, 0.1):
        bench = await Bench(dut, pace).start()
        chains = [bench.channel.send(bench.rng.randbytes(bench.rng.choice([0, 1, 100]))) for _ in range(30)]
        await bench.replies(30)
        assert [reply.chain for reply in bench.channel.replies] == chains
        assert not any(reply.data for reply in bench.channel.replies), "a response byte"
        for _ in range(5):
            await bench.cycle()
        assert bench.clock.get("idle_o") and not bench.clock.get("busy_o")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def idle_after_clear(dut: object) -> None:
    """clear_i at every stage: idle in the next cycle, the old chain is not answered, the next one is."""
    bench = await Bench(dut, 0.5).start()
    stages = set()
    for when in range(60):
        bench.channel.send(bytes(9))
        for _ in range(when % 20):
            await bench.cycle()
        stages.add((bench.clock.get("idle_o"), bench.clock.get("reply_valid_o"), bench.clock.get("reply_push_o")))
        bench.channel.clear()
        bench.channel.taken.clear()
        bench.channel.drive()
        bench.clock.gated = False  # in a reset the clock runs
        bench.clock.drive(clear_i=1)
        await bench.clock.tick()
        assert (
            bench.clock.get("idle_o") and not bench.clock.get("reply_valid_o") and not bench.clock.get("reply_push_o")
        )
        bench.clock.drive(clear_i=0)
        bench.clock.gated = True
        bench.channel.replies.clear()
        chain = bench.channel.send(bytes(3))
        await bench.replies(1)
        assert bench.channel.replies.pop().chain == chain
    assert len(stages) == 4, stages


def test_refuse() -> None:
    run_bench("refuse", __file__)
