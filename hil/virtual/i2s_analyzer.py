# SPDX-License-Identifier: Apache-2.0
"""Virtual digital audio analyzer: a logic analyzer with I2S decode on the word clock, bit clock and data pins.

Promises: between `:CAPTure:STARt` and `:CAPTure:STOP` every frame on the wire is kept (up to its memory; beyond that the
capture ends by itself and says so in the error queue), with the time of the first bit of its left sample.

| Command | Meaning |
|---|---|
| `:CAPTure:STARt` / `:CAPTure:STOP` | begin (forgetting what was there) / end |
| `:CAPTure:STATe?` | 1 while capturing |
| `:CAPTure:FRAMes?` | frames captured |
| `:CAPTure:DATA? <first>,<count>` | block of little-endian int32: left, right, left, right ... |
| `:CAPTure:TIME? <first>,<count>` | block of little-endian float64: seconds since the start of the capture |
| `:CAPTure:RATE?` | frames per second, mean over the last run of even spacing |
"""

from __future__ import annotations

import threading

import numpy as np

from cocotb_tests.engine.capture_ring import FRAME

from .codec import split_runs
from .ring_source import Overrun, RingSource
from .scpi import ScpiDevice, ScpiError, block, number

MEMORY_FRAMES = 16 << 20
POLL_S = 0.002


class I2sAnalyzer(ScpiDevice):
    """The analyzer on the wire; `close` ends its thread."""

    def __init__(self, source: RingSource, serial: str = "SIM00000002", memory_frames: int = MEMORY_FRAMES) -> None:
        super().__init__(f"VIRTONE,I2S-ANALYZER-SIM,{serial},1.0")
        self.source, self.memory_frames = source, memory_frames
        self._chunks: list[np.ndarray] = []
        self._count = self._next = self._start_ps = 0
        self._capturing = False
        self._closing = threading.Event()
        self.on(":CAPTure:STARt", set=self._start)
        self.on(":CAPTure:STOP", set=self._stop)
        self.on(":CAPTure:STATe", get=lambda: int(self._capturing))
        self.on(":CAPTure:FRAMes", get=self._frames)
        self.on(":CAPTure:DATA", get=self._data)
        self.on(":CAPTure:TIME", get=self._time)
        self.on(":CAPTure:RATE", get=self._rate)
        threading.Thread(target=self._pump, name="i2s-analyzer", daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self.cancel.set()

    def reset(self) -> None:
        self._capturing, self._chunks, self._count = False, [], 0

    def _pump(self) -> None:
        while not self._closing.wait(POLL_S):
            with self.lock:
                self._collect()

    def _collect(self) -> None:
        if not self._capturing:
            return
        written = self.source.frames_written
        count = min(written - self._next, self.memory_frames - self._count)
        try:
            if count:
                self._chunks.append(self.source.frames(self._next, count))
        except Overrun as error:
            self._capturing = False
            self.push_error(ScpiError(-230, str(error)))
            return
        self._next += count
        self._count += count
        if self._count >= self.memory_frames:
            self._capturing = False
            self.push_error(ScpiError(-200, f"memory full after {self._count} frames"))

    def _start(self) -> None:
        self.reset()
        self._next, self._start_ps, self._capturing = self.source.frames_written, self.source.now_ps, True

    def _stop(self) -> None:
        self._collect()
        self._capturing = False

    def _frames(self) -> int:
        self._collect()
        return self._count

    def _part(self, first: str, count: str) -> np.ndarray:
        self._collect()
        begin = int(number(first, 0, self._count))
        length = int(number(count, 0, self._count - begin))
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        return self._chunks[0][begin : begin + length] if self._chunks else np.zeros(0, FRAME)

    def _data(self, first: str, count: str) -> bytes:
        part = self._part(first, count)
        return block(np.column_stack((part["left"], part["right"])).astype("<i4").tobytes())

    def _time(self, first: str, count: str) -> bytes:
        elapsed = self._part(first, count)["time_ps"].astype(np.int64) - self._start_ps
        return block((elapsed * 1e-12).astype("<f8").tobytes())

    def _rate(self) -> float:
        self._collect()
        times = self._part("0", str(self._count))["time_ps"].astype(np.int64)
        runs = [run for run in split_runs(times) if run.stop - run.start > 1]
        if not runs:
            raise ScpiError(-230, "fewer than 2 frames captured")
        run = times[runs[-1]]
        return (len(run) - 1) * 1e12 / float(run[-1] - run[0])
