# SPDX-License-Identifier: Apache-2.0
"""Playback through the whole device, in both queueing policies, against the oracle event by event."""

from __future__ import annotations

import cocotb
import numpy as np

from cocotb_tests.bfm.port import RtlPort
from cocotb_tests.engine.system import run_system
from cocotb_tests.system.world import compare
from virtone.model.checks import check_completions
from virtone.model.driver import LINUX_FEATURES
from virtone.virtio import mmio, snd

FRAME_BYTES = {"S16_LE": 2, "S24_3LE": 3, "S24_LE": 4, "S32_LE": 4}
RATES = (5512, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000)


def player(frames: int, **wishes):
    """A scenario that writes `frames` frames and drains."""
    size = FRAME_BYTES[wishes.get("format", "S16_LE")] * wishes.get("channels", 2)

    async def playback(world):
        pcm = await world.open(**wishes)
        await pcm.writei(world.music(frames, size))
        await pcm.drain()
        world.note("xruns", pcm.xruns)
        await pcm.close()

    return playback


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def every_format_in_both_policies(dut):
    for format in FRAME_BYTES:
        for channels in (1, 2):
            for policy in ("ack", "requeue"):
                wishes = dict(format=format, channels=channels, period_size=60, periods=4)
                rtl, _ = await compare(dut, player(480, **wishes), policy=policy)
                assert len(rtl.frames) >= 480, f"{wishes}, {policy}: {len(rtl.frames)} frames were heard"
                assert len(rtl.tx) >= 8


@cocotb.test(timeout_time=600, timeout_unit="ms")
async def every_rate_completes_on_its_word_clock(dut):
    port = RtlPort(dut)
    for rate in RATES:
        first = port.ring.frames_written
        period = max(60, rate // 2000)
        rtl, _ = await compare(dut, player(period * 6, rate=rate, period_size=period, periods=3), rate=rate)
        frames = port.ring.frames(first, port.ring.frames_written - first)
        heard = frames[(frames["left"] != 0) | (frames["right"] != 0)]
        true_rate = 5512.5 if rate == 5512 else rate
        times = heard["time_ps"].astype(np.int64)
        spacing = np.diff(times)
        # Edges lie on the grid of the audio clock, each rounded to a picosecond.
        assert abs(spacing - 1e12 / true_rate).max() <= 1.0, (
            f"{rate} Hz: frames {spacing.min()}..{spacing.max()} ps apart"
        )
        due = (times / 1000).tolist()
        told = [used.time_ns for used in rtl.tx][: len(heard) // period]
        check_completions(told, due, period, 1e9 / true_rate, tolerance=4000)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def with_and_without_each_ring_feature(dut):
    removable = [mmio.VIRTIO_RING_F_INDIRECT_DESC, mmio.VIRTIO_RING_F_EVENT_IDX, mmio.VIRTIO_F_NOTIFICATION_DATA]
    for mask in range(8):
        features = LINUX_FEATURES
        for bit, feature in enumerate(removable):
            if mask >> bit & 1:
                features &= ~(1 << int(feature))
        for policy in ("ack", "requeue"):
            await compare(dut, player(300, period_size=50, periods=3), features=features, policy=policy)


@cocotb.test(timeout_time=300, timeout_unit="ms")
async def large_periods_span_pages(dut):
    """960 frames of S32 stereo: two to three pages a message, at any offset in them."""
    for contiguous in (False, True):
        await compare(dut, player(960 * 3, format="S32_LE", period_size=960, periods=2), contiguous=contiguous)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def slow_memory_changes_nothing(dut):
    page = RtlPort(dut).page
    try:
        for latency in (0, 1, 20, 100):
            page.read_latency = page.write_latency = latency
            await compare(dut, player(600, rate=192000, format="S32_LE", period_size=96, periods=4), rate=192000)
    finally:
        page.read_latency = page.write_latency = 10


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def pause_and_resume_lose_nothing(dut):
    async def pause(world):
        pcm = await world.open(period_size=48, periods=4)
        await pcm.writei(world.music(192))
        for _ in range(3):
            await world.completions(1, then_ms=0.3)
            await pcm.pause(True)
            world.note("paused at", (await pcm.status()).hw_ptr)
            await world.sleep_ms(2.3)
            world.note("still at", (await pcm.status()).hw_ptr)
            await pcm.pause(False)
            await pcm.writei(world.music(48))
        await pcm.drain()
        await pcm.close()

    for policy in ("ack", "requeue"):
        rtl, _ = await compare(dut, pause, policy=policy)
        assert len(rtl.frames) >= 192 + 3 * 48


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def release_completes_what_is_pending_and_unfetched(dut):
    """Twelve periods are far more than the prefetch window: most of them have not been fetched when RELEASE comes."""

    async def release(world):
        pcm = await world.open(period_size=480, periods=12)
        await pcm.writei(world.music(480 * 12))
        await world.completions(1, then_ms=4.7)
        await pcm.drop()
        world.note("state", pcm.state.name)
        await pcm.prepare()
        await pcm.writei(world.music(480 * 12))
        await world.completions(1, then_ms=0.01)
        await pcm.close()
        world.note("codes", [hex(code) for code in world.driver.control.sent])

    for policy in ("ack", "requeue"):
        rtl, _ = await compare(dut, release, policy=policy)
        flushed = [used for used in rtl.tx if used.latency_bytes == 0]
        assert len(flushed) >= 20, f"only {len(flushed)} messages were flushed"
        assert all(used.status == snd.VIRTIO_SND_S_OK for used in rtl.tx)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def xrun_and_recovery(dut):
    async def starve(world):
        pcm = await world.open(period_size=48, periods=3)
        for _ in range(2):
            await pcm.writei(world.music(144))
            await world.sleep_ms(6)
            world.note("state", (await pcm.status()).state.name)
            await pcm.prepare()
        await pcm.writei(world.music(144))
        await pcm.drain()
        await pcm.close()

    rtl, _ = await compare(dut, starve, policy="ack")
    assert len(rtl.frames) == 3 * 144
    assert rtl.events.count((int(snd.VIRTIO_SND_EVT_PCM_XRUN), 0)) >= 2


def test_playback() -> None:
    run_system(__file__)
