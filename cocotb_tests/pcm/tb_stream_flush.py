# SPDX-License-Identifier: Apache-2.0
"""stream_flush: drain, then discard until everything has settled, then renumber, then done; in that order, whoever is slow."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench

OUTPUTS = ("flush_done_o", "cleared_o", "drain_o", "flushing_o", "hold_o", "normal_o", "renumber_o")


class Bench:
    """The rest of the stream: each answer takes a number of cycles of its own, drawn anew for each sequence."""

    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.flush = self.clear = False
        self.drained = self.settled = self.empty = self.discarded = 0
        self.wait: dict[str, int] = {}
        self.seen: list[str] = []  # outputs in the order in which they first rose
        self.renumbers = 0
        self.out: dict[str, int] = {}

    async def start(self) -> Bench:
        names = ("clear_i", "flush_i", "drained_i", "settled_i", "fifo_empty_i", "discarded_i")
        await self.clock.start(**dict.fromkeys(names, 0))
        self.clock.gated = True
        self.draw()
        await self.cycle()
        return self

    def draw(self) -> None:
        """New delays, and a stream that has messages and frames."""
        names = ("drained", "settled", "empty", "discard", "undiscard")
        self.wait = {name: self.rng.choice([0, 1, 5, 30]) for name in names}
        self.settled = self.empty = 0
        self.seen.clear()
        self.renumbers = 0

    async def cycle(self) -> None:
        clock = self.clock
        clock.drive(
            flush_i=self.flush, clear_i=self.clear, drained_i=self.drained, settled_i=self.settled,
            fifo_empty_i=self.empty, discarded_i=self.discarded,
        )  # fmt: skip
        await clock.look()
        before, self.out = self.out, {name: clock.get(name) for name in OUTPUTS}
        self.seen += [name for name in OUTPUTS if self.out[name] and not before.get(name)]
        self._rules(before)
        await clock.tick()
        self._stream()

    def _rules(self, before: dict[str, int]) -> None:
        out = self.out
        assert not (out["drain_o"] and not out["flushing_o"]), "drains while messages are played"
        if before.get("flushing_o") and not out["flushing_o"]:
            assert self.settled and self.empty and self.discarded, "stops discarding before everything has settled"
        if before.get("drain_o") and not out["drain_o"]:
            assert self.drained or self.clear, "stops draining before all was fetched"
        if out["renumber_o"]:
            assert not self.discarded and not out["flushing_o"] and self.settled and self.empty, (
                "numbers while frames move"
            )
            assert not before["renumber_o"], "renumber_o for more than one cycle"
            self.renumbers += 1
        if out["flush_done_o"]:
            assert self.flush and self.renumbers == 1, "done without a flush, or before the numbers start afresh"
        if out["cleared_o"]:
            assert self.renumbers >= 1, "cleared before the numbers start afresh"
        if out["normal_o"]:
            others = [name for name in OUTPUTS if out[name] and name != "normal_o"]
            assert not others and not self.flush and not self.clear, f"normal together with {others}"
        if out["cleared_o"] or out["renumber_o"] or (out["flushing_o"] and not out["drain_o"]):
            assert out["hold_o"], "a message may begin"

    def _stream(self) -> None:
        out = self.out

        def after(name: str, active: bool) -> bool:
            """True when `active` has lasted as long as drawn."""
            self.wait[name] -= active and self.wait[name] >= 0
            return active and self.wait[name] < 0

        # A queue that is being reset has nothing to fetch, and does not say that it has fetched all.
        self.drained = int(after("drained", bool(out["drain_o"])) and not self.clear)
        self.settled = self.settled or int(after("settled", bool(out["flushing_o"]) and not out["drain_o"]))
        self.discarded = int(not after("undiscard", not out["flushing_o"])) if self.discarded else int(
            after("discard", bool(out["flushing_o"]))
        )  # fmt: skip
        self.empty = self.empty or int(after("empty", bool(self.discarded)))

    async def until(self, name: str) -> None:
        for _ in range(400):
            await self.cycle()
            if self.out[name]:
                return
        raise AssertionError(f"{name} does not come; so far {self.seen}")

    async def quiet(self) -> None:
        for _ in range(3):
            await self.cycle()
        assert self.out["normal_o"] and not self.clock.get("busy_o")
        for _ in range(30):
            await self.cycle()
            assert not any(self.out[name] for name in OUTPUTS if name != "normal_o")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def flush_in_order(dut: object) -> None:
    """drain, discard, renumber, done; done until flush_i falls, and normal again after it."""
    bench = await Bench(dut).start()
    await bench.quiet()
    for _ in range(60):
        bench.draw()
        bench.flush = True
        await bench.until("flush_done_o")
        assert [name for name in bench.seen if name in ("drain_o", "renumber_o", "flush_done_o")] == [
            "drain_o", "renumber_o", "flush_done_o",
        ]  # fmt: skip
        for _ in range(bench.rng.randint(0, 5)):
            await bench.cycle()
            assert bench.out["flush_done_o"] and bench.out["hold_o"], "done lasts as long as flush_i"
        bench.flush = False
        await bench.cycle()
        assert not bench.out["flush_done_o"], "done falls with flush_i"
        await bench.quiet()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def clear_does_not_drain(dut: object) -> None:
    """A device reset: the FIFO and the numbers only, and cleared_o until clear_i falls."""
    bench = await Bench(dut).start()
    for _ in range(60):
        bench.draw()
        bench.clear = True
        await bench.until("cleared_o")
        assert "drain_o" not in bench.seen and bench.renumbers == 1
        for _ in range(bench.rng.randint(1, 5)):
            await bench.cycle()
            assert bench.out["cleared_o"]
        bench.clear = False
        await bench.quiet()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def clear_goes_before_flush(dut: object) -> None:
    """clear_i at every moment of a flush: cleared_o comes, flush_done_o does not."""
    bench = await Bench(dut).start()
    for when in range(80):
        bench.draw()
        bench.flush = True
        for _ in range(when):
            await bench.cycle()
        bench.clear = True
        await bench.cycle()
        bench.seen.clear()
        bench.flush = bench.rng.random() < 0.5  # control is reset too, sooner or later
        await bench.until("cleared_o")
        assert "flush_done_o" not in bench.seen, "the flush of before the reset ends in it"
        bench.flush = False
        await bench.cycle()
        assert bench.out["cleared_o"]
        bench.clear = False
        await bench.quiet()


def test_stream_flush() -> None:
    run_bench("stream_flush", __file__)
