# SPDX-License-Identifier: Apache-2.0
"""`benchmark.json` and the table.

Promise: the file is written aside and renamed, so it is whole or the one before. Its keys: `machine` (see `machine.facts`), `figures`
(see `Figure.data`), `failures` (group and reason of what could not be measured), `load_average_at_end`, `seconds`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cocotb_tests.benchmark.figure import INCONCLUSIVE, MET, NO_BOUND, NOT_MEASURED, NOT_MET, Figure, number

FILE = "benchmark.json"
_COLORS = {MET: "green", NOT_MET: "red", NOT_MEASURED: "yellow", INCONCLUSIVE: "yellow", NO_BOUND: "dim"}


def write(
    out: Path, machine: Mapping[str, Any], figures: Sequence[Figure], failures: Mapping[str, str], seconds: float
) -> Path:
    """Returns the file's path."""
    data = {
        "machine": dict(machine),
        "figures": [figure.data() for figure in figures],
        "failures": [{"group": group, "reason": reason} for group, reason in failures.items()],
        "load_average_at_end": [round(value, 2) for value in os.getloadavg()],
        "seconds": round(seconds, 1),
    }
    out.mkdir(parents=True, exist_ok=True)
    aside = out / f".{FILE}.{os.getpid()}"
    try:
        aside.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n")
        aside.rename(out / FILE)
    finally:
        aside.unlink(missing_ok=True)
    return out / FILE


def show(console: Console, machine: Mapping[str, Any], figures: Sequence[Figure], failures: Mapping[str, str]) -> None:
    """The table, the machine, and what could not be measured."""
    table = Table(title="Virtone benchmark", caption_justify="left", caption=caption(machine))
    for name, justify in (("figure", "left"), ("value", "right"), ("bound", "left"), ("", "left"), ("how", "left")):
        table.add_column(name, justify=justify)
    group = None
    for figure in figures:
        if figure.group != group:
            group = figure.group
            table.add_section()
            table.add_row(f"[bold]{escape(group)}[/]", "", "", "", "")
        unit = f" {figure.unit}" if figure.unit else ""
        verdict = f"[{_COLORS[figure.verdict]}]{figure.verdict}[/]"
        table.add_row(
            f"  {escape(figure.name)}", number(figure.value) + unit, figure.bound, verdict, escape(figure.note)
        )
    console.print(table)
    for group, reason in failures.items():
        console.print(f"[yellow]not measured[/] {escape(group)}: {escape(reason)}", soft_wrap=True)


def note(figure: Figure) -> str:
    """How the figure was found, and the doubt if it matters."""
    return f"{figure.note} ({figure.doubt})" if figure.verdict == INCONCLUSIVE else figure.note


def caption(machine: Mapping[str, Any]) -> str:
    load = machine["load_average_at_start"][0]
    busy = "; the machine was busy, so wall-time figures are low" if load > 0.5 * machine["cores"] else ""
    return (
        f"{machine['cores']} cores, {machine['cpu']}, load {load} at start{busy}; "
        f"RTL {machine['rtl_sha256_16']}, revision {machine['revision'] or 'unknown'}"
    )
