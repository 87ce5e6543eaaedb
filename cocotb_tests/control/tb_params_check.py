# SPDX-License-Identifier: Apache-2.0
"""params_check: docs/device.md, "Control requests", the rules of SET_PARAMS alone."""

from __future__ import annotations

import random
import struct
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.control import control_model as model
from cocotb_tests.control.control_model import Params
from cocotb_tests.engine.runner import run_bench

CYCLES = 70


def words(params: Params) -> int:
    """words_i: the request, first byte in [7:0]."""
    return int.from_bytes(params.request(), "little")


async def start(dut: Any) -> tuple[Cycles, random.Random]:
    clock = Cycles(dut)
    await clock.start(clear_i=0, start_i=0, words_i=0)
    return clock, random.Random(cocotb.RANDOM_SEED)


async def check(clock: Cycles, params: Params) -> int:
    """One check: done_o once, within its time, with status and parameters; gives the cycles it took."""
    clock.drive(start_i=1, words_i=words(params))
    done = None
    for cycle in range(CYCLES + 3):
        await clock.look()
        if clock.get("done_o"):
            assert done is None, "done_o for more than one cycle"
            done = cycle
            status = clock.get("status_o")
            assert status == params.status, f"{params}: {status:#x}, must be {params.status:#x}"
            assert status != model.OK or clock.get("params_o") == params.packed, f"{params}: params_o"
        await clock.tick()
        clock.drive(start_i=0)
        if done is not None and cycle > done + 1:
            break
    assert done is not None and done <= CYCLES, f"{params}: done after {done} cycles"
    return done


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def what_is_offered(dut: object) -> None:
    """Every value of the byte fields, every feature bit: NOT_SUPP, also when the sizes are wrong as well."""
    clock, _ = await start(dut)
    for field in ("channels", "format", "rate", "padding"):
        for value in range(256):
            await check(clock, Params(**{field: value}, period_bytes=24, buffer_bytes=240))
    for bit in range(32):
        await check(clock, Params(features=1 << bit))
        await check(clock, Params(features=1 << bit, period_bytes=0))
    assert Params(rate=13, period_bytes=0).status == model.NOT_SUPP
    await check(clock, Params(rate=13, period_bytes=0))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def sizes_that_fit_together(dut: object) -> None:
    """0, whole periods, whole frames, for each frame size; numbers up to 32 bits."""
    clock, rng = await start(dut)
    seen: dict[int, int] = {}
    slowest = 0
    for fmt in model.SAMPLE_BYTES:
        for channels in (1, 2):
            frame = model.SAMPLE_BYTES[fmt] * channels
            for _ in range(25):
                period = rng.choice(
                    [0, frame, frame * rng.randint(1, 5000), frame * rng.randint(1, 5000) + 1, rng.getrandbits(32)]
                )
                buffer = (
                    rng.choice([0, period, period * rng.randint(1, 8), period * 4 + 1, rng.getrandbits(32)])
                    & 0xFFFFFFFF
                )
                params = Params(buffer, period, rng.choice([0, 4, 16, 20]), channels, fmt, rng.choice(model.RATES), 0)
                slowest = max(slowest, await check(clock, params))
                seen[params.status] = seen.get(params.status, 0) + 1
    assert min(seen.values()) > 20 and set(seen) == {model.OK, model.BAD_MSG}, seen
    assert slowest > 60, "no case took both divisions"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def clear_ends_it(dut: object) -> None:
    """Without done_o, at every moment; the next check starts afresh."""
    clock, _ = await start(dut)
    for when in range(0, CYCLES):
        clock.drive(start_i=1, words_i=words(Params()))
        await clock.tick()
        clock.drive(start_i=0)
        for _ in range(when):
            await clock.look()
            if clock.get("done_o"):
                break
            await clock.tick()
        else:
            await clock.look()
        await clock.tick()
        clock.drive(clear_i=1)
        await clock.tick()
        clock.drive(clear_i=0)
        for _ in range(5):
            await clock.look()
            assert not clock.get("done_o")
            await clock.tick()
        await check(clock, Params(buffer_bytes=1921))


def test_struct_order() -> None:
    """The reference's request is the structure of the specification (struct virtio_snd_pcm_set_params): code, stream, sizes, features, bytes."""
    request = Params(0x11223344, 0x55667788, 0x14, 2, 5, 7, 9).request()
    assert struct.unpack("<IIIIIBBBB", request) == (0x101, 0, 0x11223344, 0x55667788, 0x14, 2, 5, 7, 9)


def test_params_check() -> None:
    run_bench("params_check", __file__)
