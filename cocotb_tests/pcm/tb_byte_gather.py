# SPDX-License-Identifier: Apache-2.0
"""byte_gather: bytes as they come, words as they must be."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench


class Bench:
    """`stream` comes over the message port; `held` are the bytes of the word that is not complete."""

    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.held = b""
        self.size = 2
        self.words = 0

    async def start(self) -> Bench:
        await self.clock.start(clear_i=0, enable_i=0, size_i=2, msg_data_i=0, msg_count_i=0)
        return self

    async def cycle(self, count: int, *, enable: bool = True, clear: bool = False) -> None:
        clock, window = self.clock, self.rng.randbytes(8)  # bytes above `count` are not there, and mean nothing
        if not self.held:
            self.size = self.rng.choice([2, 3, 4])
        clock.drive(
            clear_i=clear,
            enable_i=enable,
            size_i=self.size,
            msg_count_i=count,
            msg_data_i=int.from_bytes(window, "little"),
        )
        await clock.look()
        assert clock.get("partial_o") == bool(self.held), "partial_o"
        take = min(count, self.size - len(self.held)) if enable else 0
        assert clock.get("msg_take_o") == take, (
            f"takes {clock.get('msg_take_o')} of {count}; {len(self.held)} of {self.size} held"
        )
        self.held += window[:take]
        complete = len(self.held) == self.size
        assert clock.get("word_valid_o") == complete, f"{len(self.held)} of {self.size} bytes"
        if complete:
            assert clock.get("word_o") == int.from_bytes(self.held, "little"), (
                f"{clock.get('word_o'):#x} for {self.held.hex()}"
            )
            self.words += 1
        if complete or clear:
            self.held = b""
        await clock.tick()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def words_from_any_pieces(dut: object) -> None:
    """Words of 2, 3 and 4 bytes in random order, out of 0..8 bytes at a time, with pauses and clears."""
    bench = await Bench(dut).start()
    for most in (1, 3, 8):
        for _ in range(1500):
            await bench.cycle(
                bench.rng.randint(0, most), enable=bench.rng.random() < 0.9, clear=bench.rng.random() < 0.02
            )
    assert bench.words > 1000


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_word_a_cycle(dut: object) -> None:
    """When the port has enough bytes."""
    bench = await Bench(dut).start()
    for _ in range(100):
        await bench.cycle(8)
    assert bench.words == 100


def test_byte_gather() -> None:
    run_bench("byte_gather", __file__)
