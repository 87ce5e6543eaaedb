# SPDX-License-Identifier: Apache-2.0
"""The I2S wire as a converter sees it: master clock source and receiver.

Philips I2S: data is sampled on the rising bit clock; the word clock falls one bit clock before the left slot's most
significant bit. Here every frame has 64 bit clocks, and anything else is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.triggers import RisingEdge, Timer, ValueChange

# Periods in ps, even so that both halves are whole: 24.576 MHz and 22.5792 MHz within 10 ppm. Everything measured is
# counted in these periods, so the deviation does not matter.
MCLK_PS = (40690, 44288)


@dataclass(frozen=True)
class WireFrame:
    """One frame: time of the falling bit clock that began it, and its two 32-bit slots."""

    time_ps: int
    left: int
    right: int


class MasterClock:
    """Drives `mclk`, following `family` (0: 24.576 MHz, 1: 22.5792 MHz) like an oscillator switch."""

    def __init__(self, mclk: Any, family: Any) -> None:
        self._mclk = mclk
        self._family = family

    def start(self) -> None:
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        self._mclk.value = 0
        await Timer(1, "ns")
        while True:
            value = self._family.value
            clock = Clock(self._mclk, MCLK_PS[int(value) if value.is_resolvable else 0], "ps")
            clock.start()
            await ValueChange(self._family)
            clock.stop()


class I2sReceiver:
    """Collects every frame on the wire in `frames`, silence included."""

    def __init__(self, bclk: Any, lrclk: Any, sdata: Any) -> None:
        self._bclk, self._lrclk, self._sdata = bclk, lrclk, sdata
        self.frames: list[WireFrame] = []

    def start(self) -> None:
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        bits: list[int] = []
        edges: list[int] = []
        word_bits: list[int] = []
        synced, before = False, 0
        rising = RisingEdge(self._bclk)
        while True:
            await rising
            word = int(self._lrclk.value)
            bits.append(int(self._sdata.value))
            edges.append(get_sim_time("step"))
            word_bits.append(word)
            if before == 1 and word == 0:  # this bit is the last of its frame
                if synced:
                    assert len(bits) == 64, f"a frame of {len(bits)} bit clocks at {edges[0]} ps"
                    assert word_bits == [0] * 31 + [1] * 32 + [0], f"word clock off at {edges[0]} ps: {word_bits}"
                    value = int("".join(map(str, bits)), 2)
                    half = (edges[1] - edges[0]) // 2
                    self.frames.append(WireFrame(edges[0] - half, value >> 32, value & 0xFFFFFFFF))
                synced, bits, edges, word_bits = True, [], [], []
            before = word

    def played(self, since: int = 0) -> list[tuple[int, int]]:
        """(left, right) of the frames from index `since` on that are not silence. Send no all-zero frames to use it."""
        return [(frame.left, frame.right) for frame in self.frames[since:] if frame.left or frame.right]
