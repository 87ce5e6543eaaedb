# SPDX-License-Identifier: Apache-2.0
"""rtl/README.md names every module, and every module has a bench of its own name."""

from __future__ import annotations

import re
from pathlib import Path

from cocotb_tests.engine.sources import REPO_ROOT

RTL, BENCHES = REPO_ROOT / "rtl", REPO_ROOT / "cocotb_tests"
_ROW = re.compile(r"^\| `([\w.]+)` \| `(\w+)` \| (.*) \|$", re.MULTILINE)
Module = tuple[str, str]  # folder, name


def modules(rtl: Path) -> set[Module]:
    """What stands under `rtl`, the packages of shared types and constants (`pkg/`) excepted."""
    files = [path.relative_to(rtl) for path in rtl.rglob("*.sv")]
    return {(str(path.parent), path.stem) for path in files if path.parts[0] != "pkg"}


def table(text: str) -> dict[Module, str]:
    """Module to promise, as the README's table has it."""
    rows = [(folder, name, promise) for folder, name, promise in _ROW.findall(text)]
    twice = {row[:2] for row in rows if sum(row[:2] == other[:2] for other in rows) > 1}
    assert not twice, f"rtl/README.md has more than one line for {sorted(twice)}"
    return {(folder, name): promise for folder, name, promise in rows}


def complaints(text: str, found: set[Module]) -> list[str]:
    """What is wrong with the table, measured by the files."""
    rows = table(text)
    wrong = [f"no line for {folder}/{name}" for folder, name in sorted(found - set(rows))]
    wrong += [f"a line for {folder}/{name}, which does not exist" for folder, name in sorted(set(rows) - found)]
    wrong += [f"{name}: no promise" for (_, name), promise in rows.items() if not promise.strip()]
    wrong += [f"{name}: more than a line" for (_, name), promise in rows.items() if len(promise) > 110]
    return wrong


def without_bench(found: set[Module], benches: Path) -> list[str]:
    """Modules without `<folder>/tb_<module>.py` that defines `test_<module>`. vsnd_top is what system/ tests."""
    missing = []
    for folder, name in sorted(found - {(".", "vsnd_top")}):
        bench = benches / folder / f"tb_{name}.py"
        if not bench.is_file() or f"\ndef test_{name}(" not in bench.read_text():
            missing.append(f"{folder}/tb_{name}.py")
    return missing


def test_readme_names_every_module() -> None:
    assert not complaints((RTL / "README.md").read_text(), modules(RTL))


def test_every_module_has_a_bench() -> None:
    assert not without_bench(modules(RTL), BENCHES)


def test_what_is_missing_is_found(tmp_path: Path) -> None:
    """The checks themselves: a module without a line, a line without a module, an empty promise, no bench, a bench without its test."""
    text = "| `lib` | `old` | Gone. |\n| `lib` | `here` |  |\n"
    found = {("lib", "here"), ("lib", "new"), ("lib", "third")}
    assert complaints(text, found) == [
        "no line for lib/new",
        "no line for lib/third",
        "a line for lib/old, which does not exist",
        "here: no promise",
    ]
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "tb_here.py").write_text("\ndef test_here() -> None: ...\n")
    (tmp_path / "lib" / "tb_third.py").write_text("\ndef test_other() -> None: ...\n")
    assert without_bench(found, tmp_path) == ["lib/tb_new.py", "lib/tb_third.py"]
