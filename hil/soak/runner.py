# SPDX-License-Identifier: Apache-2.0
"""Runs workloads on one board after another and keeps the report.

Promise: each workload gets one outcome. One for which the simulation was too late is said loudly and repeated once, on a board with a
larger N. After an error the board is started anew. `report` is written aside and renamed after each workload, so that a run that is broken
off leaves what it found.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from hil.virtual.engine import Overrun
from hil.virtual.linux_board.errors import BoardError, Disconnected
from hil.virtual.linux_board.packages import Parts
from virtone.bench.errors import ConsoleError

from .material import RecordingMissing
from .outcome import Findings, Outcome, Verdict, judge
from .session import Session
from .workload import Files, Workload

LARGER = 2.0  # N of the second attempt, relative to the first
_DYING_S = 5.0
_FAULTS = (BoardError, ConsoleError, Overrun, TimeoutError, OSError)

Tell = Callable[[Workload, float], None]
Done = Callable[[Workload, Outcome], None]


class Run:
    """`dilation`: None has it chosen by calibration. `tell(workload, simulated seconds)` and `done(workload, outcome)` show progress."""

    def __init__(self, parts: Parts, dilation: float | None, log: TextIO, report: Path, tell: Tell, done: Done) -> None:
        self.parts, self.log, self.report = parts, log, report
        self._tell, self._done = tell, done
        self._dilation = dilation
        self._now: Workload | None = None
        self.outcomes: dict[str, Outcome] = {}
        self._began = time.monotonic()

    def all(self, workloads: Sequence[Workload]) -> list[Outcome]:
        """Outcomes in the order of the workloads."""
        ready, files = self._collect(workloads)
        self._attempt(ready, files, 1)
        late = [work for work in ready if self.outcomes[work.name].verdict is Verdict.INCONCLUSIVE]
        if late:
            self._dilation = LARGER * max(self.outcomes[work.name].pace["dilation"] for work in late)
            self._attempt(late, files, 2)
        self._write("finished")
        return [self.outcomes[work.name] for work in workloads]

    def _collect(self, workloads: Sequence[Workload]) -> tuple[list[Workload], Files]:
        """The workloads that can be run, and the files of all of them."""
        ready, files = [], {}
        for work in workloads:
            try:
                wanted = work.board_files(self.parts.root)
                for name in wanted.keys() & files.keys():
                    if wanted[name] != files[name]:
                        raise ValueError(f"{work.name} wants another {name} on the board than the workloads before it")
                files |= wanted
                ready.append(work)
            except (BoardError, RecordingMissing) as error:
                self._keep(work, Outcome(work.name, work.family, Verdict.NOT_RUN, Findings(problems=[str(error)])))
        return ready, files

    def _attempt(self, workloads: Sequence[Workload], files: Files, attempt: int) -> None:
        waiting = list(workloads)
        while waiting:
            try:
                with Session(self.parts, files, self._dilation, self.log, self._progress) as board:
                    while waiting:
                        work = waiting.pop(0)
                        self._now = work
                        outcome = one(board, work, attempt)
                        self._now = None
                        self._keep(work, outcome)
                        if outcome.findings.problems:
                            break  # what it left behind shall not be the next one's
            except (BoardError, ConsoleError, OSError) as error:  # no board: counts for the workload that it was for
                work = waiting.pop(0) if waiting else None
                if work is not None:
                    found = Findings(problems=[f"no board: {error}"])
                    self._keep(work, Outcome(work.name, work.family, Verdict.ERROR, found, attempt=attempt))

    def _progress(self, simulated_s: float) -> None:
        if self._now is not None:
            self._tell(self._now, simulated_s)

    def _keep(self, work: Workload, outcome: Outcome) -> None:
        self.outcomes[work.name] = outcome
        self.log.write(f"\n=== {outcome.name}: {outcome.verdict}; {outcome.reason or 'nothing to complain of'}\n")
        self.log.flush()
        self._write("under way")
        self._done(work, outcome)

    def _write(self, state: str) -> None:
        content = {
            "format": "virtone soak 1",
            "state": state,
            "wall_s": round(time.monotonic() - self._began, 1),
            "versions": {**self.parts.versions, "kernel": self.parts.kernel_release},
            "workloads": [outcome.record() for outcome in self.outcomes.values()],
        }
        part = self.report.with_suffix(".part")
        part.write_text(json.dumps(content, indent=1))
        part.rename(self.report)


def one(board: Session, work: Workload, attempt: int = 1) -> Outcome:
    """Carry a workload out on a board at its prompt, and judge it. Faults are in the outcome, not raised."""
    board.log.write(f"\n=== {work.name} (attempt {attempt}, N = {board.dilation:g})\n")
    began = time.monotonic()
    outcome = Outcome(work.name, work.family, Verdict.ERROR, behind_limit_ms=work.behind_limit_ms, attempt=attempt)
    try:
        board.begin()
        outcome.findings = work.run(board)
        outcome.pace = vars(board.rtl.pace())
        outcome.counters = board.counters()
        outcome.kernel_warnings = board.kernel_warnings()
        judge(outcome)
    except _FAULTS as error:
        outcome.findings.problems.append(f"{type(error).__name__}: {error}")
        _look_closer(board, outcome)
    outcome.wall_s = time.monotonic() - began
    return outcome


def _look_closer(board: Session, outcome: Outcome) -> None:
    """After a fault: has the simulation or QEMU ended, was the simulation late?"""
    try:
        board.board.check()
        board.rtl.check()
        outcome.pace = outcome.pace or vars(board.rtl.pace())
    except Disconnected as error:
        outcome.findings.problems.append(_why_gone(board, error))
        return
    except BoardError as error:
        outcome.findings.problems.append(str(error))
        return
    if outcome.pace["worst_behind_ns"] > outcome.behind_limit_ms * 1e6:
        outcome.verdict = Verdict.INCONCLUSIVE


def _why_gone(board: Session, error: BoardError) -> str:
    """Why the simulation does not answer; a process that was killed is not gone at once."""
    deadline = time.monotonic() + _DYING_S
    while time.monotonic() < deadline:
        try:
            board.board.check()
            board.rtl.check()
        except BoardError as named:
            return str(named)
        time.sleep(0.05)
    return str(error)
