# SPDX-License-Identifier: Apache-2.0
"""`python -m hil.soak`: run the workloads, show how far it is, print the table. Status 0: all PASS; 1: not all; 2: could not begin."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from hil.virtual.linux_board import packages
from hil.virtual.linux_board.errors import BoardError
from hil.virtual.linux_board.time import timer_rate

from . import table
from .outcome import Outcome, Verdict
from .runner import Run
from .workload import Workload

_COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.ERROR: "bold red",
    Verdict.NOT_RUN: "yellow",
}
_START_GUEST_S = 0.5  # of a workload, for its marks and counters


def main(argv: list[str] | None = None) -> int:
    options = _options(argv)
    screen = Console(stderr=True, width=None if sys.stderr.isatty() else 140)
    try:
        workloads = table.named(options.only) if options.only else table.WORKLOADS
    except ValueError as error:
        screen.print(f"error: {error}", style="bold red", markup=False)
        return 2
    if options.quick:
        workloads = tuple(work for work in workloads if work.quick)
    if options.list:
        for work in workloads:
            print(f"{work.family:14} {work.name}{'  (quick)' if work.quick else ''}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        parts = packages.obtain(console=screen)
        outcomes = run(parts, workloads, options.dilation, options.out, screen)
    except BoardError as error:
        screen.print(f"error: {error}", style="bold red", markup=False)
        return 2
    except KeyboardInterrupt:
        screen.print(f"broken off; what was found so far is in {options.out / 'soak.json'}", markup=False)
        return 130
    Console(width=shutil.get_terminal_size((170, 24)).columns).print(render(outcomes))
    counts = ", ".join(
        f"{sum(outcome.verdict is verdict for outcome in outcomes)} {verdict}"
        for verdict in Verdict
        if _any(outcomes, verdict)
    )
    screen.print(
        "dry: underruns counted by the device. Explained are ends of streams (Linux stops a drained stream after its last message) and "
        "starving on purpose; any other fails. silent: frames of silence in them. held: wall time that the guest's clock waited for the simulation.",
        markup=False,
    )
    screen.print(f"soak: {counts}; details in {options.out / 'soak.json'} and {options.out / 'soak.log'}", markup=False)
    return 0 if all(outcome.verdict is Verdict.PASS for outcome in outcomes) else 1


def run(
    parts: packages.Parts, workloads: Sequence[Workload], dilation: float | None, out: Path, screen: Console
) -> list[Outcome]:
    """Run them with progress on `screen`; soak.json and soak.log go to `out`."""
    columns = (
        TextColumn("{task.description:45}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    weight = {work.name: work.guest_s + _START_GUEST_S for work in workloads}
    with (
        (out / "soak.log").open("w") as log,
        Progress(*columns, console=screen, disable=not screen.is_terminal) as bar,
    ):
        task = bar.add_task("starting the board", total=sum(weight.values()))
        finished: dict[str, float] = {}

        def tell(work: Workload, simulated_s: float) -> None:
            so_far = sum(finished.values()) + (0 if work.name in finished else min(simulated_s, weight[work.name]))
            bar.update(task, completed=so_far, description=work.name)

        def done(work: Workload, outcome: Outcome) -> None:
            finished[work.name] = weight[work.name]
            colour = _COLOURS[outcome.verdict]
            line = f"[{colour}]{outcome.verdict:12}[/] {work.name:36} {outcome.findings.compared:>8} frames {outcome.wall_s:6.1f} s"
            bar.console.print(line, highlight=False)
            if outcome.reason:
                bar.console.print(f"             {outcome.reason}", style=colour, markup=False, highlight=False)
            tell(work, 0)

        return Run(parts, dilation, log, out / "soak.json", tell, done).all(workloads)


def render(outcomes: Sequence[Outcome]) -> Table:
    """One line a workload."""
    grid = Table("workload", "verdict", title="Real workloads on the RTL behind an unmodified Linux")
    for heading in (
        "frames",
        "differ",
        "xruns",
        "dry",
        "silent",
        "late",
        "bus err",
        "dmesg",
        "N",
        "held s",
        "wall s",
    ):
        grid.add_column(heading, justify="right")
    grid.add_column("remarks", overflow="fold")
    for one in outcomes:
        found, count = one.findings, one.counters
        again = f" ({one.attempt}nd attempt)" if one.attempt > 1 else ""
        grid.add_row(
            one.name,
            f"[{_COLOURS[one.verdict]}]{one.verdict}[/]{again}",
            *(str(value) for value in (found.compared, found.different, found.xruns)),
            *(str(count.get(name, "-")) for name in ("underruns", "silent_frames", "late_messages", "bus_errors")),
            str(len(one.kernel_warnings)),
            f"{one.pace.get('dilation', 0):g}",
            f"{one.pace.get('held_s', 0):.1f}",
            f"{one.wall_s:.1f}",
            "; ".join([one.reason, *found.notes] if one.reason else found.notes).replace("[", r"\["),
        )
    return grid


def _any(outcomes: Sequence[Outcome], verdict: Verdict) -> bool:
    return any(outcome.verdict is verdict for outcome in outcomes)


def _dilation(text: str) -> float:
    value = float(text)
    timer_rate(value)
    return value


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hil.soak", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder for soak.json and soak.log (default: out)"
    )
    parser.add_argument("--quick", action="store_true", help="only the workloads that make test runs")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="workloads with this in their name")
    parser.add_argument(
        "--dilation", type=_dilation, help="how many times slower guest time runs (default: by calibration)"
    )
    parser.add_argument("--list", action="store_true", help="print the workloads and end")
    return parser.parse_args(argv)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
