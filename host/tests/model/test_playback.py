# SPDX-License-Identifier: Apache-2.0
"""Driver against device: every frame written is played, once, unchanged, at the word clock, and completed when it has left."""

from __future__ import annotations

import numpy as np
import pytest

from virtone.model.budget import latency_bytes
from virtone.model.checks import check_bit_exact, check_completions, check_latency, check_word_clock, expected_slots
from virtone.model.driver import LINUX_FEATURES
from virtone.model.timeline import TICKS_PER_SECOND
from virtone.virtio import mmio, snd

FORMATS = ("S16_LE", "S24_3LE", "S24_LE", "S32_LE")
POLICIES = ("ack", "requeue")
RATES = (5512, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000)


def play(world, data, *, fmt="S16_LE", channels=2, rate=48000, period=60, periods=4):
    async def main():
        pcm = await world.open(fmt, channels, rate, period, periods)
        await pcm.writei(data)
        await pcm.drain()
        await pcm.close()
        await world.driver.remove()

    world.run(main())


def check_all(world, data, *, fmt="S16_LE", channels=2, period=60):
    expected = expected_slots(fmt, channels, data)
    frames = world.device.frames
    check_bit_exact(world.slots()[: len(expected)], expected)
    ticks = [frame.tick for frame in frames]
    check_word_clock(ticks, world.device.clock.period)
    messages = len(expected) // period
    completions = [element.tick for element in world.device.txq.used_log][:messages]
    assert len(completions) == messages
    check_completions(completions, ticks, period, world.device.clock.period)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("channels", (1, 2))
@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_is_bit_exact(make_world, frames_of, fmt, channels, policy):
    world = make_world(policy)
    size = snd.frame_bytes(snd.FORMATS[fmt.replace("_LE", "").replace("LE", "")], channels)
    period = 75 * 2 // channels
    data = frames_of(period * 8, size)
    play(world, data, fmt=fmt, channels=channels, period=period)
    check_all(world, data, fmt=fmt, channels=channels, period=period)
    assert len(world.device.frames) >= period * 8
    if policy == "ack":
        assert len(world.device.frames) == period * 8
    assert world.memory.allocated() == 0


@pytest.mark.parametrize("rate", RATES)
def test_every_rate_has_its_exact_word_clock(make_world, frames_of, rate):
    world = make_world(converter_delay_ns=437_500)
    data = frames_of(240, 4)
    play(world, data, rate=rate)
    check_all(world, data)
    true = 5512.5 if rate == 5512 else rate
    assert world.device.clock.period * true == TICKS_PER_SECOND
    status = [snd.virtio_snd_pcm_status.unpack(u.response) for u in world.device.txq.used_log]
    assert [s.status for s in status] == [snd.VIRTIO_SND_S_OK] * 4
    check_latency([s.latency_bytes for s in status], latency_bytes(437_500, true, 4))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "without",
    [
        (),
        ("VIRTIO_RING_F_EVENT_IDX",),
        ("VIRTIO_RING_F_INDIRECT_DESC",),
        ("VIRTIO_F_NOTIFICATION_DATA",),
        ("VIRTIO_RING_F_EVENT_IDX", "VIRTIO_RING_F_INDIRECT_DESC", "VIRTIO_F_NOTIFICATION_DATA"),
    ],
    ids=lambda names: "all" if not names else "no_" + "_".join(n.split("_F_")[1] for n in names),
)
def test_every_ring_feature_can_be_missing(make_world, frames_of, without, policy):
    features = LINUX_FEATURES
    for name in without:
        features &= ~(1 << int(getattr(mmio, name)))
    world = make_world(policy, features=features)
    data = frames_of(960, 4)
    play(world, data)
    check_all(world, data)
    assert world.stream.xruns == (1 if policy == "ack" else 0)  # the drained stream runs dry before STOP arrives


@pytest.mark.parametrize("policy", POLICIES)
def test_msg_polling_needs_no_kick(make_world, frames_of, policy):
    world = make_world(policy, ("MSG_POLLING", "EVT_XRUNS"))
    data = frames_of(960, 4)
    play(world, data)
    check_all(world, data)
    notified = {event.arg & 0xFFFF for event in world.device.events if event.kind == "notify"}
    assert snd.VIRTIO_SND_VQ_TX not in notified


def test_period_that_scatters_over_pages(make_world, frames_of):
    world = make_world(queue_size=64)
    data = frames_of(1500 * 6, 8)
    play(world, data, fmt="S32_LE", rate=192000, period=1500, periods=4)
    check_all(world, data, fmt="S32_LE", period=1500)


def test_prefetch_reaches_no_further_than_its_window(make_world, frames_of):
    """A frame may be changed in the buffer until 32 frames and 144 bytes before it plays."""
    world = make_world()
    first, second = frames_of(480, 4, seed=1), frames_of(480, 4, seed=2)

    async def main():
        pcm = await world.open(period_size=120)
        await pcm.writei(first)
        while len(world.device.frames) < 100:
            await world.sleep(5_000)
        pcm.runtime.dma.write(0, second)
        await world.sleep(11e6)

    world.run(main())
    got, old, new = world.slots()[:480], expected_slots("S16_LE", 2, first), expected_slots("S16_LE", 2, second)
    changed = [k for k in range(480) if tuple(new[k]) == got[k]]
    assert changed == list(range(changed[0], 480))
    assert 100 <= changed[0] <= 100 + 68
    assert [tuple(frame) for frame in old[: changed[0]]] == got[: changed[0]]


@pytest.mark.parametrize("policy", POLICIES)
def test_requeue_exposes_what_ack_does_not(make_world, frames_of, policy):
    """An application that stops writing: the old driver repeats the buffer, the new one falls silent."""
    world = make_world(policy)
    data = frames_of(240, 4)

    async def main():
        pcm = await world.open(period_size=60)
        pcm.sw_params(stop_threshold=1 << 30)
        await pcm.writei(data)
        await world.sleep(8e6)

    world.run(main())
    expected = expected_slots("S16_LE", 2, data)
    check_bit_exact(world.slots()[:240], expected)
    if policy == "ack":
        assert len(world.slots()) == 240 and world.stream.xruns == 1
    else:
        check_bit_exact(world.slots()[240:360], expected[:120])
        assert world.stream.xruns == 0


def test_expected_slots_by_hand():
    def one(fmt, channels, data):
        return expected_slots(fmt, channels, data).tolist()

    assert one("S16_LE", 2, bytes([0x34, 0x12, 0xFF, 0xFF])) == [[0x12340000, -0x10000]]
    assert one("S16_LE", 1, bytes([0x01, 0x80])) == [[-0x7FFF0000, -0x7FFF0000]]
    assert one("S24_3LE", 2, bytes([1, 2, 3, 0, 0, 0x80])) == [[0x03020100, -0x80000000]]
    assert one("S24_LE", 1, bytes([1, 2, 3, 0xAA])) == [[0x03020100, 0x03020100]]
    assert one("S32_LE", 2, bytes([1, 2, 3, 4, 0xFF, 0xFF, 0xFF, 0xFF])) == [[0x04030201, -1]]
    assert np.issubdtype(expected_slots("S24_LE", 1, bytes(4)).dtype, np.int32)
