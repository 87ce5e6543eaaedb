# SPDX-License-Identifier: Apache-2.0
"""A world to test in: timeline, memory, modelled device, driver."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from virtone.model.device import SoundDevice
from virtone.model.device_port import DevicePort
from virtone.model.device_profile import DEFAULT
from virtone.model.driver import LINUX_FEATURES, SoundDriver
from virtone.model.memory import Memory
from virtone.model.pcm_core import Pcm
from virtone.model.pcm_hw import ALL_RATES
from virtone.model.timeline import TICKS_PER_NS, Timeline
from virtone.virtio import mmio, snd

RING_RESET = 1 << int(mmio.VIRTIO_F_RING_RESET)


def profile(*features: str) -> Any:
    """The default device with these PCM features only."""
    stream = dataclasses.replace(DEFAULT.streams[0], features=snd.PCM_FEATURES.mask(features))
    return dataclasses.replace(DEFAULT, streams=(stream,))


class World:
    """Everything on one timeline. `pcm_features` are those the device offers."""

    def __init__(
        self,
        policy: str = "ack",
        pcm_features: tuple[str, ...] = ("EVT_XRUNS",),
        features: int = LINUX_FEATURES | RING_RESET,
        device: type[SoundDevice] = SoundDevice,
        driver: type[SoundDriver] = SoundDriver,
        queue_size: int = 32,
        **device_options: Any,
    ) -> None:
        self.timeline = Timeline()
        self.memory = Memory(1 << 20)
        self.device = device(self.timeline, self.memory, profile(*pcm_features), **device_options)
        self.port = DevicePort(self.device)
        self.driver = driver(self.port, policy, features, queue_size, known_rates=ALL_RATES)

    def run(self, coroutine: Coroutine[Any, Any, Any], limit_ns: float = 20e9) -> Any:
        return self.timeline.run(coroutine, limit_ns)

    async def sleep(self, duration_ns: float) -> None:
        await self.timeline.sleep_ns(duration_ns)

    async def open(
        self,
        format: str = "S16_LE",
        channels: int = 2,
        rate: int = 48000,
        period_size: int = 120,
        periods: int = 4,
        prepare: bool = True,
    ) -> Pcm:
        """Probe the device and open its stream."""
        await self.driver.probe()
        pcm = self.driver.pcm()
        await pcm.open()
        await pcm.hw_params(format=format, channels=channels, rate=rate, period_size=period_size, periods=periods)
        if prepare:
            await pcm.prepare()
        return pcm

    @property
    def stream(self) -> Any:
        return self.device.streams[0]

    def slots(self) -> list[tuple[int, int]]:
        return [(frame.left, frame.right) for frame in self.device.frames]

    def ns(self, tick: int) -> float:
        return tick / TICKS_PER_NS

    async def control(self, request: bytes, more: int = 0, header: int = 4) -> bytes:
        """Response bytes of any request."""
        return await self.driver.control.exchange(request, more, header)

    async def pcm_command(self, code: int, stream_id: int = 0) -> int:
        """Status code of a PCM request."""
        response = await self.control(snd.virtio_snd_pcm_hdr.pack(hdr=code, stream_id=stream_id))
        return snd.virtio_snd_hdr.unpack(response).code

    async def set_params(self, **changes: int) -> int:
        """Status code of SET_PARAMS, by default 480 frames of S16 stereo at 48 kHz in 4 periods."""
        stream_id = changes.pop("stream_id", 0)
        values: dict[str, Any] = dict(
            buffer_bytes=1920, period_bytes=480, features=0, channels=2,
            format=snd.VIRTIO_SND_PCM_FMT_S16, rate=snd.VIRTIO_SND_PCM_RATE_48000, padding=0,
        )  # fmt: skip
        values.update(changes)
        hdr = {"hdr": snd.VIRTIO_SND_R_PCM_SET_PARAMS, "stream_id": stream_id}
        return snd.virtio_snd_hdr.unpack(await self.control(snd.virtio_snd_pcm_set_params.pack(hdr=hdr, **values))).code


def pattern(frames: int, frame_bytes: int, seed: int = 1) -> bytes:
    """Frames no two of which are alike in practice, none silent."""
    data = bytearray(random.Random(seed).randbytes(frames * frame_bytes))
    for k in range(frames):
        data[k * frame_bytes] |= 1
    return bytes(data)


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(*args: Any, **options: Any) -> World:
        made.append(World(*args, **options))
        return made[-1]

    yield make
    for world in made:
        world.timeline.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture
def frames_of() -> Callable[..., bytes]:
    return pattern
