# SPDX-License-Identifier: Apache-2.0
"""The import rules of docs/architecture.md, read from the source with `ast` (nothing is imported).

A new package below `host/virtone` must be entered in `MAY_IMPORT`, and its place in docs/architecture.md, before it passes.
Every import counts: at module level, inside a function, or for type checking only.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]

# cli -> certify -> {bench -> signal, model -> virtio}; conformance -> model. What lies below a neighbour may be used directly.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "virtio": frozenset(),
    "signal": frozenset(),
    "model": frozenset({"virtio"}),
    "bench": frozenset({"signal"}),
    "conformance": frozenset({"model", "virtio"}),
    "certify": frozenset({"bench", "signal", "model", "virtio"}),
    "cli": frozenset({"certify", "conformance", "bench", "signal", "model", "virtio"}),
}
PLAIN = frozenset({"virtio", "signal"})  # standard library, numpy and scipy only: any laptop can redo the arithmetic
PLAIN_LIBRARIES = frozenset({"numpy", "scipy"}) | sys.stdlib_module_names
SIMULATION = frozenset({"cocotb", "cocotb_tools"})
INSTRUMENT_LIBRARIES = frozenset({"pyvisa", "pyvisa_py", "serial"})
TRANSPORT = Path("host/virtone/bench/transport.py")  # the only door to instruments and serial lines
SIMULATION_PARTS = frozenset({"engine", "bfm"})  # of cocotb_tests, open to hil/virtual


class Import(NamedTuple):
    """One imported name: the file it stands in (relative to the root), its line, and the absolute dotted name."""

    file: Path
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.name}"


def module_parts(file: Path) -> tuple[str, ...]:
    """Dotted name of a file as parts, `host/` being a source root; a package's `__init__` is named like the package."""
    parts = file.with_suffix("").parts
    parts = parts[1:] if parts[0] == "host" else parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports_of(root: Path, file: Path) -> Iterator[Import]:
    """Every import of one file. `from x import y` gives `x.y`, because y may be a module; relative ones are resolved."""
    package = module_parts(file) if file.name == "__init__.py" else module_parts(file)[:-1]
    for node in ast.walk(ast.parse((root / file).read_text(encoding="utf-8"), filename=str(file))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            for alias in node.names:
                yield Import(file, node.lineno, ".".join((*base, *filter(None, [node.module]), alias.name)))


def sources(root: Path) -> list[Path]:
    """All Python files below the source folders, relative to the root."""
    folders = (root / name for name in ("host", "cocotb_tests", "hil"))
    return sorted(file.relative_to(root) for folder in folders for file in folder.rglob("*.py"))


def inside_rule(package: str, used: Import) -> str | None:
    """The broken rule of an import made by `virtone.<package>`, or None."""
    top, *rest = used.name.split(".")
    if top == "virtone":
        # `from virtone import __version__` names no package; only what is one can break the order.
        target = rest[0] if rest else ""
        if target in MAY_IMPORT and target != package and target not in MAY_IMPORT[package]:
            allowed = ", ".join(sorted(MAY_IMPORT[package])) or "no other package"
            return f"virtone.{package} may import {allowed} of virtone"
    elif package in PLAIN and top not in PLAIN_LIBRARIES:
        return f"virtone.{package} uses only the standard library, numpy and scipy"
    return None


def rule_broken(used: Import) -> str | None:
    """The broken rule of one import, in words, or None."""
    where = used.file.parts
    top, *rest = used.name.split(".")
    in_virtual = where[:2] == ("hil", "virtual")
    if where[:2] == ("host", "virtone"):
        if len(where) > 3:
            if where[2] not in MAY_IMPORT:
                return f"virtone.{where[2]} has no place in the import order yet"
            if broken := inside_rule(where[2], used):
                return broken
        if top in INSTRUMENT_LIBRARIES and used.file != TRANSPORT:
            return f"only {TRANSPORT} imports {top}"
    if top in SIMULATION and where[0] != "cocotb_tests" and not in_virtual:
        return "only cocotb_tests and hil/virtual import cocotb"
    if top == "hil" and where[0] != "hil":
        return "nothing imports hil"
    if top == "cocotb_tests" and where[0] != "cocotb_tests":
        if not in_virtual:
            return "only hil/virtual imports cocotb_tests"
        if not rest or rest[0] not in SIMULATION_PARTS:
            return "hil/virtual imports engine and bfm of cocotb_tests, nothing else"
    return None


def violations(root: Path) -> list[str]:
    """One line for each import below `root` that breaks a rule: where, what, which rule."""
    found = []
    for file in sources(root):
        for used in imports_of(root, file):
            if broken := rule_broken(used):
                found.append(f"{used}: {broken}")
    return found


def test_imports_run_one_way() -> None:
    assert len(sources(ROOT)) > 20, "the source folders were not found"
    found = violations(ROOT)
    assert not found, "\n".join(["imports against docs/architecture.md:", *found])


SEEDED = [
    ("host/virtone/virtio/wire.py", "from virtone.model import memory", "virtone.virtio may import no other"),
    ("host/virtone/virtio/wire.py", "from ..model.memory import Memory", "virtone.virtio may import no other"),
    ("host/virtone/virtio/wire.py", "from .. import signal", "virtone.virtio may import no other"),
    ("host/virtone/signal/latency.py", "import matplotlib.pyplot as plt", "only the standard library"),
    ("host/virtone/signal/deep/inner.py", "import virtone.virtio", "virtone.signal may import no other"),
    (
        "host/virtone/model/driver.py",
        "def f():\n    import virtone.certify.record",
        "virtone.model may import virtio of",
    ),
    ("host/virtone/bench/board.py", "from virtone.certify import plan", "virtone.bench may import signal of"),
    ("host/virtone/certify/plan.py", "import virtone.cli", "virtone.certify may import"),
    ("host/virtone/helpers/misc.py", "import os", "no place in the import order"),
    ("host/virtone/bench/console.py", "import serial", "only host/virtone/bench/transport.py"),
    (
        "host/virtone/certify/procedure.py",
        "from pyvisa.errors import VisaIOError",
        "only host/virtone/bench/transport.py",
    ),
    ("host/virtone/model/port.py", "from cocotb.triggers import Timer", "only cocotb_tests and hil/virtual"),
    ("host/tests/test_x.py", "import cocotb", "only cocotb_tests and hil/virtual"),
    ("hil/test_bench.py", "import cocotb_tools.runner", "only cocotb_tests and hil/virtual"),
    ("host/virtone/cli/run.py", "from hil import virtual", "nothing imports hil"),
    ("cocotb_tests/system/tb_play.py", "import hil.virtual.codec", "nothing imports hil"),
    ("hil/test_bench.py", "from cocotb_tests.engine import runner", "only hil/virtual imports cocotb_tests"),
    ("hil/virtual/simulation.py", "from cocotb_tests.queue import tb_walker", "engine and bfm"),
    ("hil/virtual/simulation.py", "import cocotb_tests", "engine and bfm"),
]


@pytest.mark.parametrize(("file", "text", "expected"), SEEDED, ids=lambda value: str(value).replace("\n", " "))
def test_a_seeded_violation_is_found(tmp_path: Path, file: str, text: str, expected: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(f'"""A module."""\n{text}\n')
    found = violations(tmp_path)
    assert len(found) == 1
    assert found[0].startswith(f"{file}:")
    assert expected in found[0]


ALLOWED = [
    ("host/virtone/virtio/ring.py", "import struct\nimport numpy as np\nfrom . import wire\nfrom .wire import Struct"),
    ("host/virtone/signal/latency.py", "from scipy import signal\nfrom virtone import __version__"),
    ("host/virtone/certify/procedure.py", "from virtone.signal.capture import Capture\nfrom ..bench import config"),
    ("host/virtone/bench/transport.py", "import pyvisa\nimport serial"),
    ("host/tests/test_x.py", "import pyvisa\nfrom virtone.cli import main"),
    (
        "cocotb_tests/bfm/port.py",
        "import cocotb\nfrom virtone.model.port import Port\nfrom cocotb_tests.engine import runner",
    ),
    (
        "hil/virtual/simulation.py",
        "import cocotb\nfrom cocotb_tests.engine import runner\nfrom cocotb_tests.bfm import port",
    ),
    ("hil/test_bench.py", "from hil.virtual import codec"),
]


@pytest.mark.parametrize(("file", "text"), ALLOWED, ids=[file for file, _ in ALLOWED])
def test_what_the_rules_allow_passes(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(f"{text}\n")
    assert violations(tmp_path) == []
