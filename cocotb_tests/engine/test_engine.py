# SPDX-License-Identifier: Apache-2.0
"""Self-test of module benches: sources, builds, and the ways in which a run can end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cocotb_tests.engine import build, process, sources
from cocotb_tests.engine.runner import BenchFailure, run_bench

FIXTURE = Path(__file__).resolve().parent / "fixture"
TESTS = str(FIXTURE / "counter_tests.py")
COUNTER = [FIXTURE / "counter.sv"]


def _run(only: str, **options):
    env = {"COCOTB_TEST_FILTER": rf"\.{only}$", **options.pop("env", {})}
    return run_bench("counter", TESTS, sources=COUNTER, env=env, **options)


def test_passing_bench_returns_what_ran() -> None:
    result = _run("passes", parameters={"Width": 2})
    assert result.tests == ("cocotb_tests.engine.fixture.counter_tests.passes",)
    assert 0 < result.sim_ns < 1000


def test_builds_are_reused_and_the_runtime_is_shared() -> None:
    _run("passes")
    spec = build.module_spec("counter", COUNTER, {}, {}, (), False)
    binary = build.executable(spec)
    stamp = binary.stat().st_mtime_ns
    _run("passes")
    assert build.executable(spec).stat().st_mtime_ns == stamp
    assert list(build.BUILD_ROOT.glob("runtime-*/verilated_vpi.o"))
    assert build.module_spec("counter", COUNTER, {"Width": 3}, {}, (), False).key() != spec.key()


def test_failing_test_shows_its_name_and_assertion() -> None:
    with pytest.raises(BenchFailure, match=r"counter_tests\.fails(?s:.*)should be 77 bits wide"):
        _run("fails")


def test_no_test_executed_is_a_failure() -> None:
    with pytest.raises(BenchFailure, match="no cocotb test was executed"):
        _run("there_is_no_such_test")


def test_hanging_simulation_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(BenchFailure, match=r"ran longer than \d+ s \(limit 2 s\) and was killed"):
        _run("hangs", env={"ENGINE_TEST_FILE": str(pid_file)}, timeout_s=2)
    assert _gone(int(pid_file.read_text()))


@pytest.mark.parametrize(("how", "said"), [("dies", f"died of signal {signal.SIGSEGV:d}"), ("exits", "status 3")])
def test_dying_simulator_is_reported(how: str, said: str) -> None:
    with pytest.raises(BenchFailure, match=said):
        _run(how)


def test_unset_state_depends_on_the_seed(tmp_path: Path) -> None:
    seen = set()
    for seed in range(6):
        _run("shows_random_state", env={"ENGINE_TEST_FILE": str(tmp_path / "value")}, seed=seed)
        seen.add((tmp_path / "value").read_text())
    assert len(seen) > 1


def test_killed_parent_leaves_no_simulator(tmp_path: Path) -> None:
    _run("passes")  # so that the child need not build
    pid_file = tmp_path / "pid"
    code = (
        "from cocotb_tests.engine import test_engine as t\n"
        f"t._run('hangs', env={{'ENGINE_TEST_FILE': {str(pid_file)!r}}}, timeout_s=60)\n"
    )
    path = os.pathsep.join([str(sources.REPO_ROOT), str(sources.REPO_ROOT / "host")])
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        preexec_fn=process.die_with_parent(),
    )
    try:
        simulator = int(_wait_for(lambda: pid_file.is_file() and pid_file.read_text(), "the simulator to start"))
    finally:
        parent.kill()
        parent.wait()
    _wait_for(lambda: _gone(simulator), "the simulator to end with its parent")


def test_sources_that_do_not_build_are_quoted(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sv"
    broken.write_text("module broken (input logic clk_i);\n  assign nowhere = clk_i +;\nendmodule\n")
    with pytest.raises(build.BuildError, match=r"broken\.sv:2:(?s:.*)syntax error"):
        run_bench("broken", TESTS, sources=[broken])
    assert not list(build.BUILD_ROOT.glob("broken-*.tmp"))


def test_closure_takes_what_is_named_and_no_more(tmp_path: Path) -> None:
    texts = {
        "a_pkg.sv": "package a_pkg; endpackage",
        "leaf.sv": "module leaf import a_pkg::*; (input logic x); endmodule",
        "other.sv": "module other; this does not even parse",
        "top.sv": "// other\nmodule top; leaf u_leaf (.x(1'b0)); endmodule",
    }
    files = []
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        files.append(tmp_path / name)
    assert [path.name for path in sources.closure("top", files)] == ["a_pkg.sv", "leaf.sv", "top.sv"]
    with pytest.raises(sources.SourceError, match="no source file declares module 'absent'"):
        sources.closure("absent", files)


def test_source_list_takes_paths_only(tmp_path: Path) -> None:
    listing = tmp_path / "x.f"
    listing.write_text("// comment\nrtl/a.sv  # and why\n\nrtl/b.sv\n")
    assert sources.read_list(listing) == [sources.REPO_ROOT / "rtl/a.sv", sources.REPO_ROOT / "rtl/b.sv"]
    listing.write_text("+incdir+rtl\n")
    with pytest.raises(sources.SourceError, match=r"line 1: '\+incdir\+rtl' is an option"):
        sources.read_list(listing)


def test_bad_seed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COCOTB_RANDOM_SEED", "monday")
    with pytest.raises(ValueError, match="COCOTB_RANDOM_SEED is 'monday'"):
        _run("passes")


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def _wait_for(condition, what: str, limit_s: float = 20.0):
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.05)
    pytest.fail(f"waited {limit_s:.0f} s for {what}")
