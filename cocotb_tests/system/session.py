# SPDX-License-Identifier: Apache-2.0
"""A random application: the same operations, at the same places of the music, on any device.

Promise: what a `Session` does depends on its seed alone. It acts at a third of a frame after the completions it waits for, so
that the word clock's phase, which differs between devices, decides nothing.
"""

from __future__ import annotations

import random
from typing import Any

from cocotb_tests.system.world import World
from virtone.model.errors import Xrun

FORMATS = {"S16_LE": 2, "S24_3LE": 3, "S24_LE": 4, "S32_LE": 4}
RATES = (
    8000,
    11025,
    12000,
    16000,
    22050,
    24000,
    32000,
    44100,
    48000,
)  # slow enough for the guest to hit a third of a frame


class Session:
    """A scenario for `compare`: `operations` of them, from `seed`."""

    def __init__(self, seed: int, operations: int, policy: str = "ack") -> None:
        self.seed = seed
        self.operations = operations
        self.policy = policy
        self.__name__ = f"session {seed}"

    async def __call__(self, world: World) -> None:
        rng, pcm = random.Random(self.seed), None
        for number in range(self.operations):
            if pcm is None:
                pcm = await self._open(world, rng)
                done = "open"
            else:
                done = rng.choice(self._choices(pcm))
                await getattr(self, f"_{done}")(world, rng, pcm)
            state = pcm.state.name
            pending = pcm.substream.pending
            world.note(number, done, state, pcm.hw_ptr, pcm.runtime.appl_ptr if pcm.runtime else 0, pending, pcm.xruns)
            if state == "CLOSED":
                pcm = None
        if pcm is not None:
            if pcm.state.name == "RUNNING":
                await pcm.drain()
            await pcm.close()

    async def _open(self, world: World, rng: random.Random) -> Any:
        wishes = dict(format=rng.choice(list(FORMATS)), channels=rng.choice((1, 2)), rate=rng.choice(RATES))
        return await world.open(period_size=rng.randrange(*self._periods()), periods=rng.randrange(2, 9), **wishes)

    @staticmethod
    def _ahead(pcm: Any) -> int:
        """Periods written and not played."""
        return (pcm.runtime.appl_ptr - pcm.hw_ptr) // pcm.runtime.params.period_size

    def _choices(self, pcm: Any) -> list[str]:
        pending = pcm.substream.pending
        ahead = self._ahead(pcm)
        match pcm.state.name:
            case "PREPARED":
                return ["write", "write", "write", "drop", "close"] + (["start", "start"] if ahead else ["prepare"])
            case "RUNNING":
                if ahead < 2:
                    return ["write", "write", "starve"]
                return ["write", "write", "wait", "wait", "pause", "pause", "drop", "drain", "starve", "close"]
            case "PAUSED":
                return ["resume", "resume", "resume", "drop", "close"]
            case "SETUP":  # a stream dropped before its start keeps its messages until it is opened again, as in Linux
                return ["close"] if pending else ["prepare", "prepare", "close", "again"]
            case "XRUN":
                return ["prepare", "prepare", "close"]
        raise AssertionError(f"state {pcm.state.name}")

    def _periods(self) -> tuple[int, int]:
        """The old policy shows a period again before it is refilled: it has to be longer than the prefetch window."""
        return (120, 200) if self.policy == "requeue" else (60, 160)

    async def _wait(self, world: World, rng: random.Random, pcm: Any) -> None:
        """Some completions, but not all, and part of a period."""
        params = pcm.runtime.params
        # What the old policy shows again must be written before the prefetch window reaches it.
        spare = 110 if self.policy == "requeue" else 4
        frames = rng.randrange(2, params.period_size - spare) + 1 / 3
        await world.completions(rng.randrange(1, self._ahead(pcm)), then_ms=frames / params.rate * 1e3)
        await pcm.status()

    async def _write(self, world: World, rng: random.Random, pcm: Any) -> None:
        params = pcm.runtime.params
        room = (await pcm.status()).avail // params.period_size
        if room:
            size = params.frame_bytes
            await pcm.writei(world.music(rng.randrange(1, room + 1) * params.period_size, size))

    async def _starve(self, world: World, rng: random.Random, pcm: Any) -> None:
        """Write nothing until the buffer has run empty."""
        await world.completions(self._ahead(pcm), then_ms=0.5)
        await self._until(world, pcm, "XRUN")
        try:
            await pcm.writei(world.music(pcm.runtime.params.period_size, pcm.runtime.params.frame_bytes))
        except Xrun:
            return
        raise AssertionError("an underrun was not told")

    async def _until(self, world: World, pcm: Any, state: str) -> None:
        for _ in range(1000):
            if (await pcm.status()).state.name == state:
                return
            await world.sleep_ms(0.01)
        raise AssertionError(f"the stream does not become {state}, it is {pcm.state.name}")

    async def _pause(self, world: World, rng: random.Random, pcm: Any) -> None:
        await self._wait(world, rng, pcm)
        await pcm.pause(True)

    async def _resume(self, world: World, rng: random.Random, pcm: Any) -> None:
        await world.sleep_ms(rng.uniform(0, 1.5))
        await pcm.pause(False)

    async def _drop(self, world: World, rng: random.Random, pcm: Any) -> None:
        if pcm.state.name == "RUNNING":
            await self._wait(world, rng, pcm)
        await pcm.drop()

    async def _drain(self, world: World, rng: random.Random, pcm: Any) -> None:
        await pcm.drain()

    async def _start(self, world: World, rng: random.Random, pcm: Any) -> None:
        await pcm.start()

    async def _prepare(self, world: World, rng: random.Random, pcm: Any) -> None:
        await pcm.prepare()

    async def _close(self, world: World, rng: random.Random, pcm: Any) -> None:
        if pcm.state.name == "RUNNING":
            await self._wait(world, rng, pcm)
        await pcm.close()

    async def _again(self, world: World, rng: random.Random, pcm: Any) -> None:
        """Other parameters on the open stream."""
        rate = rng.choice(RATES)
        world.set_delay(rate)
        await pcm.hw_params(format=rng.choice(list(FORMATS)), channels=rng.choice((1, 2)), rate=rate,
                            period_size=rng.randrange(*self._periods()), periods=rng.randrange(2, 9))  # fmt: skip
        await pcm.prepare()
