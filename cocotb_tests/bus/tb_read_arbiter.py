# SPDX-License-Identifier: Apache-2.0
"""read_arbiter: nobody starves, and each beat comes back to who asked for it."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import cocotb
import pytest

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.bus.requesters import Arbitration
from cocotb_tests.engine.runner import run_bench

REQ_BITS, RSP_BITS = 69, 66


class Bench:
    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.count = int(dut.Requesters.value)
        self.rules = Arbitration(self.count, int(dut.Depth.value))
        self.beats: deque[int] = deque()  # beats still to come of each outstanding burst

    async def start(self) -> Bench:
        await self.clock.start(req_valid_i=0, req_i=0, out_ready_i=0, rsp_valid_i=0, rsp_i=0)
        return self

    async def cycle(self, asking: int, out_ready: bool, answer: bool) -> None:
        """One cycle; a request may be changed or withdrawn as long as it was not taken."""
        clock, rng, rules = self.clock, self.rng, self.rules
        requests = [(rng.getrandbits(64) & ~7) << 5 | rng.randint(1, 16) for _ in range(self.count)]
        answer = answer and bool(self.beats)
        last = answer and self.beats[0] == 1
        beat = rng.getrandbits(64) << 2 | last << 1 | rng.getrandbits(1)
        packed = sum(request << REQ_BITS * i for i, request in enumerate(requests))
        clock.drive(req_valid_i=asking, req_i=packed, out_ready_i=out_ready, rsp_valid_i=answer, rsp_i=beat)
        await clock.look()
        offered = bool(clock.get("out_valid_o"))
        assert clock.get("idle_o") == (not rules.order), "idle_o"
        rules.check_offer(asking, offered)
        expected = 1 << rules.order[0] if answer else 0
        assert clock.get("rsp_valid_o") == expected, f"answer for {expected:#b} went to {clock.get('rsp_valid_o'):#b}"
        assert not answer or clock.get("rsp_o") == beat
        who = rules.check_grant(asking, clock.get("req_ready_o"), out_ready, offered)
        if who is not None:
            assert clock.get("out_req_o") == requests[who], "another request than the one taken"
            self.beats.append(requests[who] & 31)
        if answer:
            self.beats[0] -= 1
            if last:
                self.beats.popleft()
                rules.order.popleft()
        await clock.tick()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def round_robin_and_answers_in_order(dut: object) -> None:
    """Every mixture of asking, taking and answering."""
    bench = await Bench(dut).start()
    rng = bench.rng
    for ask, take, answer in ((0.3, 0.8, 0.9), (1.0, 1.0, 1.0), (0.9, 0.9, 0.3), (0.5, 0.2, 0.5), (0.05, 1.0, 1.0)):
        for _ in range(600):
            asking = sum((rng.random() < ask) << i for i in range(bench.count))
            await bench.cycle(asking, rng.random() < take, rng.random() < answer)
    assert min(bench.rules.served) > 30


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def depth_bursts_outstanding(dut: object) -> None:
    """Without answers Depth bursts go out, back to back, and not one more; each end of a burst makes room for one."""
    bench = await Bench(dut).start()
    everybody = (1 << bench.count) - 1
    for _ in range(bench.rules.depth + 5):
        await bench.cycle(everybody, True, False)
    assert bench.rules.most == len(bench.rules.order) == bench.rules.depth
    assert max(bench.rules.served) - min(bench.rules.served) <= 1, f"served {bench.rules.served}: not round robin"
    while bench.rules.order:
        await bench.cycle(0, True, True)
    await bench.cycle(0, True, False)


@pytest.mark.parametrize(("requesters", "depth"), [(2, 8), (5, 4)])
def test_read_arbiter(requesters: int, depth: int) -> None:
    run_bench("read_arbiter", __file__, parameters={"Requesters": requesters, "Depth": depth})
