# SPDX-License-Identifier: Apache-2.0
"""A recording of driver traffic, and the text it is kept as.

One line a record, in the order in which the device saw it:

    = NAME                       section: what follows belongs to this user action
    r OFFSET SIZE VALUE          register read (hexadecimal offset and value, size in bytes)
    w OFFSET SIZE VALUE          register write
    a QUEUE HEAD FORM SEGMENT... chain exposed. FORM: d (direct) or i (indirect). A SEGMENT is its length in bytes and r (device-readable)
                                 or w (device-writable), for payload with its guest-physical address before it, `40213000+1920r`.
                                 `; HEX` gives the first readable bytes, a request whole. HEAD may be a range, `0..1023`
    u QUEUE HEAD LENGTH STATUS EVENT   used element: used.len, status code (- if none), used_event minus used index, as signed 16 bits
    i BITS                       the interrupt line rose; InterruptStatus

Lines that begin with `#` are the head, `# key: value`. Promise: `parse(text(recording))` is the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from virtone.virtio import mmio, snd


class Section(NamedTuple):
    name: str


class Access(NamedTuple):
    write: bool
    offset: int
    size: int
    value: int


class Segment(NamedTuple):
    """`address` is 0 where it does not matter: everywhere but in the payload of a tx message."""

    length: int
    writable: bool
    address: int = 0


class Exposed(NamedTuple):
    """`content`: the first readable bytes, all of them on the controlq."""

    queue: int
    head: int
    indirect: bool
    segments: tuple[Segment, ...]
    content: bytes


class Used(NamedTuple):
    """`event`: used_event minus the used index after this element, as a signed 16-bit number."""

    queue: int
    head: int
    length: int
    status: int | None
    event: int


class Interrupt(NamedTuple):
    bits: int


Record = Section | Access | Exposed | Used | Interrupt


class RecordingError(ValueError):
    """A recording that cannot be read, or in which something is missing."""


@dataclass
class Recording:
    head: dict[str, str] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def sections(self) -> dict[str, list[Record]]:
        """Records by section. RecordingError for a section that comes twice or records before the first one."""
        found: dict[str, list[Record]] = {}
        inside: list[Record] | None = None
        for record in self.records:
            if isinstance(record, Section):
                if record.name in found:
                    raise RecordingError(f"section {record.name!r} comes twice")
                inside = found[record.name] = []
            elif inside is None:
                raise RecordingError("the first record must be a section (`= NAME`)")
            else:
                inside.append(record)
        return found

    def until(self, last: str) -> Recording:
        """The recording up to the end of section `last`."""
        kept: list[Record] = []
        seen = False
        for record in self.records:
            if isinstance(record, Section):
                if seen:
                    break
                seen = record.name == last
            kept.append(record)
        return Recording(self.head, kept)


def text(recording: Recording) -> str:
    lines = [f"# {key}: {value}" for key, value in recording.head.items()]
    return "\n".join([*lines, *map(_line, _ranges(recording.records))]) + "\n"


def load(file: Path) -> Recording:
    return parse(file.read_text(), file.name)


def parse(content: str, name: str = "recording") -> Recording:
    """RecordingError names the line that cannot be read."""
    recording = Recording()
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            if line.startswith("#"):
                key, value = line[1:].split(":", 1)
                recording.head[key.strip()] = value.strip()
            elif line.strip():
                recording.records += _records(line)
        except (ValueError, IndexError) as error:
            raise RecordingError(f"{name}, line {number}: {line!r} cannot be read ({error})") from None
    return recording


# -- lines ------------------------------------------------------------------------------------------------------------
def _ranges(records: list[Record]) -> Iterator[tuple[Record, int]]:
    """Each record with the last head of the run of equal chains it begins (its own head for a single one)."""
    at = 0
    while at < len(records):
        first, last = records[at], at
        if isinstance(first, Exposed):
            while last + 1 < len(records) and records[last + 1] == first._replace(head=first.head + last + 1 - at):
                last += 1
        yield first, getattr(first, "head", 0) + last - at
        at = last + 1


def _line(item: tuple[Record, int]) -> str:
    record, last = item
    match record:
        case Section(name):
            return f"= {name}"
        case Access(write, offset, size, value):
            return f"{'w' if write else 'r'} {offset:03x} {size} {value:0{2 * size}x}"
        case Exposed(queue, head, indirect, segments, content):
            heads = f"{head}..{last}" if last != head else str(head)
            said = f" ; {content.hex()}" if content else ""
            return f"a {queue} {heads} {'i' if indirect else 'd'} {' '.join(map(_segment, segments))}{said}"
        case Used(queue, head, length, status, event):
            return f"u {queue} {head} {length} {'-' if status is None else f'{status:04x}'} {event}"
        case Interrupt(bits):
            return f"i {bits}"


def _segment(segment: Segment) -> str:
    address = f"{segment.address:08x}+" if segment.address else ""
    return f"{address}{segment.length}{'w' if segment.writable else 'r'}"


def _records(line: str) -> list[Record]:
    kind, *words = line.split()
    if kind == "=":
        return [Section(words[0])]
    if kind in "rw":
        return [Access(kind == "w", int(words[0], 16), int(words[1]), int(words[2], 16))]
    if kind == "a":
        content = bytes.fromhex(words.pop()) if ";" in words else b""
        segments = tuple(map(_parse_segment, (word for word in words[3:] if word != ";")))
        first, _, last = words[1].partition("..")
        if words[2] not in "di" or not segments:
            raise ValueError("right is d or i, then segments")
        return [
            Exposed(int(words[0]), head, words[2] == "i", segments, content)
            for head in range(int(first), int(last or first) + 1)
        ]
    if kind == "u":
        status = None if words[3] == "-" else int(words[3], 16)
        return [Used(int(words[0]), int(words[1]), int(words[2]), status, int(words[4]))]
    if kind == "i":
        return [Interrupt(int(words[0]))]
    raise ValueError("a line begins with =, r, w, a, u, i or #")


def _parse_segment(word: str) -> Segment:
    address, _, size = word.rpartition("+")
    if size[-1] not in "rw":
        raise ValueError(f"segment {word!r}")
    return Segment(int(size[:-1]), size[-1] == "w", int(address, 16) if address else 0)


# -- names for messages -----------------------------------------------------------------------------------------------
def register_name(offset: int) -> str:
    if offset >= mmio.VIRTIO_MMIO_CONFIG:
        return f"config+{offset - mmio.VIRTIO_MMIO_CONFIG:#x}"
    names = [register.name for register in mmio.REGISTERS if int(register) == offset]
    return names[0].removeprefix("VIRTIO_MMIO_") if names else f"{offset:#05x}"


def request_name(content: bytes) -> str:
    return snd.REQUESTS.name_of(int.from_bytes(content[:4], "little"))
