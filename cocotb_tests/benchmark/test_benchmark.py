# SPDX-License-Identifier: Apache-2.0
"""The benchmark as a command: watched children, the file it writes, how it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psutil
import pytest

from cocotb_tests.benchmark import __main__ as command
from cocotb_tests.benchmark import machine, report, simulation, tree
from cocotb_tests.benchmark.figure import Figure, MeasurementError
from cocotb_tests.engine import sources
from cocotb_tests.engine.process import TimeLimit
from cocotb_tests.engine.runner import BenchFailure

MIB = 1 << 20
GROWING = """
import subprocess, sys, time
block = bytearray(60 << 20)
if len(sys.argv) > 1:
    subprocess.run([sys.executable, "-c", "import sys, time; block = bytearray(60 << 20); time.sleep(float(sys.argv[1]))", sys.argv[1]])
"""
FACTS = {"cores": 2, "cpu": "a processor", "load_average_at_start": [0.1, 0, 0], "rtl_sha256_16": "0", "revision": ""}


def test_memory_of_the_whole_tree_is_seen(tmp_path: Path) -> None:
    seen = tree.watch([sys.executable, "-c", GROWING, "1.5"], cwd=tmp_path, log=tmp_path / "log", timeout_s=60)
    assert seen.status == 0 and seen.processes == 2 and seen.samples > 3
    assert 120 * MIB < seen.peak_bytes < 240 * MIB, f"{seen.peak_bytes / MIB:.0f} MiB"
    assert seen.cpu_s > 0 and seen.wall_s > 1


def test_a_child_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(TimeLimit, match="ran longer than 1 s"):
        tree.watch([sys.executable, "-c", GROWING, "50"], cwd=tmp_path, log=tmp_path / "log", timeout_s=1)
    assert not psutil.Process().children(recursive=True)


def test_file_is_whole_or_the_one_before(tmp_path: Path) -> None:
    file = report.write(tmp_path / "out", FACTS, [Figure("g", "n", 1.0, "u", high=2.0)], {"other": "why"}, 3.0)
    data = json.loads(file.read_text())
    assert data["figures"][0]["verdict"] == "met" and data["failures"] == [{"group": "other", "reason": "why"}]
    with pytest.raises(ValueError, match="not JSON compliant"):
        report.write(tmp_path / "out", FACTS, [Figure("g", "n", 1.0, "u", detail={"x": float("nan")})], {}, 3.0)
    assert json.loads(file.read_text()) == data
    assert [path.name for path in (tmp_path / "out").iterdir()] == [report.FILE]


def test_facts_name_no_machine_and_the_hash_sees_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = machine.facts()
    assert str(sources.REPO_ROOT) not in json.dumps(facts)
    assert facts["cores"] >= 1 and facts["rtl_sha256_16"] == machine.rtl_hash()
    changed = tmp_path / "changed.sv"
    changed.write_text(sources.read_list()[-1].read_text() + "\n")
    files = [*sources.read_list()[:-1], changed]
    monkeypatch.setattr(machine.sources, "RTL_ROOT", Path("/"))
    monkeypatch.setattr(machine.sources, "read_list", lambda: files)
    assert machine.rtl_hash() != facts["rtl_sha256_16"]


def test_a_scene_that_fails_or_finds_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    case = {"format": "S16_LE", "channels": 2, "rate": 48001, "period": 48, "periods": 4, "sim_ms": 1}
    with pytest.raises(BenchFailure, match="rate=48001"):
        simulation.simulate("playback", case)
    monkeypatch.setattr(simulation, "run_system", lambda *_, **__: None)
    with pytest.raises(BenchFailure, match="scene playback found nothing"):
        simulation.simulate("playback", case)


@pytest.mark.parametrize(
    ("trouble", "status"), [(None, 0), (MeasurementError("the reason"), 1), (KeyboardInterrupt(), 130)]
)
def test_exit_status(
    trouble, status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(step):
        if trouble is not None:
            raise trouble
        step()
        return [Figure("notify", "n", 1.0, "cycles", high=2.0, note="[not a tag]")]

    monkeypatch.setattr(command, "executable", lambda spec: None)
    monkeypatch.setattr(command, "tasks", lambda full: [command.Task("notify", "notify", 1, run)])
    assert command.main(["--out", str(tmp_path), "--only", "notify"]) == status
    said = capsys.readouterr()
    assert (tmp_path / report.FILE).exists() == (status != 130)
    if status == 0:
        assert "met" in said.out and "[not a tag]" in said.out
    if status == 1:
        assert "not measured notify: the reason" in said.out
    if status == 130:
        assert "interrupted; nothing was written" in said.err


def test_bad_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, why in ((["--only", "weather"], "choose from"), (["--only", "build"], "measured with --full only")):
        with pytest.raises(SystemExit) as end:
            command.main(arguments)
        assert end.value.code == 2
        assert why in capsys.readouterr().err
