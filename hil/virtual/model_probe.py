# SPDX-License-Identifier: Apache-2.0
"""The modelled device with a probe page, so that board software runs without a simulator, in milliseconds.

Promise: the registers of docs/reference/probe-registers.md over the model's own event list, with a bus clock of 1 GHz (one cycle
a nanosecond); `pulses` are the times at which marker pin 0 would rise.
Its user gives it the device, and uses it as the guest's port.
"""

from __future__ import annotations

from collections import deque

from virtone.model.device import SoundDevice
from virtone.model.device_port import DevicePort
from virtone.model.timeline import TICKS_PER_NS
from virtone.virtio import probe

BASE = int(probe.PROBE_BASE)
CLOCK_HZ = 1_000_000_000
KINDS = {
    "marker": int(probe.PROBE_EV_MARKER),
    "notify": int(probe.PROBE_EV_NOTIFY),
    "fetch": int(probe.PROBE_EV_FETCH),
    "first_bit": int(probe.PROBE_EV_FIRST_BIT),
    "complete": int(probe.PROBE_EV_COMPLETE),
    "xrun": int(probe.PROBE_EV_XRUN),
    "interrupt": int(probe.PROBE_EV_INTERRUPT),
}


class ProbedPort(DevicePort):
    """`DevicePort` with the probe page at 0x1000."""

    def __init__(self, device: SoundDevice, access_ns: float = 100.0) -> None:
        super().__init__(device, access_ns)
        self.pulses: list[float] = []
        self._select, self._mask, self._lost = int(probe.PROBE_MARKER_SEL_RESET), 0, 0
        self._entries: deque[tuple[int, int, int]] = deque()
        self._log = device.log
        device.log = self._record  # type: ignore[method-assign]

    def _record(self, kind: str, arg: int | str = 0) -> None:
        self._log(kind, arg)
        number = KINDS.get(kind, 0)
        now = self.timeline.now // TICKS_PER_NS
        if number and self._select & 15 == number:
            self.pulses.append(now)
        if number and self._mask >> number & 1:
            if len(self._entries) < probe.PROBE_LOG_DEPTH:
                self._entries.append((number, int(arg), now))
            else:
                self._lost += 1

    async def read32(self, offset: int) -> int:
        if offset < BASE:
            return await super().read32(offset)
        await self._access(offset, 4)
        return self._read_page(offset - BASE)

    async def write32(self, offset: int, value: int) -> None:
        if offset < BASE:
            await super().write32(offset, value)
            return
        await self._access(offset, 4)
        if offset - BASE == probe.PROBE_MARKER:
            self.device.log("marker", value)
        elif offset - BASE == probe.PROBE_MARKER_SEL:
            self._select = value
        elif offset - BASE == probe.PROBE_EVENT_MASK:
            self._mask = value

    def _read_page(self, register: int) -> int:
        kind, arg, time = self._entries[0] if self._entries else (0, 0, 0)
        stream = self.device.streams[0]
        if register == probe.PROBE_EVENT_TIME_HIGH and self._entries:
            self._entries.popleft()
        values = {
            probe.PROBE_MAGIC: int(probe.PROBE_MAGIC_WORD),
            probe.PROBE_VERSION: int(probe.PROBE_VERSION_WORD),
            probe.PROBE_CLOCK_HZ: CLOCK_HZ,
            probe.PROBE_EVENT_COUNT: len(self._entries),
            probe.PROBE_EVENT_KIND: kind,
            probe.PROBE_EVENT_ARG: arg,
            probe.PROBE_EVENT_TIME_LOW: time & 0xFFFF_FFFF,
            probe.PROBE_EVENT_TIME_HIGH: time >> 32,
            probe.PROBE_EVENT_LOST: self._lost,
            probe.PROBE_FRAMES_PLAYED: len(stream.frames),
            probe.PROBE_UNDERRUNS: stream.xruns,
        }
        return int({int(key): value for key, value in values.items()}.get(register, 0))
