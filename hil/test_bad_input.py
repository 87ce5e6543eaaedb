# SPDX-License-Identifier: Apache-2.0
"""What goes wrong, end to end through the command line: one clear message, the documented status, nothing left behind.

Every run that opens a bench goes through one bench file, so that a run that failed can be taken up again by the next one; how the
bench misbehaves stands in a file beside it, which the wrapper reads when it starts the virtual bench.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hil.cli_rig import BENCH, PLAN, ROOT, Rack, Run
from virtone.cli.main import main

ENDS_S = 60.0  # most of it for a machine that is busy; measured alone, every ending takes seconds
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    return Rack(tmp_path_factory.mktemp("rack"))


def test_the_rig_sees_what_is_left_running() -> None:
    """Seeded: a program that ends as it should, but for a child in a session of its own."""
    leaves = "import subprocess, sys; subprocess.Popen(['sleep', '60'], start_new_session=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL); sys.exit('virtone x: no')"
    run = Run("x", program=(sys.executable, "-c", leaves))
    with pytest.raises(AssertionError, match=r"left running: .*sleep"):
        run.ends(1, "no", patience_s=0.5)
    for pid in run.members():
        os.kill(pid, signal.SIGKILL)


# Files that cannot be used: no bench is started for them.


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and re.search(r"right|did you mean|correct that", said.err), said.err
    sys.stdout.write(said.err)
    return said.err


@pytest.mark.parametrize(("old", "new", "message"), [
    ("time_scale", "time_scael", r"bench\.toml: time_scael: unknown key \(value 20\.0\); did you mean time_scale\?"),
    ("timeout_s = 60", 'timeout_s = "60"', r'console\.timeout_s: is "60"; right is a number from 0\.1 to 600'),
    ("number = 2", "number = 9", r"instruments\.oscilloscope\.channels\.marker\.number: is 9; right is a whole number from 1 to 8"),
    ('codec = "PCM5102A"', 'codec = "PCM5102"', r"board\.codec.*did you mean PCM5102A\?"),
    ("[board]", "[board", r"is no TOML"),
])  # fmt: skip
def test_a_bench_file_that_cannot_be_used(capsys, tmp_path, old, new, message):
    text = BENCH.read_text()
    assert old in text
    (tmp_path / "bench.toml").write_text(text.replace(old, new, 1))
    said = refused(capsys, "certify", "--bench", tmp_path / "bench.toml", "--plan", PLAN, "--out", tmp_path / "o")
    assert re.search(message, said) and not (tmp_path / "o").exists()


@pytest.mark.parametrize(("old", "new", "message"), [
    ("material_s", "materials", r"plan\.toml: materials: unknown key \(value 0\.2\); did you mean material_s\?"),
    ("rate = 48000", 'rate = "48k"', r'configurations\.s24-48k-1ms\.rate: is "48k"; right is a whole number'),
    ("periods = 4", "periods = 65", r"periods: is 65; right is a whole number from 2 to 64"),
])  # fmt: skip
def test_a_plan_that_cannot_be_used(capsys, tmp_path, old, new, message):
    text = PLAN.read_text()
    assert old in text
    (tmp_path / "plan.toml").write_text(text.replace(old, new, 1))
    said = refused(capsys, "certify", "--bench", BENCH, "--plan", tmp_path / "plan.toml", "--out", tmp_path / "o")
    assert re.search(message, said) and not (tmp_path / "o").exists()


def wav(path: Path, channels: int = 1, rate: int = 48000, subtype: str = "PCM_16", frames: int = 480) -> Path:
    soundfile.write(path, np.full((frames, channels), 0.25), rate, subtype=subtype, format="WAV")
    return path


@pytest.mark.parametrize(("options", "message"), [
    ({"subtype": "PCM_U8"}, r"PCM_U8, 1 channels; right is PCM WAV of 16, 24 or 32 bits"),
    ({"subtype": "FLOAT"}, r"FLOAT, 1 channels; right is PCM WAV of 16, 24 or 32 bits"),
    ({"channels": 3}, r"3 channels; right is PCM WAV of 16, 24 or 32 bits, 1 or 2 channels"),
    ({"rate": 47999}, r"47999 Hz; right is one of 8000, "),
    ({"frames": 0}, r"is empty or silent throughout; right is a file with sound"),
])  # fmt: skip
def test_a_wav_of_an_unsupported_kind(capsys, tmp_path, options, message):
    assert re.search(message, refused(capsys, "play", wav(tmp_path / "x.wav", **options), "--bench", BENCH))


@pytest.mark.parametrize(("content", "message"), [
    (b"", r"x\.wav: is empty; right is a PCM WAV file"),
    (b"What is this?", r"x\.wav: Format not recognised; right is a PCM WAV file"),
    (None, r"is truncated: its chunk 'data' announces 960 bytes, 480 are there; right is the whole file"),
])  # fmt: skip
def test_a_file_that_is_no_whole_wav(capsys, tmp_path, content, message):
    file = tmp_path / "x.wav"
    file.write_bytes(wav(file).read_bytes()[:-480] if content is None else content)
    assert re.search(message, refused(capsys, "play", file, "--bench", BENCH))


def test_a_folder_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    out = tmp_path / "file" / "out"
    said = refused(capsys, "certify", "--bench", BENCH, "--plan", PLAN, "--out", out)
    assert f"{out}: cannot be written (Not a directory); right is an --out folder that you may write to" in said
    if os.geteuid() != 0:  # nothing is closed to root
        (tmp_path / "closed").mkdir(mode=0o500)
        said = refused(capsys, "certify", "--bench", BENCH, "--plan", PLAN, "--out", tmp_path / "closed/out")
        assert "cannot be written (Permission denied)" in said


# Instruments.


@pytest.mark.parametrize(("fault", "message"), [
    ("no_reply:*IDN?", r"no answer to '\*IDN\?' \(waited 3\.\d s\); check that the instrument is not busy"),
    ("no_reply::WAVeform:DATA?", r"hislip.*no answer to ':WAVeform:DATA\?' \(waited 3\.\d s\)"),
    ("late_reply@5::WAVeform:PREamble?", r"no answer to ':WAVeform:PREamble\?' \(waited 3\.\d s\)"),
    ("truncated_block::WAVeform:DATA?", r"truncated data block in answer to ':WAVeform:DATA\?' .*: \d+ of \d+ bytes came; the record was dropped"),
    ("disconnect::OPERegister", r"connection lost at ':OPERegister:CONDition\?'.*check that it is switched on"),
    ("disconnect_mid_block::WAVeform:DATA?", r"(connection lost at|truncated data block in answer to) ':WAVeform:DATA\?'"),
    ("wrong_idn:*IDN?", r"wrong instrument at '\*IDN\?': it says ACME,TOASTER-3000,0,1\.0; this driver takes models DSO-X"),
    ("never_triggers", r"no trigger at ':SINGle' \(waited 1\d\.\d s\): 0 of 1 records were taken; check the marker's cable"),
])  # fmt: skip
def test_an_instrument_that_fails(rack: Rack, fault: str, message: str) -> None:
    rack.misbehave("--fault", fault)
    rack.certify().ends(2, message)
    rack.check_nothing_half_written()


def test_a_fault_that_does_not_exist_is_refused(rack: Rack) -> None:
    rack.misbehave("--fault", "melts")
    rack.certify().ends(2, r"status 2.*--fault: fault 'melts' is unknown; there are no_reply, late_reply")


# Parts that go away in the middle.


def test_a_simulator_that_dies(rack: Rack) -> None:
    rack.misbehave()
    run, before = rack.certify(), rack.recorded()
    run.until(lambda: rack.recorded() > before)
    (simulation,) = [pid for pid, name in run.members().items() if name.startswith("bench_top")]
    os.kill(simulation, signal.SIGKILL)
    run.ends(
        2,
        r"the virtual bench ended by itself \(status 1\); it said: error: the simulation was killed by SIGKILL",
        ENDS_S,
    )
    rack.check_nothing_half_written()


def test_a_console_that_goes(rack: Rack) -> None:
    rack.misbehave("relay")
    run, before = rack.certify(), rack.recorded()
    run.until(lambda: rack.recorded() > before)
    (rack.folder / "cut").touch()
    run.ends(2, r"/dev/pts/\d+: the console (has gone|takes no input) .*still running\?", ENDS_S)
    rack.check_nothing_half_written()


def test_a_disk_that_is_full(rack: Rack) -> None:
    rack.misbehave()
    message = r"captures/\S+\.npz: cannot be written \(File too large\); right is an --out folder .* disk with room; what was recorded .* kept"
    rack.certify(largest_file=50_000).ends(2, message)
    rack.check_nothing_half_written()


# Ctrl-C. The last of these tests find the run that all of the above left unfinished, and finish it.


def test_ctrl_c_while_the_bench_starts(rack: Rack) -> None:
    rack.misbehave()
    run = rack.certify()
    run.until(lambda: any(name.startswith("bench_top") for name in run.members().values()))
    run.interrupt()
    run.ends(130, r"interrupted; start it again with the same arguments to go on where it stopped", ENDS_S)
    rack.check_nothing_half_written()


def test_ctrl_c_while_python_still_imports(rack: Rack) -> None:
    run = rack.certify()
    run.until(lambda: "numpy" in Path(f"/proc/{run.process.pid}/maps").read_text())
    run.interrupt()
    run.ends(130, r"interrupted", ENDS_S)


def test_ctrl_c_while_it_acquires(rack: Rack) -> None:
    rack.misbehave()
    run, before = rack.certify(), rack.recorded()
    run.until(lambda: rack.recorded() > before)
    run.interrupt()
    run.ends(130, r"interrupted; start it again with the same arguments to go on where it stopped", ENDS_S)
    rack.check_nothing_half_written()


def test_ctrl_c_while_it_evaluates_and_the_run_is_finished_by_the_next(rack: Rack, capsys) -> None:
    rack.misbehave()
    run = rack.certify()
    log = rack.out / "log.jsonl"
    run.until(lambda: log.exists() and b'"kind": "end"' in log.read_bytes())
    run.until(lambda: not any(name.startswith("bench_top") for name in run.members().values()))
    run.interrupt()
    run.ends(130, r"interrupted; start it again with the same arguments to go on where it stopped", ENDS_S)
    rack.check_nothing_half_written()
    rack.misbehave("--fault", "melts")  # no bench is needed any more
    arguments = ["certify", "--bench", str(rack.file), "--plan", str(PLAN), "--out", str(rack.out)]
    assert main(arguments) == 0 and main(["verify", str(rack.out)]) == 0
    assert "PASS  (SIMULATED)" in capsys.readouterr().out


def test_a_folder_that_holds_another_plan(rack: Rack, capsys, tmp_path) -> None:
    """Needs any run in the folder: the tests above leave one."""
    if not rack.recorded():
        pytest.skip("no run was recorded; run the whole file")
    (rack.out / "certificate.json").unlink(missing_ok=True)  # without its certificate a run is not finished
    before = (rack.out / "plan.toml").read_bytes()
    other = tmp_path / "plan.toml"
    other.write_text(PLAN.read_text().replace("seed = 1", "seed = 2"))
    said = refused(capsys, "certify", "--bench", rack.file, "--plan", other, "--out", rack.out)
    assert re.search(
        r"holds a run with another plan\.toml than .*; right is the same plan\.toml, or another --out", said
    )
    assert (rack.out / "plan.toml").read_bytes() == before


# doctor


def test_doctor_names_every_part_that_is_wrong(capsys, tmp_path) -> None:
    text = (ROOT / "hil/benches/example-physical.toml").read_text()
    text = text.replace("TCPIP::192.0.2.17::hislip0::INSTR", "TCPIP::127.0.0.1::hislip0,1::INSTR", 1)
    (tmp_path / "bench.toml").write_text(text.replace("/dev/ttyUSB1", "/dev/nowhere"))
    assert main(["doctor", "--bench", str(tmp_path / "bench.toml")]) == 1
    said = capsys.readouterr().out
    assert re.search(
        r"WRONG oscilloscope: TCPIP::127\.0\.0\.1::hislip0,1::INSTR: .*nothing answers at that address", said
    )
    assert re.search(
        r"WRONG board: /dev/nowhere: cannot open the console .*check console\.port in the bench file", said
    )
    assert said.endswith("not ready: see the lines marked WRONG\n")


def test_doctor_is_content_with_the_virtual_bench(rack: Rack, capsys) -> None:
    rack.misbehave()
    assert main(["doctor", "--bench", str(rack.file)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"ok +board version: .*build_id [0-9a-f]{8}", said) and said.endswith("all well\n")
