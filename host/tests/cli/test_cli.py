# SPDX-License-Identifier: Apache-2.0
"""Verbs as a user types them: messages and exit codes."""

import contextlib
import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.certify.fake_bench import BENCH, FakeBench
from tests.certify.test_pace import Meter
from virtone.bench.config import load_bench
from virtone.certify.plan import load_plan
from virtone.cli import certify as certify_verb
from virtone.cli.doctor import calibration
from virtone.cli.main import main
from virtone.cli.play import WavError, read_wav, tell
from virtone.signal.bitexact import compare

PLANS = Path(__file__).parents[3] / "hil" / "plans"


@pytest.fixture
def bench_file(tmp_path):
    file = tmp_path / "bench.toml"
    file.write_text(BENCH)
    return file


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """Let `virtone certify` open a bench without a device."""
    bench = FakeBench(tmp_path)

    bench.opened_with = []

    @contextlib.contextmanager
    def opened(config, more=()):
        bench.config = config
        bench.opened_with.append(more)
        if bench.pace is not None:
            bench.pace.dilation = float(more[1]) if more else 10.0
        yield bench

    monkeypatch.setattr(certify_verb, "open_bench", opened)
    return bench


def test_certify_then_verify(fake, bench_file, tmp_path, capsys):
    arguments = [
        "certify",
        "--bench",
        str(bench_file),
        "--plan",
        str(PLANS / "quick.toml"),
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(arguments) == 0
    assert "PASS  (SIMULATED)" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "o")]) == 0
    file = tmp_path / "o/certificate.json"
    file.write_text(file.read_text().replace('"verdict": "NO LIMIT"', '"verdict": "PASS"', 1))
    assert main(["verify", str(tmp_path / "o")]) == 1 and "NOT CONFIRMED" in capsys.readouterr().out


def test_a_bench_that_is_too_slow_is_opened_anew_and_not_asked_again(fake, bench_file, tmp_path):
    """A buffer of 4 ms wants N = 20; a run that is broken off there goes on there."""
    fake.pace, fake.stop_after = Meter(), 2
    fake.facts = {"kind": "linux", "qemu": "11.1", "dilation": 10.0}
    command = ["certify", "--bench", str(bench_file), "--plan", str(PLANS / "quick.toml"), "--out", str(tmp_path / "o")]
    assert main(command) == 130
    fake.stop_after = None
    assert main(command) == 0
    assert fake.opened_with == [(), ("--dilation", "20"), ("--dilation", "20")]


def test_a_new_run_keeps_the_one_before(fake, bench_file, tmp_path, capsys):
    """Twice into the same folder: measured twice, the first certificate kept whole and still verifiable."""
    out = tmp_path / "out"
    command = ["certify", "--bench", str(bench_file), "--plan", str(PLANS / "quick.toml"), "--out", str(out)]
    first = main(command)
    kept = (out / "certificate.json").read_bytes()
    assert main(command) == first
    assert f"the run before is kept in {out / 'earlier' / '1'}" in capsys.readouterr().out
    assert (out / "earlier" / "1" / "certificate.json").read_bytes() == kept
    assert (out / "certificate.json").read_bytes() != kept
    assert main(["verify", str(out / "earlier" / "1")]) == 0
    assert main(["verify", str(out)]) == 0


def test_interrupt_is_one_line(fake, bench_file, tmp_path, capsys):
    fake.stop_after = 2
    assert (
        main(["certify", "--bench", str(bench_file), "--plan", str(PLANS / "quick.toml"), "--out", str(tmp_path / "o")])
        == 130
    )
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "go on where it stopped" in error
    assert main(["verify", str(tmp_path / "o")]) == 2


def test_unusable_input_is_one_line(bench_file, tmp_path, capsys):
    for arguments in (
        ["certify", "--bench", str(bench_file), "--plan", "nowhere.toml"],
        ["verify", str(tmp_path)],
        ["play", "nowhere.wav"],
        ["doctor", "--bench", "nowhere.toml"],
    ):
        assert main(arguments) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("subtype", "shift", "kind"), [("PCM_16", 16, "S16"), ("PCM_24", 8, "S24_3"), ("PCM_32", 0, "S32")]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_wav_of_every_width(tmp_path, subtype, shift, kind, channels):
    x = (np.random.default_rng(1).integers(-(2**31), 2**31, (100, channels)) >> shift << shift).astype(np.int32)
    soundfile.write(tmp_path / "x.wav", x, 48000, subtype=subtype)
    frames, rate, name = read_wav(tmp_path / "x.wav")
    assert np.array_equal(frames, x) and (rate, name) == (48000, kind)


def test_wav_that_cannot_be_played(tmp_path):
    x = np.ones((10, 3), np.int16)
    for name, data, rate, subtype, message in (
        ("a.wav", x, 48000, "PCM_16", "3 channels"),
        ("b.wav", x[:, :1], 47000, "PCM_16", "47000 Hz"),
        ("c.wav", x[:, :1], 48000, "FLOAT", "FLOAT"),
        ("d.flac", x[:, :1], 48000, "PCM_16", "FLAC"),
        ("e.wav", x[:, :1] * 0, 48000, "PCM_16", "silent"),
    ):
        soundfile.write(tmp_path / name, data, rate, subtype=subtype)
        with pytest.raises(WavError, match=message):
            read_wav(tmp_path / name)


def test_play_tells(capsys):
    x = np.arange(2, 202, dtype=np.int32).reshape(100, 2)
    assert tell(compare(x, x), 48000) == 0
    assert tell(compare(x, np.delete(x, 50, axis=0)), 48000) == 1
    assert "first at frame 50" in capsys.readouterr().out


def test_doctor_knows_an_expired_calibration(tmp_path, capsys):
    text = (PLANS.parent / "benches/example-physical.toml").read_text()
    file = tmp_path / "b.toml"
    file.write_text(text)
    config = load_bench(file)
    assert not calibration(config, datetime.date(2099, 1, 1)) and "WRONG" in capsys.readouterr().out
    assert load_plan(PLANS / "quick.toml").title in "quick look"
