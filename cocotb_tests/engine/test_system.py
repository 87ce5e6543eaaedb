# SPDX-License-Identifier: Apache-2.0
"""Self-test of system benches, on a stand-in for the device: clocks, gating, memory, capture ring, replay."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from cocotb_tests.engine import bench_page, process
from cocotb_tests.engine.capture_ring import HEADER_BYTES, CaptureRing, Overrun
from cocotb_tests.engine.runner import BenchFailure
from cocotb_tests.engine.system import run_raw, run_system, start_system

ENGINE = Path(__file__).resolve().parent
TESTS = str(ENGINE / "fixture" / "device_tests.py")
DEVICE = [ENGINE / "fixture" / "vsnd_top.sv"]


def _run(only: str, folder: Path, **env: str):
    files = {"ENGINE_TEST_FILE": str(folder / "seen.json"), "BENCH_CAPTURE": str(folder / "ring")}
    env = {"COCOTB_TEST_FILTER": rf"\.{only}$", **files, **env}
    return run_system(TESTS, device=DEVICE, env=env, timeout_s=60)


@pytest.mark.parametrize("gating", ["0", "1"])
@pytest.mark.parametrize("only", ["registers", "memory", "doorbell", "invisible"])
def test_promise(only: str, gating: str, tmp_path: Path) -> None:
    _run(only, tmp_path, BENCH_GATING=gating)


def test_protocol_offence_ends_the_simulation(tmp_path: Path) -> None:
    with pytest.raises(BenchFailure, match=r"axi_ram: read burst(?s:.*)within 4 KiB"):
        _run("offence", tmp_path)


def test_gated_run_is_the_ungated_run(tmp_path: Path) -> None:
    """Same values at the same picoseconds, frames and markers alike, with a small part of the bus cycles."""
    runs = []
    for gating, hold in (("0", "1"), ("1", "1"), ("1", "16")):
        folder = tmp_path / f"{gating}-{hold}"
        folder.mkdir()
        figures = _run("traffic", folder, BENCH_GATING=gating, BENCH_HOLD=hold).figures
        ring = CaptureRing(folder / "ring")
        everything = ring.frames(0, ring.frames_written), ring.markers(0, ring.markers_written)
        runs.append((json.loads((folder / "seen.json").read_text()), everything, figures))
    seen, (frames, markers), free = runs[0]
    assert len(frames) > 100 and len(markers) > 40
    assert free["bus_cycles_run"] == free["sim_ps"] // 10_000
    for gated_seen, (gated_frames, gated_markers), gated in runs[1:]:
        assert gated_seen == seen
        assert np.array_equal(gated_frames, frames) and np.array_equal(gated_markers, markers)
        assert gated["sim_ps"] == free["sim_ps"]
        assert gated["bus_cycles_run"] < free["bus_cycles_run"] / 10


def test_a_device_that_forgets_the_time_it_slept_is_found_out(tmp_path: Path) -> None:
    """The seeded fault behind the comparison above: a stand-in that ignores time_skip_i."""
    text = DEVICE[0].read_text()
    assert "+ time_skip_i" in text
    broken = tmp_path / "vsnd_top.sv"
    broken.write_text(text.replace("+ time_skip_i", "+ 0 * time_skip_i"))
    seen = []
    for gating in "01":
        files = {"ENGINE_TEST_FILE": str(tmp_path / gating), "BENCH_GATING": gating, "ENGINE_TEST_ROUNDS": "5"}
        run_system(TESTS, device=[broken], env={"COCOTB_TEST_FILTER": r"\.traffic$", **files}, timeout_s=60)
        seen.append(json.loads((tmp_path / gating).read_text()))
    assert seen[0] != seen[1]


def test_replay_is_the_recorded_run(tmp_path: Path) -> None:
    recorded = _run("traffic", tmp_path, BENCH_RECORD=str(tmp_path / "recording"))
    figures = run_raw(tmp_path / "recording", device=DEVICE, env={"BENCH_CAPTURE": str(tmp_path / "raw")})
    assert (tmp_path / "raw").read_bytes() == (tmp_path / "ring").read_bytes()
    assert figures["sim_ps"] == recorded.figures["sim_ps"]
    assert figures["bus_cycles_run"] == recorded.figures["bus_cycles_run"]
    recording = (tmp_path / "recording").read_bytes()
    (tmp_path / "recording").write_bytes(recording[: len(recording) // 2])
    with pytest.raises(BenchFailure, match="recording is cut short"):
        run_raw(tmp_path / "recording", device=DEVICE)


def test_frames_are_stamped_to_the_picosecond(tmp_path: Path) -> None:
    _run("audio", tmp_path)
    ring = CaptureRing(tmp_path / "ring")
    first_441, end_441, end = json.loads((tmp_path / "seen.json").read_text())
    assert end <= end_441 + 1, "frames with a short slot were recorded"
    for rate, block in ((48000, ring.frames(0, 900)), (44100, ring.frames(first_441, end_441 - first_441))):
        count = np.arange(len(block))
        assert np.array_equal(block["left"], block["left"][0] + count)
        late = block["time_ps"] - block["time_ps"][0] - count * 1e12 / rate
        assert np.abs(late).max() <= 1.0, f"frames at {rate} Hz drift by {late[-1]} ps"
    # Reset ends 1 us after time zero; its synchroniser takes two rising edges of the master clock, the serializer counts from
    # the next, and its second falling bit clock edge, 16 edges later, puts the left sample on the wire.
    period = 1e12 / 24.576e6
    released = np.ceil(1e6 / period - 0.5) + 2
    assert abs(ring.frames(0, 1)["time_ps"][0] - period * (released + 15.5)) <= 1


def test_ring_file_is_as_documented(tmp_path: Path) -> None:
    _run("traffic", tmp_path, ENGINE_TEST_ROUNDS="9", BENCH_CAPTURE_FRAMES="16", BENCH_CAPTURE_MARKERS="4")
    data = (tmp_path / "ring").read_bytes()
    magic, frames, markers, frames_written, markers_written, now, want, cycles = struct.unpack_from("<8s7Q", data)
    assert (magic, frames, markers, want) == (b"VTNCAP1\0", 16, 4, 0)
    assert (
        len(data) == 4096 + 16 * 16 + 4 * 16
        and frames_written > 16
        and markers_written > 4
        and 0 < cycles < now // 10_000
    )
    ring = CaptureRing(tmp_path / "ring")
    last = frames_written - 1
    assert struct.unpack_from("<Qii", data, HEADER_BYTES + 16 * (last % 16)) == tuple(ring.frames(last, 1)[0])
    last = markers_written - 1
    offset = HEADER_BYTES + 16 * 16 + 16 * (last % 4)
    assert struct.unpack_from("<QII", data, offset) == tuple(ring.markers(last, 1)[0])
    with pytest.raises(Overrun, match="frame 0 has been overwritten"):
        ring.frames(0, 4)
    with pytest.raises(IndexError, match=rf"{frames_written} written"):
        ring.frames(frames_written, 1)
    (tmp_path / "ring").write_bytes(b"something else".ljust(8192))
    with pytest.raises(ValueError, match="is no capture ring"):
        CaptureRing(tmp_path / "ring")


def test_bad_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchFailure, match="BENCH_CAPTURE_FRAMES=100: must be a power of two"):
        _run("invisible", tmp_path, BENCH_CAPTURE_FRAMES="100")
    with pytest.raises(BenchFailure, match="BENCH_READ_LATENCY=fast: must be a whole number"):
        _run("invisible", tmp_path, BENCH_READ_LATENCY="fast")


def test_started_simulation_can_be_ended(tmp_path: Path) -> None:
    child = start_system(TESTS, folder=tmp_path, device=DEVICE, env={"COCOTB_TEST_FILTER": r"\.doorbell$"})
    try:
        child.wait(30)
    finally:
        process.kill_group(child)
    assert child.returncode == 0, (tmp_path / "sim.log").read_text()


def test_page_words_are_the_same_in_both_languages() -> None:
    body = re.search(r"struct Page \{(.*?)\n\};", (ENGINE / "bench_page.h").read_text(), re.DOTALL)
    assert body is not None
    assert tuple(re.findall(r"^\s*uint64_t (\w+);", body[1], re.MULTILINE)) == bench_page.WORDS
    with pytest.raises(ValueError, match="BENCH_PAGE is not set"):
        bench_page.BenchPage()
