# SPDX-License-Identifier: Apache-2.0
"""async_fifo: every word once, in order, at any ratio of the clocks; full and empty never too optimistic."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge, Timer

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.lib.two_clocks import TwoClocks, one_bit_at_a_time, period_pairs, rng

WORDS = 150


async def write(dut: Any, words: list[int], chance: float, r: random.Random, fill: dict[str, int]) -> None:
    for word in words:
        while True:
            await FallingEdge(dut.wr_clk_i)
            valid = r.random() < chance
            dut.wr_valid_i.value, dut.wr_data_i.value = int(valid), word
            await ReadOnly()
            accepted = valid and int(dut.wr_ready_o.value)
            if int(dut.wr_empty_o.value):
                assert fill["now"] == 0, "wr_empty_o although a word has not been read"
            await RisingEdge(dut.wr_clk_i)
            if accepted:
                fill["now"] += 1
                fill["most"] = max(fill["most"], fill["now"])
                break
    await FallingEdge(dut.wr_clk_i)
    dut.wr_valid_i.value = 0


async def read(dut: Any, count: int, chance: float, r: random.Random, fill: dict[str, int]) -> list[int]:
    words: list[int] = []
    while len(words) < count:
        await FallingEdge(dut.rd_clk_i)
        ready = r.random() < chance
        dut.rd_ready_i.value = int(ready)
        await ReadOnly()
        taken = ready and int(dut.rd_valid_o.value)
        word = int(dut.rd_data_o.value)
        await RisingEdge(dut.rd_clk_i)
        if taken:
            words.append(word)
            fill["now"] -= 1
    return words


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def words_in_order(dut: Any) -> None:
    """Random ratios, random pauses on both sides; the FIFO has been full and has been empty."""
    r, depth = rng(), int(dut.Depth.value)
    clocks = TwoClocks(dut.wr_clk_i, dut.rd_clk_i, dut.wr_rst_ni, dut.rd_rst_ni)
    filled = 0
    await one_bit_at_a_time(dut.wr_rst_ni, dut.wr_gray_q, dut.rd_gray_q)
    for periods in period_pairs(r, 12):
        dut.wr_valid_i.value = dut.rd_ready_i.value = 0
        await clocks.restart(periods, r.randrange(100_000))
        fill = {"now": 0, "most": 0}
        words = [r.randrange(2**16) for _ in range(WORDS)]
        writer = cocotb.start_soon(write(dut, words, r.choice((0.1, 0.5, 1.0)), r, fill))
        got = await read(dut, WORDS, r.choice((0.1, 0.5, 1.0)), r, fill)
        await writer
        assert got == words, f"periods {periods} ps"
        assert fill["most"] <= depth, f"{fill['most']} words in a FIFO of {depth}"
        filled += fill["most"] == depth
        await Timer(6 * sum(periods), "ps")
        assert int(dut.wr_empty_o.value) and not int(dut.rd_valid_o.value) and not int(dut.wr_differs_o.value)
    assert filled, "the FIFO was never full"


@pytest.mark.parametrize("depth", [2, 4, 32])
def test_async_fifo(depth: int) -> None:
    run_bench("async_fifo", __file__, parameters={"Width": 16, "Depth": depth}, timeout_s=120)
