# SPDX-License-Identifier: Apache-2.0
"""feature_regs: what is offered, what was accepted, and whether that may become FEATURES_OK."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench
from cocotb_tests.mmio.mmio_model import OFFERED

VERSION_1 = 1 << 32
INPUTS = ("reset_i", "device_sel_wr_i", "driver_sel_wr_i", "driver_wr_i", "wdata_i", "frozen_i")


class Bench:
    """Selectors and accepted bits as a driver knows them; every cycle compares every output."""

    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.forget()

    def forget(self) -> None:
        self.device_sel = self.driver_sel = self.accepted = 0
        self.beyond = False

    async def start(self) -> Bench:
        await self.clock.start(**dict.fromkeys(INPUTS, 0))
        return self

    async def cycle(self, what: str = "", value: int = 0, frozen: bool = False) -> None:
        """One cycle with the strobe `what`, or none."""
        clock = self.clock
        strobes = {name: int(name == what) for name in INPUTS[:4]}
        clock.drive(**strobes, wdata_i=value, frozen_i=frozen)
        await clock.look()
        bank = OFFERED >> 32 * self.device_sel & 0xFFFFFFFF if self.device_sel < 2 else 0
        assert clock.get("device_features_o") == bank, f"bank {self.device_sel} of DeviceFeatures"
        assert clock.get("accepted_o") == self.accepted
        acceptable = bool(self.accepted & VERSION_1) and not self.accepted & ~OFFERED and not self.beyond
        assert clock.get("acceptable_o") == acceptable, f"{self.accepted:#x}, beyond bit 63: {self.beyond}"
        if what == "device_sel_wr_i":
            self.device_sel = value
        elif what == "driver_sel_wr_i":
            self.driver_sel = value
        elif what == "driver_wr_i" and not frozen:
            if self.driver_sel < 2:
                keep = self.accepted & ~(0xFFFFFFFF << 32 * self.driver_sel)
                self.accepted = keep | value << 32 * self.driver_sel
            else:
                self.beyond = self.beyond or value != 0
        elif what == "reset_i":
            self.forget()
        await clock.tick()

    async def accept(self, features: int) -> None:
        for bank in (0, 1):
            await self.cycle("driver_sel_wr_i", bank)
            await self.cycle("driver_wr_i", features >> 32 * bank & 0xFFFFFFFF)
        await self.cycle()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def each_bit(dut: object) -> None:
    """VERSION_1 with any one other bit: acceptable exactly if it is offered; without VERSION_1 nothing is."""
    bench = await Bench(dut).start()
    for bit in range(64):
        await bench.accept(VERSION_1 | 1 << bit)
        await bench.accept(OFFERED & ~(1 << bit))
    await bench.accept(0)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def beyond_bit_63(dut: object) -> None:
    """A bit in any bank above counts as not offered until the next reset; a 0 written there does not."""
    bench = await Bench(dut).start()
    for bank in (2, 3, 0x10000, 0x80000000, 0xFFFFFFFF):
        for value in (0, 1, 0x80000000):
            await bench.accept(VERSION_1)
            await bench.cycle("driver_sel_wr_i", bank)
            await bench.cycle("driver_wr_i", value)
            await bench.cycle()
            assert bench.clock.get("acceptable_o") == (value == 0)
            await bench.accept(OFFERED)
            await bench.cycle("reset_i")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def any_traffic(dut: object) -> None:
    """Banks at random, frozen at random, resets in between."""
    bench = await Bench(dut).start()
    rng = bench.rng
    for _ in range(4000):
        what = rng.choice([*INPUTS[1:4], "driver_wr_i", "", "reset_i" if rng.random() < 0.1 else ""])
        selector = rng.choice([0, 1, 0, 1, 2, 0x100])
        bits = rng.choice([rng.getrandbits(32), OFFERED & 0xFFFFFFFF, OFFERED >> 32, 1, 0])
        await bench.cycle(what, bits if what == "driver_wr_i" else selector, frozen=rng.random() < 0.3)


def test_feature_regs() -> None:
    run_bench("feature_regs", __file__, parameters={"Offered": f"64'h{OFFERED:x}"})
