# SPDX-License-Identifier: Apache-2.0
"""pcm_out: from message bytes to the I2S wire, and back to completions."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import cocotb
import pytest

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.i2s.wire import MCLK_PS
from cocotb_tests.pcm.bench import (
    IO_ERR,
    OK,
    PREPARED,
    RELEASED,
    RUNNING,
    SAMPLE_BYTES,
    STOPPED,
    Pace,
    Stage,
    random_frames,
)
from virtone.virtio import snd

S16, S32 = int(snd.VIRTIO_SND_PCM_FMT_S16), int(snd.VIRTIO_SND_PCM_FMT_S32)
R48, R192 = int(snd.VIRTIO_SND_PCM_RATE_48000), int(snd.VIRTIO_SND_PCM_RATE_192000)
FIRST_BIT_PS = 4 * 10_000  # crossing (1 to 2 bus cycles), count register, the edge at which it is seen
COMPLETION_PS = 5 * 10_000  # the same, and the reply register
SLOW = Pace(beat=0.4, answer=0.3, done_cycles=(0, 30))
RATES = {  # code -> master clock family, master clock cycles per bit clock, converter class
    code: (family, divider, speed)
    for name, family, divider, speed in (
        ("5512", 1, 64, 0), ("8000", 0, 48, 0), ("11025", 1, 32, 0), ("12000", 0, 32, 0), ("16000", 0, 24, 0),
        ("22050", 1, 16, 0), ("24000", 0, 16, 0), ("32000", 0, 12, 0), ("44100", 1, 8, 0), ("48000", 0, 8, 0),
        ("64000", 0, 6, 1), ("88200", 1, 4, 1), ("96000", 0, 4, 1), ("176400", 1, 2, 2), ("192000", 0, 2, 2),
    )
    for code in (int(getattr(snd, f"VIRTIO_SND_PCM_RATE_{name}")),)
}  # fmt: skip


async def stage(dut: Any, fmt: int = S16, channels: int = 2, rate: int = R192, **kwargs: Any) -> Stage:
    s = Stage(dut, gated=os.environ["GATED"] == "1", seed=cocotb.RANDOM_SEED)
    await s.start(kwargs.pop("delays", (0, 0, 0)))
    s.set_params(fmt, channels, rate, **kwargs)
    await s.cycles(2)
    await s.prepare()
    return s


def frame_ps(rate: int) -> int:
    family, divider, _ = RATES[rate]
    return 64 * divider * MCLK_PS[family]


def send_frames(s: Stage, fmt: int, channels: int, counts: list[int]) -> list[tuple[int, int]]:
    slots = []
    for count in counts:
        payload, wire = random_frames(s.rng, fmt, channels, count)
        s.send(payload)
        slots += wire
    return slots


def check_exact_times(s: Stage, rate: int, counts: list[int], index: int = 0, head: int = 0) -> None:
    """First bit and completion of each message follow the wire within a few bus cycles (crossing included).

    The messages are those from `head` on, of `counts` frames; theirs are the frames from `index` on.
    """
    frames = [f for f in s.receiver.frames[index:] if f.left or f.right]
    first_bits = {h: t for t, h in s.log.first_bits}
    first = 0
    for head, count in enumerate(counts, head):  # noqa: B020
        begin, end = frames[first].time_ps, frames[first + count - 1].time_ps + frame_ps(rate)
        late = first_bits[head] - begin
        assert 0 <= late <= FIRST_BIT_PS, f"first bit of message {head} announced {late} ps after it"
        late = s.log.replies[head].offered_ps - end
        assert 0 <= late <= COMPLETION_PS, f"message {head} completed {late} ps after its last bit"
        first += count


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def every_format(dut: Any) -> None:
    """Each format and channel count bit-exact, at a random pace of the queue; completions in order, on time."""
    s = await stage(dut, delays=(0, 0, 24))
    done = 0
    for fmt in SAMPLE_BYTES:
        for channels in (1, 2):
            s.set_params(fmt, channels, R192)
            await s.cycles(2)
            await s.prepare()
            s.pace = SLOW if channels == 2 else Pace(beat=0.5)
            index, counts = len(s.receiver.frames), [s.rng.randint(1, 40) for _ in range(3)]
            slots = send_frames(s, fmt, channels, counts)
            await s.cycles(s.rng.randint(0, 2000))
            s.state(RUNNING)
            replies = (await s.replies(done + 3))[done:]
            assert [r.head for r in replies] == [done, done + 1, done + 2] and {r.status for r in replies} == {OK}
            assert {r.latency for r in replies} == {2 * SAMPLE_BYTES[fmt] * channels}, "24/16 frames round to 2"
            await s.cycles(1200)
            assert s.receiver.played(index) == slots
            check_exact_times(s, R192, counts, index, done)
            done += 3
            assert [h for _, h in s.log.first_bits] == [h for _, h in s.log.fetches] == list(range(done))
            s.state(STOPPED)
            await s.cycles(2)
            await s.release()


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def every_rate(dut: Any) -> None:
    """Each rate divides its master clock exactly, from PREPARE on, and picks its converter class."""
    delays = (16 * 100 + 7, 16 * 200 + 8, 16 * 300 + 9)
    s = await stage(dut, delays=delays)
    for number, (rate, (family, divider, speed)) in enumerate(RATES.items()):
        s.set_params(S16, 2, rate)
        await s.cycles(2)
        await s.prepare()
        slots = send_frames(s, S16, 2, [3])
        s.state(RUNNING)
        index = len(s.receiver.frames)
        reply = (await s.replies(number + 1))[-1]
        assert reply.latency == 4 * (100, 201, 301)[speed]
        await s.until(lambda: len(s.receiver.played(index)) >= 3)  # noqa: B023
        assert s.receiver.played(index) == slots
        assert int(dut.mclk_family_o.value) == family
        times = [f.time_ps for f in s.receiver.frames[index:] if f.left or f.right]
        exact = 64 * divider * MCLK_PS[family]
        assert [b - a for a, b in pairwise(times)] == [exact] * 2, f"rate code {rate}"
        s.state(STOPPED)
        await s.cycles(2)
        await s.release()


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def clocks_run_from_reset(dut: Any) -> None:
    """48 kHz and silence before anything is set; PARAMS and messages do not move it."""
    s = Stage(dut, gated=os.environ["GATED"] == "1")
    await s.start()
    await s.until(lambda: len(s.receiver.frames) >= 4)
    times = [f.time_ps for f in s.receiver.frames]
    assert {b - a for a, b in pairwise(times)} == {frame_ps(R48)}
    assert s.receiver.played() == [] and int(dut.mclk_family_o.value) == 0
    if s.gated:
        assert s.edges < 10, f"{s.edges} bus cycles while nothing happened"


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def stop_holds(dut: Any) -> None:
    """STOP and START at any moment lose and repeat nothing; while stopped the wire is silent and nothing completes."""
    s = await stage(dut, S32, 2)
    slots = send_frames(s, S32, 2, [37, 1, 60, 50])
    for _ in range(14):
        s.state(RUNNING)
        await s.cycles(s.rng.choice([1, 7, 400, s.rng.randint(1, 9000)]))
        s.state(STOPPED)
        await s.cycles(600)  # a frame takes 521
        index, done = len(s.receiver.frames), len(s.log.replies)
        await s.cycles(s.rng.randint(520, 2500))
        assert s.receiver.played(index + 1) == [], "frames while stopped"
        assert len(s.log.replies) == done
    s.state(RUNNING)
    await s.replies(4)
    await s.cycles(1600)
    assert s.receiver.played() == slots
    assert int(dut.underruns_o.value) == 1, "only the end of the data is an underrun"
    assert int(dut.frames_played_o.value) == (int(os.environ["FIRST"]) + len(slots)) % 2**32


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def underruns(dut: Any) -> None:
    """An episode counts once, ends with the next frame, and needs a frame played since START."""
    s = await stage(dut)
    frame = 521  # bus cycles
    s.state(RUNNING)
    await s.cycles(5 * frame)
    assert int(dut.underruns_o.value) == 0 and s.log.xruns == [], "nothing has played yet"
    slots, silent = [], 0
    for episode in range(1, 4):
        slots += send_frames(s, S16, 2, [5, 4])
        index = len(s.receiver.frames)
        await s.replies(2 * episode)
        await s.cycles(6 * frame + 260)
        assert int(dut.underruns_o.value) == episode and len(s.log.xruns) == episode
        assert int(dut.late_messages_o.value) == episode - 1, "the message that ended an episode was late, no other"
        frames = s.receiver.frames[index:]
        while frames and not (frames[0].left or frames[0].right):
            frames.pop(0)
        assert s.receiver.played(index) == slots[-9:], "silence within the data, or data lost"
        assert all(f.left or f.right for f in frames[:9])
        silent = int(dut.silent_frames_o.value) - silent
        assert silent >= 5
    s.state(STOPPED)
    await s.cycles(4 * frame)
    silent = int(dut.silent_frames_o.value)
    s.state(RUNNING)
    await s.cycles(4 * frame)
    assert int(dut.underruns_o.value) == 3 and int(dut.silent_frames_o.value) == silent, "START begins afresh"
    slots += send_frames(s, S16, 2, [2])
    await s.replies(7)
    await s.cycles(3 * frame)
    assert int(dut.underruns_o.value) == 4 and int(dut.late_messages_o.value) == 2
    assert s.receiver.played() == slots


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def window_is_bounded(dut: Any) -> None:
    """Before START no more than the FIFO's 32 frames (and one being assembled) are taken."""
    s = await stage(dut)
    s.send(random_frames(s.rng, S16, 2, 500)[0])
    await s.cycles(3000)
    assert 4 + 32 * 4 <= s.taken <= 4 + 33 * 4
    if s.gated:
        edges = s.edges
        await s.cycles(3000)
        assert s.edges == edges, "the bus clock runs though the FIFO is full and the stream waits for START"


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def refusals(dut: Any) -> None:
    """Bad messages are answered at once and overtake; odd payloads play and fail at their turn."""
    s = await stage(dut, delays=(0, 0, 16))
    good = send_frames(s, S16, 2, [10])  # head 0
    s.send_raw(b"\x00\x00\x00")  # 1: shorter than its header
    s.send_raw(b"")  # 2: nothing at all
    s.send(b"\x55" * 64, stream_id=1)  # 3: no such stream
    s.send(b"", stream_id=0x01000000)  # 4
    s.send(b"")  # 5: empty payload
    odd, slots = random_frames(s.rng, S16, 2, 3)
    s.send(odd + b"\x01\x02\x03")  # 6: no whole number of frames
    s.send(b"\x01\x02")  # 7: less than a frame
    s.send(odd)  # 8
    replies = await s.replies(4)
    await s.cycles(2000)
    assert [(r.head, r.status, r.latency) for r in replies] == [(h, IO_ERR, 0) for h in (1, 2, 3, 4)]
    s.state(RUNNING)
    replies = await s.replies(9)
    expected = [(0, OK, 4), (5, IO_ERR, 4), (6, IO_ERR, 4), (7, IO_ERR, 4), (8, OK, 4)]
    assert [(r.head, r.status, r.latency) for r in replies[4:]] == expected
    await s.cycles(1200)
    assert s.receiver.played() == good + slots + slots
    assert [h for _, h in s.log.first_bits] == [0, 6, 8]
    s.send(b"")  # alone, while running: at once
    assert (await s.replies(10))[-1].status == IO_ERR
    for state in (0, 1, RELEASED):
        s.state(state)
        await s.cycles(2)
        s.send(odd)
        reply = (await s.replies(len(s.log.replies) + 1))[-1]
        assert (reply.status, reply.latency) == (IO_ERR, 0)


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def many_short_messages(dut: Any) -> None:
    """More one-frame messages than the in-flight table holds; refused ones still overtake."""
    s = await stage(dut)
    counts = [1] * 45
    slots = send_frames(s, S16, 2, counts)
    await s.cycles(1500)
    s.state(RUNNING)
    replies = await s.replies(45)
    assert [r.head for r in replies] == list(range(45))
    await s.cycles(1200)
    assert s.receiver.played() == slots
    check_exact_times(s, R192, counts)


@cocotb.test(timeout_time=80, timeout_unit="ms")
async def polling(dut: Any) -> None:
    """MSG_POLLING: one pulse per frame period while PREPARED or RUNNING, none otherwise."""
    s = await stage(dut, msg_polling=True)
    for state, expected in ((PREPARED, 20), (RUNNING, 20), (STOPPED, 0), (RELEASED, 0), (PREPARED, 20)):
        s.state(state)
        await s.cycles(1042)
        before = len(s.log.polls)
        await s.cycles(20 * 521)
        assert abs(len(s.log.polls) - before - expected) <= (1 if expected else 0), f"state {state}"


@pytest.mark.parametrize("gated", [True, False], ids=["gated", "free"])
def test_pcm_out(gated: bool) -> None:
    """Every case with the bus clock resting and frame numbers about to wrap; the quick ones with it always running."""
    first = 0xFFFF_FFF0 if gated else 0
    env = {"GATED": str(int(gated)), "FIRST": str(first)}
    if not gated:
        env["COCOTB_TEST_FILTER"] = "underruns|refusals|many_short|window"
    run_bench("pcm_out", __file__, parameters={"FirstFrameNumber": first}, env=env, timeout_s=240)
