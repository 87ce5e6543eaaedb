# SPDX-License-Identifier: Apache-2.0
"""sync_2ff: each level arrives two to three edges later, whole, and through two flip-flops."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge, Timer

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.lib.two_clocks import rng

PERIOD_PS = 10_000


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def two_edges_later(dut: Any) -> None:
    """A change at any moment between two edges shows after the second edge that follows, and not sooner."""
    r, width, reset = rng(), int(dut.Width.value), int(dut.ResetValue.value)
    dut.d_i.value = 0
    dut.rst_ni.value = 1
    await Timer(1, "ns")
    dut.rst_ni.value = 0
    await Timer(1, "ns")
    await ReadOnly()
    assert int(dut.q_o.value) == reset, "the value of the reset, without a clock"
    await Timer(1, "ns")
    Clock(dut.clk_i, PERIOD_PS, "ps").start()
    await FallingEdge(dut.clk_i)
    dut.rst_ni.value = 1
    for _ in range(3):
        await RisingEdge(dut.clk_i)
    now = 0
    for _ in range(300):
        await Timer(2 * r.randint(1, PERIOD_PS // 2 - 1), "ps")  # after this edge, before the next
        level = r.getrandbits(width)
        dut.d_i.value = level
        for value in (now, level):  # after the first and the second edge
            await RisingEdge(dut.clk_i)
            await ReadOnly()
            assert int(dut.q_o.value) == value, f"{now:#x} to {level:#x}: q_o is {int(dut.q_o.value):#x}"
        now = level
        for _ in range(r.randint(0, 2)):
            await RisingEdge(dut.clk_i)
            await ReadOnly()
            assert int(dut.q_o.value) == now


@pytest.mark.parametrize(("width", "reset"), [(1, 1), (3, 0)])
def test_sync_2ff(width: int, reset: int) -> None:
    run_bench("sync_2ff", __file__, parameters={"Width": width, "ResetValue": reset})
