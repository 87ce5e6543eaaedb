# SPDX-License-Identifier: Apache-2.0
"""pcm_out: RELEASE and device reset in every phase, a queue that withdraws its message, and the resting bus clock."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import cocotb
import pytest

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.pcm.bench import INIT, IO_ERR, OK, PREPARED, RUNNING, STOPPED, Pace, Stage, random_frames
from virtone.virtio import snd

S16 = int(snd.VIRTIO_SND_PCM_FMT_S16)
R48, R96, R192 = (int(getattr(snd, f"VIRTIO_SND_PCM_RATE_{rate}")) for rate in (48000, 96000, 192000))
FRAME = 521  # bus cycles at 192 kHz


async def stage(dut: Any, rate: int = R192) -> Stage:
    s = Stage(dut, gated=os.environ["GATED"] == "1", seed=cocotb.RANDOM_SEED)
    await s.start((32, 32, 32))
    s.set_params(S16, 2, rate)
    await s.cycles(2)
    await s.prepare()
    return s


def send(s: Stage, count: int) -> list[tuple[int, int]]:
    payload, slots = random_frames(s.rng, S16, 2, count)
    s.send(payload)
    return slots


async def plays_afresh(s: Stage) -> None:
    """After a flush: PREPARE, three messages, START: exactly these play and complete."""
    await s.prepare()
    index, done = len(s.receiver.frames), len(s.log.replies)
    slots = send(s, 40) + send(s, 1) + send(s, 7)
    await s.cycles(s.rng.randint(0, 600))
    s.state(RUNNING)
    replies = (await s.replies(done + 3))[done:]
    assert [(r.status, r.latency) for r in replies] == [(OK, 8)] * 3
    await s.cycles(3 * FRAME)
    assert s.receiver.played(index) == slots
    s.state(STOPPED)
    await s.cycles(2)


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def release_in_every_phase(dut: Any) -> None:
    """Messages half fetched, in flight, on the wire or only in the avail ring: all complete in order, OK, latency 0."""
    s = await stage(dut)
    phases = (
        ("nothing sent", [], None),
        ("FIFO not full, all fetched", [3, 4, 5], None),
        ("FIFO full, message half fetched, more available", [20, 100, 30, 1], None),
        ("stopped after a while, message half played", [50, 60, 70], 20 * FRAME),
        ("stopped while the last frame is on the wire", [8], 8 * FRAME + 200),
        ("stopped after the end", [8], 14 * FRAME),
        ("stopped at once", [30, 30], 1),
        ("table full", [1] * 30, None),
    )
    for name, counts, running in phases:
        for wait in (0, 1, 2, 3, 40, 700):
            s.pace = Pace() if wait % 2 else Pace(beat=0.5, answer=0.4, done_cycles=(0, 40))
            first = len(s.log.replies)
            for count in counts:
                send(s, count)
            await s.cycles(300)
            if running is not None:
                s.state(RUNNING)
                await s.cycles(running)
                s.state(STOPPED)
            await s.cycles(wait)
            played = len(s.log.replies) - first
            s.send_raw(b"\x00\x00")  # not of this stream: refused even now
            s.send(b"odd")
            await s.release()
            replies = s.log.replies[first:]
            assert len(replies) == len(counts) + 2, f"{name}: released before the last completion was in memory"
            refused = [r for r in replies if r.status == IO_ERR]
            assert [(r.head - first, r.latency) for r in refused] == [(len(counts), 0)], name
            kept = [r for r in replies if r.status == OK]
            assert [r.head - first for r in kept] == [n for n in range(len(counts) + 2) if n != len(counts)], name
            assert {r.latency for r in kept[played + 1 :]} <= {0}, name
            index = len(s.receiver.frames)
            await s.cycles(3 * FRAME)
            assert s.receiver.played(index + 1) == [], f"{name}: discarded frames play"
            await plays_afresh(s)
            await s.release(then=PREPARED)


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def reset_in_every_phase(dut: Any) -> None:
    """clear_i at any moment: nothing is answered any more, idle_o comes, the FIFO is empty, the stream starts afresh."""
    s = await stage(dut)
    for running in (None, 1, 300, 5 * FRAME, 11 * FRAME + 100, 45 * FRAME):
        for flush in (False, True):
            for _ in range(3):
                s.pace = Pace(beat=0.5, answer=0.4, done_cycles=(0, 40))
                for count in (10, 100, 2):
                    send(s, count)
                await s.cycles(s.rng.randint(0, 200))
                if running is not None:
                    s.state(RUNNING)
                    await s.cycles(running)
                if flush:
                    s.state(STOPPED)
                    s.drive(flush_i=1)
                    await s.cycles(s.rng.randint(0, 60))
                s.drive(clear_i=1, flush_i=0, state_i=INIT)
                await s.cycles(2)
                done = len(s.log.replies)
                await s.until(lambda: int(dut.idle_o.value))
                await s.cycles(20)
                assert len(s.log.replies) == done, "answered a message of before the reset"
                s.drive(clear_i=0)
                await s.cycles(3)
                assert int(dut.idle_o.value) and not int(dut.busy_o.value)
                index = len(s.receiver.frames)
                await s.cycles(2 * FRAME)
                assert s.receiver.played(index + 1) == [], "frames of before the reset play"
                s._serial = len(s.log.replies)
                await plays_afresh(s)
                await s.release(then=PREPARED)


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def queue_reset_while_running(dut: Any) -> None:
    """clear_i without a change of state (RING_RESET of the txq): the stream goes on with what comes next."""
    s = await stage(dut)
    s.state(RUNNING)
    send(s, 100)
    await s.cycles(20 * FRAME)
    s.drive(clear_i=1)
    await s.cycles(2)
    await s.until(lambda: int(dut.idle_o.value))
    s.drive(clear_i=0)
    await s.cycles(2 * FRAME)
    assert s.log.replies == [] and int(dut.underruns_o.value) == 0
    index = len(s.receiver.frames)
    slots = send(s, 30)
    assert (await s.replies(1))[0].status == OK
    await s.cycles(2 * FRAME)
    assert s.receiver.played(index) == slots and int(dut.underruns_o.value) == 1


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def withdrawn_message(dut: Any) -> None:
    """The ring faults in the middle of a message: it is forgotten, RELEASE still ends, the next message is whole."""
    s = await stage(dut)
    payload, _ = random_frames(s.rng, S16, 2, 60)
    s.send(payload + b"\x01")
    await s.cycles(400)
    assert s.now is not None
    s.now = None
    await s.cycles(4)
    s.drive(state_i=PREPARED)
    await s.cycles(4)
    await s.release()
    assert s.log.replies == []
    s._serial = 0
    await plays_afresh(s)


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def new_rate_before_the_first_frame(dut: Any) -> None:
    """PREPARE, PREPARE at another rate and START right after each other: no frame plays at an older rate."""
    s = await stage(dut, R48)
    for number in range(8):
        rate, divider = ((R192, 2), (R48, 8))[number % 2]
        await s.cycles(s.rng.randint(0, 3000))
        for code in (R96, rate):
            s.set_params(S16, 2, code)
            await s.cycles(2)
            s.drive(prepare_i=1, state_i=PREPARED)
            await s.cycles(2)
        slots = send(s, 4)
        await s.cycles(s.rng.randint(1, 40))
        index = len(s.receiver.frames)
        s.state(RUNNING)
        await s.replies(number + 1)
        await s.until(lambda: len(s.receiver.played(index)) >= 4)  # noqa: B023
        assert s.receiver.played(index) == slots
        times = [f.time_ps for f in s.receiver.frames[index:] if f.left or f.right]
        assert {b - a for a, b in pairwise(times)} == {64 * divider * 40690}
        s.state(STOPPED)
        await s.cycles(2)
        await s.release()


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def story(dut: Any) -> None:
    """A fixed story whose log (OUT) must not depend on whether the bus clock rests."""
    s = await stage(dut)
    for count in (30, 40, 5, 1, 17):
        send(s, count)
    s.send(b"\x00" * 40, stream_id=9)
    for state, wait in ((RUNNING, 40_000), (STOPPED, 3000), (RUNNING, 30_000), (STOPPED, 20)):
        s.state(state)
        await s.cycles(wait)
    await s.release()
    await plays_afresh(s)
    await s.cycles(FRAME)
    log = {
        "replies": [(r.head, r.offered_ps, r.status, r.latency) for r in s.log.replies],
        "frames": [(f.time_ps, f.left, f.right) for f in s.receiver.frames],
        "events": s.log.first_bits + s.log.fetches + [(t, -1) for t in s.log.xruns],
    }
    save(log)


def save(log: dict[str, list]) -> None:
    Path(os.environ["OUT"]).write_text(json.dumps(log))


def bench(gated: bool, out: Path, only: str = "") -> None:
    env = {"GATED": str(int(gated)), "OUT": str(out), **({"COCOTB_TEST_FILTER": only} if only else {})}
    run_bench("pcm_out", __file__, parameters={"FirstFrameNumber": 0xFFFF_FFF0}, env=env, timeout_s=240)


@pytest.mark.parametrize("gated", [True, False], ids=["gated", "free"])
def test_pcm_flush(gated: bool, tmp_path: Path) -> None:
    """Every case with the bus clock resting whenever it may; the quick ones with it running all the time too."""
    bench(gated, tmp_path / "story.json", "" if gated else "story|withdrawn|queue_reset")


def test_resting_bus_clock_changes_nothing(tmp_path: Path) -> None:
    """The same story with and without a resting bus clock: same frames, events and replies at the same times."""
    logs = []
    for gated in (True, False):
        bench(gated, tmp_path / f"{gated}.json", "story")
        logs.append(json.loads((tmp_path / f"{gated}.json").read_text()))
    assert logs[0]["replies"], "nothing was logged"
    for key in logs[0]:
        differing = [(a, b) for a, b in zip(logs[0][key], logs[1][key], strict=True) if a != b]
        assert not differing, f"{key} that differ (resting, running): {differing[:5]}"
