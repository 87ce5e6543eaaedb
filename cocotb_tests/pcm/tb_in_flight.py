# SPDX-License-Identifier: Apache-2.0
"""in_flight: messages complete in order, not before their last frame has left, and as soon as it has."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench

RECORDS = 4
WRAP = 1 << 32
CHAIN_BITS = 130


@dataclass
class Message:
    chain: int
    end: int  # number of the frame after its last
    ok: bool
    empty: bool
    cycle: int


class Bench:
    def __init__(self, dut: Any, left: int) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.held: deque[Message] = deque()
        self.left = self.end = left
        self.flush = self.run = False
        self.kinds: set[tuple[bool, bool, bool]] = set()

    async def start(self) -> Bench:
        names = (
            "clear_i",
            "flush_i",
            "run_i",
            "in_valid_i",
            "in_chain_i",
            "in_end_i",
            "in_ok_i",
            "in_empty_i",
            "latency_i",
        )
        await self.clock.start(left_i=self.left, out_ready_i=0, **dict.fromkeys(names, 0))
        return self

    def due(self, message: Message) -> bool:
        return self.flush or (self.left >= message.end and (self.run or not message.empty))

    async def cycle(self, give: float, play: float, take: float, *, clear: bool = False) -> None:
        clock, rng = self.clock, self.rng
        if self.left < self.end and rng.random() < play:
            self.left += 1
        self.flush ^= rng.random() < 0.02
        self.run ^= rng.random() < 0.05
        valid, ready, latency = rng.random() < give, rng.random() < take, rng.getrandbits(32)
        empty = rng.random() < 0.2
        end = self.end + (0 if empty else rng.randint(1, 4))
        new = Message(rng.getrandbits(CHAIN_BITS), end, not empty and rng.random() < 0.8, empty, clock.count)
        clock.drive(
            clear_i=clear, flush_i=self.flush, run_i=self.run, out_ready_i=ready, latency_i=latency, left_i=self.left % WRAP,
            in_valid_i=valid, in_chain_i=new.chain, in_end_i=end % WRAP, in_ok_i=new.ok, in_empty_i=empty,
        )  # fmt: skip
        await clock.look()
        held = self.held
        assert clock.get("in_ready_o") or len(held) == RECORDS, f"no room beside {len(held)} messages"
        assert not (clock.get("idle_o") and any(m.cycle < clock.count - 1 for m in held)), (
            "idle with a message in flight"
        )
        if clock.get("out_valid_o"):
            assert held and self.due(held[0]), "completed before its last frame has left"
            oldest = held[0]
            assert clock.get("out_chain_o") == oldest.chain, "another message, or out of order"
            assert clock.get("out_ok_o") == (self.flush or oldest.ok)
            assert clock.get("out_latency_o") == (0 if self.flush else latency)
            if ready:
                self.kinds.add((self.flush, oldest.ok, oldest.empty))
                held.popleft()
        elif held and self.due(held[0]) and not clear:
            assert clock.count - held[0].cycle < 2, "due, and not completed"
        if clear:
            held.clear()
            self.end = self.left
        elif valid and clock.get("in_ready_o"):
            held.append(new)
            self.end = end
        await clock.tick()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def in_order_and_when_played(dut: object) -> None:
    """Good, faulty and empty messages; flushes, stops and clears; the queue of completions slow and fast."""
    bench = await Bench(dut, 0).start()
    for give, play, take in ((0.5, 0.9, 0.9), (0.9, 0.1, 0.9), (0.3, 1.0, 0.2), (1.0, 1.0, 1.0)):
        for _ in range(500):
            await bench.cycle(give, play, take, clear=bench.rng.random() < 0.01)
    assert len(bench.kinds) == 6, bench.kinds


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def numbers_modulo_2_to_the_32(dut: object) -> None:
    """Messages whose end lies behind 2^32 (or 2^31) wait for it like any other."""
    for wrap in (WRAP, WRAP // 2):
        waited = 0
        for before in range(1, 40, 2):
            bench = await Bench(dut, wrap - before).start()
            for _ in range(60):
                await bench.cycle(0.5, 0.3, 0.9)
                waited += not bench.flush and bench.left < wrap and any(message.end > wrap for message in bench.held)
        assert waited > 100, waited


def test_in_flight() -> None:
    run_bench("in_flight", __file__, parameters={"Records": RECORDS})
