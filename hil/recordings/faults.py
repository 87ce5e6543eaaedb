# SPDX-License-Identifier: Apache-2.0
"""Seeded faults: ways in which a driver could differ from Linux, for proving that the comparison finds them.

Promise: each function changes a reference driver that is not probed yet, or through `patch` (pytest's MonkeyPatch, undone by its
owner) the classes it is made of; it then works, but not as Linux does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from virtone.model import pcm_message
from virtone.model.driver import SoundDriver
from virtone.model.memory import PAGE_SIZE, PageList
from virtone.model.pcm_core import Pcm
from virtone.model.pcm_policies import AckSubstream
from virtone.model.pcm_substream import PcmSubstream
from virtone.model.virtqueue import Virtqueue
from virtone.virtio import mmio, ring, snd


class Patch(Protocol):
    """What pytest's MonkeyPatch offers."""

    def setattr(self, target: Any, name: str, value: Any) -> None: ...


def one_kick_too_many(driver: SoundDriver, _: Patch) -> None:
    kick = driver.transport.kick

    async def twice(queue: Any) -> bool:
        await kick(queue)
        await driver.transport.notify(queue)
        return True

    driver.transport.kick = twice  # type: ignore[method-assign]


def notifies_the_polled_queue(driver: SoundDriver, patch: Patch) -> None:
    patch.setattr(PcmSubstream, "polling", False)


def never_kicks_for_events(driver: SoundDriver, _: Patch) -> None:
    kick = driver.transport.kick

    async def but_events(queue: Any) -> bool:
        return False if queue is driver.eventq else await kick(queue)

    driver.transport.kick = but_events  # type: ignore[method-assign]


def splits_the_header(driver: SoundDriver, patch: Patch) -> None:
    whole = pcm_message.PcmMessage.segments

    def split(self: Any) -> Any:
        (address, length, _), *rest = whole(self)
        return [(address, 1, False), (address + 1, length - 1, False), *rest]

    patch.setattr(pcm_message.PcmMessage, "segments", split)


def does_not_merge_pages(driver: SoundDriver, patch: Patch) -> None:
    def pagewise(self: Any, offset: int, length: int) -> list[tuple[int, int]]:
        found = []
        while length:
            page, inside = divmod(offset, PAGE_SIZE)
            size = min(PAGE_SIZE - inside, length)
            found.append((self.pages[page] + inside, size))
            offset, length = offset + size, length - size
        return found

    patch.setattr(PageList, "segments", pagewise)


def no_release(driver: SoundDriver, patch: Patch) -> None:
    patch.setattr(AckSubstream, "_release_needed", lambda self: self.pending > 0)


def prepares_twice(driver: SoundDriver, patch: Patch) -> None:
    prepare = PcmSubstream.prepare

    async def twice(self: Any) -> None:
        await prepare(self)
        await prepare(self)

    patch.setattr(PcmSubstream, "prepare", twice)


def starts_before_it_sends(driver: SoundDriver, patch: Patch) -> None:
    whole = Pcm.sw_params
    patch.setattr(Pcm, "sw_params", lambda self, start, wake, stop: whole(self, 1, wake, stop))


def first_in_first_out(driver: SoundDriver, patch: Patch) -> None:
    def release(self: Any, head: int) -> None:
        item = self._outstanding.pop(head)
        self._free = [*reversed(item.descriptors), *self._free]
        if item.table is not None:
            self.memory.free(item.table)

    patch.setattr(Virtqueue, "_release", release)


def asks_for_no_interrupt(driver: SoundDriver, patch: Patch) -> None:
    """For the second used element of each queue, which was asked for already: nothing hangs."""

    def one_early(self: Any, index: int) -> None:
        self.memory.write_uint(self.avail + ring.used_event_offset(self.size), index - (self.index == 1) & 0xFFFF, 2)

    patch.setattr(Virtqueue, "_write_used_event", one_early)


def acknowledges_too_much(driver: SoundDriver, _: Patch) -> None:
    write = driver.port.write32

    async def more(offset: int, value: int) -> None:
        await write(offset, 3 if offset == mmio.VIRTIO_MMIO_INTERRUPT_ACK else value)

    driver.port.write32 = more  # type: ignore[method-assign]


def serves_twice(driver: SoundDriver, _: Patch) -> None:
    serve, raised = driver.transport._serve_interrupt, driver.port.device.raise_interrupt  # type: ignore[attr-defined]

    async def twice() -> int:
        await serve()
        raised(1)
        return await serve()

    driver.transport._serve_interrupt = twice  # type: ignore[method-assign]


def reads_config_first(driver: SoundDriver, _: Patch) -> None:
    build = driver._build_devices

    async def early() -> None:
        await driver.transport.config32(snd.virtio_snd_config.offset("chmaps"))
        await build()

    driver._build_devices = early  # type: ignore[method-assign]


def smaller_queue(driver: SoundDriver, _: Patch) -> None:
    driver._queue_size = 64


def without(feature: int) -> Callable[[SoundDriver, Patch], None]:
    def fault(driver: SoundDriver, _: Patch) -> None:
        driver._wanted &= ~feature

    return fault


def resets_before_it_takes_queues_back(driver: SoundDriver, _: Patch) -> None:
    driver.transport.remove = driver.transport.reset  # type: ignore[method-assign]
