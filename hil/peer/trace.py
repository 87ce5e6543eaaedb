# SPDX-License-Identifier: Apache-2.0
"""What QEMU's trace log says about the bus of either board (QEMU docs/devel/tracing.rst, "log" back end with `-msg timestamp=on`).

Promise: `read` gives the events of a stretch of the log in the order they happened, each with the host's time in seconds since the
epoch (microsecond steps). A line that looks like a traced event but cannot be read is a `TraceError`, for a count must not be quietly short.

Kinds: `read` and `write` of a device register (offset, value), `notify` (queue), `fill` (a used element; its length), `interrupt` (the
device asked for one), `line` (the interrupt line was raised, or raised again), `sink` (frames that the host's audio back end took).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from virtone.virtio import mmio

PCM_STATUS_BYTES = (
    8  # struct virtio_snd_pcm_status: what a completed tx message returns; a control response has at least 4
)
WINDOW = 0x1000  # accesses beyond it go to the probe page


class TraceError(Exception):
    """A line of QEMU's log that does not mean what it should."""


@dataclass(frozen=True)
class Event:
    time_s: float
    kind: str
    value: int
    offset: int = 0


_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z (\w+)\s*(.*)")
_NUMBER = r"(0x[0-9a-f]+|\d+)"
_FORMS = {
    "virtio_mmio_read": ("read", re.compile(rf"virtio_mmio_read offset (?P<offset>{_NUMBER})")),
    "virtio_mmio_write_offset": (
        "write",
        re.compile(rf"virtio_mmio_write offset (?P<offset>{_NUMBER}) value (?P<value>{_NUMBER})"),
    ),
    "vfio_region_read": ("read", re.compile(rf"\(.*:region0\+(?P<offset>{_NUMBER}), \d+\) = (?P<value>{_NUMBER})")),
    "vfio_region_write": ("write", re.compile(rf"\(.*:region0\+(?P<offset>{_NUMBER}), (?P<value>{_NUMBER}), \d+\)")),
    # QEMU takes a notification as an event, past the register file.
    "virtio_queue_notify": ("notify", re.compile(rf"vdev \S+ n (?P<value>{_NUMBER}) vq \S+")),
    "virtqueue_fill": ("fill", re.compile(rf"vq \S+ elem \S+ len (?P<value>{_NUMBER}) idx \d+")),
    "virtio_notify": ("interrupt", re.compile(r"vdev \S+ vq \S+")),
    "vfio_intx_interrupt": ("line", re.compile(r"\(.*\) Pin [A-D]")),
    "audio_out_played": ("sink", re.compile(rf"played=(?P<value>{_NUMBER})")),
}


def parse(text: str) -> list[Event]:
    """Events of whole lines of the log; lines that are no traced event are left out."""
    events = []
    for line in text.splitlines():
        stamp = _STAMP.match(line)
        if stamp is None or stamp[3] not in _FORMS:
            continue
        kind, form = _FORMS[stamp[3]]
        found = form.fullmatch(stamp[4].strip())
        if found is None:
            raise TraceError(f"QEMU logged {line[:160]!r}; {stamp[3]} should look like {form.pattern}")
        fields = found.groupdict()
        offset, value = (int(fields.get(name) or "0", 0) for name in ("offset", "value"))
        if offset < WINDOW:
            events.append(Event(_seconds(stamp[1], stamp[2]), kind, value, offset))
    return events


def _seconds(stamp: str, micros: str) -> float:
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp() + int(micros) * 1e-6


class Log:
    """A log that grows. `mark` begins a stretch, `since` gives what was logged after it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mark(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def since(self, mark: int) -> list[Event]:
        return self.between(mark, -1)

    def between(self, mark: int, end: int) -> list[Event]:
        """`end`: another mark, or -1 for the end of the last whole line."""
        with self.path.open("rb") as file:
            file.seek(mark)
            data = file.read(end - mark if end >= 0 else -1)
        return parse(data[: data.rfind(b"\n") + 1].decode("utf-8", "replace"))


@dataclass(frozen=True)
class BusCounts:
    """Register traffic of a stretch. `notifications` by queue number."""

    notifications: dict[int, int]
    status_reads: int
    acknowledges: int
    accesses: int


def count(events: list[Event]) -> BusCounts:
    """With VIRTIO_F_NOTIFICATION_DATA the low 16 bits of a notification are the queue (virtio 1.4, 4.2.3.3)."""
    notifications: dict[int, int] = {}
    for event in events:
        written = event.kind == "write" and event.offset == int(mmio.VIRTIO_MMIO_QUEUE_NOTIFY)
        if written or event.kind == "notify":
            queue = event.value & 0xFFFF
            notifications[queue] = notifications.get(queue, 0) + 1
    at = {
        (kind, offset): sum(e.kind == kind and e.offset == offset for e in events)
        for kind, offset in (
            ("read", int(mmio.VIRTIO_MMIO_INTERRUPT_STATUS)),
            ("write", int(mmio.VIRTIO_MMIO_INTERRUPT_ACK)),
        )
    }
    reads, acknowledges = at.values()
    return BusCounts(notifications, reads, acknowledges, sum(e.kind in ("read", "write") for e in events))


def slowest_service_s(events: list[Event]) -> float:
    """Longest time, on the log's clock, from a raised interrupt to the driver's read of InterruptStatus or its InterruptACK."""
    handled = (("read", int(mmio.VIRTIO_MMIO_INTERRUPT_STATUS)), ("write", int(mmio.VIRTIO_MMIO_INTERRUPT_ACK)))
    raised: float | None = None
    slowest = 0.0
    for event in events:
        if event.kind in ("line", "interrupt"):
            raised = event.time_s if raised is None else raised
        elif (event.kind, event.offset) in handled and raised is not None:
            slowest, raised = max(slowest, event.time_s - raised), None
    return slowest
