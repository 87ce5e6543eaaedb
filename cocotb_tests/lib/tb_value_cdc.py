# SPDX-License-Identifier: Apache-2.0
"""value_cdc: the far side never takes a value that was not set, and ends with the last one."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.lib.two_clocks import TwoClocks, period_pairs, rng

RESET = 0x5A


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def last_value_arrives(dut: Any) -> None:
    """Random ratios, values changing at any time, taken at any time; src_pending_o covers the whole way."""
    r = rng()
    clocks = TwoClocks(dut.src_clk_i, dut.dst_clk_i, dut.src_rst_ni, dut.dst_rst_ni)
    for periods in period_pairs(r, 8):
        dut.src_value_i.value, dut.dst_take_i.value = RESET, 0
        await clocks.restart(periods, r.randrange(100_000))
        taken = [RESET]

        async def take(taken: list[int] = taken) -> None:
            while True:
                await FallingEdge(dut.dst_clk_i)
                take = int(r.random() < 0.3)
                dut.dst_take_i.value = take
                pending, value = int(dut.dst_pending_o.value), int(dut.dst_value_o.value)
                await RisingEdge(dut.dst_clk_i)
                if take and pending:
                    taken.append(value)

        taker = cocotb.start_soon(take())
        set_values = {RESET}
        for _ in range(25):
            await FallingEdge(dut.src_clk_i)
            value = r.randrange(256)
            dut.src_value_i.value = value
            set_values.add(value)
            await Timer(1, "ps")
            if value != taken[-1]:
                assert int(dut.src_pending_o.value), "a value under way and not pending"
            for _ in range(r.choice((1, 2, 5, 60))):
                await RisingEdge(dut.src_clk_i)
        await FallingEdge(dut.src_clk_i)
        while int(dut.src_pending_o.value):
            await FallingEdge(dut.src_clk_i)
        assert taken[-1] == value, f"settled on {taken[-1]:#x} instead of {value:#x}"
        assert set(taken) <= set_values, "a value that nobody set"
        taker.cancel()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def same_value_is_not_sent(dut: Any) -> None:
    """The reset value is not sent again: nothing is pending until the value changes."""
    dut.src_value_i.value, dut.dst_take_i.value = RESET, 0
    clocks = TwoClocks(dut.src_clk_i, dut.dst_clk_i, dut.src_rst_ni, dut.dst_rst_ni)
    await clocks.restart((10_000, 40_690), 7)
    for _ in range(20):
        await FallingEdge(dut.dst_clk_i)
        assert not int(dut.dst_pending_o.value) and not int(dut.src_pending_o.value)
        assert not int(dut.src_differs_o.value)


def test_value_cdc() -> None:
    run_bench("value_cdc", __file__, parameters={"Width": 8, "ResetValue": "8'h5A"})
