# SPDX-License-Identifier: Apache-2.0
"""The output stream of docs/device.md: holding, flushing, running dry, polling, latency; and what the ALSA core makes of it."""

from __future__ import annotations

import pytest

from virtone.model import budget
from virtone.model.checks import check_bit_exact, expected_slots
from virtone.model.errors import BadState, DeviceIoError, InvalidArgument, Xrun
from virtone.model.lifecycle import State
from virtone.model.pcm_core import PcmState
from virtone.virtio import snd

OK, IO_ERR = snd.VIRTIO_SND_S_OK, snd.VIRTIO_SND_S_IO_ERR
STATUS = snd.virtio_snd_pcm_status


def statuses(world):
    """(status, latency_bytes) of every completion of the txq, in order."""
    return [
        (STATUS.unpack(u.response).status, STATUS.unpack(u.response).latency_bytes) for u in world.device.txq.used_log
    ]


def message(world, payload, stream_id=0, header=None, room=8):
    """Segments of one tx message in fresh memory, and where its status is."""
    xfer = snd.virtio_snd_pcm_xfer.pack(stream_id=stream_id) if header is None else header
    data = xfer + payload
    address = world.memory.alloc(len(data) + room)
    world.memory.write(address, data)
    segments = [(address, len(data), False)] if data else []
    return [*segments, (address + len(data), room, True)] if room else segments


async def queue_message(world, payload, **options):
    world.driver.txq.add(message(world, payload, **options), token=world)
    await world.driver.transport.kick(world.driver.txq)


async def bare(world, start=False, **params):
    """Probe, and bring stream 0 to PREPARED (or RUNNING) without the driver's messages."""
    await world.driver.probe()
    world.driver.substreams[0].message_complete = None

    async def ignore():
        while world.driver.txq.get_used() is not None:
            pass
        world.driver.txq.enable_interrupts()

    world.driver.transport._callbacks[int(snd.VIRTIO_SND_VQ_TX)] = ignore
    assert await world.set_params(**params) == OK
    assert await world.pcm_command(snd.VIRTIO_SND_R_PCM_PREPARE) == OK
    if start:
        assert await world.pcm_command(snd.VIRTIO_SND_R_PCM_START) == OK


@pytest.mark.parametrize("policy", ("ack", "requeue"))
def test_pause_and_resume_lose_and_repeat_nothing(make_world, frames_of, policy):
    world = make_world(policy)
    data = frames_of(960, 4)

    async def main():
        pcm = await world.open(period_size=120)
        await pcm.writei(data[: 480 * 4])
        for _ in range(3):
            await world.sleep(1.3e6)
            await pcm.pause()
            await world.sleep(30_000)
            assert world.stream.state is State.STOPPED
            held = len(world.device.frames)
            await world.sleep(5e6)
            assert len(world.device.frames) == held
            await pcm.pause(False)
        await pcm.writei(data[480 * 4 :])
        await pcm.drain()
        await pcm.close()

    world.run(main())
    check_bit_exact(world.slots()[:960], expected_slots("S16_LE", 2, data))
    assert [status for status, _ in statuses(world)][:8] == [OK] * 8


def test_messages_before_start_are_held(world, frames_of):
    data = frames_of(480, 4)

    async def main():
        pcm = await world.open()
        pcm.sw_params(start_threshold=1 << 30)
        await pcm.writei(data)
        await world.sleep(20e6)
        assert not world.device.frames and not world.device.txq.used_log
        await pcm.start()
        await pcm.drain()

    world.run(main())
    check_bit_exact(world.slots(), expected_slots("S16_LE", 2, data))


def test_release_returns_played_fetched_and_unfetched_messages(world, frames_of):
    """Four messages: one being played, one half fetched, two still in the avail ring only, none of them kicked."""

    async def main():
        await bare(world, start=True)
        await queue_message(world, frames_of(40, 4))
        await queue_message(world, frames_of(100, 4))
        await world.sleep(200_000)
        assert await world.pcm_command(snd.VIRTIO_SND_R_PCM_STOP) == OK
        for k in (3, 4):
            world.driver.txq.add(message(world, frames_of(120, 4, seed=k)), token=world)
        before = len(world.device.txq.used_log)
        assert await world.pcm_command(snd.VIRTIO_SND_R_PCM_RELEASE) == OK
        assert before == 0 and len(world.device.txq.used_log) == 4
        assert world.driver.txq.used_idx == 4
        released = world.device.ctlq.used_log[-1].tick
        assert all(used.tick <= released for used in world.device.txq.used_log)

    world.run(main())
    assert statuses(world) == [(OK, 0)] * 4
    heads = [used.head for used in world.device.txq.used_log]
    assert heads == sorted(heads)
    assert world.stream.state is State.RELEASED


def test_close_while_playing_gives_everything_back(make_world, frames_of):
    for policy in ("ack", "requeue"):
        world = make_world(policy)

        async def main(world=world):
            pcm = await world.open()
            await pcm.writei(frames_of(480, 4))
            await world.sleep(1e6)
            await pcm.close()
            assert world.driver.substreams[0].pending == 0
            assert len(world.device.txq.used_log) == 4
            again = world.driver.pcm()
            await again.open()
            await again.hw_params(format="S32_LE", channels=2, rate=96000, period_size=96, periods=2)
            await again.prepare()
            await again.writei(frames_of(192, 8, seed=9))
            await again.drain()
            await again.close()
            await world.driver.remove()

        world.run(main())
        expected = expected_slots("S32_LE", 2, frames_of(192, 8, seed=9))
        first = world.slots().index(tuple(expected[0].tolist()))
        check_bit_exact(world.slots()[first : first + 192], expected)
        assert world.memory.allocated() == 0


def test_underrun_counts_one_episode_and_sends_one_event(make_world, frames_of):
    world = make_world("ack")

    async def main():
        await bare(world, features=snd.PCM_FEATURES.mask(["EVT_XRUNS"]), start=True)
        await world.sleep(2e6)
        assert world.stream.xruns == 0  # nothing has played since START: late, but no underrun
        for episode in (1, 2):
            await queue_message(world, frames_of(48, 4))
            await world.sleep(5e6)
            assert world.stream.xruns == episode
            assert [(e.code, e.data) for e in world.driver.events] == [(snd.VIRTIO_SND_EVT_PCM_XRUN, 0)] * episode

    world.run(main())
    assert statuses(world) == [(OK, 0)] * 2
    last = max(frame.tick for frame in world.device.frames[:48])
    assert world.device.times_ns("xrun")[0] == world.ns(last + world.device.clock.period)


def test_no_xrun_event_unless_negotiated(world, frames_of):
    async def main():
        await bare(world, features=0, start=True)
        await queue_message(world, frames_of(48, 4))
        await world.sleep(5e6)

    world.run(main())
    assert world.stream.xruns == 1 and world.driver.events == []


@pytest.mark.parametrize("policy", ("ack", "requeue"))
def test_application_too_late_gets_an_xrun_and_recovers(make_world, frames_of, policy):
    world = make_world(policy)
    first, second = frames_of(480, 4), frames_of(480, 4, seed=2)

    async def main():
        pcm = await world.open()
        await pcm.writei(first)
        await world.sleep(15e6)
        with pytest.raises(Xrun, match="EPIPE"):
            await pcm.writei(second)
        assert (await pcm.status()).state is PcmState.XRUN and pcm.xruns == 1
        with pytest.raises(Xrun):
            await pcm.writei(second)
        await pcm.prepare()
        played = len(world.device.frames)
        await pcm.writei(second)
        await pcm.drain()
        await pcm.close()
        return played

    played = world.run(main())
    check_bit_exact(world.slots()[played : played + 480], expected_slots("S16_LE", 2, second))


def test_requeue_believes_the_xrun_event(make_world, frames_of):
    """The old driver reports what the device reports; the new one does not read it (Linux 6.7)."""
    for policy, expected in (("requeue", None), ("ack", 0)):
        world = make_world(policy)

        async def main(world=world):
            await world.open()
            substream = world.driver.substreams[0]
            substream.xfer_enabled = True
            substream.xrun_event()
            return substream.pointer()

        assert world.run(main()) == expected


@pytest.mark.parametrize("payload,frames", [(0, 0), (4 * 10 + 3, 10), (2, 0), (5, 1)])
def test_a_payload_of_broken_frames_plays_its_whole_ones_and_fails_in_turn(world, frames_of, payload, frames):
    good = frames_of(20, 4)

    async def main():
        await bare(world)
        await queue_message(world, good)
        await queue_message(world, frames_of(20, 4, seed=7)[:payload])
        await queue_message(world, good)
        assert await world.pcm_command(snd.VIRTIO_SND_R_PCM_START) == OK
        await world.sleep(5e6)

    world.run(main())
    assert [status for status, _ in statuses(world)] == [OK, IO_ERR, OK]
    broken = frames_of(20, 4, seed=7)[: frames * 4]
    check_bit_exact(world.slots(), expected_slots("S16_LE", 2, good + broken + good))
    assert len(world.slots()) == 40 + frames


@pytest.mark.parametrize("header,stream_id", [(b"", 0), (b"\0\0\0", 0), (None, 1), (None, 0xFFFFFFFF)])
def test_a_message_for_nobody_fails_at_once(world, frames_of, header, stream_id):
    payload = b"" if header is not None else frames_of(10, 4)

    async def main():
        await bare(world)
        await queue_message(world, payload, header=header, stream_id=stream_id)
        await world.sleep(10_000)

    world.run(main())
    assert statuses(world) == [(IO_ERR, 0)] and not world.device.frames


@pytest.mark.parametrize("state", ("INIT", "PARAMS", "RELEASED"))
def test_a_message_in_a_state_that_takes_none_fails_at_once(world, frames_of, state):
    async def main():
        await bare(world)
        if state == "PARAMS":
            await world.set_params()
        elif state == "RELEASED":
            await world.pcm_command(snd.VIRTIO_SND_R_PCM_RELEASE)
        else:
            world.stream.clear()
        await queue_message(world, frames_of(10, 4))
        await world.sleep(10_000)

    world.run(main())
    assert world.stream.state.value == state
    assert statuses(world) == [(IO_ERR, 0)]


@pytest.mark.parametrize("command", ("SET_PARAMS", "PREPARE"))
def test_stopped_stream_is_flushed_by_what_linux_sends_next(world, frames_of, command):
    async def main():
        await bare(world, start=True)
        await queue_message(world, frames_of(120, 4))
        await world.sleep(1e6)
        await world.pcm_command(snd.VIRTIO_SND_R_PCM_STOP)
        if command == "PREPARE":
            assert await world.pcm_command(snd.VIRTIO_SND_R_PCM_PREPARE) == OK
        else:
            assert await world.set_params() == OK

    world.run(main())
    assert statuses(world) == [(OK, 0)]


def test_refused_set_params_flushes_nothing(world, frames_of):
    async def main():
        await bare(world)
        await queue_message(world, frames_of(120, 4))
        await world.sleep(10_000)
        assert await world.set_params(rate=99) == snd.VIRTIO_SND_S_NOT_SUPP
        assert await world.set_params(period_bytes=0) == snd.VIRTIO_SND_S_BAD_MSG

    world.run(main())
    assert statuses(world) == [] and world.stream.state is State.PREPARED


def test_what_the_guest_is_told_is_when_it_is_heard(make_world, frames_of):
    """A to O of every period written, from snd_pcm_delay and from the budget, against the wire."""
    delay_ns = 437_500
    world = make_world(converter_delay_ns=delay_ns)
    period, periods = 120, 4
    told, wrote = [], []

    async def main():
        pcm = await world.open(period_size=period, periods=periods)
        await pcm.writei(frames_of(period * periods, 4))
        for k in range(12):
            await pcm._wait_avail(period)
            status = await pcm.status(sync=False)
            now = world.timeline.now
            age_s = (world.ns(now) - status.tstamp_ns) * 1e-9
            told.append(budget.told_s(status.delay, 48000, age_s))
            wrote.append(now)
            assert await pcm.writei(frames_of(period, 4, seed=k)) == period
        await pcm.drain()

    world.run(main())
    path = budget.Path(48000, period, periods, delay_ns * 1e-9)
    for k, (promise, at) in enumerate(zip(told, wrote, strict=True)):
        frame = world.device.frames[period * (periods + k)]
        heard_s = world.ns(frame.tick - at) * 1e-9 + delay_ns * 1e-9
        # The position is known some register accesses after the completion; rounding makes at most half a frame.
        assert abs(promise - heard_s) < budget.honesty_bound_s(48000) + 2e-6
        assert path.continuous_s() - 5e-6 < heard_s <= path.continuous_s()


def test_core_refuses_what_does_not_fit_the_state(world):
    async def main():
        pcm = world.driver.pcm if world.driver.substreams else None
        assert pcm is None
        pcm = await world.open(prepare=False)
        with pytest.raises(BadState, match="SETUP"):
            await pcm.writei(bytes(4))
        with pytest.raises(BadState, match="needs PREPARED"):
            await pcm.start()
        await pcm.prepare()
        with pytest.raises(Xrun, match="nothing is written"):
            await pcm.start()
        with pytest.raises(BadState):
            await pcm.pause()
        with pytest.raises(InvalidArgument, match="whole number of frames"):
            await pcm.writei(bytes(3))
        with pytest.raises(InvalidArgument, match="the device has 1"):
            world.driver.pcm(1)
        await pcm.drain()
        assert pcm.state is PcmState.SETUP

    world.run(main())


def test_a_device_that_never_completes_is_reported_as_a_stall(world, frames_of):
    async def main():
        pcm = await world.open()
        world.device.txq.complete = lambda *_: False
        await pcm.writei(frames_of(480, 4))
        with pytest.raises(DeviceIoError, match="write stalls in RUNNING"):
            await pcm.writei(frames_of(480, 4))

    world.run(main())
