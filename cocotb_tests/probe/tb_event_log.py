# SPDX-License-Identifier: Apache-2.0
"""event_log: bursts of simultaneous events, in order and with their own times; overload is counted, entry by entry."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench

SOURCES = 7
DEPTH = 16
BURSTS = 8
Entry = tuple[int, int, int]


class Bench:
    """`given` are the events put in (kind, argument, time), `got` the entries taken out."""

    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.given: list[Entry] = []
        self.got: list[Entry] = []

    async def start(self) -> Bench:
        await self.clock.start(now_i=0, valid_i=0, arg_i=0, pop_i=0)
        return self

    async def cycle(self, valid: int = 0, pop: bool = False) -> None:
        clock = self.clock
        now = clock.count << 24 | 0x5A << 56
        args = [self.rng.getrandbits(32) for _ in range(SOURCES)]
        pop = pop and clock.get("count_o") != 0  # a register: what it shows after the edge holds for this cycle
        clock.drive(now_i=now, valid_i=valid, arg_i=sum(arg << 32 * s for s, arg in enumerate(args)), pop_i=pop)
        self.given += [(s + 1, args[s], now) for s in range(SOURCES) if valid >> s & 1]
        await clock.look()
        entry = clock.get("kind_o"), clock.get("arg_o"), clock.get("time_o")
        count = clock.get("count_o")
        assert (entry[0] != 0) == (count != 0), f"{count} entries, and shows {entry}"
        if pop:
            self.got.append(entry)
        await clock.tick()

    async def drain(self) -> None:
        """Wait until nothing is on its way, then take everything out."""
        for _ in range(BURSTS * SOURCES + 4):
            await self.cycle()
        assert not self.clock.get("busy_o")
        while self.clock.get("count_o"):
            await self.cycle(pop=True)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def nothing_lost(dut: object) -> None:
    """Bursts of up to seven events in a cycle, several cycles in a row, at a rate the log can take: all of them, exactly."""
    bench = await Bench(dut).start()
    together = 0
    for _ in range(400):
        for _ in range(bench.rng.randint(1, 3)):
            valid = bench.rng.getrandbits(SOURCES) if bench.rng.random() < 0.7 else 0x7F
            together += valid == 0x7F
            await bench.cycle(valid, pop=True)
        for _ in range(24):
            await bench.cycle(pop=bench.rng.random() < 0.95)
    await bench.drain()
    assert bench.clock.get("lost_o") == 0
    assert bench.got == bench.given and together > 50


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def overload(dut: object) -> None:
    """More than fits: what is logged is a part of what was given, in its order, and lost_o counts the rest."""
    bench = await Bench(dut).start()
    for rate, pops in ((0.9, 0.1), (0.2, 0.5), (1.0, 0.0)):
        for _ in range(600):
            await bench.cycle(
                bench.rng.getrandbits(SOURCES) if bench.rng.random() < rate else 0, bench.rng.random() < pops
            )
        full = bench.clock.get("count_o")
        await bench.drain()
        remaining = iter(bench.given)
        assert all(entry in remaining for entry in bench.got), "an entry that is false, or out of order"
        assert len(bench.got) + bench.clock.get("lost_o") == len(bench.given)
    assert full == DEPTH, "the log does not hold what it promises"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def bursts_in_a_row(dut: object) -> None:
    """One cycle with all seven, then single events in each of the next six: the log is still busy, nothing is lost."""
    bench = await Bench(dut).start()
    await bench.cycle(0x7F)
    for s in range(6):
        await bench.cycle(1 << s)
    await bench.drain()
    assert bench.got == bench.given and bench.clock.get("lost_o") == 0


def test_event_log() -> None:
    run_bench("event_log", __file__, parameters={"Depth": DEPTH, "Bursts": BURSTS})
