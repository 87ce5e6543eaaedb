# SPDX-License-Identifier: Apache-2.0
"""The probe page as user space on the board sees it: marker, event log, counters.

Promises: times are nanoseconds of the device's own bus clock; `events` empties the log and returns it in order; `counters`
counts since `Probe.start`, whatever stood there before.
Its user calls `start` once before anything else; it raises ProbeMissing when the page is not there.
Registers: docs/reference/probe-registers.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from virtone.model.port import Port
from virtone.virtio import probe

BASE = int(probe.PROBE_BASE)
MARKERS = {
    "off": int(probe.PROBE_EV_NONE),
    "application": int(probe.PROBE_EV_MARKER),
    "notify": int(probe.PROBE_EV_NOTIFY),
    "first_bit": int(probe.PROBE_EV_FIRST_BIT),
    "complete": int(probe.PROBE_EV_COMPLETE),
}
COUNTERS = {
    "underruns": int(probe.PROBE_UNDERRUNS),
    "silent_frames": int(probe.PROBE_SILENT_FRAMES),
    "frames_played": int(probe.PROBE_FRAMES_PLAYED),
    "late_messages": int(probe.PROBE_LATE_MESSAGES),
    "bus_errors": int(probe.PROBE_BUS_ERRORS),
}


class ProbeMissing(Exception):
    """There is no probe page, or one of another version."""


class LogEntry(NamedTuple):
    """One entry of the event log: time in nanoseconds, event number (PROBE_EV_*), argument."""

    time_ns: float
    kind: int
    arg: int


@dataclass
class Identity:
    """What the page says of the device."""

    build_id: int = 0
    clock_hz: int = 0


class Probe:
    """The probe page behind one port."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.identity = Identity()
        self._zero = dict.fromkeys(COUNTERS, 0)

    async def start(self) -> None:
        """Identify the page, switch marker pins and log off, empty the log, count from here."""
        magic, version = await self._read(probe.PROBE_MAGIC), await self._read(probe.PROBE_VERSION)
        if magic != probe.PROBE_MAGIC_WORD or version != probe.PROBE_VERSION_WORD:
            raise ProbeMissing(
                f"no probe page at {BASE:#x}: magic {magic:#010x}, version {version}; right are "
                f"{int(probe.PROBE_MAGIC_WORD):#010x} and {int(probe.PROBE_VERSION_WORD)}"
            )
        self.identity = Identity(await self._read(probe.PROBE_BUILD_ID), await self._read(probe.PROBE_CLOCK_HZ))
        await self.select("off")
        await self.log()
        await self.events()
        await self.reset_counters()

    async def mark(self, value: int) -> None:
        """Write the application marker."""
        await self._port.write32(BASE + int(probe.PROBE_MARKER), value)

    async def select(self, marker: str) -> None:
        """What pin 0 shows, a key of MARKERS; pin 1 stays off."""
        await self._port.write32(BASE + int(probe.PROBE_MARKER_SEL), MARKERS[marker])

    async def log(self, *kinds: int) -> None:
        """Log these events (PROBE_EV_*) and no others."""
        mask = sum(1 << int(kind) for kind in kinds)
        await self._port.write32(BASE + int(probe.PROBE_EVENT_MASK), mask)

    async def events(self) -> list[LogEntry]:
        """Everything that waits in the log."""
        entries = []
        tick_ns = 1e9 / self.identity.clock_hz if self.identity.clock_hz else 0.0
        for _ in range(await self._read(probe.PROBE_EVENT_COUNT)):
            kind, arg = await self._read(probe.PROBE_EVENT_KIND), await self._read(probe.PROBE_EVENT_ARG)
            low = await self._read(probe.PROBE_EVENT_TIME_LOW)
            high = await self._read(probe.PROBE_EVENT_TIME_HIGH)  # takes the entry out
            entries.append(LogEntry((high << 32 | low) * tick_ns, kind & 15, arg))
        return entries

    async def events_lost(self) -> int:
        return await self._read(probe.PROBE_EVENT_LOST)

    async def reset_counters(self) -> None:
        """Count from here."""
        self._zero = {name: await self._port.read32(BASE + offset) for name, offset in COUNTERS.items()}

    async def counters(self) -> dict[str, int]:
        """Counts since the last `reset_counters`, modulo 2**32."""
        return {
            name: (await self._port.read32(BASE + offset) - self._zero[name]) & 0xFFFF_FFFF
            for name, offset in COUNTERS.items()
        }

    async def _read(self, register: int) -> int:
        return await self._port.read32(BASE + int(register))
