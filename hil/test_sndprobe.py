# SPDX-License-Identifier: Apache-2.0
"""`sndprobe` of the Linux board, built for this machine: its samples bit for bit, its command line, and playing on a stand-in for the
kernel's stream (guest/tests/fake_pcm.c)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from hil.guest import gen_header
from hil.guest.tests.native import GUEST, SMALL, Native, built, native
from virtone import __version__
from virtone.signal import stimulus
from virtone.virtio.emit import stale

__all__ = ["built", "native"]  # fixtures


# -- the page -----------------------------------------------------------------------------------------------------------
def test_header_is_current(tmp_path: Path) -> None:
    files = {gen_header.NAME: gen_header.render()}
    assert stale(gen_header.FOLDER, files) == []
    (tmp_path / gen_header.NAME).write_text(files[gen_header.NAME].replace("0x1000u", "0x2000u"))
    assert stale(tmp_path, files) == [gen_header.NAME]


def test_files_are_short() -> None:
    for file in (GUEST / "sndprobe").glob("*.[ch]"):
        assert len(file.read_text().splitlines()) < 300, file.name


# -- samples ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rate", [4000, 44100, 48000, 96000, 192000, 768000])
def test_every_code_is_the_hosts(native: Native, rate: int) -> None:
    played = native.raw("--kind", "burst", "--codes", stimulus.CODES, "--rate", rate, "--format", "S32")
    wanted = np.concatenate([stimulus.burst(code, rate) for code in range(stimulus.CODES)])
    assert played == wanted.astype("<i4").tobytes()
    assert played != np.roll(wanted, 1).astype("<i4").tobytes()


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("name", stimulus.FORMATS)
def test_every_format_is_the_hosts(native: Native, name: str, channels: int) -> None:
    played = native.raw(
        "--kind", "material", "--format", name, "--channels", channels, "--frames", 3000, "--first-code", 2040
    )
    assert played == stimulus.to_bytes(stimulus.interleave(stimulus.material(3000, 48000, 2040), channels), name)


@pytest.mark.parametrize("fault", stimulus.FAULTS)
def test_every_fault_is_the_hosts(native: Native, fault: str) -> None:
    ppm = 50 if fault == "detune" else 0
    words = ("--frames", 20000, "--fault", fault, "--at-frame", 9600, "--fault-frames", 480, "--detune-ppm", ppm)
    played = native.raw("--kind", "material", "--format", "S32", "--first-code", 3, *words)
    assert played == stimulus.faulty_material(20000, 48000, fault, 9600, 480, 3, ppm).astype("<i4").tobytes()


@pytest.mark.parametrize("ppm", [-10000, -50, 1, 10000])
def test_detuned_material_is_the_hosts(native: Native, ppm: int) -> None:
    played = native.raw(
        "--kind", "material", "--format", "S32", "--rate", 44100, "--frames", 20000, "--detune-ppm", ppm
    )
    assert played == stimulus.material(20000, 44100, 0, ppm).astype("<i4").tobytes()


def test_tone_is_the_hosts(native: Native) -> None:
    played = np.frombuffer(native.raw("--kind", "tone", "--format", "S32", "--frames", 20000), "<i4").astype(np.int64)
    assert np.abs(played - stimulus.tone(20000, 48000)).max() <= 1  # the last bit of a sine is the library's


# -- command line ---------------------------------------------------------------------------------------------------------
def test_says_what_it_is(native: Native) -> None:
    said, _ = native.run("version")
    assert said["sndprobe"] == __version__ and said["system"] == "Linux" and said["kernel"] == os.uname().release
    assert said["probe"] is None and "--probe none" in said["probe_error"]
    offered, _ = native.run("info")
    assert offered["formats"] == list(stimulus.FORMATS) and offered["channels"] == [1, 2] and 12000 in offered["rates"]
    assert offered["period_frames"] == [40, 7680] and offered["periods"] == [2, 16]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "no verb; sndprobe understands version, hello"),
        ("shoot", "'shoot'; sndprobe understands"),
        ("shots --spacing 3", "option '--spacing' is unknown"),
        ("shots --chanels 2", "did you mean --channels?"),
        ("shots -rate 48000", "option '-rate' is unknown; did you mean --rate?"),
        ("shots --rate", "--rate has no value; right is a whole number from 4000 to 768000"),
        ("shots --rate 48000 --rate 48000", "--rate is given twice"),
        ("shots --rate 48k", "--rate is 48k; right is a whole number from 4000 to 768000"),
        ("shots --format S20", "--format is S20; right is one of: S16 S24 S24_3 S32"),
        ("shots --format S2", "--format is S2; right is one of"),
        ("shots --spacing-ms nan", "--spacing-ms is nan"),
        ("shots --spacing-ms 1", "--spacing-ms is 1; right is at least 15.333: burst and one period"),
        ("shots --count 10 --first-code 2040", "codes end at 2046"),
        ("material --fault lost --at-frame 3 --fault-frames 9", "fault of 9 frames at frame 3: inside 0..48000 is right"),
        ("tone --hz 30000", "tone of 30000 Hz: above 0 and below half of 48000 Hz"),
        ("tone --probe none --marker complete", "--marker complete needs the probe page"),
        ("play", "--source is missing"),
        ("record", "--target is missing"),
        ("record --target ../a", "file '../a': a name has 1 to 64"),
        ("record --target a --marker complete", "option '--marker' is unknown"),
        ("record --target a --seconds 0", "--seconds is 0; right is a number from 0.001 to 3600"),
        ("record --target a --seconds 3600", "172800000 frames of 4 bytes are too many; right is at most 67108864"),
        ("play --source ../etc", "file '../etc': a name has 1 to 64"),
        ("play --source a", "there is no file a; right are none yet"),
        ("get", "get has 0 words"),
        ("rm x y", "rm has 2 words"),
    ],
)  # fmt: skip
def test_wrong_command_lines(native: Native, words: str, message: str) -> None:
    assert message in native.error(*words.split())


def test_odd_bytes_stay_json(native: Native) -> None:
    assert native.error('sh"o\\t\t\u00e9').startswith("'sh\"o\\t\t")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("record --target a", "card 0 (FakePCM - Fake Sound Card) has no input stream, so nothing can be recorded from it"),
        ("record --target a --device 3", "(FakePCM - Fake Sound Card), device 3 has no input stream"),
        ("record --target a --card 5", "there is no sound card 5; right is a card whose driver is loaded"),
        ("tone", "no virtio-mmio device"),
        ("tone --probe 0x10001004", "in the middle of a page"),
        ("tone --probe here", "--probe is here; right is auto, none or an address"),
        ("counters --probe none", "not asked for"),
    ],
)  # fmt: skip
def test_what_it_cannot_do(native: Native, words: str, message: str) -> None:
    assert message in native.error(*words.split(), status=1)


# -- the stream -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--period 30", "--period is 30; the driver allows 40 to 7680 frames here"),
        ("--period 9000", "--period is 9000; the driver allows 40 to 7680 frames here"),
        ("--periods 17", "--periods is 17; the driver allows 2 to 16 here"),
        ("--channels 3", "--channels is 3; the driver allows 1 to 2 here"),
        ("--rate 384000", "--rate is 384000; the driver allows 8000 to 192000 Hz here"),
    ],
)  # fmt: skip
def test_refuses_what_the_driver_does_not_allow(native: Native, words: str, message: str) -> None:
    assert message in native.error("tone", "--probe", "none", *words.split(), status=1)


def test_refuses_another_buffer(native: Native) -> None:
    message = native.error("tone", *SMALL, status=1, FAKE_PCM_COARSE=1)
    assert message == "the driver gave a period of 480 and a buffer of 2400 frames; asked for were 480 and 1920"


@pytest.mark.parametrize("name", stimulus.FORMATS)
def test_plays_every_frame_once(native: Native, name: str) -> None:
    *_, done = native.run("material", *SMALL, "--format", name, "--frames", 5000)
    assert done["frames_written"] == 5280 and done["xruns"] == 0 and (done["period"], done["buffer"]) == (480, 1920)
    wanted = stimulus.to_bytes(stimulus.interleave(stimulus.material(5000, 48000), 2), name)
    played = native.out.read_bytes()
    assert played[: len(wanted)] == wanted and not any(played[len(wanted) :])


def test_wake_ups_are_printed(native: Native) -> None:
    *wakeups, _, done = native.run("tone", *SMALL, "--seconds", 0.1, "--wakeups", 1)
    assert [w["wakeup"] for w in wakeups] == list(range(len(wakeups))) and len(wakeups) == done[
        "frames_written"
    ] // 480 + 4
    running = [w for w in wakeups if w["state"] == "RUNNING"]
    assert all(w["appl_ptr"] - w["hw_ptr"] == w["delay"] <= 1920 and 0 <= w["since_update_ns"] < 50e6 for w in running)
    assert (np.diff([w["time_ns"] for w in wakeups]) > 0).all()


def test_an_underrun_is_recovered_from_and_said(native: Native) -> None:
    *records, counts, done = native.run("material", *SMALL, "--frames", 9600, FAKE_PCM_XRUN_AT=2400)
    assert done["xruns"] == counts["xruns"] == 1 and done["frames_written"] == 9600
    assert [(r["xrun"], r["state"]) for r in records] == [(1, "XRUN")]


def test_an_underrun_ends_shots(native: Native) -> None:
    *shots, done = native.run("shots", *SMALL, "--count", 3, "--spacing-ms", 60, status=3, FAKE_PCM_XRUN_AT=4800)
    assert done["error"].startswith("underrun at frame") and done["xruns"] == 1 and len(shots) < 3


def test_a_device_that_stands_still_is_named(native: Native) -> None:
    began = time.monotonic()
    message = native.error("tone", *SMALL, "--period", 96, "--periods", 4, status=2, FAKE_PCM_STALL_AT=480)
    assert "given twice" in message
    words = ("--period", 96, "--periods", 4, "--probe", "none", "--scheduler", "other")
    message = native.error("tone", *words, status=1, FAKE_PCM_STALL_AT=480)
    assert "hw_ptr stands at 480" in message and "does not complete" in message and time.monotonic() - began < 10


def test_shots_at_random_phase(native: Native) -> None:
    *shots, done = native.run("shots", *SMALL, "--count", 5, "--first-code", 7, "--spacing-ms", 50, "--seed", 4)
    assert [(s["shot"], s["code"]) for s in shots] == [(k, 7 + k) for k in range(5)] and done["xruns"] == 0
    left = stimulus.from_bytes(native.out.read_bytes(), "S16", 2)[:, 0]
    for shot in shots:
        assert (
            shot["frame"] % 480 == 0
            and shot["state"] == "RUNNING"
            and shot["told_frames"] == shot["appl_ptr"] - shot["hw_ptr"]
        )
        wanted = stimulus.burst(shot["code"], 48000)
        assert np.array_equal(left[shot["frame"] : shot["frame"] + len(wanted)], wanted)
        assert shot["stages_ns"] == dict.fromkeys("ANFWC")
    assert np.diff([s["frame"] for s in shots]).min() >= 50 * 48 - 480
    assert np.ptp([s["since_update_ns"] for s in shots]) > 1e6


def test_interrupted(native: Native) -> None:
    words = [native.program, "tone", *SMALL, "--seconds", "30"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=native.environment()) as child:
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        said, _ = child.communicate(timeout=10)
    done = json.loads(said.splitlines()[-1])
    assert done["status"] == child.returncode == 130 and done["error"] == "interrupted" and done["frames_written"] > 480
