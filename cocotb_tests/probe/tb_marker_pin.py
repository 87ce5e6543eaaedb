# SPDX-License-Identifier: Apache-2.0
"""marker_pin: pulse widths on several clock ratios, events in quick succession, and the bus clock stopped as soon as it may be."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer, ValueChange
from cocotb.utils import get_sim_time

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench

WIDTH = 256
MCLK_PS = (40_690, 44_288, 20_346, 9_998)


class Bench:
    """Clocks, and the times in ps of the pin's edges as (time, level)."""

    def __init__(self, dut: Any, mclk_ps: int, bus_ns: int = 10) -> None:
        self.dut, self.mclk_ps = dut, mclk_ps
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut, bus_ns)
        self.clock.gated = True
        self.edges: list[tuple[int, int]] = []

    async def start(self) -> Bench:
        self.mclk = Clock(self.dut.mclk_i, self.mclk_ps, "ps")
        self.mclk.start()
        self.dut.mclk_rst_ni.value = 0
        await Timer(3 * self.mclk_ps, "ps")
        await self.clock.start(event_i=0)
        self.dut.mclk_rst_ni.value = 1
        await Timer(self.rng.randrange(self.mclk_ps), "ps")
        cocotb.start_soon(self._watch())
        await self.clock.tick(5)
        return self

    async def _watch(self) -> None:
        while True:
            await ValueChange(self.dut.marker_o)
            self.edges.append((round(get_sim_time("ps")), int(self.dut.marker_o.value)))

    async def event(self) -> int:
        """One event; gives the time in ps of the edge after its cycle, with which the pin must rise."""
        self.clock.drive(event_i=1)
        rises = round(get_sim_time("ps")) + 1000 * self.clock.half_ns
        await self.clock.tick()
        self.clock.drive(event_i=0)
        return rises

    async def wait(self, mclk_cycles: float) -> None:
        """Let time pass, in bus cycles that run only while busy_o asks for them."""
        end = get_sim_time("ps") + mclk_cycles * self.mclk_ps
        while get_sim_time("ps") < end:
            await self.clock.tick()

    async def stop(self) -> None:
        self.mclk.stop()
        await Timer(1, "ns")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def single_pulses(dut: object) -> None:
    """Rises with the bus clock, falls 256 to 257 audio clocks later, and the bus clock sleeps for most of that time."""
    for mclk_ps in MCLK_PS:
        bench = await Bench(dut, mclk_ps).start()
        for _ in range(8):
            bench.edges.clear()
            busy_from = bench.clock.count - bench.clock.stopped
            rises = await bench.event()
            await bench.wait(WIDTH + 20 + bench.rng.random())
            ran = bench.clock.count - bench.clock.stopped - busy_from
            assert [level for _, level in bench.edges] == [1, 0], bench.edges
            (up, _), (down, _) = bench.edges
            assert up == rises, f"rises at {up} ps, not with the clock edge at {rises} ps"
            width = (down - up) / mclk_ps
            assert WIDTH <= width <= WIDTH + 1, f"{width:.3f} mclk cycles high"
            assert ran < 60, f"{ran} bus cycles for one pulse"
        await bench.stop()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def repeated(dut: object) -> None:
    """A second event at any distance: one longer pulse or two whole ones, never a glitch, never one that is too short."""
    for mclk_ps in MCLK_PS[:3]:
        bench = await Bench(dut, mclk_ps).start()
        counts = set()
        for distance in [*range(0, 30), 100, 200, *range(245, 270)]:
            bench.edges.clear()
            await bench.event()
            await bench.wait(distance * 1.01)
            second = await bench.event()
            await bench.wait(WIDTH + 40)
            levels = [level for _, level in bench.edges]
            assert levels in ([1, 0], [1, 0, 1, 0]), (distance, bench.edges)
            counts.add(len(levels))
            after = (bench.edges[-1][0] - second) / mclk_ps
            late = 13 if distance < 12 else 1
            assert WIDTH <= after <= WIDTH + late, (
                f"{distance} mclk cycles apart: low {after:.2f} after the second event"
            )
            if len(levels) == 4:
                assert (bench.edges[1][0] - bench.edges[0][0]) / mclk_ps >= WIDTH, "the first pulse is too short"
                assert bench.edges[2][0] == second
        assert counts == {2, 4}
        await bench.stop()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_events(dut: object) -> None:
    """Events at random: the pin is high from each for at least its time, and low when none was near."""
    for bus_ns in (10, 20, 42):
        bench = await Bench(dut, 40_690, bus_ns).start()
        events: list[int] = []
        for _ in range(120):
            events.append(await bench.event())
            await bench.wait(bench.rng.choice([1, 4, 30, 250, 300, 600]) * bench.rng.random())
        await bench.wait(WIDTH + 40)
        assert len(bench.edges) % 2 == 0
        pulses = [(bench.edges[i][0], bench.edges[i + 1][0]) for i in range(0, len(bench.edges), 2)]
        for at in events:
            covering = [pulse for pulse in pulses if pulse[0] <= at < pulse[1]]
            assert covering and covering[0][1] - at >= WIDTH * 40_690, f"no whole pulse for the event at {at} ps"
        for up, down in pulses:
            last = max(at for at in events if at < down)
            assert up in events and down - last <= (WIDTH + 13) * 40_690
        assert len(pulses) > 10
        await bench.stop()


def test_marker_pin() -> None:
    run_bench("marker_pin", __file__)
