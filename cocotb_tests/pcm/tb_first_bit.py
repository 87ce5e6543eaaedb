# SPDX-License-Identifier: Apache-2.0
"""first_bit: each message's head is announced once, in order, when the wire has begun its first frame."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench

ENTRIES = 4
WRAP = 1 << 32


class Bench:
    """`entries` are (head, first frame, cycle it was taken) not yet announced; `started` is the frame count of the wire."""

    def __init__(self, dut: Any, started: int) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.entries: deque[tuple[int, int, int]] = deque()
        self.started = self.next_first = started
        self.announced = self.full = 0

    async def start(self) -> Bench:
        await self.clock.start(clear_i=0, in_valid_i=0, in_head_i=0, in_first_i=0, started_i=self.started)
        return self

    async def cycle(self, give: float, play: float, *, clear: bool = False) -> None:
        clock, rng = self.clock, self.rng
        if rng.random() < play and self.started < self.next_first + 3:
            self.started += 1
        valid = rng.random() < give
        head = rng.getrandbits(16)
        clock.drive(
            clear_i=clear,
            in_valid_i=valid,
            in_head_i=head,
            in_first_i=self.next_first % WRAP,
            started_i=self.started % WRAP,
        )
        await clock.look()
        ready, event = clock.get("in_ready_o"), clock.get("event_o")
        assert ready or len(self.entries) == ENTRIES, f"no room beside {len(self.entries)} entries"
        self.full += not ready
        due = bool(self.entries) and self.started > self.entries[0][1]
        if event:
            assert due and not clear, "announced before its frame is on the wire, or what was cleared"
            assert clock.get("event_head_o") == self.entries.popleft()[0], "another head, or out of order"
            self.announced += 1
        elif due and not clear:
            assert clock.count - self.entries[0][2] < 2, "announced late"
        if clear:
            self.entries.clear()
        elif valid and ready:
            self.entries.append((head, self.next_first, clock.count))
            self.next_first += rng.choice([1, 1, 5])
        await clock.tick()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def announced_once_in_order_at_once(dut: object) -> None:
    """Frame numbers across 2^32 and 2^31, the table full and empty, clears in between."""
    for started in (0, WRAP - 200, WRAP // 2 - 200):
        bench = await Bench(dut, started).start()
        for give, play in ((0.5, 0.9), (0.9, 0.1), (0.1, 0.9), (1.0, 1.0)):
            for _ in range(300):
                await bench.cycle(give, play, clear=bench.rng.random() < 0.01)
        assert bench.announced > 100 and bench.full > 50


def test_first_bit() -> None:
    run_bench("first_bit", __file__, parameters={"Entries": ENTRIES})
