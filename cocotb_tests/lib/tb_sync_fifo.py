# SPDX-License-Identifier: Apache-2.0
"""sync_fifo: against a Python list, cycle by cycle."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench
from cocotb_tests.lib.two_clocks import rng


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def like_a_list(dut: Any) -> None:
    """Every output of every cycle, with pauses and clears; full and empty both happened."""
    r, depth = rng(), int(dut.Depth.value)
    cycles = Cycles(dut)
    await cycles.start(clear_i=0, in_valid_i=0, in_data_i=0, out_ready_i=0)
    held: list[int] = []
    seen = set()
    for phase in range(40):
        fill, drain = r.choice(((0.9, 0.1), (0.1, 0.9), (0.6, 0.6), (1.0, 1.0)))
        for _ in range(60):
            word, valid, ready = r.randrange(256), r.random() < fill, r.random() < drain
            clear = r.random() < 0.01 * (phase % 2)
            cycles.drive(in_valid_i=int(valid), in_data_i=word, out_ready_i=int(ready), clear_i=int(clear))
            await cycles.look()
            assert cycles.get("in_ready_o") == (len(held) < depth)
            assert cycles.get("out_valid_o") == bool(held)
            if held:
                assert cycles.get("out_data_o") == held[0]
            seen.add(len(held))
            room = len(held) < depth
            if held and ready:
                held.pop(0)
            if valid and room:
                held.append(word)
            if clear:
                held = []
            await cycles.tick()
    assert {0, depth} <= seen


@pytest.mark.parametrize("depth", [2, 16])
def test_sync_fifo(depth: int) -> None:
    run_bench("sync_fifo", __file__, parameters={"Width": 8, "Depth": depth})
