# SPDX-License-Identifier: Apache-2.0
"""lifecycle_pkg: the table of docs/device.md, "Lifecycle", command by command and state by state."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import Timer

from cocotb_tests.control import control_model as model
from cocotb_tests.engine.runner import run_bench


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def the_table(dut: Any) -> None:
    """Allowed, flush first and next state of each pair; whatever is not in the table is refused and changes nothing."""
    codes = sorted({code + step for code in model.NEED for step in (-1, 0, 1)} | {0, 0x10101, 0xFFFFFFFF})
    allowed = 0
    for code in codes:
        for state in range(6):
            dut.code_i.value, dut.state_i.value = code, state
            await Timer(1, "ns")
            entry = model.LIFECYCLE.get(code, {}).get(state)
            after, flush = entry or (state, False)
            shown = (int(dut.allowed_o.value), int(dut.flush_o.value), int(dut.next_o.value))
            assert shown == (entry is not None, flush, after), f"command {code:#x} in state {state}: {shown}"
            allowed += entry is not None
    assert allowed == 14


def test_lifecycle_pkg() -> None:
    run_bench("lifecycle_table", __file__, sources=["cocotb_tests/control/lifecycle_table.sv"])
