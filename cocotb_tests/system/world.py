# SPDX-License-Identifier: Apache-2.0
"""Two worlds for one scenario: the RTL under the simulator, and the oracle on its timeline.

    async def scenario(world):
        pcm = await world.open(period_size=48)
        await pcm.writei(world.music(480))
        await pcm.drain()

    await compare(dut, scenario)

Promise: the scenario runs on both devices with the same driver, the same data and the same converter delay, and what
the guest saw is compared event by event (`witness.same`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np

from cocotb_tests.bfm.port import RtlPort
from cocotb_tests.system.witness import Witness, WitnessPort, name_of, same
from virtone.model.device import SoundDevice
from virtone.model.device_port import DevicePort
from virtone.model.driver import LINUX_FEATURES, SoundDriver
from virtone.model.memory import Memory
from virtone.model.pcm_core import Pcm
from virtone.model.pcm_hw import ALL_RATES
from virtone.model.timeline import Timeline
from virtone.virtio import mmio, snd

DELAY_16THS = (25 * 16, 11 * 16, 11 * 16)  # converter delay by speed class, 1/16 frames
_FULL_MEMORY = 4 << 20
RING_RESET = 1 << int(mmio.VIRTIO_F_RING_RESET)

Scenario = Callable[["World"], Awaitable[None]]


class World:
    """One guest on one device. `driver` is not probed yet; `witness` sees what it sees."""

    def __init__(
        self, port: Any, witness: Witness, policy: str, features: int, queue_size: int, **options: Any
    ) -> None:
        self.witness = witness
        self.port = WitnessPort(port, witness)
        self.driver = SoundDriver(self.port, policy, features, queue_size, known_rates=ALL_RATES, **options)
        self.set_delay: Callable[[int], None] = lambda rate: None  # the oracle's converter delay is a time
        self._rng = np.random.default_rng(1)

    async def probe(self) -> None:
        await self.driver.probe()
        self.witness.watch(self.driver)

    async def open(
        self,
        format: str = "S16_LE",
        channels: int = 2,
        rate: int = 48000,
        period_size: int = 48,
        periods: int = 4,
        prepare: bool = True,
    ) -> Pcm:
        """Probe the device (once) and open its stream."""
        if not self.driver.substreams:
            await self.probe()
        pcm = self.driver.pcm()
        self.set_delay(rate)
        await pcm.open()
        await pcm.hw_params(format=format, channels=channels, rate=rate, period_size=period_size, periods=periods)
        if prepare:
            await pcm.prepare()
        return pcm

    def music(self, frames: int, frame_bytes: int = 4) -> bytes:
        """Random frames, none silent, the same in both worlds."""
        data = self._rng.integers(0, 256, (frames, frame_bytes), np.uint8)
        data[:, 1] |= 1
        return data.tobytes()

    async def sleep_ms(self, duration: float) -> None:
        await self.port.sleep_ns(duration * 1e6)

    async def completions(self, count: int, then_ms: float = 0.0) -> None:
        """Wait for `count` more used tx messages, then `then_ms`. What follows does not depend on the word clock's phase."""
        target = len(self.witness.tx) + count
        while len(self.witness.tx) < target:
            await self.port.sleep_ns(2000)
        await self.sleep_ms(then_ms)

    async def set_params(self, period: int = 48, periods: int = 4, features: Sequence[str] = (), **changes: int) -> str:
        """SET_PARAMS by hand, sizes in frames of S16 stereo; returns the name of the answer."""
        values: dict[str, Any] = dict(
            buffer_bytes=period * periods * 4, period_bytes=period * 4, features=snd.PCM_FEATURES.mask(features),
            channels=2, format=snd.VIRTIO_SND_PCM_FMT_S16, rate=snd.VIRTIO_SND_PCM_RATE_48000,
        )  # fmt: skip
        values.update(changes)
        hdr = {"hdr": snd.VIRTIO_SND_R_PCM_SET_PARAMS, "stream_id": 0}
        return name_of(
            snd.virtio_snd_hdr.unpack(await self.control(snd.virtio_snd_pcm_set_params.pack(hdr=hdr, **values))).code
        )

    async def command(self, name: str) -> str:
        """A PCM command by its name (`START`); returns the name of the answer."""
        return name_of(await self.pcm_command(int(snd.REQUESTS[f"PCM_{name}"])))

    def note(self, *what: Any) -> None:
        self.witness.note(*what)

    async def control(self, request: bytes, more: int = 0, header: int = 4) -> bytes:
        return await self.driver.control.exchange(request, more, header)

    async def pcm_command(self, code: int, stream_id: int = 0) -> int:
        """Status code of a PCM request."""
        response = await self.control(snd.virtio_snd_pcm_hdr.pack(hdr=code, stream_id=stream_id))
        return snd.virtio_snd_hdr.unpack(response).code

    async def finish(self) -> None:
        """Let what is under way arrive, then take the driver's events over."""
        await self.sleep_ms(0.2)
        self.witness.events = [(event.code, event.data) for event in self.driver.events]


def audible(left: Any, right: Any) -> list[tuple[int, int]]:
    """Frames that are not silence."""
    frames = np.stack([np.asarray(left, np.int64), np.asarray(right, np.int64)], axis=1)
    return [tuple(map(int, frame)) for frame in frames[frames.any(axis=1)]]


async def on_rtl(dut: Any, scenario: Scenario, policy: str = "ack", features: int = LINUX_FEATURES, queue_size: int = 64,
                 **options: Any) -> Witness:  # fmt: skip
    """Run the scenario on the simulated RTL."""
    port, witness = RtlPort(dut), Witness()
    port.page.converter_delay = DELAY_16THS[0] | DELAY_16THS[1] << 16 | DELAY_16THS[2] << 32
    await port.reset()
    first, faults = port.ring.frames_written, port.page.i2s_faults
    world = World(port, witness, policy, features, queue_size, **options)
    await scenario(world)
    await world.finish()
    frames = port.ring.frames(first, port.ring.frames_written - first)
    witness.frames = audible(frames["left"], frames["right"])
    if world.driver.substreams:
        world.driver.transport.port = port  # the clean-up is not part of what was seen
        await world.driver.transport.reset()
    faults = port.page.i2s_faults - faults
    assert not faults, f"{faults} I2S frames with a wrong number of bit clocks"
    return witness


def on_model(scenario: Scenario, policy: str = "ack", features: int = LINUX_FEATURES, queue_size: int = 64,
             rate: int = 48000, **options: Any) -> Witness:  # fmt: skip
    """Run the scenario on the oracle. `rate` (until a stream is opened) only converts the delay to time."""
    timeline, memory, witness = Timeline(), Memory(_FULL_MEMORY), Witness()
    device = SoundDevice(timeline, memory)
    world = World(DevicePort(device), witness, policy, features, queue_size, **options)

    def set_delay(rate: int) -> None:
        device.converter_delay_ns = DELAY_16THS[0 if rate <= 48000 else 1] / 16 / rate * 1e9

    world.set_delay = set_delay
    set_delay(rate)

    async def run() -> None:
        await scenario(world)
        await world.finish()

    timeline.run(run())
    witness.frames = audible([f.left for f in device.frames], [f.right for f in device.frames])
    return witness


async def compare(dut: Any, scenario: Scenario, *, rate: int = 48000, **options: Any) -> tuple[Witness, Witness]:
    """The scenario on both; raises AssertionError at the first difference."""
    rtl = await on_rtl(dut, scenario, **options)
    model = on_model(scenario, rate=rate, **options)
    same(getattr(scenario, "__name__", "scenario"), rtl, model)
    return rtl, model
