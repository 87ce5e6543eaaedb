# SPDX-License-Identifier: Apache-2.0
"""`run_bench`: build a bench, run the cocotb tests of a Python module in it, fail as pytest expects.

A module bench is one file `cocotb_tests/<rtl folder>/tb_<module>.py` with its cocotb tests (not named `test_*`) and

    def test_<module>() -> None:
        run_bench("<module>", __file__)

Environment: WAVES=1 writes a VCD and prints where; COCOTB_RANDOM_SEED sets the seed (default 1, "random" draws one;
always printed); COCOTB_TEST_FILTER picks cocotb tests by regular expression.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cocotb_tests.engine import build, process, results
from cocotb_tests.engine.results import BenchResult
from cocotb_tests.engine.sources import REPO_ROOT

RUN_ROOT = REPO_ROOT / ".build" / "run"
_KEPT_RUNS = 20  # folders of failed or traced runs


class BenchFailure(AssertionError):
    """A bench that did not pass: which cocotb test failed and how, or why none of them could."""

    __tracebackhide__ = True


def run_bench(
    toplevel: str,
    tests: str,
    *,
    sources: Sequence[str | Path] = (),
    parameters: Mapping[str, object] | None = None,
    defines: Mapping[str, object] | None = None,
    build_args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    plusargs: Sequence[str] = (),
    timeout_s: float = 120.0,
    waves: bool = False,
    seed: int | None = None,
    random_init: bool = True,
) -> BenchResult:
    """Run the cocotb tests of the file (or imported module name) `tests` on the module `toplevel`.

    Sources are what `toplevel` needs out of `rtl/vsnd.f` and `sources` (paths relative to the repository root; for test
    wrappers and files not in the list yet). `random_init` starts every register at a random value drawn from the seed,
    so that a missing reset shows. `timeout_s` bounds the wall time of the run (not of the build).

    Raises BenchFailure when a test fails, none ran, the simulator died, or time ran out; BuildError when the sources do
    not build.
    """
    __tracebackhide__ = True
    spec = build.module_spec(toplevel, sources, parameters or {}, defines or {}, build_args, waves or flag("WAVES"))
    return run_built(
        spec, tests, env=env or {}, plusargs=plusargs, timeout_s=timeout_s, seed=seed, random_init=random_init
    )


def run_built(
    spec: build.BuildSpec,
    tests: str,
    *,
    env: Mapping[str, str],
    plusargs: Sequence[str] = (),
    timeout_s: float,
    seed: int | None = None,
    random_init: bool = False,
) -> BenchResult:
    """Like `run_bench`, for a build described by `spec`."""
    __tracebackhide__ = True
    _prune_runs()
    folder = Path(tempfile.mkdtemp(prefix=f"{spec.top}-", dir=RUN_ROOT))
    seed = _seed() if seed is None else seed
    args = [f"+verilator+seed+{seed % 0x7FFFFFFF + 1}", "+verilator+rand+reset+2"] if random_init else []
    heading = f"bench {spec.top} ({module_name(tests)}, COCOTB_RANDOM_SEED={seed})"
    print(heading)

    runner = _simulator(spec, folder, seed, env, timeout_s)
    trouble = ""
    try:
        _run(runner, spec, tests, folder, [*args, *plusargs])
    except process.TimeLimit as error:
        trouble = f"{error} (limit {timeout_s:.0f} s) and was killed"
    log = runner.output.read_text(errors="replace") if runner.output.is_file() else ""
    vcd = folder / "dump.vcd" if spec.waves else None
    if vcd:
        print(f"{heading}: waves in {vcd}")
    result, failures = results.read_results(folder / "results.xml", log, vcd)
    status = runner.exit_status
    if not trouble and status and not failures:
        how = f"died of signal {-status}" if status < 0 else f"ended with status {status}"
        trouble = f"the simulator {how} before the tests were finished"
    if not trouble and not failures and not result.tests:
        trouble = "no cocotb test was executed; does the file define any, and does COCOTB_TEST_FILTER match one?"
    if trouble or failures:
        raise BenchFailure(results.report(heading, trouble, failures, log, runner.output))
    if not vcd:
        shutil.rmtree(folder, ignore_errors=True)
    return result


def start_built(spec: build.BuildSpec, tests: str, *, folder: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the simulation of `spec` as a child and return at once; its output goes to `folder`/sim.log."""
    folder.mkdir(parents=True, exist_ok=True)
    runner = _simulator(spec, folder, _seed(), env, 0.0)
    runner.launch = True
    _run(runner, spec, tests, folder, [])
    assert runner.child is not None
    return runner.child


def _simulator(
    spec: build.BuildSpec, folder: Path, seed: int, env: Mapping[str, str], timeout_s: float
) -> build.BenchVerilator:
    runner = build.BenchVerilator(spec, timeout_s)
    runner.output = folder / "sim.log"
    runner.output.unlink(missing_ok=True)
    runner.death_signal = signal.SIGKILL
    runner.forced_env = {"COCOTB_RANDOM_SEED": str(seed), "COCOTB_ANSI_OUTPUT": "0", **env}
    return runner


def _run(runner: build.BenchVerilator, spec: build.BuildSpec, tests: str, folder: Path, args: Sequence[str]) -> None:
    binary = build.executable(spec)
    with contextlib.suppress(SystemExit):  # cocotb's way to report under pytest; the results are read afterwards
        runner.test(
            module_name(tests),
            spec.top,
            hdl_toplevel_lang="verilog",
            test_args=list(args),
            build_dir=binary.parent,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            waves=spec.waves,
        )


def _prune_runs() -> None:
    RUN_ROOT.mkdir(parents=True, exist_ok=True)
    hour_ago = time.time() - 3600
    old = sorted(
        (path for path in RUN_ROOT.iterdir() if path.stat().st_mtime < hour_ago), key=lambda p: p.stat().st_mtime
    )
    for path in old[:-_KEPT_RUNS]:
        shutil.rmtree(path, ignore_errors=True)


def module_name(tests: str) -> str:
    """Dotted name under the repository root of a Python file, given by its path or the `__name__` it has here."""
    file = Path(tests) if tests.endswith(".py") else Path(getattr(sys.modules.get(tests), "__file__", None) or "")
    try:
        return ".".join(file.resolve().relative_to(REPO_ROOT).with_suffix("").parts)
    except ValueError:
        pass
    if file.is_file():  # outside the repository: by its bare name, with its folder on the path
        sys.path.append(str(file.resolve().parent))
        return file.stem
    raise ValueError(f"{tests!r} is neither a Python file nor an imported module; pass __file__")


def flag(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "yes", "y", "on", "true", "enable")


def _seed() -> int:
    text = os.environ.get("COCOTB_RANDOM_SEED", "1").strip()
    if text == "random":
        return random.SystemRandom().randrange(1, 2**31)
    if not text.isdecimal():
        raise ValueError(f"COCOTB_RANDOM_SEED is {text!r}; it must be a whole number >= 0, or 'random'")
    return int(text)
