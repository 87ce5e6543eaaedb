# SPDX-License-Identifier: Apache-2.0
"""device_status: the Status register as a driver sees it, and a reset that lasts until everything is idle."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench

ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, SUSPEND, NEEDS_RESET, FAILED = 1, 2, 4, 8, 16, 64, 128
WRITABLE = ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK | FAILED
END_LIMIT = 12  # cycles of idle_i after which a reset has ended


class Bench:
    """`status` is what the driver and the device have set; every cycle compares every output."""

    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.status = 0
        self.resetting = self.was_idle = False
        self.idle_cycles = 0  # since the reset began, in a row
        self.ended = 0

    async def start(self) -> Bench:
        await self.clock.start(wr_i=0, wdata_i=0, features_acceptable_i=0, fault_i=0, idle_i=1)
        return self

    async def cycle(
        self, write: int | None = None, *, acceptable: bool = True, fault: bool = False, idle: bool = True
    ) -> None:
        clock = self.clock
        clock.drive(
            wr_i=write is not None, wdata_i=write or 0, features_acceptable_i=acceptable, fault_i=fault, idle_i=idle
        )
        await clock.look()
        if self.resetting and not clock.get("reset_o"):
            assert self.was_idle, "the reset ended before idle was reported"
            self.resetting = False
            self.ended += 1
        assert self.idle_cycles <= END_LIMIT, "the reset does not end"
        reset = write == 0
        assert clock.get("reset_o") == self.resetting and clock.get("reset_start_o") == reset
        shown = self.status | (ACKNOWLEDGE if self.resetting else 0)
        assert clock.get("status_o") == shown, f"Status {clock.get('status_o'):#x}, must be {shown:#x}"
        agreed = bool(self.status & FEATURES_OK)
        assert clock.get("features_ok_o") == agreed
        assert clock.get("driver_ok_o") == (agreed and bool(self.status & DRIVER_OK) and not self.resetting)
        if not reset:
            announce = fault and not self.resetting and bool(self.status & DRIVER_OK)
            assert clock.get("config_irq_o") == announce, (
                "the configuration interrupt is for a fault with DRIVER_OK set"
            )
        if write is not None:
            refused = 0 if agreed or acceptable else FEATURES_OK
            self.status = write & WRITABLE & ~refused | self.status & NEEDS_RESET
        if fault and not self.resetting:
            self.status |= NEEDS_RESET
        if reset:
            self.status, self.resetting, self.idle_cycles = 0, True, 0
        else:
            self.idle_cycles = self.idle_cycles + 1 if self.resetting and idle else 0
        self.was_idle = idle
        await clock.tick()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_value(dut: object) -> None:
    """Each value of a write on each state of FEATURES_OK, acceptable features or not."""
    bench = await Bench(dut).start()
    for value in range(1, 256):
        for acceptable in (True, False):
            for before in (ACKNOWLEDGE, ACKNOWLEDGE | FEATURES_OK):
                await bench.cycle(before)
                await bench.cycle(value, acceptable=acceptable)
                await bench.cycle(acceptable=acceptable)
                await bench.cycle(ACKNOWLEDGE)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def needs_reset_belongs_to_the_device(dut: object) -> None:
    """Set by a fault, announced if DRIVER_OK was set, not writable, cleared by a reset only."""
    bench = await Bench(dut).start()
    for status in (ACKNOWLEDGE, ACKNOWLEDGE | DRIVER | FEATURES_OK, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK):
        await bench.cycle(status)
        await bench.cycle(status | NEEDS_RESET)
        await bench.cycle()
        assert not bench.clock.get("status_o") & NEEDS_RESET, "a driver set DEVICE_NEEDS_RESET"
        await bench.cycle(fault=True)
        await bench.cycle(status)
        await bench.cycle()
        assert bench.clock.get("status_o") == status | NEEDS_RESET
        await bench.cycle(0)
        for _ in range(END_LIMIT + 2):
            await bench.cycle()
        assert bench.clock.get("status_o") == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_reset_waits_for_idle(dut: object) -> None:
    """However long that takes; what is written meanwhile is not lost; a fault meanwhile is of the past."""
    bench = await Bench(dut).start()
    for wait in (0, 1, 5, 30, 200):
        await bench.cycle(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
        await bench.cycle(0, idle=False)
        for cycle in range(wait):
            await bench.cycle(fault=cycle == 3, idle=False)
        await bench.cycle(ACKNOWLEDGE | DRIVER, idle=False)
        ended = bench.ended
        for _ in range(END_LIMIT + 2):
            await bench.cycle()
        assert bench.ended == ended + 1 and bench.clock.get("status_o") == ACKNOWLEDGE | DRIVER


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def any_traffic(dut: object) -> None:
    """Writes, faults and resets in any order, idle or not."""
    bench = await Bench(dut).start()
    rng = bench.rng
    idle = True
    for _ in range(6000):
        write = rng.choice([0, 1, 3, 11, 15, 15, 15, 0x8F, 0x50, rng.getrandbits(8)]) if rng.random() < 0.15 else None
        idle ^= rng.random() < 0.1
        await bench.cycle(write, acceptable=rng.random() < 0.7, fault=rng.random() < 0.05, idle=idle)
    assert bench.ended > 50


def test_device_status() -> None:
    run_bench("device_status", __file__)
