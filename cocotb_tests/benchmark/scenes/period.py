# SPDX-License-Identifier: Apache-2.0
"""Scene: is there a shorter period that still plays without a fault?

Case: {rate, format, latency, cases: [{policy, periods, reaction_us, polling}]}. Findings: one {smallest, trials: [[frames,
trouble]]} per case; `trouble` is empty for a period that played.
A trial plays `_PERIODS` periods and `_LEAST_MS`, and short periods `_ROUNDS` times round the buffer, so that an application too slow by
a twentieth of a period is found out. The application waits until a period is free, reacts `reaction_us`
later and writes it. A period plays when ALSA saw no xrun, the device counted no underrun, and every frame left the I2S pins once and in
order.
"""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from cocotb_tests.benchmark.period_search import STALE, UNDERRUN, XRUN, smallest
from cocotb_tests.benchmark.scenes.stage import Stage, case, found
from virtone.model.errors import Xrun
from virtone.model.pcm_hw import HwParams
from virtone.virtio import probe

LARGEST = 128
_PERIODS, _LEAST_MS, _ROUNDS, _ROUNDS_FRAMES = 40, 4.0, 20, 2048
_UNDERRUNS = int(probe.PROBE_BASE) + int(probe.PROBE_UNDERRUNS)


def sound(rng: np.random.Generator, frames: int, width: int) -> tuple[bytes, np.ndarray]:
    """Frames of S16 or S32 stereo, none silent: as bytes, and as the 32-bit words of their I2S slots (n, 2)."""
    bits = 8 * width
    values = rng.integers(1, 1 << (bits - 1), (frames, 2), np.int64)
    return values.astype(f"<i{width}").tobytes(), values << (32 - bits)


async def trial(stage: Stage, params: HwParams, reaction_ns: float, rng: np.random.Generator) -> str:
    """Plays; returns what went wrong, or an empty text."""
    port = stage.port
    width = params.frame_bytes // params.channels
    rounds = min(_ROUNDS * params.periods, _ROUNDS_FRAMES // params.period_size)
    total = max(_PERIODS, rounds, round(_LEAST_MS * params.rate / 1000 / params.period_size)) + params.periods
    data, slots = sound(rng, total * params.period_size, width)
    underruns = await port.read32(_UNDERRUNS)
    pcm = await stage.open(params)
    await port.sleep_ns(4e9 / params.rate)  # what the last trial left in the serializer has gone out
    first = port.ring.frames_written
    played, trouble = 0, ""
    try:
        for k in range(total):
            if k >= params.periods:
                await pcm.wait(params.period_size)
                await port.sleep_ns(reaction_ns)
            await pcm.writei(data[k * params.period_bytes : (k + 1) * params.period_bytes])
        played = (await pcm.status()).hw_ptr
    except Xrun:
        trouble = XRUN
    if await port.read32(_UNDERRUNS) != underruns and not trouble:
        trouble = UNDERRUN
    await port.sleep_ns(3e9 / params.rate)  # a frame is in the ring when the next one begins
    frames = port.ring.frames(first, port.ring.frames_written - first)
    await pcm.close()
    if trouble:
        return trouble
    heard = np.stack([frames["left"], frames["right"]], axis=1).astype(np.int64)
    begin = int(np.argmax(heard.any(axis=1)))
    return "" if np.array_equal(heard[begin : begin + played], slots[:played]) else STALE


@cocotb.test(timeout_time=100, timeout_unit="sec")
async def period(dut: Any) -> None:
    given = case()
    stage, rng = Stage(dut), np.random.default_rng(1)
    await stage.port.reset()
    stage.port.page.read_latency = stage.port.page.write_latency = given["latency"]
    results = []
    for wish in given["cases"]:
        await stage.probe(wish["policy"], polling=wish["polling"])

        async def attempt(frames: int, wish: dict[str, Any] = wish) -> str:
            params = HwParams(given["format"], 2, given["rate"], frames, wish["periods"])
            return await trial(stage, params, wish["reaction_us"] * 1e3, rng)

        best, trials = await smallest(attempt, LARGEST)
        results.append({"smallest": best, "trials": trials})
    found(results)
