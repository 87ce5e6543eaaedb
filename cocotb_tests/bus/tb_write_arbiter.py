# SPDX-License-Identifier: Apache-2.0
"""write_arbiter: nobody starves, no write is lost or doubled, and each acknowledgement reaches its writer."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import pytest

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.bus.requesters import Arbitration
from cocotb_tests.engine.runner import run_bench

ADDR_BITS, BEAT_BITS = 64, 72


class Bench:
    """`offers` is what each writer holds out: (address, beat), or None."""

    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.count = int(dut.Requesters.value)
        self.rules = Arbitration(self.count, int(dut.Depth.value))
        self.offers: list[tuple[int, int] | None] = [None] * self.count

    async def start(self) -> Bench:
        await self.clock.start(valid_i=0, addr_i=0, beat_i=0, out_ready_i=0, done_i=0, err_i=0)
        return self

    async def cycle(self, ask: float, out_ready: bool, done: bool) -> None:
        """One cycle; a write that is held out stays until it is taken."""
        clock, rng, rules = self.clock, self.rng, self.rules
        for i, offer in enumerate(self.offers):
            if offer is None and rng.random() < ask:
                self.offers[i] = (rng.getrandbits(64) & ~7, rng.getrandbits(BEAT_BITS))
        asking = sum((offer is not None) << i for i, offer in enumerate(self.offers))
        done = done and bool(rules.order)
        clock.drive(
            valid_i=asking,
            addr_i=sum(offer[0] << ADDR_BITS * i for i, offer in enumerate(self.offers) if offer),
            beat_i=sum(offer[1] << BEAT_BITS * i for i, offer in enumerate(self.offers) if offer),
            out_ready_i=out_ready,
            done_i=done,
            err_i=rng.getrandbits(1),
        )
        await clock.look()
        offered = bool(clock.get("out_valid_o"))
        assert clock.get("idle_o") == (not rules.order), "idle_o"
        rules.check_offer(asking, offered)
        expected = 1 << rules.order[0] if done else 0
        assert clock.get("done_o") == expected, f"done for {expected:#b} went to {clock.get('done_o'):#b}"
        assert not done or clock.get("err_o") == clock.get("err_i")
        who = rules.check_grant(asking, clock.get("ready_o"), out_ready, offered)
        if who is not None:
            assert (clock.get("out_addr_o"), clock.get("out_beat_o")) == self.offers[who], (
                "another write than the one taken"
            )
            self.offers[who] = None
        if done:
            rules.order.popleft()
        await clock.tick()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def round_robin_and_acknowledged_in_order(dut: object) -> None:
    """Every mixture of asking, taking and acknowledging."""
    bench = await Bench(dut).start()
    rng = bench.rng
    for ask, take, done in ((0.3, 0.8, 0.9), (1.0, 1.0, 1.0), (0.9, 0.9, 0.3), (0.5, 0.2, 0.5), (0.05, 1.0, 1.0)):
        for _ in range(600):
            await bench.cycle(ask, rng.random() < take, rng.random() < done)
    assert min(bench.rules.served) > 30


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def depth_writes_outstanding(dut: object) -> None:
    """Without acknowledgements Depth writes go out, back to back, and not one more."""
    bench = await Bench(dut).start()
    for _ in range(bench.rules.depth + 5):
        await bench.cycle(1.0, True, False)
    assert bench.rules.most == len(bench.rules.order) == bench.rules.depth
    assert max(bench.rules.served) - min(bench.rules.served) <= 1, f"served {bench.rules.served}: not round robin"
    while bench.rules.order:
        await bench.cycle(0.0, False, True)
    await bench.cycle(0.0, False, False)


@pytest.mark.parametrize(("requesters", "depth"), [(2, 4), (5, 2)])
def test_write_arbiter(requesters: int, depth: int) -> None:
    run_bench("write_arbiter", __file__, parameters={"Requesters": requesters, "Depth": depth})
