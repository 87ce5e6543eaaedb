# SPDX-License-Identifier: Apache-2.0
"""Open everything a bench file names, and say what is wrong and what to do.

Exit codes: 0 all well, 1 something is wrong, 2 unusable bench file.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
from pathlib import Path

from virtone.bench.board import Board
from virtone.bench.config import BenchConfig, load_bench
from virtone.bench.errors import BenchError
from virtone.bench.launch import VirtualBench
from virtone.bench.session import open_console, open_instrument, true_cause

WARN_DAYS = 30


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bench", type=Path, default=Path("hil/benches/virtual.toml"), help="bench file (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    config = load_bench(options.bench)
    say(True, f"{options.bench}: {config.title}{' (simulated)' if config.simulated else ''}")
    good = calibration(config)
    with contextlib.ExitStack() as stack:
        virtual = None
        try:
            if config.virtual is not None:
                virtual = stack.enter_context(
                    VirtualBench.start(config.virtual.command, config.virtual.ready_timeout_s)
                )
                say(
                    True,
                    f"virtual bench: {', '.join(f'{k} {v}' for k, v in virtual.ready.get('versions', {}).items())}",
                )
                if facts := virtual.ready.get("board"):
                    say(
                        True,
                        f"virtual board: {', '.join(f'{k} {v}' for k, v in facts.items() if not isinstance(v, dict))}",
                    )
        except BenchError as error:
            good = say(False, str(error))
        else:
            good &= parts(config, virtual, stack)
    print("all well" if good else "not ready: see the lines marked WRONG")
    return 0 if good else 1


def say(good: bool, text: str) -> bool:
    """One finding; returns whether it is a good one."""
    print(f"{'ok   ' if good else 'WRONG'} {text}")
    return good


def calibration(config: BenchConfig, today: datetime.date | None = None) -> bool:
    """Is every instrument that times a result in calibration? Simulated ones need none."""
    today = today or datetime.date.today()
    if config.simulated:
        return True
    good = True
    for name, item in config.instruments.items():
        due = item.calibration_due
        if not item.calibrated(today):
            good = say(
                False,
                f"{name}: calibration {'date unknown' if due is None else f'expired on {due}'}; every verdict will be INCONCLUSIVE; "
                f"have it calibrated and enter calibration_due in {config.file}",
            )
        else:
            say(True, f"{name}: calibrated until {due}{' (soon due)' if (due - today).days < WARN_DAYS else ''}")
    return good


def parts(config: BenchConfig, virtual: VirtualBench | None, stack: contextlib.ExitStack) -> bool:
    """Open every part by itself, so that one that is missing hides no other; what each says of itself."""
    good, resolve = True, virtual.resolve if virtual else str
    for name in config.instruments:
        try:
            with true_cause(virtual):
                instrument = open_instrument(config, name, resolve)
            stack.callback(instrument.close)
            say(True, f"{name}: {instrument.identity} at {resolve(config.instruments[name].resource)}")
        except BenchError as error:
            good = say(False, f"{name}: {error}")
    try:
        with true_cause(virtual):
            console = open_console(config, resolve)
            stack.callback(console.close)
            board = Board(console)
            for what in ("version", "info"):
                say(True, f"board {what}: {', '.join(f'{k} {v}' for k, v in getattr(board, what)().items())}")
    except BenchError as error:
        good = say(False, f"board: {error}")
    return good
