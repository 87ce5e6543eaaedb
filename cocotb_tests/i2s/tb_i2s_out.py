# SPDX-License-Identifier: Apache-2.0
"""i2s_out: frames pushed in the bus domain are on the wire, in order, at the rate last set, and are counted back."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, ReadOnly, Timer

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.i2s.wire import MCLK_PS, I2sReceiver, MasterClock

BUS_PS = 20_000
FIFO = 8
FIRST = 0xFFFF_FFFD  # frame numbers pass 2^32
COUNTS = ("started_o", "left_o", "silent_o", "underruns_o")


class Bench:
    """`changes` holds (time, how many so far) of each count; `ticks` their times."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.receiver = I2sReceiver(dut.bclk_o, dut.lrclk_o, dut.sdata_o)
        self.sent: list[int] = []
        self.half, self.family = 4, 0
        self.changes: dict[str, list[tuple[int, int]]] = {name: [] for name in COUNTS}
        self.ticks: list[int] = []
        self.rested = 0

    async def start(self) -> Bench:
        dut = self.dut
        for name in ("frame_valid_i", "frame_i", "run_i", "discard_i", "rate_family_i", "tick_enable_i"):
            getattr(dut, name).value = 0
        dut.rate_half_i.value = 4
        dut.rst_ni.value = dut.mclk_rst_ni.value = 1
        await Timer(1, "ns")
        dut.rst_ni.value = dut.mclk_rst_ni.value = 0
        Clock(dut.clk_i, BUS_PS, "ps").start()
        MasterClock(dut.mclk_i, dut.mclk_family_o).start()
        await Timer(200, "ns")
        await FallingEdge(dut.clk_i)
        dut.rst_ni.value = dut.mclk_rst_ni.value = 1
        self.receiver.start()
        cocotb.start_soon(self._watch())
        return self

    async def _watch(self) -> None:
        """Each cycle: counts go up, and nothing seen here changes in a cycle before which busy_o was low."""
        dut = self.dut
        before: dict[str, int] = {}
        busy = True
        while True:
            await FallingEdge(dut.clk_i)
            await ReadOnly()
            now = {name: int(getattr(dut, name).value) for name in (*COUNTS, "discarded_o", "tick_o", "fifo_empty_o")}
            if before:
                changed = [name for name in now if now[name] != before[name]]
                if before["fifo_empty_o"] and "fifo_empty_o" in changed:
                    changed.remove("fifo_empty_o")  # a push, not the block's own doing
                assert busy or not changed, f"{changed} changed while busy_o was low"
                for name in COUNTS:
                    if now[name] != before[name]:
                        base = FIRST if name in ("started_o", "left_o") else 0
                        self.changes[name].append((get_sim_time("step"), (now[name] - base) & 0xFFFFFFFF))
            if now["tick_o"]:
                self.ticks.append(get_sim_time("step"))
            before, busy = now, bool(int(dut.busy_o.value))
            self.rested += not busy

    @property
    def frame_ps(self) -> int:
        return 64 * 2 * self.half * MCLK_PS[self.family]

    async def set(self, **inputs: int) -> None:
        await FallingEdge(self.dut.clk_i)
        for name, value in inputs.items():
            getattr(self.dut, name).value = value

    async def rate(self, family: int, half: int) -> None:
        self.family, self.half = family, half
        await self.set(rate_family_i=family, rate_half_i=half)

    async def push(self, count: int) -> None:
        """Frames that are not silence, as fast as there is room."""
        for _ in range(count):
            frame = self.rng.getrandbits(64) | 1
            await self.set(frame_valid_i=1, frame_i=frame)
            await ReadOnly()
            while not int(self.dut.frame_ready_o.value):
                await FallingEdge(self.dut.clk_i)
                await ReadOnly()
            self.sent.append(frame)
        await self.set(frame_valid_i=0)

    async def until(self, condition: Any, frames: float, what: str) -> None:
        end = get_sim_time("step") + int(frames * max(self.frame_ps, 512 * MCLK_PS[0]))
        while not condition():
            assert get_sim_time("step") < end, f"{what}: not within {frames} frames"
            await Timer(100, "ns")

    def count(self, name: str) -> int:
        return self.changes[name][-1][1] if self.changes[name] else 0

    async def played(self, count: int) -> None:
        """Wait until so many frames have left and the wire's receiver has them."""
        await self.until(lambda: self.count("left_o") == count, count + 4, f"{count} frames left")
        await self.until(lambda: len(self.receiver.played()) >= count, 3, "received")
        assert [left << 32 | right for left, right in self.receiver.played()] == self.sent[:count]


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def in_order_at_the_rate_last_set(dut: Any) -> None:
    """A new rate and frames in the same moment: none of them plays at an older rate, also when two settings follow each other."""
    b = await Bench(dut).start()
    await b.set(run_i=1)
    for settings in ([(0, 4)], [(0, 1)], [(1, 8), (0, 2)], [(1, 1)], [(0, 3), (1, 2)], [(0, 3)]):
        for family, half in settings:
            await b.rate(family, half)
        first = len(b.sent)
        await b.push(FIFO + 2)
        await b.played(first + FIFO + 2)
        mine = [frame for frame in b.receiver.frames if frame.left or frame.right][first:]
        spans = {later.time_ps - sooner.time_ps for sooner, later in pairwise(mine)}
        assert spans == {b.frame_ps}, f"{settings}: frames last {spans} ps, must be {b.frame_ps}"
    assert int(dut.mclk_family_o.value) == 0 and b.rested > 1000


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def counts_at_most_four_cycles_late(dut: Any) -> None:
    """started_o when the first bit is on the wire, left_o when the last bit period has ended; each frame counted once."""
    b = await Bench(dut).start()
    await b.rate(0, 1)
    await b.set(run_i=1)
    await b.push(20)
    await b.played(20)
    begins = [frame.time_ps for frame in b.receiver.frames if frame.left or frame.right]
    for name, delay in (("started_o", 0), ("left_o", b.frame_ps)):
        assert [count for _, count in b.changes[name]] == list(range(1, 21)), name
        late = [time - begin - delay for (time, _), begin in zip(b.changes[name], begins, strict=True)]
        assert min(late) >= 0 and max(late) <= 4.5 * BUS_PS, f"{name}: {min(late)}..{max(late)} ps after the wire"
    # The FIFO ran dry once and stayed so.
    await Timer(5 * b.frame_ps, "step")
    assert b.count("underruns_o") == 1 and b.count("silent_o") >= 5


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def holds_without_run(dut: Any) -> None:
    """FifoFrames frames find room and wait; run_i plays them; a stop in between loses and repeats none."""
    b = await Bench(dut).start()
    await b.rate(0, 1)
    assert int(dut.fifo_empty_o.value)
    await b.push(FIFO)
    await Timer(3 * 512 * MCLK_PS[0], "step")
    await FallingEdge(dut.clk_i)
    assert not int(dut.frame_ready_o.value) and not int(dut.fifo_empty_o.value) and not b.receiver.played()
    for _ in range(3):
        await b.set(run_i=1)
        await Timer(int(1.3 * b.frame_ps), "step")
        await b.set(run_i=0)
        await Timer(int(3.1 * b.frame_ps), "step")
    assert b.count("left_o") == b.count("started_o") < FIFO, "a stop holds at a frame boundary"
    await b.set(run_i=1)
    await b.played(FIFO)
    await b.until(lambda: int(dut.fifo_empty_o.value), 1, "fifo_empty_o")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def discard_empties_the_fifo(dut: Any) -> None:
    """Unplayed frames are gone, the one on the wire is whole, and the counts are final once discarded_o has fallen."""
    b = await Bench(dut).start()
    await b.rate(0, 1)
    await b.set(run_i=1)
    for pause in (0.1, 0.5, 0.9, 2.2):
        started = b.count("started_o")
        await b.push(FIFO)
        await b.until(lambda n=started: b.count("started_o") > n, 3, "playing")
        await Timer(int(pause * b.frame_ps), "step")
        await b.set(run_i=0, discard_i=1)
        await b.until(lambda: int(dut.discarded_o.value), 1, "discarded_o")
        assert int(dut.fifo_empty_o.value) or b.rested, "discarded with frames in the FIFO"
        await b.set(discard_i=0)
        await b.until(lambda: not int(dut.discarded_o.value), 1, "discarded_o falls")
        started = b.count("started_o")
        del b.sent[started:]
        await Timer(3 * b.frame_ps, "step")
        assert b.count("started_o") == b.count("left_o") == started, "a discarded frame was played"
        assert int(dut.fifo_empty_o.value) and not int(dut.busy_o.value)
        await b.played(started)
        await b.set(run_i=1)
    assert b.count("started_o") > 4


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_tick_a_frame(dut: Any) -> None:
    """While enabled, whether anything plays or not."""
    b = await Bench(dut).start()
    await b.rate(1, 2)
    await Timer(5 * b.frame_ps, "step")
    assert not b.ticks
    await b.set(tick_enable_i=1)
    await Timer(20 * b.frame_ps, "step")
    assert len(b.ticks) == 20, f"{len(b.ticks)} ticks in 20 frames"
    await b.set(tick_enable_i=0)
    await Timer(2 * b.frame_ps, "step")
    assert len(b.ticks) in (20, 21)


def test_i2s_out() -> None:
    run_bench("i2s_out", __file__, parameters={"FifoFrames": FIFO, "FirstFrameNumber": FIRST})
