# SPDX-License-Identifier: Apache-2.0
"""The declaration kit of the wire, part two: little-endian structures, unions and arrays.

Promise: a structure can be packed, unpacked and walked. A bad value raises `WireError`, whose message
names the structure, the field, the value and the range.

User's duty: give every structure the name of its header and the section that defines it. A structure is
laid out exactly as its fields are listed; a field that would not lie on its natural alignment is refused,
so that padding is always written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from virtone.virtio.wire import WireError, suggest


class Record(SimpleNamespace):
    """An unpacked structure: one attribute a field. `raw` bytes are kept for a union."""

    def __getitem__(self, name: str) -> Any:
        return vars(self)[name]


class UnionRecord(Record):
    """An unpacked union: every member as read from the same bytes; packs back to those bytes."""

    def __init__(self, raw: bytes, **members: Any) -> None:
        super().__init__(**members)
        self.__dict__["_raw"] = raw


@dataclass(frozen=True)
class Int:
    """Unsigned little-endian integer of 1, 2, 4 or 8 bytes."""

    size: int

    @property
    def align(self) -> int:
        return self.size

    @property
    def spelling(self) -> str:
        return "u8" if self.size == 1 else f"le{8 * self.size}"

    def encode(self, value: Any, where: str) -> bytes:
        top = (1 << 8 * self.size) - 1
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise WireError(f"{where}: {value!r} is not an integer ({self.spelling} takes 0..{top})")
        number = value.__index__()
        if not 0 <= number <= top:
            raise WireError(f"{where}: {number} is out of range ({self.spelling} takes 0..{top})")
        return number.to_bytes(self.size, "little")

    def decode(self, data: memoryview) -> int:
        return int.from_bytes(data[: self.size], "little")


u8, le16, le32, le64 = Int(1), Int(2), Int(4), Int(8)


@dataclass(frozen=True)
class Array:
    """`count` items of one type; count None is a flexible array, only as the last field.

    Given shorter than `count`, the rest is zero. u8 arrays unpack to bytes, others to tuples.
    """

    item: Any
    count: int | None

    @property
    def size(self) -> int:
        return self.item.size * (self.count or 0)

    @property
    def align(self) -> int:
        return self.item.align

    @property
    def spelling(self) -> str:
        return f"{self.item.spelling}[{'' if self.count is None else self.count}]"

    def encode(self, value: Any, where: str) -> bytes:
        if isinstance(value, (str, Mapping)) or not isinstance(value, (Sequence, bytearray, memoryview)):
            raise WireError(f"{where}: {value!r} is not a sequence ({self.spelling})")
        if self.count is not None and len(value) > self.count:
            raise WireError(f"{where}: {len(value)} items are too many ({self.spelling} takes at most {self.count})")
        data = b"".join(self.item.encode(item, f"{where}[{index}]") for index, item in enumerate(value))
        return data.ljust(self.size, b"\0")

    def decode(self, data: memoryview) -> Any:
        step = self.item.size
        count = len(data) // step if self.count is None else self.count
        if self.item == u8:
            return bytes(data[:count])
        return tuple(self.item.decode(data[index * step : (index + 1) * step]) for index in range(count))


@dataclass(frozen=True)
class Pad:
    """Bytes that a compiler inserts and no header names: written 0, not read."""

    size: int
    align = 1
    spelling = "(compiler padding)"


@dataclass(frozen=True)
class Field:
    """One member of a structure or union: its place and what it holds."""

    name: str
    type: Any
    offset: int
    doc: str = ""


class Struct:
    """A structure of the wire. `size` is what sizeof gives (without a flexible last array).

    `fields` are given as (name, type[, doc]); a `Pad` has the name "". Iterating gives `Field`s.
    """

    union = False

    def __init__(
        self, name: str, section: str, header: str | None, fields: Sequence[tuple[Any, ...]], *, doc: str = ""
    ) -> None:
        self.name, self.section, self.header, self.doc = name, section, header, doc
        placed, end, self.align = [], 0, 1
        for label, kind, *text in fields:
            offset = 0 if self.union else end
            if offset % kind.align:
                raise WireError(
                    f"{name}.{label}: offset {offset} is not aligned to {kind.align}; write the padding down"
                )
            placed.append(Field(label, kind, offset, *text))
            self.align = max(self.align, kind.align)
            end = max(end, offset + kind.size)
        if end % self.align:
            raise WireError(
                f"{name}: size {end} is not a multiple of its alignment {self.align}; write the padding down"
            )
        self.size = end
        self.fields = tuple(placed)
        self.named = {field.name: field for field in placed if field.name}

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __repr__(self) -> str:
        return f"<{'union' if self.union else 'struct'} {self.name}, {self.size} bytes>"

    @property
    def spelling(self) -> str:
        return f"struct {self.name}"

    def leaves(self, prefix: str = "", base: int = 0) -> Iterator[tuple[str, int, Any]]:
        """Every named field, nested ones after the field that holds them: (dotted path, offset, type)."""
        for field in self.fields:
            if field.name:
                path = prefix + field.name
                yield path, base + field.offset, field.type
                if isinstance(field.type, Struct):
                    yield from field.type.leaves(path + ".", base + field.offset)

    def offset(self, path: str) -> int:
        """Byte offset of a field given as a dotted path (`hdr.stream_id`)."""
        for found, offset, _ in self.leaves():
            if found == path:
                return offset
        raise WireError(f"{self.name} has no field {path!r}{suggest(path, [leaf for leaf, _, _ in self.leaves()])}")

    def pack(self, **values: Any) -> bytes:
        """Bytes of the structure. Every field must be given, but padding; a field that is itself a
        structure takes a mapping, a `Record`, bytes, or, if it has a single field, that field's value."""
        return self.encode(values, self.name)

    def unpack(self, data: Any) -> Record:
        """Fields of exactly `size` bytes (any buffer); a flexible last array takes what follows them."""
        view = memoryview(data).cast("B")
        flexible = self.fields and isinstance(self.fields[-1].type, Array) and self.fields[-1].type.count is None
        if len(view) < self.size or (len(view) > self.size and not flexible):
            raise WireError(
                f"{self.name}: {len(view)} bytes given, it has {'at least ' if flexible else ''}{self.size}"
            )
        return self.decode(view)

    def unpack_from(self, data: Any, offset: int = 0) -> Record:
        """As `unpack`, from the `size` bytes at `offset` of a longer buffer."""
        return self.unpack(memoryview(data).cast("B")[offset : offset + self.size])

    def encode(self, value: Any, where: str) -> bytes:
        if isinstance(value, (bytes, bytearray, memoryview)):
            if len(value) != self.size:
                raise WireError(f"{where}: {len(value)} bytes given, {self.name} has {self.size}")
            return bytes(value)
        if isinstance(value, UnionRecord) and self.union:
            return vars(value)["_raw"]
        if isinstance(value, Record):
            value = vars(value)
        elif not isinstance(value, Mapping):
            if len(self.named) != 1:
                raise WireError(f"{where}: {value!r} is not a mapping of {', '.join(self.named)}")
            value = {next(iter(self.named)): value}
        for name in value:
            if name not in self.named:
                raise WireError(f"{where} has no field {name!r}{suggest(name, self.named)}")
        return self._join(value, where)

    def _join(self, value: Mapping[str, Any], where: str) -> bytes:
        parts = []
        for field in self.fields:
            if field.name in value:
                parts.append(field.type.encode(value[field.name], f"{where}.{field.name}"))
            elif field.name in ("", "padding", "pad"):
                parts.append(bytes(field.type.size))
            else:
                raise WireError(f"{where}.{field.name}: no value given ({field.type.spelling})")
        return b"".join(parts)

    def decode(self, data: memoryview) -> Record:
        return Record(**{field.name: field.type.decode(data[field.offset :]) for field in self.fields if field.name})


class Union(Struct):
    """All members at offset 0. Pack with exactly one member given; the rest of the bytes is zero."""

    union = True

    def _join(self, value: Mapping[str, Any], where: str) -> bytes:
        if len(value) != 1:
            raise WireError(f"{where}: give exactly one of {', '.join(self.named)}, not {len(value)}")
        name, item = next(iter(value.items()))
        return self.named[name].type.encode(item, f"{where}.{name}").ljust(self.size, b"\0")

    def decode(self, data: memoryview) -> Record:
        raw = bytes(data[: self.size])
        members = {field.name: field.type.decode(memoryview(raw)) for field in self.fields}
        return UnionRecord(raw, **members)
