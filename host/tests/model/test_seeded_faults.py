# SPDX-License-Identifier: Apache-2.0
"""Each check catches the fault it exists for: devices and drivers that are wrong in one way, put through the same run."""

from __future__ import annotations

import types

import pytest

from virtone.model import device_stream
from virtone.model.checks import (
    CheckFailed,
    check_bit_exact,
    check_completions,
    check_flushed,
    check_latency,
    check_silent_memory,
    check_word_clock,
    expected_slots,
)
from virtone.model.device_stream import OutputStream
from virtone.model.errors import DeviceIoError, MessageTimeout
from virtone.model.lifecycle import State
from virtone.model.transport import VirtioMmio
from virtone.model.virtqueue import RingViolation, Virtqueue
from virtone.model.word_clock import WordClock
from virtone.virtio import mmio, snd

PERIOD, MESSAGES = 60, 8


def run_and_check(world, data, pause=False, fmt="S16_LE", latency=0):
    """The run of test_playback, and all of its checks."""
    size = len(data) // (PERIOD * MESSAGES)
    half = len(data) // 2

    async def main():
        pcm = await world.open(format=fmt, period_size=PERIOD, periods=4)
        await pcm.writei(data[:half])
        if pause:
            await world.sleep(700_000)
            await pcm.pause()
            await world.sleep(3e6)
            await pcm.pause(False)
        await pcm.writei(data[half:])
        await pcm.drain()
        await pcm.close()

    world.run(main())
    assert size == 2 * snd.FORMATS[fmt.replace("_LE", "")].physical_width // 8
    check_bit_exact(world.slots(), expected_slots(fmt, 2, data))
    ticks = [frame.tick for frame in world.device.frames]
    period = 512 * (1_000_000_000 * 56_448 // 24_576_000)
    if not pause:
        check_word_clock(ticks, period)
    check_completions(
        [used.tick for used in world.device.txq.used_log], ticks, PERIOD, period, 0 if not pause else period
    )
    status = [snd.virtio_snd_pcm_status.unpack(used.response) for used in world.device.txq.used_log]
    check_latency([item.latency_bytes for item in status], latency)


@pytest.mark.parametrize("pause", (False, True))
@pytest.mark.parametrize("fmt", ("S16_LE", "S24_LE"))
def test_the_right_device_passes(world, frames_of, pause, fmt):
    run_and_check(world, frames_of(PERIOD * MESSAGES, 4 if fmt == "S16_LE" else 8), pause, fmt)


def test_completes_when_fetched(world, frames_of, monkeypatch):
    """The commonest fault of virtio sound devices: a message is done when it was copied."""

    def early(self):
        while self._messages and self._messages[0].fetched:
            self._finish(self._messages.popleft(), snd.VIRTIO_SND_S_OK, 0)

    monkeypatch.setattr(OutputStream, "_complete_played", early)
    with pytest.raises(CheckFailed, match=r"\d+ frames were played of 480 written"):
        run_and_check(world, frames_of(PERIOD * MESSAGES, 4))


def test_completes_one_frame_early(world, frames_of, monkeypatch):
    def early(self):
        while self._messages and self._messages[0].fetched and self._messages[0].played >= self._messages[0].frames - 1:
            self._finish(self._messages.popleft(), snd.VIRTIO_SND_S_OK, 0)

    monkeypatch.setattr(OutputStream, "_complete_played", early)
    with pytest.raises(CheckFailed, match="message 0 completed 1176000000 before its last frame had left"):
        run_and_check(world, frames_of(PERIOD * MESSAGES, 4))


def test_completes_one_frame_late(world, frames_of, monkeypatch):
    finish = OutputStream._finish

    def late(self, *args):
        self._device.timeline.call_later(self._device.clock.period, lambda: finish(self, *args))

    monkeypatch.setattr(OutputStream, "_finish", late)
    with pytest.raises((CheckFailed, MessageTimeout), match=r"after its last frame had left|are not back"):
        run_and_check(world, frames_of(PERIOD * MESSAGES, 4))


def test_loses_the_fifo_across_a_pause(world, frames_of, monkeypatch):
    enter = OutputStream.enter

    def forgetful(self, state):
        if state is State.STOPPED:
            for _, _, message in self._fifo:
                message.played += 1
            self._fifo.clear()
        enter(self, state)

    monkeypatch.setattr(OutputStream, "enter", forgetful)
    with pytest.raises(CheckFailed, match="written was"):
        run_and_check(world, frames_of(PERIOD * MESSAGES, 4), pause=True)


def test_repeats_a_frame(world, frames_of, monkeypatch):
    put = OutputStream._put_on_wire

    def twice(self):
        if len(self.frames) == 100:
            self._fifo.appendleft(self._fifo[0])
        put(self)

    monkeypatch.setattr(OutputStream, "_put_on_wire", twice)
    with pytest.raises(CheckFailed, match="frame 101 is"):
        run_and_check(world, frames_of(PERIOD * MESSAGES, 4))


def test_wrong_justification(world, frames_of, monkeypatch):
    monkeypatch.setitem(device_stream._SHIFT, int(snd.VIRTIO_SND_PCM_FMT_S24), 0)
    with pytest.raises(CheckFailed, match="frame 0 is"):
        run_and_check(world, frames_of(PERIOD * MESSAGES, 8), fmt="S24_LE")


def test_fractional_clock(world, frames_of, monkeypatch):
    after = WordClock.after
    monkeypatch.setattr(WordClock, "after", lambda self, now: after(self, now) + (len(world.device.frames) == 200))
    with pytest.raises(CheckFailed, match="the word clock has"):
        run_and_check(world, frames_of(PERIOD * MESSAGES, 4))


def test_latency_that_is_the_payload(world, frames_of, monkeypatch):
    """What other devices report in latency_bytes."""
    monkeypatch.setattr(OutputStream, "latency_bytes", lambda self: PERIOD * 4)
    with pytest.raises(CheckFailed, match="says latency_bytes 240, the converter's delay is 0"):
        run_and_check(world, frames_of(PERIOD * MESSAGES, 4))


def test_driver_that_forgets_a_kick(world, frames_of, monkeypatch):
    kick, count = VirtioMmio.kick, iter(range(1000))

    async def forgetful(self, queue):
        if queue.index == snd.VIRTIO_SND_VQ_TX and next(count) == 0:
            queue.kick_prepare()
            return False
        return await kick(self, queue)

    monkeypatch.setattr(VirtioMmio, "kick", forgetful)
    with pytest.raises(DeviceIoError, match="write stalls in RUNNING"):
        run_and_check(world, frames_of(PERIOD * MESSAGES, 4))


def test_driver_that_forgets_every_kick(world, frames_of, monkeypatch):
    async def never(self, queue):
        queue.kick_prepare()
        return False

    async def main():
        pcm = await world.open(period_size=PERIOD)
        monkeypatch.setattr(VirtioMmio, "kick", never)
        with pytest.raises(MessageTimeout, match="control message 0x0104"):
            await pcm.writei(frames_of(PERIOD * 4, 4))

    world.run(main())


def test_driver_that_does_not_look_again_before_it_rests(world, frames_of, monkeypatch):
    """enable_interrupts without the second look loses what came in between."""
    enable = Virtqueue.enable_interrupts

    def hasty(self):
        self._interrupts = True
        self._write_used_event((self.last_used - 1) & 0xFFFF)
        return True

    async def main():
        pcm = await world.open(period_size=PERIOD)
        monkeypatch.setattr(Virtqueue, "enable_interrupts", hasty)
        with pytest.raises((MessageTimeout, DeviceIoError)):
            await pcm.writei(frames_of(PERIOD * 16, 4))
        assert enable is not hasty

    world.run(main())


def test_release_that_forgets_the_avail_ring(world, frames_of, monkeypatch):
    monkeypatch.setattr(world.device, "drain_txq", lambda: None)

    async def main():
        pcm = await world.open(period_size=PERIOD)
        await pcm.writei(frames_of(PERIOD * 4, 4))
        await world.sleep(100_000)
        pcm.substream.completions.clear()
        await pcm.close()
        await world.sleep(100_000)
        with pytest.raises(CheckFailed, match=r"completion \d after RELEASE has status 0x8003"):
            check_flushed([completion[1:] for completion in pcm.substream.completions], 4)

    world.run(main())


def test_device_that_uses_a_chain_twice(world, frames_of, monkeypatch):
    complete = world.device.txq.complete

    def twice(chain, response, epoch=None):
        complete(chain, response, epoch)
        return complete(chain, b"", epoch)

    monkeypatch.setattr(world.device.txq, "complete", twice)
    with pytest.raises(RingViolation, match="no outstanding chain"):
        run_and_check(world, frames_of(PERIOD * MESSAGES, 4))


def test_device_that_writes_more_than_there_is_room_for(world, frames_of, monkeypatch):
    from virtone.model.device_chain import Chain

    write = Chain.write

    def boast(self, data):
        write(self, data)
        self.written += b"\0"

    monkeypatch.setattr(Chain, "write", boast)
    with pytest.raises(RingViolation, match="it has room for"):
        run_and_check(world, frames_of(PERIOD * MESSAGES, 4))


def test_device_that_writes_after_its_reset(world, frames_of, monkeypatch):
    monkeypatch.setattr(world.device, "clear", types.MethodType(lambda self: None, world.device))
    monkeypatch.setattr(type(world.device), "driver_ok", property(lambda self: True))

    async def main():
        pcm = await world.open(period_size=PERIOD)
        await pcm.writei(frames_of(PERIOD * 4, 4))
        await world.port.write32(mmio.VIRTIO_MMIO_STATUS, 0)
        before = world.memory.snapshot()
        await world.sleep(5e6)
        with pytest.raises(CheckFailed, match="bytes of guest memory changed"):
            check_silent_memory(before, world.memory.snapshot())

    world.run(main())
