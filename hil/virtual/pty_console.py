# SPDX-License-Identifier: Apache-2.0
"""The board's serial console: the master side of a pseudo-terminal, read by a thread of its own.

Promises: `path` is what a serial library opens; bytes wait in order until they are taken, and `on_input` is called after each
arrival; Ctrl-C while nobody reads a line sets `interrupted` and drops what was typed before it; a reader that is not there
costs output (as on a real line), never time. When this process ends the other side sees the line hang up.
Its user takes bytes with `take` and assembles lines with `LineReader`.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading
import tty
from collections import deque
from collections.abc import Awaitable, Callable

from .playback import Interrupted

BREAK = 0x03
WRITE_PATIENCE_S = 2.0


class PtyConsole:
    """One console. `on_input` runs in the reading thread."""

    def __init__(self, on_input: Callable[[], None]) -> None:
        self._master, self._slave = pty.openpty()  # our own slave keeps the line up while nobody has it open
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._on_input = on_input
        self._chunks: deque[bytes] = deque()
        self._busy = threading.Event()  # a command runs: Ctrl-C is for it
        self._break = threading.Event()
        threading.Thread(target=self._read, name="console", daemon=True).start()

    def _read(self) -> None:
        while True:
            select.select([self._master], [], [])
            try:
                data = os.read(self._master, 65536)
            except BlockingIOError:
                continue
            except OSError:
                return
            if self._busy.is_set() and BREAK in data:
                self._break.set()
                self._chunks.clear()
                data = data[data.rindex(BREAK) + 1 :]
            if data:
                self._chunks.append(data)
            self._on_input()

    def take(self) -> bytes:
        """Everything that has arrived since the last call."""
        parts = []
        with contextlib.suppress(IndexError):
            while True:
                parts.append(self._chunks.popleft())
        return b"".join(parts)

    def write(self, text: str) -> None:
        """Send text, line feeds as CR LF. Waits at most two seconds for a reader, then drops the rest."""
        data = memoryview(text.replace("\n", "\r\n").encode())
        while data:
            if not select.select([], [self._master], [], WRITE_PATIENCE_S)[1]:
                return
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._master, data) :]

    def begin(self) -> None:
        """A command runs from here: Ctrl-C sets `interrupted`."""
        self._break.clear()
        self._busy.set()

    def end(self) -> None:
        self._busy.clear()

    def interrupted(self) -> bool:
        return self._break.is_set()


class LineReader:
    """Lines out of a console: echo, backspace, Ctrl-C. `more` returns when bytes may have arrived."""

    def __init__(self, console: PtyConsole, more: Callable[[], Awaitable[None]]) -> None:
        self._console, self._more = console, more
        self._pending = b""
        self._after_return = False
        console.begin()

    def write(self, text: str) -> None:
        self._console.write(text)

    def interrupted(self) -> bool:
        return self._console.interrupted()

    async def read_line(self, echo: bool = True) -> str:
        """The next line without its end. Raises Interrupted for Ctrl-C."""
        self._console.end()
        try:
            return await self._line(echo)
        finally:
            self._console.begin()

    async def _line(self, echo: bool) -> str:
        line = bytearray()
        while True:
            data = self._pending or self._console.take()
            self._pending = b""
            if not data:
                await self._more()
                continue
            typed = len(line)
            for place, byte in enumerate(data):
                after_return, self._after_return = self._after_return, byte == 0x0D
                if byte in (0x0A, 0x0D):
                    if byte == 0x0A and after_return:
                        continue
                    self._pending = data[place + 1 :]
                    if echo:
                        self.write(line[typed:].decode("utf-8", "replace") + "\n")
                    return line.decode("utf-8", "replace")
                if byte == BREAK:
                    self._pending = data[place + 1 :]
                    self.write("^C\n")
                    raise Interrupted
                if byte in (0x08, 0x7F):
                    if echo:
                        self.write(line[typed:].decode("utf-8", "replace") + ("\b \b" if line else ""))
                    del line[-1:]
                    typed = len(line)
                elif byte >= 0x20 or byte == 0x09:
                    line.append(byte)
            if echo:
                self.write(line[typed:].decode("utf-8", "replace"))
