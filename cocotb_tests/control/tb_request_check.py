# SPDX-License-Identifier: Apache-2.0
"""request_check: the tables of docs/device.md, request by request, without the rules that need arithmetic."""

from __future__ import annotations

import random
import struct
from itertools import product
from typing import Any

import cocotb
from cocotb.triggers import Timer

from cocotb_tests.control import control_model as model
from cocotb_tests.control.control_model import Params
from cocotb_tests.engine.runner import run_bench

STATES = range(6)


async def check(dut: Any, data: bytes, state: int) -> int:
    """The module's verdict on `data` (at most 24 bytes of it are looked at) against the tables; gives the status."""
    dut.words_i.value = int.from_bytes(data[:24], "little")
    dut.length_i.value = min(len(data), 24)
    dut.state_i.value = state
    await Timer(1, "ns")
    code = int.from_bytes(data[:4], "little")
    # SET_PARAMS has its parameters checked elsewhere: here they are good ones.
    judged = data
    if code == model.SET_PARAMS and len(data) >= 24:
        judged = data[:8] + Params().request()[8:]
    answer = model.answer(state, judged)
    status = int(dut.status_o.value)
    text = f"{data[:24].hex(' ', 4)} ({len(data)} bytes) in state {state}"
    assert status == answer.status, f"{text}: {status:#x}, must be {answer.status:#x}"
    if len(data) >= 4:
        assert int(dut.is_pcm_o.value) == (code in model.PCM_COMMANDS), f"{text}: is_pcm_o"
    if answer.status == model.OK and code in model.PCM_COMMANDS:
        assert int(dut.flush_o.value) == answer.flush and int(dut.next_o.value) == answer.state, f"{text}: step"
    return status


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def codes_and_lengths(dut: Any) -> None:
    """Every code, its neighbours and some strangers, cut off at every length, in every state."""
    codes = sorted(
        {code + step for code in model.NEED for step in (-1, 0, 1)} | {0x106, 0x1101, 0x8000, 0x10100, 0xFFFFFFFF}
    )
    for code, length, state in product(codes, range(27), STATES):
        await check(dut, struct.pack("<IIIIII", code, 0, 1, 32, 0, 0).ljust(27, b"\0")[:length], state)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def information(dut: Any) -> None:
    """Ranges that do and do not exist, sums that overflow, strides from 0 to one too many."""
    edges = (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    sizes = (0, 1, 32, 4095, 4096, 0x1000A, 0xFFFFFFFF)
    verdicts = set()
    for code, first, count, size in product(model.ITEMS, edges, edges, sizes):
        verdicts.add(await check(dut, struct.pack("<IIII", code, first, count, size), model.INIT))
    assert verdicts == {model.OK, model.BAD_MSG}


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def lifecycle(dut: Any) -> None:
    """Each command in each state, for the stream and for streams that do not exist."""
    allowed = 0
    for state, code, stream in product(STATES, model.PCM_COMMANDS, (0, 1, 0x100, 0x80000000)):
        data = Params().request(stream) if code == model.SET_PARAMS else struct.pack("<II", code, stream)
        allowed += await check(dut, data, state) == model.OK
    assert allowed == 14


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def any_bytes(dut: Any) -> None:
    """Random requests around every code."""
    rng = random.Random(cocotb.RANDOM_SEED)
    for _ in range(3000):
        data = (
            struct.pack("<I", rng.choice(list(model.NEED)))
            + rng.choice([bytes(4), rng.randbytes(4)])
            + rng.randbytes(16)
        )
        await check(dut, data[: rng.choice([24, rng.randrange(25)])], rng.choice(STATES))


def test_request_check() -> None:
    run_bench("request_check", __file__)
