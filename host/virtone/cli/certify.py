# SPDX-License-Identifier: Apache-2.0
"""Measure on a bench by a plan and write the certificate.

A run that was interrupted goes on when it is started again with the same files and --out; one that has its certificate is moved
to `earlier/` of that folder, and a new one begins.
Exit codes: 0 PASS, 1 FAIL, 3 INCONCLUSIVE, 2 unusable input or bench, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from virtone.bench.config import BenchConfig, load_bench
from virtone.bench.session import open_bench

from ..certify.acquisition import TooSlow
from ..certify.ahead import Ahead
from ..certify.pace import BENCHES
from ..certify.plan import Plan, load_plan
from ..certify.procedure import certify
from ..certify.record import Record
from ..certify.report import write_all
from ..certify.report.html import figure

AFTER_INTERRUPT = "; start it again with the same arguments to go on where it stopped"
CODES = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}
COLORS = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow", "NO LIMIT": "dim"}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bench", type=Path, required=True, help="bench file (TOML): what is on the bench and where")
    parser.add_argument("--plan", type=Path, required=True, help="plan file (TOML): what is measured and demanded")
    parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder of the record and the certificate (default: out)"
    )
    parser.add_argument("--note", default="", help="a line for the certificate, for example why this bench was taken")


class Bar:
    """Progress by seconds of playing, with an estimate of what is left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("opening the bench", total=None)

    def begin(self, total_s: float) -> None:
        self._progress.update(self._task, total=total_s)

    def step(self, text: str) -> None:
        self._progress.update(self._task, description=text)

    def advance(self, seconds: float) -> None:
        self._progress.advance(self._task, seconds)


def run(options: argparse.Namespace) -> int:
    plan, config = load_plan(options.plan), load_bench(options.bench)
    earlier = Record.put_aside(options.out)
    if earlier is not None:
        print(f"the run before is kept in {earlier}")
    record = Record.create(options.out, plan.file, config.file)  # what is wrong with it is said before anything starts
    console = Console()
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress, Ahead(options.out) as ahead:
        bar = Bar(progress)
        if not record.has("end"):
            record = _measure(record, config, plan, options, bar, ahead)
        bar.step("computing and writing")
        data = write_all(record, plan, config, ahead.results())
    show(data, console)
    print(f"{data['verdict']}{'  (SIMULATED)' if data['simulated'] else ''}: {options.out / 'certificate.html'}")
    return CODES[data["verdict"]]


def _measure(
    record: Record, config: BenchConfig, plan: Plan, options: argparse.Namespace, bar: Bar, ahead: Ahead
) -> Record:
    """On the bench as it is; if its simulation cannot keep up, what is left on one that is slower."""
    slower = record.of_kind("slower")
    more = ("--dilation", f"{slower[-1]['to']:g}") if slower else ()
    for left in reversed(range(max(1, BENCHES - len(slower)))):
        try:
            with open_bench(config, more=more) as bench:
                return certify(bench, plan, options.out, bar, ahead.submit, options.note, last_chance=not left)
        except TooSlow as slow:
            bar.step(f"again with N = {slow.wanted:g}")
            more = ("--dilation", f"{slow.wanted:g}")
    raise AssertionError("unreachable")


def show(data: dict, console: Console) -> None:
    """The certificate as a table for the terminal."""
    table = Table(title=f"{data['title']}{' - SIMULATED' if data['simulated'] else ''}")
    for name, justify in (
        ("configuration", "left"),
        ("measurand", "left"),
        ("value", "right"),
        ("U", "right"),
        ("n", "right"),
        ("verdict", "left"),
    ):
        table.add_column(name, justify=justify)
    for c in data["configurations"]:
        for m in c["measurands"]:
            unit = m["unit"] if m["unit"] != "1" else ""
            table.add_row(
                c["name"],
                m["name"],
                f"{figure(m['value'], m['unit'])} {unit}",
                figure(m["U"], m["unit"]),
                str(m["n"]),
                f"[{COLORS[m['verdict']]}]{m['verdict']}[/]",
            )
        table.add_section()
    console.print(table)
    console.print(
        f"detectors: {sum(d['found'] for d in data['detectors'])} of {len(data['detectors'])} seeded faults found"
    )
