# SPDX-License-Identifier: Apache-2.0
"""rate_table: every code there is, by exact arithmetic on the two master clocks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cocotb
from cocotb.triggers import Timer

from cocotb_tests.engine.runner import run_bench
from virtone.virtio import snd

MASTER_HZ = (24_576_000, 22_579_200)
# docs/device.md, "Output stream"
HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000)
RATES = {int(getattr(snd, f"VIRTIO_SND_PCM_RATE_{hz}")): Fraction(hz) for hz in HZ}
RATES[int(snd.VIRTIO_SND_PCM_RATE_5512)] = Fraction(11025, 2)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_code(dut: Any) -> None:
    """Rates offered divide their master clock exactly and have their speed class; all other codes are unknown, 48 kHz."""
    assert len(RATES) == 15
    for code in range(256):
        dut.rate_i.value = code
        await Timer(1, "ns")
        assert int(dut.known_o.value) == (code in RATES), f"code {code}"
        hz = RATES.get(code, Fraction(48000))
        half, family = int(dut.half_o.value), int(dut.family_o.value)
        assert 1 <= half <= 32, f"code {code}: half {half} is not one that i2s_clock takes"
        assert Fraction(MASTER_HZ[family], 2 * half * 64) == hz, (
            f"code {code}: {MASTER_HZ[family]} Hz / 2 / {half} / 64"
        )
        assert int(dut.speed_o.value) == (hz > 48000) + (hz > 96000), f"code {code}: speed class"


def test_rate_table() -> None:
    run_bench("rate_table", __file__)
