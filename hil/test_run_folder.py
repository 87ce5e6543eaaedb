# SPDX-License-Identifier: Apache-2.0
"""Folders of a run whose owner was killed by SIGKILL: the next run of the same kind removes them, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil.virtual import run_folder

ROOT = Path(__file__).resolve().parents[1]
STOP = "def stop(folder):\n    print(folder, flush=True)\n    sys.stdin.read()\n    raise SystemExit\n"
OWNERS = {  # each real owner, stopped when it has its folder and nothing else
    "virtone-board-": "from hil.virtual.linux_board import qemu\nstop(qemu.Board(None).folder)",
    "virtone-bench-": (
        "from hil.virtual import supervisor\n"
        "supervisor.choose = lambda options, folder, say: stop(folder)\n"
        "supervisor.VirtualBench(supervisor.BenchOptions(), print).start()"
    ),
    "vsoak-": (
        "from hil.soak import session\n"
        "session.RtlSimulation = lambda folder, dilation: stop(folder)\n"
        "session.Session(None, {}, None, sys.stderr).__enter__()"
    ),
    "vpeer-": (
        "from hil.peer import boards\n"
        "boards.RtlSimulation = lambda folder, dilation: stop(folder)\n"
        "boards.RtlDevice(None, {}).__enter__()"
    ),
}


class Owner:
    """A process that has made its folder and waits."""

    def __init__(self, kind: str, within: Path) -> None:
        path = os.pathsep.join([str(ROOT / "host"), str(ROOT)])
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"import sys\n{STOP}{OWNERS[kind]}"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(within)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.folder = Path(self.process.stdout.readline().strip())

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def owners() -> Iterator[list[Owner]]:
    made: list[Owner] = []
    yield made
    for one in made:
        one.kill()


@pytest.mark.parametrize("kind", OWNERS)
def test_what_a_killed_owner_left_is_removed(kind: str, tmp_path: Path, owners: list[Owner]) -> None:
    owners += [Owner(kind, tmp_path), Owner(kind, tmp_path)]
    killed, lives = owners
    assert killed.folder.is_dir() and killed.folder.name.startswith(kind) and killed.folder.parent == tmp_path
    (killed.folder / "something").write_text("left")
    killed.kill()
    owners.append(Owner(kind, tmp_path))
    assert not killed.folder.exists(), "left over from a killed owner"
    assert lives.folder.is_dir(), "its owner lives"
    assert owners[-1].folder.stat().st_mode & 0o777 == 0o700


def test_nothing_else_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    number = gone.stdout.strip()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("")
    kept = ["kind-abcdefgh", f"kind-x{number}-abcdefgh", f"kindred-{number}-abcdefgh", f"kind-{os.getpid()}-abcdefgh"]
    for name in (*kept, f"kind-{number}-abcdefgh"):
        (tmp_path / name).mkdir()
    (tmp_path / f"kind-{number}-alink").symlink_to(elsewhere)
    with run_folder.run_folder("kind-") as folder:
        assert folder.is_dir() and not (tmp_path / f"kind-{number}-abcdefgh").exists()
        assert all((tmp_path / name).is_dir() for name in kept) and (elsewhere / "file").exists()
    assert not folder.exists()
    assert run_folder.make("kind-", within=elsewhere).parent == elsewhere
