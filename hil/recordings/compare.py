# SPDX-License-Identifier: Apache-2.0
"""Two recordings held against each other: what must be equal, and what timing may make different.

Compared in each section, Linux' recording against the reference driver's:

* **story**: everything the driver does by itself, in one order: register accesses with their values, chains with their form, segment
  lengths and contents, notifications with the index they carry. Left out: addresses (memory is each driver's own), heads
  (below), and the interrupt service (below).
* **used**: what the device gave back on each queue, in order: used.len, status, and how far used_event was from the index, which says whether
  the driver had asked for this interrupt.
* **heads**: the descriptor each chain begins with. It depends on which chains had come back by then, so it is compared as long as chains were
  exposed and used in the same order in all sections so far.
* **interrupts**: how often the line rose, how often it was served (InterruptStatus read, same value acknowledged). Completions that fall
  into one service share an interrupt, so where messages are flushed (more than one element used at a time) the count may differ
  by those. Services that find InterruptStatus 0 are left out: QEMU takes any access to the window as end of interrupt and may deliver one more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from hil.recordings.records import (
    Access,
    Exposed,
    Interrupt,
    Record,
    Recording,
    Used,
    register_name,
    request_name,
)
from virtone.virtio import mmio, snd

_STATUS, _ACK = int(mmio.VIRTIO_MMIO_INTERRUPT_STATUS), int(mmio.VIRTIO_MMIO_INTERRUPT_ACK)
_ADDRESSES = range(int(mmio.VIRTIO_MMIO_QUEUE_DESC_LOW), int(mmio.VIRTIO_MMIO_QUEUE_USED_HIGH) + 1)
_QUEUES = ("controlq", "eventq", "txq", "rxq")


def differences(linux: Recording, reference: Recording) -> list[str]:
    """Empty if they agree. One line for the first difference of each kind in each section."""
    ours, theirs = reference.sections(), linux.sections()
    found = [f"section {name!r} is only in one of them" for name in theirs.keys() ^ ours.keys()]
    same_order = [True] * len(_QUEUES)
    for name, records in theirs.items():
        if name in ours:
            found += [f"{name}: {what}" for what in _section(records, ours[name], same_order)]
    return found


def _section(linux: Sequence[Record], ours: Sequence[Record], same_order: list[bool]) -> Iterator[str]:
    yield from _first("story", list(story(linux)), list(story(ours)))
    for queue, name in enumerate(_QUEUES):
        yield from _first(f"used, {name}", _used(linux, queue), _used(ours, queue))
        mine, other = _heads(ours, queue), _heads(linux, queue)
        same_order[queue] &= [kind for kind, _ in mine] == [kind for kind, _ in other]
        if same_order[queue]:
            yield from _first(f"heads, {name}", other, mine)
    yield from _interrupts(linux, ours)


def _first(what: str, linux: Sequence[object], ours: Sequence[object]) -> Iterator[str]:
    for at, (theirs, mine) in enumerate(zip_longest(linux, ours, fillvalue="nothing")):
        if theirs != mine:
            yield f"{what} {at}: Linux has {theirs}, the reference driver {mine}"
            return


def outline(records: Sequence[Record]) -> list[str]:
    """The story without what memory and the user's timing decide: txq chains in a row count as one, of any shape."""
    found: list[str] = []
    for step in story(records):
        shown = "txq: chains" if step.startswith("txq:") else step
        if not found or shown != found[-1] or shown != "txq: chains":
            found.append(shown)
    return found


# -- views ------------------------------------------------------------------------------------------------------------
def story(records: Sequence[Record]) -> Iterator[str]:
    """What the driver did by itself, in order, one text a step."""
    for record in records:
        match record:
            case Access(write, offset, _, value) if offset not in (_STATUS, _ACK):
                shown = "address" if offset in _ADDRESSES else f"{value:#x}"
                yield f"{'write' if write else 'read'} {register_name(offset)} {shown} ({record.size} bytes)"
            case Exposed(queue, _, indirect, segments, content):
                shape = " ".join(f"{s.length}{'w' if s.writable else 'r'}" for s in segments)
                name = request_name(content) if queue == snd.VIRTIO_SND_VQ_CONTROL else "chain"
                form = "indirect" if indirect else "direct"
                yield f"{_QUEUES[queue]}: {name} {content.hex()} {form} [{shape}]"


def _used(records: Sequence[Record], queue: int) -> list[str]:
    return [
        f"len {r.length}, status {'-' if r.status is None else hex(r.status)}, used_event {r.event:+d}"
        for r in records
        if isinstance(r, Used) and r.queue == queue
    ]


def _heads(records: Sequence[Record], queue: int) -> list[tuple[str, int]]:
    return [
        ("exposed" if isinstance(r, Exposed) else "used", r.head)
        for r in records
        if isinstance(r, (Exposed, Used)) and r.queue == queue
    ]


def _interrupts(linux: Sequence[Record], ours: Sequence[Record]) -> Iterator[str]:
    raised = [sum(isinstance(r, Interrupt) for r in records) for records in (linux, ours)]
    served = [_services(records) for records in (linux, ours)]
    for who, services in zip(("Linux", "the reference driver"), served, strict=True):
        if services is None:
            yield f"interrupts: {who} does not acknowledge what InterruptStatus said right after reading it"
            return
    slack = max(_shared(linux), _shared(ours))
    for what, (theirs, mine) in (("raised", raised), ("served", served)):
        if abs(theirs - mine) > slack:
            yield f"interrupts {what}: Linux {theirs}, the reference driver {mine}, timing explains {slack}"


def _services(records: Sequence[Record]) -> int | None:
    """Services that found something; None if one did not acknowledge it at once."""
    accesses = [r for r in records if isinstance(r, Access)]
    count = 0
    for at, access in enumerate(accesses):
        if access.offset == _STATUS:
            if at + 1 == len(accesses) or accesses[at + 1] != Access(True, _ACK, 4, access.value):
                return None
            count += access.value != 0
        elif access.offset == _ACK and (at == 0 or accesses[at - 1].offset != _STATUS):
            return None
    return count


def _shared(records: Sequence[Record]) -> int:
    """Used elements without an interrupt of their own: the line was high already, or the driver was still serving."""
    return max(0, sum(isinstance(r, Used) for r in records) - sum(isinstance(r, Interrupt) for r in records))
