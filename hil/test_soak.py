# SPDX-License-Identifier: Apache-2.0
"""Real workloads on the Linux board, the quick ones; and what happens when they fail or their board is lost."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hil.soak import compare, driver, material, runner, table, xrun
from hil.soak.outcome import Findings, Outcome, Verdict
from hil.soak.session import Session
from hil.soak.workload import Workload
from hil.virtual.linux_board import packages
from hil.virtual.linux_board.errors import BoardUnavailable, CacheFull

pytestmark = pytest.mark.timeout(900)  # the first run builds the simulation
QUICK = tuple(work for work in table.WORKLOADS if work.quick)


@pytest.fixture(scope="module")
def parts() -> packages.Parts:
    try:
        return packages.obtain()
    except (BoardUnavailable, CacheFull) as error:
        pytest.skip(f"no Linux board on this machine: {error}")


@pytest.fixture(scope="module")
def outcomes(parts: packages.Parts, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """One run of all quick workloads."""
    folder = tmp_path_factory.mktemp("soak")
    ignore = lambda *_: None  # noqa: E731
    with (folder / "soak.log").open("w") as log:
        done = runner.Run(parts, None, log, folder / "soak.json", ignore, ignore).all(QUICK)
    return {outcome.name: outcome for outcome in done}


@pytest.mark.parametrize("work", QUICK, ids=lambda work: work.name.replace(" ", "_"))
def test_workload(outcomes: dict[str, Outcome], work: Workload) -> None:
    outcome = outcomes[work.name]
    print(outcome)
    if outcome.verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_RUN):
        pytest.skip(f"{outcome.verdict}: {outcome.reason}")
    assert outcome.verdict is Verdict.PASS, outcome.reason
    assert outcome.findings.compared > 0 and outcome.findings.different == 0


@pytest.fixture(scope="module")
def board(parts: packages.Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A board whose clip has one bit that is not what is expected."""
    log = io.StringIO()
    with Session(parts, seeded_files(parts.root), None, log) as one:
        yield one


CLIP = next(work for work in QUICK if work.name == "aplay S24_3 mono 8000")
STARVED = next(work for work in QUICK if work.family == "xrun")


def seeded_files(root: Path) -> dict[str, bytes]:
    ((name, content),) = CLIP.board_files(root).items()
    data = bytearray(content)
    data[-300] ^= 1  # sample 860 of 960
    return {**CLIP.board_files(root), **STARVED.board_files(root), name: bytes(data)}


def test_a_wrong_bit_on_the_board_fails(board: Session) -> None:
    outcome = runner.one(board, CLIP)
    assert outcome.verdict is not Verdict.PASS and outcome.findings.different == 1
    assert "part at frame 860" in outcome.reason


def test_a_kernel_warning_fails(board: Session) -> None:
    def warn(session: Session) -> Findings:
        session.run("echo '<4>seeded warning' > /dev/kmsg; echo '<6>seeded remark' > /dev/kmsg")
        return Findings()

    outcome = runner.one(board, Workload("warning", "seeded", warn, 0.1, 1000))
    assert outcome.kernel_warnings == ["seeded warning"] and outcome.verdict is not Verdict.PASS


def test_an_unexplained_underrun_fails(board: Session) -> None:
    def starve(session: Session) -> Findings:
        found = STARVED.run(session)
        found.dry_ends = 0
        return found

    outcome = runner.one(board, dataclasses.replace(STARVED, carry_out=lambda session, **_: starve(session)))
    assert outcome.verdict is not Verdict.PASS and "ran dry" in outcome.reason


def test_a_command_that_fails_is_an_error(board: Session) -> None:
    def fails(session: Session) -> Findings:
        session.run("echo error: seeded")
        return Findings()

    outcome = runner.one(board, Workload("error", "seeded", fails, 0.1, 1000))
    assert outcome.verdict is Verdict.ERROR and "seeded" in outcome.reason


# -- a board that is lost ---------------------------------------------------------------------------------------------
def lose_qemu(session: Session) -> None:
    os.kill(session.board.pid, signal.SIGKILL)


def lose_simulation(session: Session) -> None:
    os.killpg(session.rtl.child.pid, signal.SIGKILL)


def panic(session: Session) -> None:
    session.type("echo c > /proc/sysrq-trigger\n")


LOSSES = {"QEMU ended by itself": lose_qemu, "simulation ended by itself": lose_simulation, "panicked": panic}


def test_lost_while_playing(parts: packages.Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each loss is reported by name, nothing is left of its board, and the next workload plays on a fresh one."""
    monkeypatch.setattr("hil.soak.session._SLACK_S", 5.0)
    seen: list[int] = []

    def lost(session: Session, named: str) -> Findings:
        seen.extend((session.board.pid, session.rtl.child.pid))
        session.run(f"{driver.aplay('driver')} > /dev/null 2>&1 & usleep 50000")
        LOSSES[named](session)
        session.run("echo alive", 0.1)
        return Findings()

    ignore = lambda *_: None  # noqa: E731
    bad = [Workload(named, "fault", lost, 0.2, 1000, {"named": named}, driver.files) for named in LOSSES]
    with (tmp_path / "log").open("w") as log:
        *losses, then = runner.Run(parts, None, log, tmp_path / "soak.json", ignore, ignore).all([*bad, CLIP])
    for outcome in losses:
        assert outcome.verdict is Verdict.ERROR
        # A QEMU that is gone may first be missed on the console.
        assert outcome.name in outcome.reason or (
            outcome.name.startswith("QEMU") and "console has gone" in outcome.reason
        )
    assert then.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE), then.reason
    assert len(seen) == 2 * len(LOSSES) and not any(psutil.pid_exists(pid) for pid in seen)


def test_garbage_on_the_console(board: Session) -> None:
    """In both directions; the next command is understood, and what plays meanwhile is not disturbed."""
    board.begin()
    board.run("aplay -q -D hw:0,0 /root/xrun-1.wav > /dev/null 2>&1 & true")
    board.type(bytes(range(1, 127)).decode() * 3)
    board.console.reach_prompt(60)
    board.type("head -c 3000 /dev/urandom\n")
    board.console.reach_prompt(60)
    board.run("while pidof aplay; do usleep 10000; done", 1)
    comparison = compare.exact(board.heard(), material.wire(xrun.played(1), 16))
    pace = board.rtl.pace()
    print(pace)
    if not comparison.exact and not pace.kept(STARVED.behind_limit_ms * 1e6):
        pytest.skip(f"inconclusive, the simulation was behind: {pace}")
    assert comparison.exact, comparison.said
