# SPDX-License-Identifier: Apache-2.0
"""Open everything a bench file names, and say what is wrong and what to do.

Exit codes: 0 all well, 1 something is wrong, 2 unusable bench file.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from virtone.bench.config import BenchConfig, load_bench
from virtone.bench.errors import BenchError
from virtone.bench.session import Bench, open_bench

WARN_DAYS = 30


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bench", type=Path, default=Path("hil/benches/virtual.toml"), help="bench file (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    config = load_bench(options.bench)
    print(f"ok    {options.bench}: {config.title}{' (simulated)' if config.simulated else ''}")
    good = calibration(config)
    try:
        with open_bench(config) as bench:
            good &= parts(bench)
    except BenchError as error:
        print(f"WRONG {error}")
        good = False
    print("all well" if good else "not ready: see the lines marked WRONG")
    return 0 if good else 1


def calibration(config: BenchConfig, today: datetime.date | None = None) -> bool:
    """Is every instrument that times a result in calibration? Simulated ones need none."""
    today = today or datetime.date.today()
    if config.simulated:
        return True
    good = True
    for name, item in config.instruments.items():
        due = item.calibration_due
        if not item.calibrated(today):
            print(
                f"WRONG {name}: calibration {'date unknown' if due is None else f'expired on {due}'}; every verdict will be INCONCLUSIVE; "
                f"have it calibrated and enter calibration_due in {config.file}"
            )
            good = False
        else:
            print(f"ok    {name}: calibrated until {due}{' (soon due)' if (due - today).days < WARN_DAYS else ''}")
    return good


def parts(bench: Bench) -> bool:
    """What each open part says of itself."""
    good = True
    for name, instrument in bench.instruments.items():
        print(f"ok    {name}: {instrument.identity}")
    for what in ("version", "info"):
        try:
            said = getattr(bench.board, what)()
            print(f"ok    board {what}: {', '.join(f'{k} {v}' for k, v in said.items())}")
        except BenchError as error:
            print(f"WRONG board: {error}")
            good = False
    return good
