# SPDX-License-Identifier: Apache-2.0
"""Console language of the reference-driver board.

Promises: a prompt, one command a line, its output, the prompt again; what is not understood ends in one line `error: ...` that
names what is. Ctrl-C ends a running command and brings the prompt back.
Its user runs `run` (for ever) or `execute` (one line) as a task of the board's port.
"""

from __future__ import annotations

import difflib
import shlex

from .playback import Interrupted
from .sndprobe import Sndprobe, Terminal

PROMPT = "virtone# "
COMMANDS = {
    "help": "what this board understands",
    "version": "what this board is",
    "uname": "the same, as uname -r asks for it",
    "sndprobe": "VERB --option value ...: play and measure (version info counters put rm play tone material shots)",
}


class Shell:
    """The shell of one console. `release` is what `uname -r` prints."""

    def __init__(self, terminal: Terminal, sndprobe: Sndprobe, release: str) -> None:
        self.terminal, self.sndprobe, self.release = terminal, sndprobe, release

    async def run(self) -> None:
        """Serve the console until the task is cancelled."""
        while True:
            self.terminal.write(PROMPT)
            try:
                line = await self.terminal.read_line()
            except Interrupted:
                continue
            await self.execute(line)

    async def execute(self, line: str) -> None:
        """One command."""
        try:
            words = shlex.split(line)
        except ValueError as problem:
            self._error(f"{line[:80]!r} cannot be split into words ({problem})")
            return
        if not words:
            return
        command, *rest = words
        if command == "sndprobe":
            await self.sndprobe.run(rest)
        elif command == "help" and not rest:
            for name, text in COMMANDS.items():
                self.terminal.write(f"{name:10}{text}\n")
        elif (command == "version" and not rest) or (command == "uname" and rest in ([], ["-r"])):
            self.terminal.write(f"{self.release}\n")
        elif command in COMMANDS:
            self._error(f"{command} does not take {' '.join(rest)!r}")
        else:
            near = difflib.get_close_matches(command, COMMANDS, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            self._error(f"{command!r} is no command; {hint}this board understands {', '.join(COMMANDS)}")

    def _error(self, text: str) -> None:
        self.terminal.write(f"error: {text}\n")
