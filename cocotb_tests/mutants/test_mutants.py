# SPDX-License-Identifier: Apache-2.0
"""Every mutant of the RTL is caught by the bench that is there to catch it.

A mutant is one file `<name>.patch`: a head that says what is wrong (`Mutant:`), which bench must fail (`Bench:`) and which
of its cocotb tests (`Tests:`, a regular expression), then a patch. It is applied to a copy of the RTL, never to the tree.
A mutant that does not apply, does not build, or survives fails here.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cocotb_tests.engine import process
from cocotb_tests.engine.sources import REPO_ROOT

HERE = Path(__file__).resolve().parent
MUTANTS = sorted(HERE.glob("*.patch"))
# What a bench says when it has found something, as opposed to one that could not run.
CAUGHT = re.compile(r"cocotb test\(s\) failed|was killed|SimTimeoutError")


def head(text: str, key: str) -> str:
    match = re.search(rf"^{key}: (.+)$", text, re.MULTILINE)
    assert match, f"the patch has no line '{key}: ...'"
    return match[1].strip()


def copy_of_rtl(folder: Path, patch: Path | None) -> Path:
    """A tree with the RTL alone, with `patch` applied."""
    shutil.copytree(REPO_ROOT / "rtl", folder / "rtl")
    if patch is not None:
        subprocess.run(["git", "apply", "-p1", str(patch)], cwd=folder, check=True, capture_output=True, timeout=30,
                       env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)})  # fmt: skip
    return folder


def run(bench: str, tests: str, rtl: Path, log: Path) -> tuple[int, str]:
    """Status and output of the bench on another RTL."""
    status = process.run_bounded(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            str(REPO_ROOT / bench),
        ],
        cwd=REPO_ROOT,
        env={**os.environ, "VIRTONE_RTL_ROOT": str(rtl), "COCOTB_TEST_FILTER": tests},
        log=log,
        timeout_s=240,
        parent_death_signal=signal.SIGKILL,
    )
    return status, log.read_text(errors="replace")


def test_there_are_enough() -> None:
    assert len(MUTANTS) >= 8


def test_the_copy_itself_is_sound(tmp_path: Path) -> None:
    """Without a patch the same machinery passes: what the mutants fail of is their fault, not the copy's."""
    status, said = run("cocotb_tests/mmio/tb_interrupt.py", ".*", copy_of_rtl(tmp_path, None), tmp_path / "log")
    assert status == 0, said


@pytest.mark.parametrize("patch", MUTANTS, ids=lambda path: path.stem)
def test_mutant_is_caught(patch: Path, tmp_path: Path) -> None:
    text = patch.read_text()
    rtl = copy_of_rtl(tmp_path, patch)
    status, said = run(head(text, "Bench"), head(text, "Tests"), rtl, tmp_path / "log")
    assert status != 0, f"'{head(text, 'Mutant')}' survives {head(text, 'Bench')}"
    assert CAUGHT.search(said), f"{patch.stem} did not fail in a cocotb test:\n{said[-3000:]}"
