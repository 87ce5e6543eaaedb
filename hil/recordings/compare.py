# SPDX-License-Identifier: Apache-2.0
"""Two recordings held against each other: what must be equal, and what timing may make different.

Compared in each section, Linux' recording against the reference driver's:

* **story**: everything the driver does by itself, in one order: register accesses with their values, chains with their form, segment
  lengths and contents, notifications with the index they carry. Left out: addresses (memory is each driver's own), heads
  (below), the interrupt service (below), and the notification of the request after a STOP: nobody waits for the STOP, so whether the
  device still looks at the queue by itself then (EVENT_IDX) is a matter of how fast the processor is.
* **used**: what the device gave back on each queue, in order: used.len, status, and how far used_event was from the index, which says whether
  the driver had asked for this interrupt. The last one only if the driver had collected everything that was used before: else it
  had not been there to ask.
* **heads**: the descriptor each chain begins with. It depends on which chains had come back by then, so it is compared as long as chains were
  exposed and used in the same order in all sections so far, and none was exposed while a used one waited to be collected.
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
_NOTIFY = int(mmio.VIRTIO_MMIO_QUEUE_NOTIFY)
_NOT_WAITED_FOR = "VIRTIO_SND_R_PCM_STOP"
_HURRIED = "exposed before a used one was collected"
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
        theirs, mine = _used(linux, queue), _used(ours, queue)
        yield from _first(f"used, {name}", [shown for shown, _ in theirs], [shown for shown, _ in mine])
        both = [(a, b) for (_, a), (_, b) in zip(theirs, mine, strict=False) if a and b]
        yield from _first(f"used_event, {name}", [a for a, _ in both], [b for _, b in both])
        heads, our_heads = _heads(linux, queue), _heads(ours, queue)
        same_order[queue] &= [step for step, _ in heads] == [step for step, _ in our_heads]
        same_order[queue] &= all(step != _HURRIED for step, _ in heads)
        if same_order[queue]:
            yield from _first(f"heads, {name}", heads, our_heads)
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
    request = before = ""  # the last ones on the controlq
    for record in records:
        match record:
            case Access(True, offset, _, value) if (
                offset == _NOTIFY and value & 0xFFFF == snd.VIRTIO_SND_VQ_CONTROL and before == _NOT_WAITED_FOR
            ):
                continue
            case Access(write, offset, _, value) if offset not in (_STATUS, _ACK):
                shown = "address" if offset in _ADDRESSES else f"{value:#x}"
                yield f"{'write' if write else 'read'} {register_name(offset)} {shown} ({record.size} bytes)"
            case Exposed(queue, _, indirect, segments, content):
                shape = " ".join(f"{s.length}{'w' if s.writable else 'r'}" for s in segments)
                name = request_name(content) if queue == snd.VIRTIO_SND_VQ_CONTROL else "chain"
                form = "indirect" if indirect else "direct"
                if queue == snd.VIRTIO_SND_VQ_CONTROL:
                    request, before = name, request
                yield f"{_QUEUES[queue]}: {name} {content.hex()} {form} [{shape}]"


def _collecting(records: Sequence[Record], queue: int) -> Iterator[tuple[Exposed | Used, bool]]:
    """Records of one queue, and whether the driver had collected everything used before: an interrupt service collects all."""
    waiting = False
    for record in records:
        if isinstance(record, Access) and record.offset == _STATUS:
            waiting = False
        elif isinstance(record, (Exposed, Used)) and record.queue == queue:
            yield record, not waiting
            waiting |= isinstance(record, Used)


def _used(records: Sequence[Record], queue: int) -> list[tuple[str, str]]:
    """used.len and status; used_event, or nothing where it says nothing."""
    return [
        (f"len {r.length}, status {'-' if r.status is None else hex(r.status)}", f"{r.event:+d}" if collected else "")
        for r, collected in _collecting(records, queue)
        if isinstance(r, Used)
    ]


def _heads(records: Sequence[Record], queue: int) -> list[tuple[str, int]]:
    return [
        ("used" if isinstance(r, Used) else "exposed" if collected else _HURRIED, r.head)
        for r, collected in _collecting(records, queue)
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
