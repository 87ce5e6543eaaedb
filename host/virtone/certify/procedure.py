# SPDX-License-Identifier: Apache-2.0
"""Measuring by a plan: play, record, keep. No number of the certificate is computed here (`analysis` does, from the record alone).

Promise: `certify(bench, plan, out, progress)` returns a complete `Record`; every step is on the disk before the next begins, so an
interrupted run, started again with the same files and folder, goes on after its last finished step. The user hands over an
open bench. Steps and what the board must do: `steps`; one of them on the bench: `acquisition`.
"""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from .acquisition import OpenBench, TooSlow, acquire, talk
from .pace import least_dilation
from .plan import Plan
from .record import Record, RecordError
from .steps import all_steps


class Progress(Protocol):
    """What the command line shows: seconds of playing done, and what comes next."""

    def begin(self, total_s: float) -> None: ...
    def step(self, text: str) -> None: ...
    def advance(self, seconds: float) -> None: ...


class NoProgress:
    """Shows nothing."""

    def begin(self, total_s: float) -> None: ...
    def step(self, text: str) -> None: ...
    def advance(self, seconds: float) -> None: ...


def certify(
    bench: OpenBench,
    plan: Plan,
    out: Path | str,
    progress: Progress | None = None,
    recorded: Callable[[str], None] = lambda key: None,
    note: str = "",
    last_chance: bool = True,
) -> Record:
    """Measure everything that the plan asks for; `recorded(key)` is called after each step that is in the log; `note` goes into
    the certificate as it is.

    Errors: those of `bench.errors`; unless `last_chance`, `TooSlow` where a simulation cannot keep up. What is finished stays recorded.
    """
    progress = progress or NoProgress()
    record = Record.create(out, plan.file, bench.config.file)
    if not record.entries:
        record.append(_begin(bench, plan, note))
    else:
        _check_same(record, bench)
    steps = list(all_steps(plan))
    progress.begin(sum(step.play_s for step in steps))
    for place, step in enumerate(steps):
        progress.step(step.key)
        if not record.has(step.key):
            try:
                least = max(least_dilation(later.configuration) for later in steps[place:])
                taken = acquire(bench, step, last_chance, least)
            except TooSlow as slow:
                record.append(
                    {
                        "kind": "slower",
                        "key": f"slower/{slow.wanted:g}",
                        "configuration": step.configuration.name,
                        "why": str(slow),
                        "refused": list(slow.refused),
                        "from": slow.dilation,
                        "to": slow.wanted,
                        "finished": _now(),
                    }
                )
                raise
            record.append(
                {
                    "kind": "step",
                    "key": step.key,
                    "step": step.kind,
                    "configuration": step.configuration.name,
                    "command": step.command,
                    "facts": step.facts,
                    "board": taken.board,
                    "done": taken.done,
                    "pace": taken.pace,
                    "captures": record.keep(step.key, taken.captures),
                    "finished": _now(),
                }
            )
        recorded(step.key)
        progress.advance(step.play_s)
    if not record.has("end"):
        record.append({"kind": "end", "key": "end", "finished": _now()})
    return record


def _version(bench: OpenBench) -> dict[str, Any]:
    """What the board says of itself, its build id included."""
    records, _ = talk(bench.board.console, "sndprobe version", bench.config.console.timeout_s)
    return records[0] if records else {}


def _check_same(record: Record, bench: OpenBench) -> None:
    """A run that is resumed must go on with the instrument and the board (and so the RTL) that it began with."""
    now = {"instrument": str(bench.oscilloscope.identity), "board": _version(bench)}
    for part, says in now.items():
        if record.begin[part] != says:
            raise RecordError(
                f"{record.folder}: this run began with {part} {_show(record.begin[part])}, the bench now has {_show(says)}; "
                f"right is the same {part}, or another --out"
            )


def _show(says: Any) -> str:
    return ", ".join(f"{k} {says[k]}" for k in sorted(says)) if isinstance(says, dict) else str(says)


def _begin(bench: OpenBench, plan: Plan, note: str) -> dict[str, Any]:
    config = bench.config
    scope = config.instruments["oscilloscope"]
    return {
        "kind": "begin", "key": "begin", "started": _now(), "plan_sha256": plan.sha256, "bench_sha256": config.sha256,
        "simulated": config.simulated or bench.oscilloscope.identity.simulated, "instrument": str(bench.oscilloscope.identity),
        "board": _version(bench), "simulation": bench.facts, "note": note,
        "calibrated": config.simulated or scope.calibrated(datetime.date.today()),
        "calibration_due": str(scope.calibration_due) if scope.calibration_due else None,
        "calibration_certificate": scope.calibration_certificate,
        "host": {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()},
    }  # fmt: skip


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
