# SPDX-License-Identifier: Apache-2.0
"""The probe page of the modelled device, as far as an application uses it (`virtone.virtio.probe`).

Promise: identity, time, application marker and counters. Time counts cycles of a 100 MHz bus clock; a marker is logged as a
`marker` event of the device. The event log and the marker pins belong to the simulated RTL; here they read 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtone.model.timeline import TICKS_PER_SECOND
from virtone.virtio import probe

if TYPE_CHECKING:
    from virtone.model.device import SoundDevice

CLOCK_HZ = 100_000_000
BUILD_ID = 0x4D4F444C  # "MODL": no bit stream and no RTL


class ProbePage:
    """Registers from `PROBE_BASE` on; offsets are those of the page."""

    def __init__(self, device: SoundDevice) -> None:
        self._device = device
        self._time_high = 0

    def read(self, offset: int) -> int:
        device = self._device
        if offset == probe.PROBE_TIME_LOW:
            cycles = device.timeline.now // (TICKS_PER_SECOND // CLOCK_HZ)
            self._time_high = cycles >> 32 & 0xFFFF_FFFF
            return cycles & 0xFFFF_FFFF
        values: dict[int, int] = {
            probe.PROBE_MAGIC: int(probe.PROBE_MAGIC_WORD),
            probe.PROBE_VERSION: int(probe.PROBE_VERSION_WORD),
            probe.PROBE_BUILD_ID: BUILD_ID,
            probe.PROBE_CLOCK_HZ: CLOCK_HZ,
            probe.PROBE_TIME_HIGH: self._time_high,
            probe.PROBE_FRAMES_PLAYED: sum(len(stream.frames) for stream in device.streams),
            probe.PROBE_UNDERRUNS: sum(stream.xruns for stream in device.streams),
        }
        return values.get(offset, 0) & 0xFFFF_FFFF

    def write(self, offset: int, value: int) -> None:
        if offset == probe.PROBE_MARKER:
            self._device.log("marker", value)
