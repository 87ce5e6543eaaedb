# SPDX-License-Identifier: Apache-2.0
"""The declaration kit of the wire, part one: named constants and groups of them (structures: `layout`).

Promise: what is declared can be walked, for generators and for the comparison with the kernel's headers.
User's duty: give every group the name of its header and the section that defines it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any


class WireError(ValueError):
    """A declaration, a value or a byte string does not fit the wire."""


def suggest(name: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` for the closest of `known`, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


class Const(int):
    """A named number. It is an `int`; `name`, `doc` and `radix` (10 or 16, for print) go with it."""

    name: str
    doc: str
    radix: int

    def __new__(cls, name: str, value: int, doc: str = "", *, radix: int = 10, **more: Any) -> Const:
        if not 0 <= value < 1 << 64:
            raise WireError(f"{name} = {value}: a constant is 0..2^64-1")
        self = super().__new__(cls, value)
        self.name, self.doc, self.radix = name, doc, radix
        for key, item in more.items():
            setattr(self, key, item)
        return self

    def __repr__(self) -> str:
        return f"{self.name} ({self.text})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (int, (int(self),))

    @property
    def text(self) -> str:
        """The value as documents print it."""
        return f"{int(self):#x}" if self.radix == 16 else str(int(self))


class Group:
    """Constants that belong together: an enumeration, a register map, a set of bit numbers.

    `section` is where the specification defines them; `header` is the kernel header that holds them
    (None: they are not in any). Iterating gives the constants in order of declaration.
    """

    def __init__(
        self,
        title: str,
        section: str,
        header: str | None,
        constants: Iterable[Const],
        *,
        prefix: str = "",
        doc: str = "",
    ) -> None:
        self.title, self.section, self.header, self.prefix, self.doc = title, section, header, prefix, doc
        self.constants = tuple(constants)
        self._by_name = {const.name: const for const in self.constants}
        if len(self._by_name) != len(self.constants):
            raise WireError(f"{title}: a name is declared twice")

    def __iter__(self) -> Iterator[Any]:
        return iter(self.constants)

    def __len__(self) -> int:
        return len(self.constants)

    def __getitem__(self, name: str) -> Any:
        """The constant by its full name, or by what follows the group's prefix (`FORMATS["S16"]`)."""
        found = self._by_name.get(name) or self._by_name.get(self.prefix + name)
        if found is None:
            short = [const.name.removeprefix(self.prefix) for const in self.constants]
            raise WireError(f"{self.title}: no {name!r}{suggest(name, [*self._by_name, *short])}")
        return found

    def of(self, value: int) -> Any:
        """The constant with this value; `WireError` if there is none."""
        for const in self.constants:
            if int(const) == value:
                return const
        raise WireError(f"{self.title}: no constant has the value {value} ({value:#x})")

    def name_of(self, value: int) -> str:
        """Name of a value, or the value in hex if it has none."""
        return next((const.name for const in self.constants if int(const) == value), f"{value:#x}")

    def short(self, value: int) -> str:
        """`name_of` without the group's prefix."""
        return self.name_of(value).removeprefix(self.prefix)

    def bits(self, mask: int) -> tuple[Any, ...]:
        """The constants (bit numbers) set in `mask`; `WireError` for a bit without a name."""
        return tuple(self.of(bit) for bit in range(mask.bit_length()) if mask >> bit & 1)

    def mask(self, names: Iterable[str | int]) -> int:
        """The bit map of names (full or short) or bit numbers."""
        numbers = (int(self[item]) if isinstance(item, str) else int(item) for item in names)
        return sum({1 << number for number in numbers})


def publish(module: MutableMapping[str, Any], *items: Any) -> None:
    """Make every constant of groups, and every structure, a name of the module (pass `globals()`)."""
    for item in items:
        for name, thing in ((c.name, c) for c in item) if isinstance(item, Group) else ((item.name, item),):
            if name in module:
                raise WireError(f"{name} is declared twice")
            module[name] = thing
