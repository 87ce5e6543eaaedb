# SPDX-License-Identifier: Apache-2.0
"""What the ALSA core makes of the stream: writing, pausing, draining, underruns, and what an application is told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.tests.model.conftest import World, pattern
from virtone.model import budget
from virtone.model.checks import check_bit_exact, expected_slots
from virtone.model.errors import BadState, DeviceIoError, InvalidArgument, NeedsReset, Xrun
from virtone.model.lifecycle import State
from virtone.model.pcm_core import PcmState
from virtone.virtio import snd

OK = snd.VIRTIO_SND_S_OK


def statuses(world):
    """Status of every completion of the txq, in order."""
    return [snd.virtio_snd_pcm_status.unpack(used.response).status for used in world.device.txq.used_log]


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
    assert statuses(world)[:8] == [OK] * 8


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


def test_a_failing_stop_in_the_work_item_reaches_the_application(world, frames_of):
    """The device asks for a reset while the stream runs dry: the application's next write says so."""

    async def main():
        pcm = await world.open()
        await pcm.writei(frames_of(480, 4))
        world.device.set_needs_reset("seeded")
        await world.sleep(12e6)
        with pytest.raises(NeedsReset, match="DEVICE_NEEDS_RESET"):
            await pcm.writei(frames_of(4800, 4))

    world.run(main())


@settings(max_examples=25, deadline=None)
@given(
    policy=st.sampled_from(["ack", "requeue"]),
    period_size=st.integers(65, 700),  # below the prefetch window the old driver's re-queued periods are read too soon
    periods=st.integers(2, 6),
    writes=st.lists(st.integers(1, 900), min_size=1, max_size=8),
    pauses=st.sets(st.integers(0, 7), max_size=3),
    threshold=st.integers(1, 400),
    polling=st.booleans(),
)
def test_any_application_hears_what_it_wrote(policy, period_size, periods, writes, pauses, threshold, polling):
    """Whatever sizes are written, wherever it pauses: the same frames, in order, none lost, none repeated."""
    world = World(policy, ("MSG_POLLING",) if polling else ())
    data = pattern(sum(writes), 4)

    async def main():
        pcm = await world.open(period_size=period_size, periods=periods)
        # The old driver exposes everything at start: start full, or it plays what is not written yet.
        full = pcm.runtime.params.buffer_size
        pcm.sw_params(start_threshold=min(threshold, full) if policy == "ack" else full, stop_threshold=1 << 40)
        done = 0
        for n, count in enumerate(writes):
            await pcm.writei(data[done * 4 : (done + count) * 4])
            done += count
            if n in pauses and pcm.state is PcmState.RUNNING:
                await pcm.pause()
                await world.sleep(1e6)
                await pcm.pause(False)
        await pcm.drain()
        await pcm.close()

    world.run(main())
    check_bit_exact(world.slots()[: sum(writes)], expected_slots("S16_LE", 2, data))
