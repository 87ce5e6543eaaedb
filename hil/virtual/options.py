# SPDX-License-Identifier: Apache-2.0
"""Options of board commands: `--name value` words against a table.

Promise: `parse` returns a value for every option of the table, or raises OptionError with one message: which option, what it
was, what would be right.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class OptionError(Exception):
    """A command line that cannot be obeyed."""


@dataclass(frozen=True)
class Option:
    """One option: type, default (None: must be given), range or choices."""

    kind: type
    default: Any = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False

    @property
    def right(self) -> str:
        """What would be right, in words."""
        if self.choices:
            return " or ".join(self.choices)
        what = {int: "a whole number", float: "a number", str: "a word"}[self.kind]
        if self.low is not None and self.high is not None:
            return f"{what} from {self.low:g} to {self.high:g}"
        return f"{what} of at least {self.low:g}" if self.low is not None else what

    def convert(self, name: str, text: str) -> Any:
        try:
            value = self.kind(text)
        except ValueError:
            raise OptionError(f"--{name} is {text!r}; right is {self.right}") from None
        below = self.low is not None and value < self.low
        above = self.high is not None and value > self.high
        if below or above or (self.choices and value not in self.choices) or value != value:
            raise OptionError(f"--{name} is {text}; right is {self.right}")
        return value


def parse(words: Sequence[str], table: Mapping[str, Option]) -> dict[str, Any]:
    """`--some-name value ...` to {"some_name": value}. A value may begin with a minus sign."""
    found: dict[str, Any] = {}
    for place in range(0, len(words), 2):
        name = words[place].removeprefix("--")
        if not words[place].startswith("--") or name not in table:
            near = difflib.get_close_matches(name, table, 1, 0.5)
            raise OptionError(
                f"option {words[place]!r} is unknown; "
                + (f"did you mean --{near[0]}? " if near else "")
                + f"right are {', '.join('--' + key for key in table) or 'none'}"
            )
        if name in found:
            raise OptionError(f"--{name} is given twice")
        if place + 1 == len(words):
            raise OptionError(f"--{name} has no value; right is {table[name].right}")
        found[name] = table[name].convert(name, words[place + 1])
    for name, option in table.items():
        if name not in found:
            if option.default is None and not option.optional:
                raise OptionError(f"--{name} is missing; right is {option.right}")
            found[name] = option.default
    return {name.replace("-", "_"): value for name, value in found.items()}
