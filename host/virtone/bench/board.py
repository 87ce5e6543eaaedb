# SPDX-License-Identifier: Apache-2.0
"""The board behind the console: the verbs of `sndprobe`, the program that plays on it.

Promises: arguments arrive as they are given (a value that the console could not carry is refused here); records come back as
dictionaries in the order printed.
Its user has reached the prompt. Which options a verb takes is the board's business; they are passed on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from .console import Console, Record
from .errors import CommandFailed

WORD = re.compile(r"[A-Za-z0-9_./:,+@%=-]+")


class Board:
    """One board."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def probe(
        self, verb: str, *arguments: object, timeout_s: float | None = None,
        on_record: Callable[[Record], None] | None = None, **options: object,
    ) -> list[Record]:  # fmt: skip
        """`sndprobe VERB ARGUMENTS --option value ...`; underscores in option names become dashes, None leaves one out."""
        words = ["sndprobe", verb, *map(_word, arguments)]
        for name, value in options.items():
            if value is not None:
                words += [f"--{name.replace('_', '-')}", _word(value)]
        return self.console.run_records(" ".join(words), timeout_s, on_record)

    def version(self) -> Record:
        """What `sndprobe` and the system say they are."""
        return self._one("version")

    def info(self) -> Record:
        """What the device offers."""
        return self._one("info")

    def put(self, name: str, data: bytes | Path, timeout_s: float | None = None) -> None:
        """Copy a file to the board, checked by its sha256."""
        content = data.read_bytes() if isinstance(data, Path) else data
        self.console.upload(f"sndprobe put {_word(name)}", content, timeout_s)

    def play(
        self, timeout_s: float | None = None, on_record: Callable[[Record], None] | None = None, **options: object
    ) -> list[Record]:
        """`sndprobe play --rate R --format F --channels C --period FRAMES --periods N --policy P --source ...`."""
        return self.probe("play", timeout_s=timeout_s, on_record=on_record, **options)

    def _one(self, verb: str) -> Record:
        records = self.probe(verb)
        if len(records) != 1:
            raise CommandFailed(
                f"{self.console.line.port}: 'sndprobe {verb}' printed {len(records)} records; right is 1"
            )
        return records[0]


def _word(value: object) -> str:
    text = str(value)
    if not WORD.fullmatch(text):
        raise ValueError(
            f"argument {text!r} cannot go over the console; right are letters, digits and _./:,+@%=- without spaces"
        )
    return text
