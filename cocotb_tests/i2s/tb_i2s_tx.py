# SPDX-License-Identifier: Apache-2.0
"""i2s_tx: edges on the wire, frame boundaries, strobes; with the FIFO played by the bench."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import cocotb
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge, Timer, ValueChange

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.i2s.wire import MCLK_PS, I2sReceiver, MasterClock

HALVES = (32, 24, 16, 12, 8, 6, 4, 3, 2, 1)


class Bench:
    """FIFO and settings in front of the transmitter; counts its strobes."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.frames: list[int] = []
        self.given: list[tuple[int, int]] = []  # (time of the boundary in ps, frame)
        self.ended: list[int] = []
        self.silent = self.underruns = 0
        self.receiver = I2sReceiver(dut.bclk_o, dut.lrclk_o, dut.sdata_o)

    async def start(self) -> None:
        dut = self.dut
        for name in (
            "run_i",
            "discard_i",
            "tick_enable_i",
            "set_pending_i",
            "set_family_i",
            "frame_valid_i",
            "frame_i",
        ):
            getattr(dut, name).value = 0
        dut.set_half_i.value = 4
        dut.rst_ni.value = 1
        await Timer(1, "ns")
        dut.rst_ni.value = 0
        MasterClock(dut.mclk_i, dut.family_o).start()
        await Timer(100, "ns")
        await FallingEdge(dut.mclk_i)
        dut.rst_ni.value = 1
        self.receiver.start()
        cocotb.start_soon(self._fifo())

    async def _fifo(self) -> None:
        dut = self.dut
        while True:
            await FallingEdge(dut.mclk_i)
            dut.frame_valid_i.value = int(bool(self.frames))
            dut.frame_i.value = self.frames[0] if self.frames else 0xDEAD_BEEF_DEAD_BEEF
            await ReadOnly()
            edge = get_sim_time("step") + MCLK_PS[int(dut.family_o.value)] // 2
            if int(dut.set_take_o.value):
                await RisingEdge(dut.mclk_i)
                dut.set_pending_i.value = 0
                continue
            if self.frames and int(dut.frame_ready_o.value):
                frame = self.frames.pop(0)
                if int(dut.started_o.value):
                    self.given.append((edge, frame))
                else:
                    assert int(dut.discard_i.value), "a frame taken and not played"
            if int(dut.left_o.value):
                self.ended.append(edge)
            self.silent += int(dut.silent_o.value)
            self.underruns += int(dut.underrun_o.value)

    async def set_rate(self, family: int, half: int) -> None:
        await FallingEdge(self.dut.mclk_i)
        self.dut.set_family_i.value, self.dut.set_half_i.value, self.dut.set_pending_i.value = family, half, 1
        await RisingEdge(self.dut.set_take_o)
        await FallingEdge(self.dut.mclk_i)

    async def set(self, **inputs: int) -> None:
        await FallingEdge(self.dut.mclk_i)
        for name, value in inputs.items():
            getattr(self.dut, name).value = value


def random_frames(count: int) -> list[int]:
    rng = random.Random(cocotb.RANDOM_SEED)
    return [rng.randrange(1, 2**64) for _ in range(count)]


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def edges(dut: Any) -> None:
    """Every divider: bit clock with 50 % duty, data and word clock change with its falling edge only."""
    b = Bench(dut)
    await b.start()
    falls: set[int] = set()
    changes: list[int] = []
    clock: list[int] = []

    async def watch(signal: Any, times: list[int]) -> None:
        while True:
            await ValueChange(signal)
            times.append(get_sim_time("step"))

    async def watch_falls() -> None:
        while True:
            await FallingEdge(dut.bclk_o)
            falls.add(get_sim_time("step"))

    for coroutine in (
        watch(dut.sdata_o, changes),
        watch(dut.lrclk_o, changes),
        watch(dut.bclk_o, clock),
        watch_falls(),
    ):
        cocotb.start_soon(coroutine)
    for half in HALVES:
        await b.set_rate(half & 1, half)
        del changes[:], clock[:]  # the next edge of the bit clock is the boundary at which the rate changes
        await Timer(1, "us")
        await b.set(run_i=1)
        frames = random_frames(3)
        b.frames = list(frames)
        done = len(b.ended)
        while len(b.ended) < done + 3:
            await Timer(1, "us")
        await b.set(run_i=0)
        assert set(changes) <= falls, f"divider {2 * half}: a change off the falling bit clock"
        assert {later - sooner for sooner, later in pairwise(clock)} == {half * MCLK_PS[half & 1]}
        assert len(changes) > 60, "data did not move"
    await Timer(300, "us")
    played = [f.left << 32 | f.right for f in b.receiver.frames if f.left or f.right]
    assert played == [frame for _, frame in b.given] and len(played) == 3 * len(HALVES)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def strobes(dut: Any) -> None:
    """started_o is the edge that puts the first bit on the wire; left_o the edge that ends the last one."""
    b = Bench(dut)
    await b.start()
    await b.set(run_i=1)
    frame_ps = 64 * 8 * MCLK_PS[0]
    b.frames = random_frames(6)
    await Timer(frame_ps * 10, "step")
    on_wire = [f for f in b.receiver.frames if f.left or f.right]
    assert [(f.time_ps, f.left << 32 | f.right) for f in on_wire] == b.given and len(on_wire) == 6
    assert b.ended == [time + frame_ps for time, _ in b.given]
    assert b.underruns == 1 and b.silent in (2, 3, 4)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def underrun_rules(dut: Any) -> None:
    """No episode before a frame has played since run_i; one per episode; STOP is none."""
    b = Bench(dut)
    await b.start()
    frame_ps = 64 * 8 * MCLK_PS[0]
    await b.set(run_i=1)
    await Timer(4 * frame_ps, "step")
    assert (b.silent, b.underruns) == (0, 0)
    for episode in (1, 2):
        b.frames = random_frames(2)
        await Timer(6 * frame_ps, "step")
        assert b.underruns == episode and b.silent >= 3 * episode
    silent = b.silent
    await b.set(run_i=0)
    await Timer(3 * frame_ps, "step")
    await b.set(run_i=1)
    await Timer(3 * frame_ps, "step")
    assert (b.silent, b.underruns) == (silent, 2)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def discard(dut: Any) -> None:
    """discard_i drops what is queued, leaves the frame on the wire whole, and answers."""
    b = Bench(dut)
    await b.start()
    frame_ps = 64 * 8 * MCLK_PS[0]
    await b.set(run_i=1)
    frames = random_frames(20)
    b.frames = list(frames)
    while len(b.given) < 3:
        await Timer(1, "us")
    await Timer(frame_ps // 3, "step")
    await b.set(discard_i=1, run_i=0)
    await RisingEdge(dut.discarded_o)
    assert b.frames == [] and len(b.given) == 3
    await b.set(discard_i=0)
    await Timer(3 * frame_ps, "step")
    assert [f.left << 32 | f.right for f in b.receiver.frames if f.left or f.right] == frames[:3]
    assert len(b.ended) == 3 and b.underruns == 0 and int(dut.discarded_o.value) == 0


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def ticks(dut: Any) -> None:
    """tick_o changes once a frame while enabled, and rests otherwise."""
    b = Bench(dut)
    await b.start()
    frame_ps = 64 * 8 * MCLK_PS[0]
    times: list[int] = []

    async def watch() -> None:
        while True:
            await ValueChange(dut.tick_o)
            times.append(get_sim_time("step"))

    await Timer(2 * frame_ps, "step")
    cocotb.start_soon(watch())
    await Timer(3 * frame_ps, "step")
    assert times == []
    await b.set(tick_enable_i=1)
    await Timer(5 * frame_ps, "step")
    assert len(times) == 5 and {later - sooner for sooner, later in pairwise(times)} == {frame_ps}


def test_i2s_tx() -> None:
    run_bench("i2s_tx", __file__, timeout_s=120)
