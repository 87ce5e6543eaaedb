# SPDX-License-Identifier: Apache-2.0
"""The whole virtual bench, used through the host library: VISA resources and a serial port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from virtone.bench.board import Board
from virtone.bench.config import load_bench
from virtone.bench.console import Console
from virtone.bench.errors import BenchError, CommandFailed, ConsoleError, InstrumentError, VirtualBenchError
from virtone.bench.instruments.digitizer import ChannelSetup, Setup, TimebaseSetup, TriggerSetup
from virtone.bench.launch import VirtualBench
from virtone.bench.session import Bench, open_bench
from virtone.bench.transport import SerialLine, open_visa
from virtone.signal import latency

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ["{python}", "-m", "hil.virtual"]
READY_S = 400.0  # includes a build on a busy machine
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", autouse=True)
def at_the_root() -> Iterator[None]:
    """`python -m hil.virtual` is started from the checkout."""
    patch = pytest.MonkeyPatch()
    patch.chdir(ROOT)
    patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "host"), str(ROOT), os.environ.get("PYTHONPATH", "")]))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def bench(at_the_root: None) -> Iterator[Bench]:
    with open_bench(load_bench(ROOT / "hil/benches/virtual.toml")) as opened:
        yield opened


def gone(*pids: int, within_s: float = 10.0) -> bool:
    """Have these processes ended (a zombie that nobody waits for counts as ended)?"""

    def lives(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return until(lambda: not any(lives(pid) for pid in pids), within_s)


def until(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


# The way of a burst.


@pytest.mark.parametrize(
    ("stream", "rate", "delay_s"),
    [
        ("--rate 48000 --format S16 --period 480 --periods 4 --spacing-ms 80", 48000, 0.04),
        ("--rate 192000 --format S32 --period 96 --periods 8 --spacing-ms 20", 192000, 0.004),
    ],
)
def test_bursts_come_back_from_the_oscilloscope(bench: Bench, stream: str, rate: int, delay_s: float) -> None:
    scope = bench.oscilloscope
    span = delay_s * 1.3 + 0.012
    inputs = (ChannelSetup(1, 8.0), ChannelSetup(2, 8.0, 1.65))
    scope.configure(Setup(inputs, TimebaseSetup(span, 0.001, int(span * 500e3)), TriggerSetup(2, 1.65), segments=3))
    scope.arm(60)
    lines = bench.board.console.run_records(f"sndprobe shots {stream} --count 3 --first-code 20 --seed 5", 200)
    assert scope.wait(60) == 3
    for index, said in enumerate(lines):
        found = latency.estimate(scope.fetch(index + 1), "1", rate, 20 + index, range(10, 40))
        assert found.code == said["code"] == 20 + index
        wire_s = said["stages_ns"]["W"] * 1e-9
        assert found.t_s - wire_s == pytest.approx(20 / rate, abs=0.5e-6)  # the converter's group delay
        told_s = said["told_frames"] / rate - said["since_update_ns"] * 1e-9
        assert told_s == pytest.approx(found.t_s, abs=2.5 / rate)


def test_a_file_arrives_on_the_wire_bit_for_bit(bench: Bench) -> None:
    samples = np.random.default_rng(1).integers(-(2**23), 2**23, (2400, 2)).astype("<i4")
    data = np.ascontiguousarray(samples).tobytes()
    analyzer = bench.instruments["i2s"]
    bench.board.put("noise.raw", data, timeout_s=60)
    analyzer.start()
    (counts,) = bench.board.play(timeout_s=120, file="noise.raw", rate=96000, format="S24", period=240)
    assert counts["frames_written"] == 2400 and counts["xruns"] == counts["underruns"] == 0
    analyzer.stop()
    wire = analyzer.samples()
    start = np.flatnonzero(wire[:, 0] == samples[0, 0] << 8)[0]
    assert np.array_equal(wire[start : start + 2400], samples << 8)


def test_the_board_says_what_it_is(bench: Bench) -> None:
    info = bench.board.info()
    assert info["codec"] == "PCM5102A" and info["clock_hz"] == 100_000_000 and info["streams"] == 1


@pytest.mark.parametrize(
    ("command", "expected"),
    [("reboot", "no command"), ("sndprobe shots --format U8", "S16 or S24"), ("sndprobe shots --rate 7", "from 4000")],
)
def test_bad_commands_are_refused_and_the_board_goes_on(bench: Bench, command: str, expected: str) -> None:
    with pytest.raises(CommandFailed, match=expected):
        bench.board.console.run_records(command)
    assert bench.board.version()["system"] == "reference driver"


def test_ctrl_c_on_the_console_ends_a_job(bench: Bench) -> None:
    with pytest.raises(ConsoleError):
        bench.board.console.run("sndprobe tone --seconds 600", timeout_s=1.0)
    began = time.monotonic()
    bench.board.console.reach_prompt(30)
    assert time.monotonic() - began < 20
    assert bench.board.probe("tone", frames=480)[0]["xruns"] == 0


def test_time_stands_still_while_nobody_wants_any(bench: Bench) -> None:
    assert bench.virtual is not None
    child = psutil.Process(bench.virtual.ready["pids"]["simulation"])
    time.sleep(0.5)
    before = sum(child.cpu_times()[:2])
    time.sleep(1.0)
    assert sum(child.cpu_times()[:2]) - before < 0.25


def test_two_benches_side_by_side(bench: Bench) -> None:
    with VirtualBench.start([*COMMAND, "--codec", "adau1761", "--memory-latency", "100"], READY_S) as other:
        assert bench.virtual is not None
        mine, its = bench.virtual.ready, other.ready
        assert mine["console"] != its["console"]
        assert not set(mine["instruments"].values()) & set(its["instruments"].values())
        second = Console(SerialLine(its["console"], 115200), timeout_s=60)
        second.reach_prompt()
        assert Board(second).info()["codec"] == "ADAU1761"
        assert Board(second).probe("tone", frames=480)[0]["underruns"] == 0
        assert bench.board.info()["codec"] == "PCM5102A"
        second.close()
    assert gone(*its["pids"].values()) and not Path(its["folder"]).exists()
    assert bench.board.version()


# Ways to end.


def started(*options: str) -> VirtualBench:
    return VirtualBench.start([*COMMAND, *options], READY_S)


def left_nothing(ready: dict) -> bool:
    return gone(*ready["pids"].values()) and until(lambda: not Path(ready["folder"]).exists(), 5)


def test_it_ends_when_standard_input_ends() -> None:
    bench = started()
    assert bench.process.stdin is not None
    bench.process.stdin.close()
    assert bench.process.wait(20) == 0
    assert left_nothing(bench.ready)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal(number: int) -> None:
    bench = started()
    os.kill(bench.process.pid, number)
    assert bench.process.wait(20) == 0
    assert left_nothing(bench.ready)
    bench.close()


def test_the_simulation_ends_with_a_killed_supervisor() -> None:
    bench = started()
    os.kill(bench.process.pid, signal.SIGKILL)
    bench.process.wait(20)
    assert left_nothing(bench.ready)
    bench.close()


def test_all_of_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """The starter is killed by SIGKILL; nothing of it can run any more."""
    script = textwrap.dedent(f"""
        import json, sys, time
        from virtone.bench.launch import VirtualBench
        bench = VirtualBench.start({COMMAND!r}, {READY_S})
        print(json.dumps(bench.ready), flush=True)
        time.sleep(1000)
    """)
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    ready = json.loads(starter.stdout.readline())
    starter.kill()
    starter.wait(10)
    starter.stdout.close()
    assert left_nothing(ready)


def test_it_ends_with_the_process_it_was_told_of() -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    try:
        bench = started("--parent-pid", str(other.pid))
    finally:
        other.kill()
        other.wait(10)
    assert bench.process.wait(20) == 0
    assert left_nothing(bench.ready)
    bench.close()


def test_a_simulator_that_dies_is_reported_and_nobody_hangs(tmp_path: Path) -> None:
    bench = started("--dir", str(tmp_path / "run"))
    scope = open_visa(bench.resolve("virtual:oscilloscope"), timeout_s=10)
    console = Console(SerialLine(bench.resolve("virtual:console"), 115200), timeout_s=20)
    console.reach_prompt()
    os.kill(bench.ready["pids"]["simulation"], signal.SIGKILL)
    assert bench.process.wait(20) == 1
    with pytest.raises(VirtualBenchError, match="the simulation was killed by SIGKILL"):
        bench.check()
    began = time.monotonic()
    with pytest.raises(InstrumentError):
        scope.query("*IDN?")
    with pytest.raises(ConsoleError):
        console.run("version")
    assert time.monotonic() - began < 30
    assert gone(*bench.ready["pids"].values())
    assert (tmp_path / "run" / "sim.log").is_file()  # a run directory that was given is kept
    bench.close()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--codec", "PCM5102"], "did you mean PCM5102A"),
        (["--memory-latency", "1"], "right is 2 to 10000"),
        (["--parent-pid", "4194304"], "no such process"),
        (["--speed", "11"], "unrecognized"),
    ],
)
def test_bad_options_are_refused(options: list[str], expected: str) -> None:
    with pytest.raises(BenchError, match="status 2") as refused:
        started(*options)
    assert expected in str(refused.value)
