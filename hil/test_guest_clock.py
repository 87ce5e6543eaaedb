# SPDX-License-Identifier: Apache-2.0
"""A clock that two processes count by: a program with `guest_clock.so` preloaded, and the simulation's side here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil.virtual.linux_board import guest_clock
from hil.virtual.linux_board.errors import BoardUnavailable
from hil.virtual.linux_board.guest_clock import GuestClock
from hil.virtual.linux_board.time import ALLOWANCE_NS, Pacer

ASKED = "import sys, time\nfor line in sys.stdin:\n    print(time.monotonic_ns() if line == 'm\\n' else time.time_ns(), flush=True)\n"


def counting(clock: GuestClock, folder: Path) -> dict[str, str]:
    """The environment of a program in `folder` that counts by the clock."""
    (folder / guest_clock.LIBRARY).write_bytes(guest_clock.library().read_bytes())
    return {**os.environ, "LD_PRELOAD": f"./{guest_clock.LIBRARY}", guest_clock.VARIABLE: str(clock.file)}


class Guest:
    """A program that says what time it is to it."""

    def __init__(self, clock: GuestClock, folder: Path) -> None:
        self.program = subprocess.Popen(
            [sys.executable, "-c", ASKED], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env=counting(clock, folder),
        )  # fmt: skip

    def __call__(self, which: str = "m") -> float:
        assert self.program.stdin and self.program.stdout
        self.program.stdin.write(f"{which}\n")
        return int(self.program.stdout.readline()) * 1e-9

    def close(self) -> None:
        self.program.kill()
        self.program.communicate()


@pytest.fixture
def clock(tmp_path: Path) -> GuestClock:
    return GuestClock(tmp_path / "a page: with blanks")


@pytest.fixture
def guest(clock: GuestClock, tmp_path: Path) -> Iterator[Guest]:
    one = Guest(clock, tmp_path)
    yield one
    one.close()


def test_without_a_limit_it_is_the_wall_clock(clock: GuestClock, guest: Guest) -> None:
    before = time.monotonic()
    assert before <= guest() <= time.monotonic() and clock.held_s == 0
    assert guest_clock.user(clock.file) == guest.program.pid


def test_it_stands_still_at_the_limit_and_goes_on_from_there(clock: GuestClock, guest: Guest) -> None:
    limit = guest() + 0.01
    clock.grant(limit)
    time.sleep(0.05)
    assert guest() == guest() == pytest.approx(limit, abs=1e-8)
    assert clock.held_s >= 0.039
    released = time.monotonic()
    clock.now()  # a pacer looks before it grants
    clock.grant(limit + 1000)
    seen = [guest() for _ in range(100)]
    assert limit - 1e-8 <= seen[0] and seen == sorted(seen)
    assert seen[-1] - limit <= time.monotonic() - released + 1e-6, "time leapt over what was held"


def test_both_sides_tell_the_same_time(clock: GuestClock, guest: Guest) -> None:
    for _ in range(20):
        clock.grant(clock.now() + 0.001)
        time.sleep(0.003)  # two thirds of it held, by whoever looks first
        before = clock.now()
        assert before - 1e-8 <= guest() <= clock.now() + 1e-8
    assert clock.held_s > 0.02


def test_calendar_time_is_not_touched(clock: GuestClock, guest: Guest) -> None:
    clock.grant(1e-9)
    assert abs(guest("t") - time.time()) < 5


def test_a_simulation_is_never_later_than_the_allowance(clock: GuestClock, guest: Guest) -> None:
    pacer = Pacer(10, guest=clock)
    pacer.ahead_s(0)
    began = guest()
    for step_ps in range(20_000_000, 400_000_000, 20_000_000):
        time.sleep(0.003)  # a tenth of what the step would have to take
        pacer.ahead_s(step_ps)
    elapsed = guest() - began
    report = pacer.report()
    assert report.worst_behind_ns <= ALLOWANCE_NS + 1 and report.held_s > 0.03
    assert elapsed / 10 <= 380e-6 + ALLOWANCE_NS * 1e-9, "the guest left the simulation behind"


def test_without_the_page_nothing_runs(clock: GuestClock, tmp_path: Path) -> None:
    clock.file.unlink()
    one = Guest(clock, tmp_path)
    assert one.program.wait(10) == 127
    one.close()


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(guest_clock, "_OUT", tmp_path / "not built")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(BoardUnavailable, match="apt install gcc"):
        guest_clock.library()
    monkeypatch.setenv("CC", "/bin/false")
    with pytest.raises(BoardUnavailable, match=r"guest_clock\.c does not build with /bin/false"):
        guest_clock.library()


# -- is the guest's processor run? ------------------------------------------------------------------------------------
BUSY = """
import os, sys, threading
def spin():
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as name:
        name.write("CPU 0/TEST")
    if sys.argv[1] == "rest":
        threading.Event().wait()
    if sys.argv[1] == "starve":
        os.sched_setaffinity(0, {0})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while True:
        pass
sys.setswitchinterval(0.0001)
threading.Thread(target=spin, daemon=True).start()
threading.Event().wait()
"""
HOG = "import os\nos.sched_setaffinity(0, {0})\nwhile True: pass"


@pytest.mark.parametrize(("kind", "awake"), [("rest", True), ("run", True), ("starve", False)])
def test_a_processor_that_has_work_and_is_not_run(clock: GuestClock, tmp_path: Path, kind: str, awake: bool) -> None:
    programs = [subprocess.Popen([sys.executable, "-c", BUSY, kind], cwd=tmp_path, env=counting(clock, tmp_path))]
    if kind == "starve":
        programs.append(subprocess.Popen([sys.executable, "-c", HOG]))
    try:
        deadline = time.monotonic() + 10
        while not guest_clock.awake_until_ns(clock.file) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        seen = []
        for _ in range(200):
            seen.append(clock.awake)
            time.sleep(0.002)
        share = sum(seen) / len(seen)
        assert share > 0.25 if awake else share < 0.25, f"awake in {share:.0%} of the looks"
    finally:
        for program in programs:
            program.kill()
            program.wait()


RACE = """
import threading, time
worst = [0, 0]
def read():
    last = 0
    while True:
        now = time.monotonic_ns()
        worst[0] = max(worst[0], last - now)
        worst[1] += 1
        last = now
for _ in range(2):
    threading.Thread(target=read, daemon=True).start()
time.sleep(1)
input()
print(worst[0], worst[1], flush=True)
"""


def test_nobodys_time_goes_back(clock: GuestClock, tmp_path: Path) -> None:
    """A late simulation raises what is held while others reckon with it."""
    guest = subprocess.Popen(
        [sys.executable, "-c", RACE],
        cwd=tmp_path,
        env=counting(clock, tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        last = worst = 0.0
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            now = clock.now()
            worst = max(worst, last - now)
            last = now
            clock.grant(now + 20e-6)
            time.sleep(40e-6)
        clock.grant(now + 1000)
        said, _ = guest.communicate("\n", timeout=20)
        back_ns, reads = map(int, said.split())
        assert reads > 10_000 and clock.held_s > 0.5
        assert back_ns == 0 and worst == 0, f"{back_ns} ns of {reads} reads, {worst} s here"
    finally:
        guest.kill()
        guest.wait()
