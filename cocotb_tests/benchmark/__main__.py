# SPDX-License-Identifier: Apache-2.0
"""Measure the simulation and the device; write benchmark.json and print a table.

Exit codes: 0 everything was measured (whether its bound is met stands beside each figure), 1 something could not be measured,
2 bad arguments, 130 Ctrl-C or SIGTERM (nothing is written).
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cocotb_tests.benchmark import beats, certify, machine, notify, period, registers, report, speed
from cocotb_tests.benchmark.figure import Figure, MeasurementError
from cocotb_tests.engine.build import BuildError, executable
from cocotb_tests.engine.process import TimeLimit
from cocotb_tests.engine.runner import BenchFailure
from cocotb_tests.engine.sources import SourceError
from cocotb_tests.engine.system import system_spec

_TROUBLE = (BenchFailure, BuildError, MeasurementError, SourceError, TimeLimit, OSError)
Step = Callable[..., None]


@dataclasses.dataclass(frozen=True)
class Task:
    """One piece of work: the groups of `--only` it belongs to, what it shows, about how many seconds it takes, what it does."""

    key: str
    text: str
    seconds: float
    run: Callable[[Step], list[Figure]]


def tasks(full: bool) -> list[Task]:
    """Everything there is to measure, in order. `full`: also the certificate's own plan and a build from nothing."""
    runs = 2 * speed.ROUNDS + 1
    work = [Task("notify", "notify to first payload beat", 6, lambda step: notify.measure())]
    work += [Task("beats", "bus beats per payload beat", 3, lambda step: beats.measure())]
    work += [
        Task("speed", f"speed: {playback.name}", 2.0 * runs, lambda step, p=playback: speed.measure(p, step=step))
        for playback in speed.MATERIAL
    ]
    work += [Task("registers", "register reads, probe", 4, lambda step: registers.measure())]
    work += [
        Task("period", f"smallest period at {rate / 1000:g} kHz", 20, lambda step, r=rate, f=form: period.measure(r, f))
        for rate, form in period.STREAMS
    ]
    work += [Task("certify", "make certify, quick plan", 40, lambda step: certify.measure("quick", step))]
    if full:
        work += [Task("certify", "make certify, full plan", 220, lambda step: certify.measure("full", step))]
        work += [Task("build", "build of the simulation, no cache", 90, certify.measure_build)]
    return work


def measure(work: list[Task], console: Console) -> tuple[list[Figure], dict[str, str]]:
    """Run the tasks one after the other; a task that fails does not stop the others."""
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    columns = (TextColumn("{task.description:<44}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("building the simulation", total=sum(task.seconds for task in work))
        executable(system_spec())
        executable(system_spec(raw=True))
        done = 0.0
        for task in work:
            progress.update(bar, description=task.text)
            if not console.is_terminal:
                console.print(f"bench: {task.text}", soft_wrap=True)
            began = time.monotonic()

            def step(_: float = 0.0, task: Task = task, began: float = began, done: float = done) -> None:
                progress.update(bar, completed=done + min(time.monotonic() - began, 0.95 * task.seconds))

            try:
                figures += task.run(step)
            except _TROUBLE as trouble:
                failures[task.text] = str(trouble)
            done += task.seconds
            progress.update(bar, completed=done)
    return figures, failures


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    keys = sorted({task.key for task in tasks(full=True)})
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of benchmark.json (default: out)")
    parser.add_argument(
        "--full", action="store_true", help="also the full plan of make certify and a build from nothing"
    )
    parser.add_argument("--only", choices=keys, action="append", help="only this group; may be given several times")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160)
    began = time.monotonic()
    try:
        facts = machine.facts()
        work = [task for task in tasks(options.full) if not options.only or task.key in options.only]
        if not work:
            parser.error(f"--only {', '.join(options.only)}: measured with --full only")
        figures, failures = measure(work, console)
        if machine.rtl_hash() != facts["rtl_sha256_16"]:
            failures["sources"] = "the RTL was changed while it was measured; measure again"
        file = report.write(options.out, facts, figures, failures, time.monotonic() - began)
    except KeyboardInterrupt:
        print("bench: interrupted; nothing was written", file=sys.stderr)
        return 130
    except _TROUBLE as trouble:
        print(f"bench: {trouble}", file=sys.stderr)
        return 1
    report.show(console, facts, figures, failures)
    print(f"{time.monotonic() - began:.0f} s; figures in {file}")
    return 1 if failures else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    sys.exit(main())
