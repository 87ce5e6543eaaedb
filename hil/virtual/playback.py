# SPDX-License-Identifier: Apache-2.0
"""A playback application on the reference-driver board: one stream kept full, as an ALSA application keeps it.

Promises: the application writes whole periods; a job ends with silence still queued, so that its end is no underrun; an
underrun is counted, and `keep_going` says whether it is recovered from or raised.
Its user starts a `Board`, and uses a `Playback` as context; `Board.interrupted` is asked once a period.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from virtone.model.driver import LINUX_FEATURES, SoundDriver
from virtone.model.errors import DriverError, Xrun
from virtone.model.pcm_core import Pcm
from virtone.model.pcm_hw import HwParams
from virtone.model.port import Port
from virtone.signal import stimulus
from virtone.virtio import mmio, snd

from .probe_access import Probe

ALSA_NAMES = {"S16": "S16_LE", "S24": "S24_LE", "S24_3": "S24_3LE", "S32": "S32_LE"}
EVENT_IDX = 1 << int(mmio.VIRTIO_RING_F_EVENT_IDX)
MSG_POLLING = 1 << int(snd.VIRTIO_SND_PCM_F_MSG_POLLING)


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
        self.broken = False
        self._set_up: tuple[str, bool] | None = None

    async def start(self, policy: str = "ack", event_idx: bool = True, msg_polling: bool = True) -> SoundDriver:
        """The driver, probed with this policy; a new one if it has to be another or the last one is broken.

        `event_idx` and `msg_polling`: take VIRTIO_RING_F_EVENT_IDX and VIRTIO_SND_PCM_F_MSG_POLLING when offered, as Linux
        does. Without both, every period is notified.
        """
        wanted = (policy, event_idx)
        broken = self.broken or self.driver is None or self.driver.transport.needs_reset
        if broken or self._set_up != wanted:
            await self.stop()
            await self.probe.start()
            driver = SoundDriver(self.port, policy, LINUX_FEATURES if event_idx else LINUX_FEATURES & ~EVENT_IDX)
            await driver.probe()
            self.driver, self._set_up, self.broken = driver, wanted, False
            self._offered = driver.substreams[0].hardware
        assert self.driver is not None
        features = self._offered.features if msg_polling else self._offered.features & ~MSG_POLLING
        self.driver.substreams[0].hardware = dataclasses.replace(self._offered, features=features)
        return self.driver

    def notification_features(self) -> dict[str, bool]:
        """Which of the features that spare notifications the driver has taken."""
        assert self.driver is not None, "the board is not started"
        return {
            "event_idx": bool(self.driver.transport.features & EVENT_IDX),
            "msg_polling": bool(self.driver.substreams[0].hardware.features & MSG_POLLING),
        }

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
        self.first_slot = 0  # avail index of the txq when the stream was opened
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
        self.first_slot = driver.txq.avail_idx
        self._silence = bytes(self.params.period_bytes)

    async def close(self) -> None:
        """Stop at once (what was played is on the wire) and give everything back."""
        if self._pcm is not None:
            pcm, self._pcm = self._pcm, None
            await pcm.close()

    async def __aenter__(self) -> Playback:
        try:
            await self.open()
        except BaseException:
            await self.__aexit__(*sys.exc_info())
            raise
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            await self.close()
        except DriverError:
            self.board.broken = True
            if error is None:
                raise

    async def write_period(self, data: bytes | memoryview | None = None) -> None:
        """Write whole periods (None: one of silence), waiting for room. An underrun raises Xrun, or is recovered (`keep_going`)."""
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
        self.frames_written += len(data) // self.params.frame_bytes

    async def play(self, data: bytes) -> None:
        """Play whole frames, the last period filled with silence; returns when the last of them has been played."""
        size = self.params.period_bytes
        view = memoryview(data + bytes(-len(data) % size))
        for start in range(0, len(view), size):
            await self.write_period(view[start : start + size])
        written = self.frames_written
        for _ in range(self.params.periods):  # there is room for the last one when everything before has been played
            await self.write_period()
        self.frames_written = written

    async def counts(self) -> dict[str, int]:
        """The job's figures: frames and underruns of application and device."""
        return {"frames_written": self.frames_written, "xruns": self.xruns, **await self.board.probe.counters()}
