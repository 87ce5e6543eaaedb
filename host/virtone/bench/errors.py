# SPDX-License-Identifier: Apache-2.0
"""What can go wrong on a bench, by name. Every message says which part, what was asked, how long it was waited, and what to do."""

from __future__ import annotations


class BenchError(Exception):
    """Base of all of them: catch this to end with one line."""


class ConfigError(BenchError):
    """A bench file that cannot be used."""

    def __init__(self, file: object, key: str, value: object, right: str) -> None:
        self.file, self.key, self.value, self.right = file, key, value, right
        where = f"{file}: {key}" if key else f"{file}"
        super().__init__(f"{where}: {value}; {right}")


class InstrumentError(BenchError):
    """A conversation with an instrument failed."""

    what = "failed"
    todo = ""

    def __init__(self, resource: str, command: str = "", waited_s: float | None = None, detail: str = "") -> None:
        self.resource, self.command, self.waited_s, self.detail = resource, command, waited_s, detail
        parts = [f"{resource}: {self.what}"]
        if command:
            parts.append(f" {'' if self.what.endswith('to') else 'at '}{command!r}")
        if waited_s is not None:
            parts.append(f" (waited {waited_s:.1f} s)")
        if detail:
            parts.append(f": {detail}")
        if self.todo:
            parts.append(f"; {self.todo}")
        super().__init__("".join(parts))


class InstrumentLost(InstrumentError):
    """Nobody there, or the connection broke."""

    what = "connection lost"
    todo = "check that it is switched on and its address is right, then run it again"


class InstrumentMissing(InstrumentLost):
    """There was no connection in the first place."""

    what = "cannot be opened"


class InstrumentTimeout(InstrumentError):
    """No answer in time."""

    what = "no answer to"
    todo = "check that the instrument is not busy or in a menu, or raise timeout_s in the bench file"


class TruncatedBlock(InstrumentError):
    """A binary block was shorter than it announced."""

    what = "truncated data block in answer to"
    todo = "the record was dropped; check the cable or network, then take it again"


class WrongInstrument(InstrumentError):
    """Another instrument than the bench file says."""

    what = "wrong instrument"
    todo = "correct resource, driver or serial in the bench file"


class InstrumentRefused(InstrumentError):
    """The instrument put errors into its queue."""

    what = "refused"
    todo = "the driver and the instrument's firmware do not agree; see the programmer's guide"


class BadAnswer(InstrumentError):
    """An answer that is not what the command's documentation promises."""

    what = "unusable answer to"
    todo = "clear the instrument and run it again"


class NoTrigger(InstrumentError):
    """Armed, but no trigger came."""

    what = "no trigger"
    todo = "check the marker's cable and the trigger level; did the board play at all?"


class ConsoleError(BenchError):
    """A conversation with the board failed."""


class ConsoleLost(ConsoleError):
    """The console's port cannot be opened or has gone."""


class ConsoleTimeout(ConsoleError):
    """No prompt in time."""


class CommandFailed(ConsoleError):
    """The board answered with an error. `status`: what its program ended with, where it said so."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class BoardPanicked(ConsoleError):
    """The board's kernel gave up."""


class VirtualBenchError(BenchError):
    """The virtual bench did not start, or died."""
