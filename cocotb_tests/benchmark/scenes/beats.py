# SPDX-License-Identifier: Apache-2.0
"""Scene: bus beats of steady playback.

Case: {streams: [{format, channels, rate, period, periods, policy, polling, periods_counted}]}. Findings: one
{read, written, payload_beats, periods, frames} per stream: what crossed the memory bus while `periods` whole periods were
played, between two writes of the application that each waited for a period. A beat is 8 bytes.
"""

from __future__ import annotations

from typing import Any

import cocotb

from cocotb_tests.benchmark.scenes.stage import Stage, case, found
from virtone.model.pcm_hw import HwParams

BEAT_BYTES = 8


async def count(stage: Stage, wish: dict[str, Any]) -> dict[str, int]:
    """Beats of one stream."""
    await stage.probe(wish["policy"], polling=wish["polling"])
    params = HwParams(wish["format"], wish["channels"], wish["rate"], wish["period"], wish["periods"])
    pcm = await stage.open(params)
    data = bytes([1]) * params.period_bytes
    for _ in range(params.periods + 2):
        await pcm.writei(data)
    page, periods = stage.port.page, wish["periods_counted"]
    read, written = page.beats_read, page.beats_written
    for _ in range(periods):
        await pcm.writei(data)
    counted = {
        "read": page.beats_read - read,
        "written": page.beats_written - written,
        "payload_beats": periods * params.period_bytes / BEAT_BYTES,
        "periods": periods,
        "frames": periods * params.period_size,
    }
    await pcm.close()
    assert not pcm.xruns, f"{wish}: {pcm.xruns} underruns"
    return counted


@cocotb.test(timeout_time=5, timeout_unit="sec")
async def beats(dut: Any) -> None:
    stage = Stage(dut)
    await stage.port.reset()
    found([await count(stage, wish) for wish in case()["streams"]])
