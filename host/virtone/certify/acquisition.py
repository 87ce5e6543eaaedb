# SPDX-License-Identifier: Apache-2.0
"""One step on the bench: set up and arm the oscilloscope, let the board play, take the records.

Promise: `acquire` returns everything that was seen and said, or raises an error of `bench.errors`; where a simulation or its board can be
late it tries again while one is, and raises `TooSlow` when that does not help and `last_chance` is not set (`pace`).
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from typing import Any, Protocol

from virtone.bench.config import BenchConfig
from virtone.bench.errors import BenchError, CommandFailed
from virtone.bench.instruments.digitizer import ChannelSetup, Digitizer, Setup, TimebaseSetup, TriggerSetup
from virtone.bench.instruments.pace_meter import Pace, PaceMeter
from virtone.signal.capture import Capture

from . import honesty, pace
from .steps import Step

SAMPLES_PER_S = 500_000
BOARD_GRACE_S = 2.0  # of the board's own time beyond what it plays


class TooSlow(BenchError):
    """Simulation or emulated processor do not keep up at N = `dilation`; a bench with N = `wanted` might. `refused`: what the board said."""

    def __init__(self, message: str, dilation: float, wanted: float, refused: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.dilation, self.wanted, self.refused = dilation, min(wanted, pace.LARGEST), tuple(refused)


class Console(Protocol):
    def run(self, command: str, timeout_s: float | None = None) -> list[str]: ...


class Board(Protocol):
    console: Console


class OpenBench(Protocol):
    """What is used of `virtone.bench.session.Bench`."""

    config: BenchConfig
    board: Board

    @property
    def oscilloscope(self) -> Digitizer: ...
    @property
    def pace(self) -> PaceMeter | None: ...
    @property
    def facts(self) -> dict[str, Any] | None: ...
    def seconds(self, at_instrument_s: float) -> float: ...


@dataclasses.dataclass(frozen=True)
class Acquired:
    """`board`: the records it printed; `done`: its last line; `pace`: how late the simulation was, None where it cannot be."""

    captures: list[Capture]
    board: list[dict[str, Any]]
    done: dict[str, Any]
    pace: dict[str, Any] | None = None


def setup_of(config: BenchConfig, step: Step) -> Setup:
    """The oscilloscope's settings for one step."""
    channels = config.instruments["oscilloscope"].channels
    marker = channels["marker"]
    inputs = tuple(
        ChannelSetup(c.number, c.range_v, c.offset_v, c.coupling, c.probe) for c in (channels["analog"], marker)
    )
    return Setup(
        inputs,
        TimebaseSetup(step.span_s, step.pre_s, int(step.span_s * SAMPLES_PER_S)),
        TriggerSetup(marker.number, marker.threshold_v),
        step.segments,
    )


def acquire(bench: OpenBench, step: Step, last_chance: bool = True, least: float = 0.0) -> Acquired:
    """One step, again while it was late (see `pace`). `least`: N that the steps after it need. Errors: those of `bench.errors`, TooSlow."""
    if bench.pace is None:
        return _once(bench, step)
    limit, own = pace.limit_s(step.configuration), pace.least_dilation(step.configuration)
    refused: list[str] = []
    for attempt in itertools.count(1):
        dilation = bench.pace.read().dilation  # and a new beginning
        last_chance = last_chance or dilation >= pace.LARGEST
        if dilation < own and not last_chance:
            why = (
                f"a buffer of {step.configuration.buffer_s * 1e3:g} ms outlasts a pause of this machine at N = {own:g}"
            )
            raise TooSlow(why, dilation, max(own, least))
        failed, taken, waited = None, None, 0.0
        try:
            taken = _once(bench, step)
            waited = honesty.longest_wait_s(taken.board, step.configuration) if step.kind == "shots" else 0.0
        except CommandFailed as error:
            if error.status != pace.UNDERRUN:
                raise
            failed = error
            refused.append(str(error))
        said = bench.pace.read()
        reasons = _late(said, waited, limit) + ([str(failed)] if failed else [])
        if reasons and attempt < pace.ATTEMPTS and (failed is None or last_chance):
            continue
        why = f"{step.key}, {attempt} attempts, N = {dilation:g}: {'; '.join(reasons)}"
        if reasons and not last_chance:
            raise TooSlow(why, dilation, pace.LARGER * dilation, refused)
        if taken is None:
            raise CommandFailed(why, pace.UNDERRUN) from failed
        judged = {
            "limit_s": limit,
            "least_dilation": own,
            "longest_wait_s": waited,
            "attempts": attempt,
            "refused": refused,
        }
        return dataclasses.replace(taken, pace=vars(said) | judged)
    raise AssertionError("unreachable")


def _late(said: Pace, waited_s: float, limit_s: float) -> list[str]:
    """What was late, in words."""
    reasons = [
        f"{what} {late * 1e3:.2f} ms ({limit_s * 1e3:g} ms are tolerated with these periods)"
        for what, late in (
            ("the simulation was behind the board's clock by", said.worst_behind_s),
            ("the board's processor let an interrupt wait", waited_s),
        )
        if late > limit_s
    ]
    return reasons + ([f"{said.unanswered:g} interrupts were left unanswered"] if said.unanswered else [])


def _once(bench: OpenBench, step: Step) -> Acquired:
    scope = bench.oscilloscope
    scope.configure(setup_of(bench.config, step))
    scope.arm(bench.seconds(step.pre_s) + 10)
    limit = bench.seconds(step.play_s + BOARD_GRACE_S) + bench.config.console.timeout_s
    lines, done = talk(bench.board.console, step.command, limit)
    scope.wait(bench.seconds(step.span_s) + 10)
    return Acquired([scope.fetch(index) for index in range(1, step.segments + 1)], lines, done)


def talk(console: Console, command: str, timeout_s: float) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run a board command; returns (its records, its last line with the counters). CommandFailed."""
    records = []
    for line in console.run(command, timeout_s):
        if line.startswith("{"):
            try:
                records.append(json.loads(line))
            except ValueError:
                raise CommandFailed(
                    f"{command[:80]!r} printed {line[:120]!r}; right is one JSON object a line"
                ) from None
    if not records or records[-1].get("done") is not True:
        raise CommandFailed(f'{command[:80]!r} ended without {{"done": true}}; is this the sndprobe of this release?')
    done = records.pop()
    if done.get("status") != 0:
        raise CommandFailed(
            f"{command[:80]!r} ended with status {done.get('status')}: {done.get('error', 'no reason given')}",
            done.get("status"),
        )
    return records, done
