# SPDX-License-Identifier: Apache-2.0
"""config_space: struct virtio_snd_config of the profile, whichever byte of a word is addressed."""

from __future__ import annotations

import struct
import tomllib
from typing import Any

import cocotb
from cocotb.triggers import Timer

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.engine.sources import RTL_ROOT


def profile() -> bytes:
    """jacks, streams, chmaps, controls (virtio 1.4, 5.14.4), counted in the profile that the packages are rendered from."""
    tables = tomllib.loads((RTL_ROOT / "rtl" / "profiles" / "stereo_out.toml").read_text())
    counts = [len(tables.get(kind, [])) for kind in ("jack", "stream", "chmap", "control")]
    assert counts[1] >= 1, "a profile without a stream"
    return struct.pack("<IIII", *counts)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_offset(dut: Any) -> None:
    """Whole words; behind the structure zeros."""
    space = profile().ljust(256 + 4, b"\0")
    for offset in range(256):
        dut.offset_i.value = offset
        await Timer(1, "ns")
        word = offset & ~3
        assert int(dut.data_o.value) == int.from_bytes(space[word : word + 4], "little"), f"offset {offset:#x}"


def test_config_space() -> None:
    run_bench("config_space", __file__)
