# SPDX-License-Identifier: Apache-2.0
"""What a device really did during a job: when each message completed, when each frame left, and whether every frame was right.

    watch = watch_for(side); watch.begin(); ... one job ...; evidence = watch.end(noise)

Promise: times of one `Evidence` are seconds of one clock, taken outside the guest.

| | QEMU's device | RTL |
|---|---|---|
| clock | the host's, from the trace log, microseconds | simulated time, picoseconds |
| completion | the used element is written (`virtqueue_fill`) | marker pin 0 shows COMPLETE: the used index is in memory |
| frame leaves | see below | its first bit is on the I2S wire |
| right frames | the back end's wav file, as far as it has been written out | the frames at the I2S pins |

The host's audio back end takes frames in blocks (`audio_out_played`); a sink that has no buffer but these blocks plays them at 48 kHz
from the first hand-over on. That is the earliest a sound card could do; a real one adds a buffer of its own.
User's duty: one job between `begin` and `end`, of noise whose first frame is not silent, on a board on which nothing else plays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.virtual.linux_board.time import PaceReport
from virtone.virtio import probe

from .boards import BACKEND_HZ, QemuDevice, RtlDevice, Side
from .trace import PCM_STATUS_BYTES, BusCounts, Event, Log, count, slowest_service_s

Times = NDArray[np.float64]
_WAV_HEADER = 44
_UNWRITTEN = 4096  # frames that the back end's file may still miss at its end: the C library's buffer
_MARKER_SEL = 0x1000_0000 + int(probe.PROBE_BASE) + int(probe.PROBE_MARKER_SEL)


@dataclass(frozen=True)
class Evidence:
    """`completions_s`: of messages 0, 1, ...; `left_s`: of frames 0, 1, ... of the job, as far as known; `interrupts_s`: instants at
    which the device asked for an interrupt. `fault`: what was wrong with the frames, else empty. `slowest_service_s`: see `trace`, in
    wall time. `pace`: of the simulation."""

    completions_s: Times
    left_s: Times
    interrupts_s: Times
    fault: str
    bus: BusCounts
    slowest_service_s: float = 0.0
    pace: PaceReport | None = None


def watch_for(side: Side) -> QemuWatch | RtlWatch:
    if isinstance(side, QemuDevice):
        return QemuWatch(side)
    assert isinstance(side, RtlDevice)
    return RtlWatch(side)


class QemuWatch:
    def __init__(self, side: QemuDevice) -> None:
        self.side, self.log = side, Log(side.log)
        self._mark = self._taken = self._read = 0

    def begin(self) -> None:
        self._mark = self.log.mark()
        self._taken += sum(e.value for e in self.log.between(self._read, self._mark) if e.kind == "sink")
        self._read = self._mark

    def end(self, noise: NDArray[np.int16]) -> Evidence:
        events = self.log.since(self._mark)
        left_s = leaving_times([e for e in events if e.kind == "sink"])
        file = np.memmap(self.side.sink, "<i2", "r", _WAV_HEADER)
        heard = np.asarray(file[: len(file) // 2 * 2]).reshape(-1, 2)[self._taken :]
        return Evidence(
            completions_s=times(events, "fill", PCM_STATUS_BYTES),
            left_s=left_s,
            interrupts_s=times(events, "interrupt"),
            fault=compare(heard, noise, _UNWRITTEN),
            bus=count(events),
            slowest_service_s=slowest_service_s(events),
        )


def times(events: list[Event], kind: str, value: int | None = None) -> Times:
    """Instants of the events of a kind (and value)."""
    return np.array([e.time_s for e in events if e.kind == kind and value in (None, e.value)], dtype=np.float64)


def leaving_times(blocks: list[Event], rate: int = BACKEND_HZ) -> Times:
    """When each frame leaves a sink that takes blocks of frames and plays them at its rate, silent while it has none."""
    left = []
    free = -np.inf
    for block in blocks:
        start = max(block.time_s, free)
        left.append(start + np.arange(block.value) / rate)
        free = start + block.value / rate
    return np.concatenate(left) if left else np.empty(0)


def compare(heard: NDArray[np.int16], noise: NDArray[np.int16], missing: int = 0) -> str:
    """What differs between frames heard and noise, from the first frame on; up to `missing` frames may lack at the end."""
    together = min(len(heard), len(noise))
    wrong = np.flatnonzero((heard[:together] != noise[:together]).any(axis=1))
    if len(wrong):
        return f"frame {wrong[0]} of {len(noise)} is wrong, and {len(wrong) - 1} more"
    if together < len(noise) - missing:
        return f"only {together} of {len(noise)} frames came out"
    return ""


class RtlWatch:
    def __init__(self, side: RtlDevice) -> None:
        self.side, self.log, self.ring = side, Log(side.log), side.rtl.ring()
        self._mark = self._frame = self._marker = 0
        select = probe.PROBE_EV_COMPLETE << probe.PROBE_MARKER_SEL_PIN0_LSB
        select |= probe.PROBE_EV_INTERRUPT << probe.PROBE_MARKER_SEL_PIN1_LSB
        side.run(f"devmem {_MARKER_SEL:#x} 32 {select:#x}")

    def begin(self) -> None:
        self.side.rtl.pace()
        self._mark, self._frame, self._marker = self.log.mark(), self.ring.frames_written, self.ring.markers_written

    def end(self, noise: NDArray[np.int16]) -> Evidence:
        pace = self.side.rtl.pace()
        events = self.log.since(self._mark)
        frames = self.ring.frames(self._frame, self.ring.frames_written - self._frame)
        markers = self.ring.markers(self._marker, self.ring.markers_written - self._marker)
        slots = np.stack([frames["left"], frames["right"]], axis=1)
        start = first_frame(slots)
        heard = (slots[start:] >> 16).astype(np.int16)
        fault = "a sample's low half is not zero" if (slots & 0xFFFF).any() else compare(heard, noise)
        return Evidence(
            completions_s=rises(markers, 0),
            left_s=frames["time_ps"][start:].astype(np.float64) * 1e-12,
            interrupts_s=rises(markers, 1),
            fault=fault,
            bus=count(events),
            slowest_service_s=slowest_service_s(events),
            pace=pace,
        )


def first_frame(slots: NDArray[np.int32]) -> int:
    """Where the noise begins: the first frame that is not silent; the end if there is none."""
    sound = np.flatnonzero((slots != 0).any(axis=1))
    return int(sound[0]) if len(sound) else len(slots)


def rises(markers: NDArray[np.void], pin: int) -> Times:
    """Instants, in seconds, at which a marker pin rose. The pin is low before the first record."""
    level = (markers["pins"] >> pin) & 1
    rose = np.flatnonzero(np.diff(level.astype(np.int8), prepend=np.int8(0)) == 1)
    return markers["time_ps"][rose].astype(np.float64) * 1e-12
