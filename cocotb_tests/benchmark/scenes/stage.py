# SPDX-License-Identifier: Apache-2.0
"""What every scene shares: its case, its findings, and a prepared stream.

Promise: `case()` is what `simulation.simulate` was given, `found(...)` is what it returns; `Stage` is one guest on the
simulated device, whose streams may have periods that Linux' own limits exclude.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cocotb_tests.bfm.port import RtlPort
from virtone.model.driver import LINUX_FEATURES, SoundDriver
from virtone.model.pcm_core import Pcm
from virtone.model.pcm_hw import HwParams
from virtone.virtio import snd

CASE, FOUND = "BENCHMARK_CASE", "BENCHMARK_FOUND"
QUEUE_SIZE = 64
MSG_POLLING = 1 << int(snd.VIRTIO_SND_PCM_F_MSG_POLLING)


def case() -> dict[str, Any]:
    """What the benchmark asks of this run."""
    return json.loads(os.environ.get(CASE, "{}"))


def found(what: Any) -> None:
    """Hand the findings back (JSON)."""
    Path(os.environ[FOUND]).write_text(json.dumps(what))


class Handle(Pcm):
    """A PCM handle with snd_pcm_wait."""

    async def wait(self, frames: int) -> None:
        """Returns when `frames` can be written without waiting, or the stream has stopped."""
        if self.avail() < frames:
            await self._wait_avail(frames)


class Stage:
    """One guest: `port`, and after `probe` its `driver`."""

    def __init__(self, dut: Any) -> None:
        self.port = RtlPort(dut)
        self.driver: SoundDriver | None = None

    async def probe(self, policy: str = "ack", without: Iterable[int] = (), polling: bool = True) -> SoundDriver:
        """A fresh driver that does not take the feature bits `without`; `polling`: take MSG_POLLING, as Linux does."""
        await self.leave()
        features = LINUX_FEATURES
        for bit in without:
            features &= ~(1 << int(bit))
        driver = self.driver = SoundDriver(self.port, policy, features, QUEUE_SIZE)
        await driver.probe()
        if not polling:
            hardware = driver.substreams[0].hardware
            driver.substreams[0].hardware = dataclasses.replace(hardware, features=hardware.features & ~MSG_POLLING)
        return driver

    async def leave(self) -> None:
        """Reset the device and forget the driver."""
        driver, self.driver = self.driver, None
        if driver is not None:
            await driver.remove()

    async def open(self, params: HwParams) -> Handle:
        """The stream, prepared with exactly `params`: the limits of snd_virtio's module parameters are passed by."""
        assert self.driver is not None
        pcm = Handle(self.port, self.driver.substreams[0])
        await pcm.open()
        await pcm.hw_params(params)
        await pcm.prepare()
        return pcm
