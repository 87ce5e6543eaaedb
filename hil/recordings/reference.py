# SPDX-License-Identifier: Apache-2.0
"""The reference driver, doing what the user of a recording did, against the same modelled device and under the same recorder.

Promise: `replay(recording)` returns the reference driver's recording with the same sections. Where Linux' memory decides (which pages of
the buffer lie next to each other), the reference driver is given pages that do in the same way; where the user's timing decides, it
is given the recorded moment (`actions.Told`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hil.recordings.actions import ACTIONS, SECTIONS, Action, Told
from hil.recordings.records import Exposed, Record, Recording, RecordingError, Segment
from hil.virtual.linux_board.recorder import Recorder
from virtone.model.device import SoundDevice
from virtone.model.device_port import DevicePort
from virtone.model.driver import SoundDriver
from virtone.model.memory import PAGE_SIZE, Memory
from virtone.model.timeline import Timeline
from virtone.virtio import snd

_MEMORY_BYTES = 8 << 20
_SETTLE_NS = 5e6  # what an action has set going ends with it


class PlannedMemory(Memory):
    """`plan`: page frame numbers; the next buffer's pages are next to each other where these are."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.plan: list[int] = []

    def alloc_pages(self, count: int, contiguous: bool = True) -> list[int]:
        if not self.plan:
            return super().alloc_pages(count, contiguous)
        if len(self.plan) != count:
            raise RecordingError(f"the recording shows a buffer of {len(self.plan)} pages, the driver asks for {count}")
        place: dict[int, int] = {}
        gaps: list[int] = []
        for run in _runs(sorted(self.plan)):
            gaps.append(self.alloc(PAGE_SIZE, PAGE_SIZE))  # keeps this run and the one before it apart
            place.update(zip(run, super().alloc_pages(len(run)), strict=True))
        for gap in gaps:
            self.free(gap)
        return [place[frame] for frame in self.plan]


def _runs(frames: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for frame in frames:
        if runs and runs[-1][-1] + 1 == frame:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return runs


def buffer_pages(records: Sequence[Record], period_bytes: int, periods: int) -> list[int]:
    """Page frames of the buffer of a section, in its order. RecordingError if a page is in two places."""
    pages: dict[int, int] = {}
    message = 0
    for record in records:
        if not isinstance(record, Exposed):
            continue
        if record.queue == snd.VIRTIO_SND_VQ_CONTROL and request(record) == snd.VIRTIO_SND_R_PCM_PREPARE:
            message = 0
        elif record.queue == snd.VIRTIO_SND_VQ_TX:
            _place(pages, message % periods * period_bytes, record.segments)
            message += 1
    count = -(-period_bytes * periods // PAGE_SIZE)
    apart = max(pages.values(), default=0) + 2  # pages that were never sent are nobody's neighbours
    return [pages.get(page, apart + 2 * page) for page in range(count)]


def _place(pages: dict[int, int], offset: int, segments: Sequence[Segment]) -> None:
    for segment in segments:
        address, left = segment.address, segment.length if segment.address else 0
        while left:
            size = min(left, PAGE_SIZE - offset % PAGE_SIZE)
            if pages.setdefault(offset // PAGE_SIZE, address // PAGE_SIZE) != address // PAGE_SIZE:
                raise RecordingError(f"page {offset // PAGE_SIZE} of the buffer is in two places")
            offset, address, left = offset + size, address + size, left - size


def request(record: Exposed) -> int:
    """Code of a control request."""
    return int.from_bytes(record.content[:4], "little")


def told(records: Sequence[Record]) -> Told:
    stops: list[int] = []
    sent = 0
    for record in records:
        if isinstance(record, Exposed):
            sent += record.queue == snd.VIRTIO_SND_VQ_TX
            if record.queue == snd.VIRTIO_SND_VQ_CONTROL and request(record) == snd.VIRTIO_SND_R_PCM_STOP:
                stops.append(sent)
    return Told(tuple(stops))


def replay(recording: Recording, fault: Callable[[SoundDriver], None] = lambda driver: None) -> Recording:
    """`fault` may change the driver before it is probed. RecordingError if a section is missing before the last one."""
    sections = recording.sections()
    names = list(sections)
    if names != list(SECTIONS[: len(names)]) or len(names) < 2:
        lacking = next((name for name in SECTIONS if name not in sections), "in its place")
        raise RecordingError(f"the recording lacks the section {lacking!r}; make it again: python -m hil.recordings")
    timeline, memory = Timeline(), PlannedMemory(_MEMORY_BYTES)
    device = SoundDevice(timeline, memory)
    recorder = Recorder(device, SECTIONS[0])
    driver = SoundDriver(DevicePort(device), "ack")
    fault(driver)

    async def run() -> None:
        await driver.probe()
        for action in (action for action in ACTIONS if action.name in sections):
            await driver.port.sleep_ns(_SETTLE_NS)
            recorder.section(action.name)
            memory.plan = _plan(action, sections[action.name])
            await action.replay(driver, action.sound, told(sections[action.name]))
        await driver.port.sleep_ns(_SETTLE_NS)
        if SECTIONS[-1] in sections:
            recorder.section(SECTIONS[-1])

    timeline.run(run())
    return Recording({"driver": "reference driver"}, recorder.records)


def _plan(action: Action, records: Sequence[Record]) -> list[int]:
    sound = action.sound
    if not told(records).exposed_before_stop:
        return []
    return buffer_pages(records, sound.period * sound.frame_bytes, sound.periods)
