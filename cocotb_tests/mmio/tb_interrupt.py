# SPDX-License-Identifier: Apache-2.0
"""interrupt: every combination of events, acknowledgement and reset, from every state."""

from __future__ import annotations

from itertools import product

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench


@cocotb.test(timeout_time=100, timeout_unit="us")
async def all_combinations(dut: object) -> None:
    """An event in the cycle of its own acknowledgement is never lost."""
    clock = Cycles(dut)
    await clock.start(reset_i=0, used_i=0, config_i=0, ack_wr_i=0, ack_i=0)
    for before, used, config, ack_wr, ack, reset in product(range(4), range(2), range(2), range(2), range(4), range(2)):
        clock.drive(reset_i=1, used_i=0, config_i=0, ack_wr_i=0, ack_i=0)
        await clock.tick()
        clock.drive(reset_i=0, used_i=before & 1, config_i=before >> 1)
        await clock.tick()
        assert clock.get("isr_o") == before
        clock.drive(used_i=used, config_i=config, ack_wr_i=ack_wr, ack_i=ack, reset_i=reset)
        await clock.tick()
        expected = 0 if reset else before & ~(ack if ack_wr else 0) | used | config << 1
        assert clock.get("isr_o") == expected, (before, used, config, ack_wr, ack, reset)
        assert clock.get("irq_o") == (expected != 0)


def test_interrupt() -> None:
    run_bench("interrupt", __file__)
