# SPDX-License-Identifier: Apache-2.0
"""`sndprobe record`: on a stand-in for the kernel's input stream, and on an unmodified kernel that records what it plays (`snd-aloop`)."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from hil.guest import build
from hil.guest.tests import aloop
from hil.guest.tests.native import Native, built, native
from hil.peer.boards import QemuDevice
from hil.virtual.linux_board import packages
from hil.virtual.linux_board.errors import BoardError
from virtone.signal import stimulus

__all__ = ["built", "native"]  # fixtures
SMALL = ("--target", "got.raw", "--scheduler", "other")


def noise(count: int, name: str, seed: int = 3) -> bytes:
    """Random stereo frames of a format, none of them silence, so that neither padding nor a place can be mistaken."""
    frames = np.random.default_rng(seed).integers(-(2**31), 2**31, (count, 2), dtype=np.int64) | 0x10000
    return stimulus.to_bytes(frames.astype(np.int32), name)


def pieces(recorded: bytes, sound: bytes, cuts: Sequence[int], frame_bytes: int) -> list[tuple[int, int]]:
    """What was recorded between `cuts` (frames) as (first, count) of the frames of `sound`; silence is left out at the ends.

    Each piece must be one run of consecutive frames of the sound, all in order; ValueError says which is not."""
    found, last = [], 0
    ends = [0, *cuts, len(recorded) // frame_bytes]
    silence = bytes(frame_bytes)
    for begin, end in itertools.pairwise(ends):
        piece = recorded[begin * frame_bytes : end * frame_bytes]
        while piece[:frame_bytes] == silence:
            piece = piece[frame_bytes:]
        while piece[-frame_bytes:] == silence:
            piece = piece[:-frame_bytes]
        if not piece:
            continue
        place = sound.find(piece)
        if place < 0 or place % frame_bytes or place < last:
            raise ValueError(
                f"frames {begin} to {end} are not {len(piece) // frame_bytes} frames of the sound in order"
            )
        last = place + len(piece)
        found.append((place // frame_bytes, len(piece) // frame_bytes))
    return found


def test_pieces_finds_faults() -> None:
    sound = noise(1000, "S16")
    assert pieces(bytes(40) + sound[400:1200] + bytes(8), sound, [], 4) == [(100, 200)]
    assert pieces(sound[:400] + sound[800:1200], sound, [100], 4) == [(0, 100), (200, 100)]
    lost, repeated = sound[:400] + sound[404:800], sound[:400] + sound[396:800]
    changed = sound[:401] + bytes([sound[401] ^ 1]) + sound[402:800]
    for wrong in (lost, repeated, changed, sound[:400] + bytes(4) + sound[400:800], sound[2:800]):
        with pytest.raises(ValueError, match="in order"):
            pieces(wrong, sound, [], 4)
    with pytest.raises(ValueError, match="frames 100 to 200"):
        pieces(sound[400:800] + sound[:400], sound, [100], 4)


# -- a stand-in for the stream ------------------------------------------------------------------------------------------
@pytest.fixture
def recorder(native: Native) -> Native:
    (native.folder / "in.raw").write_bytes(noise(48000, "S16"))
    return native


def record(native: Native, *words: object, **env: object) -> list[dict]:
    return native.run("record", *SMALL, *words, FAKE_PCM_IN=native.folder / "in.raw", **env)


def got(native: Native) -> bytes:
    return (native.folder / "store" / "got.raw").read_bytes()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", stimulus.FORMATS)
def test_records_every_frame_once(recorder: Native, name: str, channels: int) -> None:
    sound = noise(5000, name)
    (recorder.folder / "in.raw").write_bytes(sound)
    file, done = record(recorder, "--format", name, "--channels", channels, "--frames", 4999)
    assert got(recorder) == sound[: 4999 * stimulus.FORMATS[name] * channels]
    assert (file["file"], file["size"]) == ("got.raw", len(got(recorder)))
    assert done["frames_read"] == 4999 and done["xruns"] == 0 and (done["period"], done["buffer"]) == (480, 1920)
    assert [f.name for f in (recorder.folder / "store").iterdir()] == ["got.raw"]


def test_seconds_are_frames_and_the_file_is_played(recorder: Native) -> None:
    record(recorder, "--seconds", 0.05, "--rate", 44100)
    assert got(recorder) == noise(48000, "S16")[: 2205 * 4]
    recorder.run("play", "--probe", "none", "--scheduler", "other", "--source", "got.raw")
    assert recorder.out.read_bytes()[: 2205 * 4] == got(recorder)


def test_wake_ups_are_those_of_playing(recorder: Native) -> None:
    *wakeups, _, done = record(recorder, "--seconds", 0.1, "--wakeups", 1)
    assert [w["wakeup"] for w in wakeups] == list(range(10)) and done["frames_read"] == 4800
    playing = recorder.run("tone", "--probe", "none", "--seconds", 0.01, "--wakeups", 1)[0]
    assert list(playing) == list(wakeups[0])
    assert all(w["state"] == "RUNNING" and w["hw_ptr"] - w["appl_ptr"] == w["delay"] >= 480 for w in wakeups)
    assert [w["appl_ptr"] for w in wakeups] == list(range(0, 4800, 480))
    assert (
        all(0 <= w["since_update_ns"] < 50e6 for w in wakeups) and (np.diff([w["time_ns"] for w in wakeups]) > 0).all()
    )


def test_an_overrun_is_recovered_from_and_said(recorder: Native) -> None:
    xrun, _, done = record(recorder, "--frames", 9600, FAKE_PCM_XRUN_AT=2400)
    assert (xrun["xrun"], xrun["state"], xrun["frame"]) == (1, "XRUN", 1920) and done["xruns"] == 1
    sound = noise(48000, "S16")
    (first, before), (second, after) = pieces(got(recorder), sound, [xrun["frame"]], 4)
    assert (first, before, after) == (0, 1920, 7680) and second >= 1920 + 1920
    with pytest.raises(ValueError, match="in order"):
        pieces(got(recorder), sound, [], 4)


def test_an_overrun_without_end_ends_the_job(recorder: Native) -> None:
    environment = {"FAKE_PCM_IN": recorder.folder / "in.raw", "FAKE_PCM_AGAIN": 1}
    *xruns, done = recorder.run("record", *SMALL, status=3, FAKE_PCM_XRUN_AT=480, **environment)
    assert "overrun at frame 0: the stream was started 3 times" in done["error"] and done["xruns"] == len(xruns) == 3
    assert not list((recorder.folder / "store").iterdir())
    *xruns, _, done = record(recorder, "--frames", 9600, FAKE_PCM_XRUN_AT=960, FAKE_PCM_AGAIN=1)
    assert done["xruns"] == len(xruns) == 19


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--period 30", "--period is 30; the driver allows 40 to 7680 frames here"),
        ("--periods 17", "--periods is 17; the driver allows 2 to 16 here"),
        ("--channels 3", "--channels is 3; the driver allows 1 to 2 here"),
        ("--rate 384000", "--rate is 384000; the driver allows 8000 to 192000 Hz here"),
    ],
)  # fmt: skip
def test_refuses_what_the_driver_does_not_allow(recorder: Native, words: str, message: str) -> None:
    environment = {"FAKE_PCM_IN": recorder.folder / "in.raw"}
    assert message in recorder.error("record", *SMALL, *words.split(), status=1, **environment)
    error = recorder.error("record", *SMALL, status=1, FAKE_PCM_COARSE=1, **environment)
    assert error == "the driver gave a period of 480 and a buffer of 2400 frames; asked for were 480 and 1920"
    assert not (recorder.folder / "store").exists()


def test_a_recording_that_does_not_end_leaves_what_was_there(recorder: Native) -> None:
    recorder.put("got.raw", b"what was there")
    environment = {"FAKE_PCM_IN": recorder.folder / "in.raw"}
    error = recorder.error("record", *SMALL, status=1, FAKE_PCM_STALL_AT=960, **environment)
    assert "hw_ptr stands at 960" in error and "delivers no frames" in error
    words = [recorder.program, "record", *SMALL, "--seconds", "30"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=recorder.environment(**environment)) as child:
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        said, _ = child.communicate(timeout=10)
    done = json.loads(said.splitlines()[-1])
    assert done["status"] == child.returncode == 130 and done["error"] == "interrupted" and done["frames_read"] > 480
    assert [f.name for f in (recorder.folder / "store").iterdir()] == ["got.raw"]
    assert got(recorder) == b"what was there"


# -- an unmodified kernel -----------------------------------------------------------------------------------------------
FRAMES = 18000


@pytest.fixture(scope="module")
def loop() -> Iterator[QemuDevice]:
    """A board with Debian's `snd-aloop` as card 1: what its device 0 plays its device 1 records. Card 0 is QEMU's own."""
    try:
        parts = packages.obtain()
        files: dict[str, bytes | Path] = {
            "usr/bin/sndprobe": build.sndprobe(),
            "root/snd-aloop.ko": aloop.obtain(parts),
        }
    except BoardError as error:
        pytest.skip(f"no Linux board that records on this machine: {error}")
    files |= {f"root/{name}.raw": noise(FRAMES, name) for name in ("S16", "S32")}
    with QemuDevice(parts, files) as side:
        assert side.run("insmod /root/snd-aloop.ko; export SNDPROBE_FOLDER=/root; ls -d /proc/asound/card1") == [
            "/proc/asound/card1"
        ]
        yield side


def looped(loop: QemuDevice, name: str, seconds: float, words: str, meanwhile: str = "") -> tuple[list[dict], bytes]:
    """Record from the loop, play into it 0.15 s later; what `record` said and the file."""
    record = f"sndprobe record --card 1 --device 1 --format {name} --seconds {seconds} {words} --target got.raw"
    play = f"sndprobe play --probe none --card 1 --periods 32 --format {name} --source {name}.raw"
    job = f"{record} >/tmp/said & recorder=$!; usleep 150000; {play} >/tmp/played & {meanwhile} wait"
    # A shell without job control: it waits for a stopped job, too.
    lines = loop.run(f"sh -c '{job}'; cat /tmp/said /tmp/played")
    said = [json.loads(line) for line in lines if line.startswith("{")]
    recorded, played = said[:-2], said[-1]
    assert played["status"] == 0 and played["xruns"] == 0, played
    head, *parts, _ = [json.loads(line) for line in loop.run("sndprobe get got.raw") if line.startswith("{")]
    data = b"".join(base64.b64decode(part["data"]) for part in parts)
    assert head["sha256"] == hashlib.sha256(data).hexdigest() and head["size"] == len(data)
    return recorded, data


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "words"), [("S16", "--access rw --periods 32"), ("S32", "--access mmap --period 240 --periods 64")]
)
def test_a_kernel_records_what_it_plays(loop: QemuDevice, name: str, words: str) -> None:
    (*wakeups, file, done), data = looped(loop, name, 0.7, f"{words} --wakeups 1")
    assert done["status"] == 0 and done["xruns"] == 0, done
    assert done["frames_read"] == 33600 and file["size"] == len(data) == 33600 * 2 * (2 if name == "S16" else 4)
    assert pieces(data, noise(FRAMES, name), [], len(data) // 33600) == [(0, FRAMES)]
    assert len(wakeups) == 33600 // done["period"]
    assert all(w["hw_ptr"] - w["appl_ptr"] == w["delay"] >= done["period"] and w["state"] == "RUNNING" for w in wakeups)
    assert (np.diff([w["time_ns"] for w in wakeups]) > 0).all()
    took = (wakeups[-1]["time_ns"] - wakeups[0]["time_ns"]) * 1e-9
    assert abs(took - (33600 - done["period"]) / 48000) < 0.2


@pytest.mark.timeout(300)
def test_an_overrun_of_a_kernel(loop: QemuDevice) -> None:
    """The recorder is stopped for longer than its buffer; frames are missing there and nowhere else."""
    stop = "usleep 150000; kill -STOP $recorder; usleep 120000; kill -CONT $recorder;"
    (*records, file, done), data = looped(loop, "S16", 0.6, "", stop)
    assert file["size"] == len(data) == 28800 * 4 and done["frames_read"] == 28800
    cuts = [r["frame"] for r in records if "xrun" in r]
    assert done["status"] == 0 and done["xruns"] == len(cuts) >= 1 and {r["state"] for r in records} == {"XRUN"}
    found = pieces(data, noise(FRAMES, "S16"), cuts, 4)
    with pytest.raises(ValueError, match="in order"):
        pieces(data, noise(FRAMES, "S16"), [], 4)
    assert len(found) >= 2 and found[0][0] == 0 and sum(found[-1]) == FRAMES
    assert FRAMES - sum(count for _, count in found) > 1920


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("--card 1 --device 1 --channels 32 --period 1000000", 1, "--period is 1000000; the driver allows"),
        (
            "--card 1 --device 1 --rate 192000 --period 96 --periods 2",
            3,
            "overrun at frame 0: the stream was started 3 times",
        ),
        ("--card 1 --device 3", 1, "card 1 (Loopback - Loopback), device 3 has no input stream"),
        ("--card 4", 1, "there is no sound card 4"),
        ("--card 0", 1, "the device delivers no frames"),
    ],
)
def test_a_kernel_refuses(loop: QemuDevice, words: str, status: int, message: str) -> None:
    done = json.loads(loop.run(f"sndprobe record --target no.raw {words} || true", 20)[-1])
    assert message in done["error"] and done["status"] == status


def test_a_full_disk_is_said_before_the_first_frame(loop: QemuDevice) -> None:
    loop.run("mkdir -p /tmp/small; mount -t tmpfs -o size=64k none /tmp/small")
    command = "SNDPROBE_FOLDER=/tmp/small sndprobe record --card 1 --device 1 --target big.raw || true"
    done = json.loads(loop.run(command, 20)[-1])
    assert done["status"] == 1 and done["frames_read"] == 0
    assert "big.raw.part: there is no room for 192000 bytes: No space left on device" in done["error"]
    assert loop.run("ls /tmp/small") == []
