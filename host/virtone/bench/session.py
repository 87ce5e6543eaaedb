# SPDX-License-Identifier: Apache-2.0
"""An open bench: everything a bench file names, started, opened, identified.

Promises: `open_bench(config)` gives a `Bench` whose instruments have answered to their names and whose board stands at its
prompt, or raises one `BenchError` and leaves nothing open or running. Its user is a `with` statement.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .board import Board
from .config import BenchConfig
from .console import Console
from .errors import BenchError, VirtualBenchError
from .instruments import DRIVERS
from .instruments.pace_meter import PaceMeter
from .launch import VirtualBench
from .transport import SerialLine, open_visa

DYING_S = 1.0  # the bench may need this long to notice, and say, why it ends


class Bench:
    """What is on the bench, ready to use. `seconds(t)` turns time at the instrument into time to wait for it."""

    def __init__(
        self, config: BenchConfig, board: Board, instruments: dict[str, Any], virtual: VirtualBench | None
    ) -> None:
        self.config, self.board, self.instruments, self.virtual = config, board, instruments, virtual

    @property
    def oscilloscope(self) -> Any:
        return self.instruments["oscilloscope"]

    @property
    def pace(self) -> PaceMeter | None:
        """What tells how far a simulation was behind its board's clock; None where the two cannot differ."""
        return next((one for one in self.instruments.values() if isinstance(one, PaceMeter)), None)

    @property
    def facts(self) -> dict[str, Any] | None:
        """What a virtual bench says of its board and of how it is simulated."""
        return self.virtual.ready.get("board") if self.virtual else None

    def seconds(self, at_instrument_s: float) -> float:
        return at_instrument_s * self.config.time_scale * (self.virtual.time_scale if self.virtual else 1.0)


def open_instrument(config: BenchConfig, name: str, resolve: Callable[[str], str] = str) -> Any:
    """Driver of one instrument that has answered to its name. Errors: InstrumentError, VirtualBenchError; BenchError when simulated
    and physical parts would mix."""
    item = config.instruments[name]
    link = open_visa(resolve(item.resource), timeout_s=item.timeout_s)
    try:
        instrument = DRIVERS[item.driver](link, item.serial or None)
        if instrument.identity.simulated != config.simulated:
            raise BenchError(
                f"{item.resource}: {instrument.identity} is {'simulated' if not config.simulated else 'physical'}, the bench file "
                f"{config.file} describes a {'virtual' if config.simulated else 'physical'} bench; they do not mix"
            )
    except BaseException:
        link.close()
        raise
    return instrument


def open_console(config: BenchConfig, resolve: Callable[[str], str] = str, log: Any = None) -> Console:
    """The board's console at its prompt. Errors: ConsoleError, VirtualBenchError."""
    line = SerialLine(resolve(config.console.port), config.console.baud)
    try:
        console = Console(line, config.console.prompt, config.console.timeout_s, log)
        console.reach_prompt()
    except BaseException:
        line.close()
        raise
    return console


@contextlib.contextmanager
def true_cause(virtual: VirtualBench | None) -> Iterator[None]:
    """A virtual bench that has died is the cause of whatever failed: its VirtualBenchError takes the place of another BenchError."""
    try:
        yield
    except BenchError as error:
        if virtual is not None:
            try:
                virtual.check(DYING_S)
            except VirtualBenchError as cause:
                raise cause from error
        raise


@contextlib.contextmanager
def open_bench(config: BenchConfig, log: Any = None, more: Sequence[str] = ()) -> Iterator[Bench]:
    """Start (if virtual) and open a bench; `log(text)` receives the console's text; `more`: words for the virtual bench's command."""
    with contextlib.ExitStack() as stack:
        virtual = None
        if config.virtual is not None:
            virtual = stack.enter_context(
                VirtualBench.start([*config.virtual.command, *more], config.virtual.ready_timeout_s)
            )
        stack.enter_context(true_cause(virtual))
        resolve = virtual.resolve if virtual else str
        instruments = {}
        for name in config.instruments:
            instruments[name] = open_instrument(config, name, resolve)
            stack.callback(instruments[name].close)
        console = open_console(config, resolve, log)
        stack.callback(console.close)
        yield Bench(config, Board(console), instruments, virtual)
