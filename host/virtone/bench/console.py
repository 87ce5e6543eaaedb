# SPDX-License-Identifier: Apache-2.0
"""The board's console: reach the prompt, run a command, collect what it says.

Promises: a command is over when the prompt stands at the start of a line and nothing follows it; the echo is taken away;
`run_records` returns the JSON objects of a command, and raises `CommandFailed` for an `error:` line or a final status other
than 0, `BoardPanicked` when its kernel gives up; every wait is bounded and its error shows the last line seen.
Its user hands over an open line (`transport.SerialLine`, or anything with read, write and close) and calls `reach_prompt` once.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from typing import Any, Protocol

from .errors import BoardPanicked, CommandFailed, ConsoleTimeout

UPLOAD_LINE = 768  # bytes of a file per line; 1024 characters of base64 stay below the 4096 of a canonical tty line
ERROR = "error: "
PANIC = "Kernel panic - not syncing"  # kernel/panic.c
PANIC_LINE_S = 0.5
ECHO_S = 2.0
Record = dict[str, Any]


class ByteLine(Protocol):
    """A serial line."""

    port: str

    def read(self, timeout_s: float) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class Console:
    """A prompt and what stands behind it. `log`, if given, receives all text in both directions."""

    def __init__(
        self,
        line: ByteLine,
        prompt: str = "virtone# ",
        timeout_s: float = 10.0,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.line, self.prompt, self.timeout_s, self._log = line, prompt, timeout_s, log
        self._text = ""

    def close(self) -> None:
        self.line.close()

    def reach_prompt(self, timeout_s: float | None = None) -> None:
        """Break off whatever runs (Ctrl-C), press return until the prompt comes, and have a remark echoed: what comes after its prompt is not an
        answer to anything before. ConsoleTimeout.
        """
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        self._text = ""
        self._write(b"\x03\n")
        asked = time.monotonic()
        while not self._at_prompt():
            if time.monotonic() > deadline:
                raise self._late("the prompt", self.timeout_s if timeout_s is None else timeout_s)
            if time.monotonic() - asked > 1.0:
                self._write(b"\n")
                asked = time.monotonic()
            self._receive(min(0.2, max(0.0, deadline - time.monotonic())))
        remark = f"# {secrets.token_hex(4)}"
        self._text = ""
        self._write(remark.encode() + b"\n")
        asked = time.monotonic()
        while not (remark in self._text and self._at_prompt()):
            if time.monotonic() - asked > ECHO_S and self._at_prompt():
                break  # a line without an echo
            if time.monotonic() > deadline:
                raise self._late(f"the prompt after {remark!r}", self.timeout_s if timeout_s is None else timeout_s)
            self._receive(min(0.2, max(0.0, deadline - time.monotonic())))
        self._text = ""

    def run(
        self, command: str, timeout_s: float | None = None, on_line: Callable[[str], None] | None = None
    ) -> list[str]:
        """Run a command; returns its lines without echo and prompt. CommandFailed for an `error:` line, ConsoleTimeout."""
        if "\n" in command or "\r" in command:
            raise ValueError(f"command {command!r} has a line break; right is one line")
        self._text = ""
        self._write(command.encode() + b"\n")
        return self._finish(command, timeout_s, on_line)

    def run_records(
        self, command: str, timeout_s: float | None = None, on_record: Callable[[Record], None] | None = None
    ) -> list[Record]:
        """Run a command that prints JSON objects, the last one `{"done": true, "status": 0}`; returns those before it."""
        return self._records(command, self.run(command, timeout_s, _record_hook(on_record)))

    def upload(self, command: str, data: bytes, timeout_s: float | None = None) -> list[Record]:
        """Run `command SIZE SHA256` and send the bytes as lines of base64, an empty line ends them."""
        command = f"{command} {len(data)} {hashlib.sha256(data).hexdigest()}"
        self._text = ""
        self._write(command.encode() + b"\n")
        for begin in range(0, len(data), UPLOAD_LINE):
            self._write(base64.b64encode(data[begin : begin + UPLOAD_LINE]) + b"\n")
            self._receive(0)  # echoes must not fill up the line
            if self._at_prompt():
                break  # refused: the rest would be taken for commands
        else:
            self._write(b"\n")
        return self._records(command, self._finish(command, timeout_s, None))

    # -- parts --------------------------------------------------------------------------------------------------------
    def _finish(self, command: str, timeout_s: float | None, on_line: Callable[[str], None] | None) -> list[str]:
        limit = self.timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + limit
        shown = 0
        while True:
            if on_line is not None:
                complete = self._text.split("\n")[:-1]
                for line in complete[shown:]:
                    on_line(line)
                shown = len(complete)
            if self._at_prompt():
                break
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._late(f"the end of {command[:80]!r}", limit)
            self._receive(min(0.2, left))
        lines = self._text.split("\n")[:-1]
        lines = [line for line in lines if line.strip() and line.strip() != command.strip()]
        for line in lines:
            if line.startswith(ERROR):
                raise CommandFailed(f"{self.line.port}: {command[:120]!r} failed: {line.removeprefix(ERROR)}")
        return lines

    def _records(self, command: str, lines: list[str]) -> list[Record]:
        records = []
        for line in lines:
            if not line.startswith("{"):
                continue  # kernel messages, or echoes of an upload
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise CommandFailed(
                    f"{self.line.port}: {command[:120]!r} printed {line[:120]!r}, which is no JSON ({error})"
                ) from None
        if not records or records[-1].get("done") is not True:
            last = lines[-1][:120] if lines else ""
            raise CommandFailed(
                f'{self.line.port}: {command[:120]!r} ended without {{"done": true}}; its last line is {last!r}'
            )
        done = records.pop()
        if done.get("status") != 0:
            raise CommandFailed(
                f"{self.line.port}: {command[:120]!r} ended with status {done.get('status')}: {done.get('error', 'no reason given')}"
            )
        return records

    def _at_prompt(self) -> bool:
        """At the start of a line, and nothing after it. (The echo of a command follows a prompt that is gone already.)"""
        return ("\n" + self._text).endswith("\n" + self.prompt)

    def _receive(self, timeout_s: float) -> None:
        data = self.line.read(timeout_s).decode("utf-8", "replace").replace("\r", "")
        self._text += data
        if data and self._log:
            self._log(data)
        if PANIC in self._text:
            said = self._rest_of_line(self._text[self._text.index(PANIC) :])
            raise BoardPanicked(
                f"{self.line.port}: the board's kernel panicked: {said[:200]!r}; what it said before is on its console"
            )

    def _rest_of_line(self, text: str) -> str:
        """With what still comes of it within half a second."""
        deadline = time.monotonic() + PANIC_LINE_S
        while "\n" not in text and time.monotonic() < deadline:
            text += self.line.read(0.05).decode("utf-8", "replace").replace("\r", "")
        return text.split("\n")[0]

    def _write(self, data: bytes) -> None:
        self.line.write(data)

    def _late(self, what: str, waited_s: float) -> ConsoleTimeout:
        last = next((line for line in reversed(self._text.split("\n")) if line.strip()), "")
        heard = f"the last line is {last[:160]!r}" if last else "nothing was heard"
        return ConsoleTimeout(
            f"{self.line.port}: waited {waited_s:.1f} s for {what}; {heard}; check that the board runs and its console is free"
        )


def _record_hook(on_record: Callable[[Record], None] | None) -> Callable[[str], None] | None:
    if on_record is None:
        return None

    def hook(line: str) -> None:
        if line.startswith("{"):
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                return  # reported at the end
            if "done" not in record:
                on_record(record)

    return hook
