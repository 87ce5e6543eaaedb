# SPDX-License-Identifier: Apache-2.0
"""Scene: playback for `sim_ms` simulated milliseconds, timed from the test's first line to its last.

Case: {rate, format, channels, period, periods, sim_ms}. Findings: {sim_ps, bus_cycles_run, wall_s, cpu_s, xruns}. The time
of starting Python and importing is not in them: both lie before the first line. The reset and the probe are.
"""

from __future__ import annotations

import time
from typing import Any

import cocotb

from cocotb_tests.benchmark.scenes.stage import Stage, case, found
from virtone.model.pcm_hw import HwParams


@cocotb.test(timeout_time=20, timeout_unit="sec")
async def playback(dut: Any) -> None:
    given = case()
    params = HwParams(given["format"], given["channels"], given["rate"], given["period"], given["periods"])
    period = bytes(range(1, 256)) * (params.period_bytes // 255 + 1)
    period = period[: params.period_bytes]
    wall, cpu = time.perf_counter(), time.process_time()
    stage = Stage(dut)
    port = stage.port
    await port.reset()
    await stage.probe()
    pcm = await stage.open(params)
    end_ps = int(given["sim_ms"] * 1e9)
    while port.now_ps() < end_ps:
        await pcm.writei(period)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    found({
        "sim_ps": port.now_ps(), "bus_cycles_run": port.page.bus_cycles_run, "wall_s": wall, "cpu_s": cpu, "xruns": pcm.xruns,
    })  # fmt: skip
