# SPDX-License-Identifier: Apache-2.0
"""The output stream of docs/device.md: accepting, flushing, running dry, broken messages."""

from __future__ import annotations

import pytest

from virtone.model.checks import check_bit_exact, expected_slots
from virtone.model.lifecycle import State
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
