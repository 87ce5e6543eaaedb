# SPDX-License-Identifier: Apache-2.0
"""frame_unpacker: each format and channel count, word by word."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench
from cocotb_tests.pcm.samples import SIZE, slot


class Bench:
    """`left` is the slot that waits for its right one."""

    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.left: int | None = None

    async def start(self) -> Bench:
        await self.clock.start(clear_i=0, format_i=5, channels_i=2, word_valid_i=0, word_i=0)
        return self

    async def cycle(self, fmt: int, channels: int, word: int | None, *, clear: bool = False) -> None:
        clock = self.clock
        shown = self.rng.getrandbits(32) if word is None else word
        clock.drive(clear_i=clear, format_i=fmt, channels_i=channels, word_valid_i=word is not None, word_i=shown)
        await clock.look()
        assert clock.get("size_o") == SIZE[fmt] and clock.get("frame_bytes_o") == SIZE[fmt] * channels
        assert clock.get("partial_o") == (self.left is not None), "partial_o"
        frame = None
        if word is not None:
            value = slot(fmt, word)
            if channels == 1:
                frame = value << 32 | value
            elif self.left is None:
                self.left = value
            else:
                frame, self.left = self.left << 32 | value, None
        assert clock.get("frame_valid_o") == (frame is not None), "a frame comes with its last word"
        if frame is not None:
            assert clock.get("frame_o") == frame, f"{clock.get('frame_o'):#018x}, must be {frame:#018x}"
        if clear:
            self.left = None
        await clock.tick()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_format(dut: object) -> None:
    """Left-justified, one frame per `channels` words, pauses between them; clear_i drops a left sample that waits."""
    bench = await Bench(dut).start()
    rng = bench.rng
    for fmt in SIZE:
        for channels in (1, 2):
            await bench.cycle(fmt, channels, None, clear=True)
            for _ in range(300):
                # A byte gatherer gives no bits beyond the sample, but nothing here relies on that.
                word = rng.choice([rng.getrandbits(32), 1 << rng.randrange(32)]) if rng.random() < 0.7 else None
                await bench.cycle(fmt, channels, word, clear=rng.random() < 0.05)


def test_frame_unpacker() -> None:
    run_bench("frame_unpacker", __file__)
