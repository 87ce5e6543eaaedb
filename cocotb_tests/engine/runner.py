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
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cocotb_tests.engine import build, process
from cocotb_tests.engine.sources import REPO_ROOT

RUN_ROOT = REPO_ROOT / ".build" / "run"
_LOG_LINES = 40


class BenchFailure(AssertionError):
    """A bench that did not pass: which cocotb test failed and how, or why none of them could."""

    __tracebackhide__ = True


@dataclass(frozen=True)
class BenchResult:
    """What a passed bench leaves: names of the tests run, simulated and wall time, the log and the wave file if any."""

    tests: tuple[str, ...]
    sim_ns: float
    wall_s: float
    log: str
    waves: Path | None


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
    spec = build.module_spec(toplevel, sources, parameters or {}, defines or {}, build_args, waves or _flag("WAVES"))
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
    binary = build.executable(spec)
    seed = _seed() if seed is None else seed
    module = module_name(tests)
    RUN_ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{spec.top}-", dir=RUN_ROOT))
    args = [f"+verilator+seed+{seed % 0x7FFFFFFF + 1}", "+verilator+rand+reset+2"] if random_init else []
    print(f"bench {spec.top}: {module}, COCOTB_RANDOM_SEED={seed}")

    runner = build.BenchVerilator(timeout_s=timeout_s)
    runner.output = folder / "sim.log"
    runner.death_signal = signal.SIGKILL
    runner.forced_env = {"COCOTB_RANDOM_SEED": str(seed), "COCOTB_ANSI_OUTPUT": "0", **env}
    trouble = ""
    try:
        with contextlib.suppress(SystemExit):
            runner.test(
                module,
                spec.top,
                hdl_toplevel_lang="verilog",
                test_args=args,
                plusargs=list(plusargs),
                build_dir=binary.parent,
                test_dir=folder,
                results_xml=str(folder / "results.xml"),
                waves=spec.waves,
            )
    except process.TimeLimit as error:
        trouble = f"{error} (limit {timeout_s:.0f} s) and was killed"
    log = runner.output.read_text(errors="replace") if runner.output.is_file() else ""
    vcd = folder / "dump.vcd"
    if vcd.is_file():
        print(f"bench {spec.top}: waves in {vcd}")
    result, failures = _results(folder / "results.xml", log, vcd if vcd.is_file() else None)
    if not trouble and runner.exit_status and not failures:
        how = (
            f"died of signal {-runner.exit_status}"
            if runner.exit_status < 0
            else f"ended with status {runner.exit_status}"
        )
        trouble = f"the simulator {how} before the tests were finished"
    if not trouble and not failures and not result.tests:
        trouble = f"no cocotb test was executed; does {module} define any (and does COCOTB_TEST_FILTER match)?"
    if trouble or failures:
        raise BenchFailure(_report(spec.top, module, seed, trouble, failures, log, runner.output))
    if not vcd.is_file():
        shutil.rmtree(folder, ignore_errors=True)
    return result


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


def _flag(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "yes", "y", "on", "true", "enable")


def _seed() -> int:
    text = os.environ.get("COCOTB_RANDOM_SEED", "1").strip()
    if text == "random":
        return random.SystemRandom().randrange(1, 2**31)
    if not text.isdecimal():
        raise ValueError(f"COCOTB_RANDOM_SEED is {text!r}; it must be a whole number >= 0, or 'random'")
    return int(text)


def _results(xml: Path, log: str, waves: Path | None) -> tuple[BenchResult, list[tuple[str, str]]]:
    """What cocotb reported: the result, and for each failing test its name and traceback."""
    names: list[str] = []
    failures: list[tuple[str, str]] = []
    sim_ns = wall_s = 0.0
    if xml.is_file():
        for case in ElementTree.parse(xml).getroot().iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            problem = case.find("failure")
            problem = case.find("error") if problem is None else problem
            if problem is not None:
                failures.append((name, (problem.text or problem.get("message") or "no reason given").strip()))
            if case.find("skipped") is None:
                names.append(name)
            wall_s += float(case.get("time") or 0)
            for item in case.iter("property"):
                if item.get("name") == "sim_time_duration":
                    sim_ns += float(item.get("value") or 0)
    return BenchResult(tuple(names), sim_ns, wall_s, log, waves), failures


def _report(
    top: str, module: str, seed: int, trouble: str, failures: Sequence[tuple[str, str]], log: str, log_file: Path
) -> str:
    """The message of a failed bench: the failing tests first, then the end of the simulator's log."""
    parts = [
        f"bench {top} ({module}, COCOTB_RANDOM_SEED={seed}): " + (trouble or f"{len(failures)} cocotb test(s) failed")
    ]
    parts += [f"---- {name}\n{text}" for name, text in failures]
    tail = log.splitlines()[-_LOG_LINES:]
    parts.append("\n".join([f"---- the last {len(tail)} lines of {log_file}", *tail]))
    return "\n".join(parts)
