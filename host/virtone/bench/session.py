# SPDX-License-Identifier: Apache-2.0
"""An open bench: everything a bench file names, started, opened, identified.

Promises: `open_bench(config)` gives a `Bench` whose instruments have answered to their names and whose board stands at its
prompt, or raises one `BenchError` and leaves nothing open or running. Its user is a `with` statement.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .board import Board
from .config import BenchConfig
from .console import Console
from .errors import BenchError, VirtualBenchError
from .instruments import DRIVERS
from .launch import VirtualBench
from .transport import SerialLine, open_visa


class Bench:
    """What is on the bench, ready to use. `seconds(t)` turns time at the instrument into time to wait for it."""

    def __init__(
        self, config: BenchConfig, board: Board, instruments: dict[str, Any], virtual: VirtualBench | None
    ) -> None:
        self.config, self.board, self.instruments, self.virtual = config, board, instruments, virtual

    @property
    def oscilloscope(self) -> Any:
        return self.instruments["oscilloscope"]

    def seconds(self, at_instrument_s: float) -> float:
        return at_instrument_s * self.config.time_scale


@contextlib.contextmanager
def open_bench(config: BenchConfig, log: Any = None) -> Iterator[Bench]:
    """Start (if virtual) and open a bench; `log(text)` receives the console's text."""
    with contextlib.ExitStack() as stack:
        virtual = None
        if config.virtual is not None:
            virtual = stack.enter_context(VirtualBench.start(config.virtual.command, config.virtual.ready_timeout_s))
        resolve = virtual.resolve if virtual else str
        instruments = {}
        for name, item in config.instruments.items():
            link = open_visa(resolve(item.resource), timeout_s=item.timeout_s)
            stack.callback(link.close)
            instruments[name] = DRIVERS[item.driver](link, item.serial or None)
            if instruments[name].identity.simulated != config.simulated:
                raise BenchError(
                    f"{item.resource}: {instruments[name].identity} is {'simulated' if not config.simulated else 'physical'}, the bench file "
                    f"{config.file} describes a {'virtual' if config.simulated else 'physical'} bench; they do not mix"
                )
        line = SerialLine(resolve(config.console.port), config.console.baud)
        stack.callback(line.close)
        console = Console(line, config.console.prompt, config.console.timeout_s, log)
        console.reach_prompt()
        try:
            yield Bench(config, Board(console), instruments, virtual)
        except BenchError as error:
            if virtual is not None:
                try:
                    virtual.check()  # the real cause of a lost instrument is often here
                except VirtualBenchError as cause:
                    raise cause from error
            raise
