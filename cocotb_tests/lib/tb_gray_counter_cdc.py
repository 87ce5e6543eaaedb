# SPDX-License-Identifier: Apache-2.0
"""gray_counter_cdc: the far side sees a value the count really had, soon, and never a step back; also when it slept."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.lib.two_clocks import TwoClocks, one_bit_at_a_time, period_pairs, rng

START, MASK = 0xFFF0, 0xFFFF  # of 16 bits: wraps early


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def follows(dut: Any) -> None:
    """Random ratios and increments; values lag by at most three edges of the reader's clock."""
    r = rng()
    clocks = TwoClocks(dut.src_clk_i, dut.dst_clk_i, dut.src_rst_ni, dut.dst_rst_ni)
    wrapped = 0
    await one_bit_at_a_time(dut.src_rst_ni, dut.gray_q)
    for periods in period_pairs(r, 8):
        dut.src_inc_i.value = 0
        await clocks.restart(periods, r.randrange(100_000))
        state = {"count": 0, "stop": False}

        async def drive(state: dict = state) -> None:
            while not state["stop"]:
                await FallingEdge(dut.src_clk_i)
                inc = int(r.random() < 0.5)
                dut.src_inc_i.value = inc
                await RisingEdge(dut.src_clk_i)
                state["count"] += inc
            await FallingEdge(dut.src_clk_i)
            dut.src_inc_i.value = 0

        driver = cocotb.start_soon(drive())
        history = [0] * 4  # true counts at the last edges of the reader
        seen = 0
        for _ in range(300):
            await RisingEdge(dut.dst_clk_i)
            history = [*history[1:], state["count"]]
            await FallingEdge(dut.dst_clk_i)
            value = (int(dut.dst_count_o.value) - START) & MASK
            assert seen <= value <= state["count"], f"{value} is no step on the way from {seen}, periods {periods} ps"
            assert value >= history[0], f"{value} is more than three edges old, periods {periods} ps"
            seen = value
        state["stop"] = True
        await driver
        await Timer(6 * sum(periods), "ps")
        assert (int(dut.dst_count_o.value) - START) & MASK == state["count"] and not int(dut.differs_o.value)
        wrapped += state["count"] > MASK - START
    assert wrapped, "the count never wrapped"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def wakes_a_sleeping_reader(dut: Any) -> None:
    """With the reader's clock at rest, differs_o rises with the count and stays until the reader has caught up."""
    for signal in (dut.src_clk_i, dut.dst_clk_i, dut.src_inc_i):
        signal.value = 0
    for reset in (1, 0, 1):
        dut.src_rst_ni.value = dut.dst_rst_ni.value = reset
        await Timer(10, "ns")
    for steps in (1, 2, 700):
        dut.src_inc_i.value = 1
        for _ in range(steps):
            for level in (1, 0):
                dut.src_clk_i.value = level
                await Timer(10, "ns")
            assert int(dut.differs_o.value), "a new count and no wake"
        dut.src_inc_i.value = 0
        edges = 0
        while int(dut.differs_o.value):
            edges += 1
            for level in (1, 0):
                dut.dst_clk_i.value = level
                await Timer(3, "ns")
        assert edges == 3
    assert int(dut.dst_count_o.value) == (START + 703) & MASK


def test_gray_counter_cdc() -> None:
    run_bench("gray_counter_cdc", __file__, parameters={"Width": 16, "ResetValue": "16'hFFF0"})
