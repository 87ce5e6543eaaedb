# SPDX-License-Identifier: Apache-2.0
"""A playback application on the reference-driver board: one stream kept full, as an ALSA application keeps it.

Promises: the application writes whole periods and only when there is room for one; `end` stops while silence is still queued,
so that the end of a job is no underrun; an underrun is counted, and `keep_going` says whether it is recovered from or raised.
Its user has an open board (`Board`), calls `open`, then `feed` and at last `end`; `interrupted` is asked once a period.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from virtone.model.driver import LINUX_FEATURES, SoundDriver
from virtone.model.errors import DriverError, Xrun
from virtone.model.pcm_core import Pcm, PcmState
from virtone.model.pcm_hw import HwParams
from virtone.model.port import Port
from virtone.signal import stimulus
from virtone.virtio import mmio

from .probe_access import Probe

ALSA_NAMES = {"S16": "S16_LE", "S24": "S24_LE", "S24_3": "S24_3LE", "S32": "S32_LE"}
EVENT_IDX = 1 << int(mmio.VIRTIO_RING_F_EVENT_IDX)


class Interrupted(Exception):
    """Ctrl-C on the console."""


@dataclass(frozen=True)
class StreamOptions:
    """What every playing command says of its stream; `format` is a name of `stimulus.FORMATS`, `period` in frames."""

    rate: int
    format: str
    channels: int
    period: int
    periods: int
    policy: str

    def pack(self, mono: np.ndarray) -> bytes:
        """int32 left-justified frames, shape (n,), as bytes of this stream with the same samples in every channel."""
        return stimulus.to_bytes(stimulus.interleave(mono, self.channels), self.format)


class Board:
    """The guest: one port, its driver and its probe page. `interrupted()` is true once Ctrl-C was pressed."""

    def __init__(self, port: Port, interrupted: Callable[[], bool] = lambda: False) -> None:
        self.port, self.interrupted = port, interrupted
        self.probe = Probe(port)
        self.driver: SoundDriver | None = None
        self._set_up: tuple[str, bool] | None = None

    async def start(self, policy: str = "ack", event_idx: bool = True) -> SoundDriver:
        """The driver, probed with this policy; a new one if it has to be another or the last one is broken."""
        if self.driver is not None and self._set_up == (policy, event_idx) and not self.driver.transport.needs_reset:
            return self.driver
        await self.stop()
        await self.probe.start()
        driver = SoundDriver(self.port, policy, LINUX_FEATURES if event_idx else LINUX_FEATURES & ~EVENT_IDX)
        await driver.probe()
        self.driver, self._set_up = driver, (policy, event_idx)
        return driver

    async def stop(self) -> None:
        """Reset the device and forget the driver."""
        driver, self.driver = self.driver, None
        if driver is not None:
            await driver.remove()

    def check(self) -> None:
        """Raises Interrupted."""
        if self.interrupted():
            raise Interrupted


class _Handle(Pcm):
    """A PCM handle with snd_pcm_wait."""

    async def wait(self, frames: int) -> None:
        """Returns when `frames` can be written without waiting, or the stream has stopped."""
        if self.avail() < frames:
            await self._wait_avail(frames)


class Playback:
    """One stream of the board, from open to close."""

    def __init__(self, board: Board, options: StreamOptions, keep_going: bool = False) -> None:
        self.board, self.options, self.keep_going = board, options, keep_going
        self.frames_written = 0
        self.xruns = 0
        self._pcm: _Handle | None = None
        self._silence = b""

    @property
    def pcm(self) -> _Handle:
        assert self._pcm is not None, "the stream is not open"
        return self._pcm

    @property
    def params(self) -> HwParams:
        assert self.pcm.runtime is not None
        return self.pcm.runtime.params

    async def open(self) -> None:
        """Open, set parameters, prepare. Raises DriverError for what the stream cannot do."""
        driver, o = self.board.driver, self.options
        assert driver is not None, "the board is not started"
        pcm = _Handle(driver.port, driver.pcm(0).substream)
        await pcm.open()
        self._pcm = pcm
        await pcm.hw_params(
            format=ALSA_NAMES[o.format], channels=o.channels, rate=o.rate, period_size=o.period, periods=o.periods
        )
        await pcm.prepare()
        self._silence = bytes(self.params.period_bytes)

    async def close(self) -> None:
        """Stop at once (what was played is on the wire) and give everything back."""
        if self._pcm is not None:
            pcm, self._pcm = self._pcm, None
            await pcm.close()

    async def write_period(self, data: bytes | memoryview | None = None) -> None:
        """Write one period (None: silence), waiting for room. An underrun raises Xrun, or is recovered (`keep_going`)."""
        self.board.check()
        data = self._silence if data is None else data
        try:
            await self.pcm.writei(data)
        except Xrun:
            self.xruns += 1
            if not self.keep_going:
                raise
            await self.pcm.prepare()
            await self.pcm.writei(data)
        self.frames_written += self.params.period_size

    async def play(self, data: bytes, before_start: Callable[[], object] | None = None) -> None:
        """Play whole frames, the last period filled with silence; returns when the last of them has been played."""
        size = self.params.period_bytes
        view = memoryview(data + bytes(-len(data) % size))
        for start in range(0, len(view), size):
            await self.write_period(view[start : start + size])
        await self.drain()

    async def drain(self) -> None:
        """Play what is written, with a buffer of silence behind it, up to its last frame; the stream goes on running."""
        end, written = self.pcm.runtime.appl_ptr, self.frames_written  # type: ignore[union-attr]
        xruns = self.xruns
        for _ in range(self.params.periods):
            await self.write_period()
        while self.pcm.hw_ptr < end and self.xruns == xruns:
            await self.write_period()
        self.frames_written = written

    async def counts(self) -> dict[str, int]:
        """The job's figures: frames and underruns of application and device."""
        return {"frames_written": self.frames_written, "xruns": self.xruns, **await self.board.probe.counters()}


async def close_after(playback: Playback, error: BaseException | None) -> None:
    """Close the stream; a failure to do so does not hide `error`."""
    try:
        await playback.close()
    except DriverError:
        if error is None:
            raise


def running(playback: Playback) -> bool:
    return playback.pcm.state is PcmState.RUNNING
