# SPDX-License-Identifier: Apache-2.0
"""A program is killed while it plays: Linux sends what it has to and waits for nothing, for a signal is pending."""

from __future__ import annotations

from virtone.model.device import SoundDevice
from virtone.model.pcm_state import PcmState
from virtone.model.timeline import TICKS_PER_NS
from virtone.virtio import snd

PLAYED_NS = 1e6
STOP, RELEASE = int(snd.VIRTIO_SND_R_PCM_STOP), int(snd.VIRTIO_SND_R_PCM_RELEASE)


class Slow(SoundDevice):
    """Answers a request `answer_ns` after it was notified."""

    answer_ns = 0.0

    def _serve_control(self) -> None:
        if self.answer_ns:
            self.timeline.call_later(round(self.answer_ns * TICKS_PER_NS), super()._serve_control)
        else:
            super()._serve_control()


def test_nothing_is_waited_for(make_world, frames_of):
    world = make_world("ack", device=Slow)

    async def main():
        pcm = await world.open()
        await pcm.writei(frames_of(480, 4))
        await world.sleep(PLAYED_NS)
        world.device.answer_ns = 0.5e6
        began = world.timeline.now_ns()
        await pcm.kill()
        assert world.timeline.now_ns() - began < 50_000 and pcm.state is PcmState.CLOSED
        assert world.driver.control.sent[-2:] == [STOP, RELEASE]
        assert world.driver.ctlq.outstanding == 2 and world.driver.substreams[0].pending == 4
        await world.sleep(PLAYED_NS)
        assert world.driver.ctlq.outstanding == 0 and world.driver.substreams[0].pending == 0

    world.run(main())


def test_next_program_plays(make_world, frames_of):
    """The flush nobody waited for has happened by then, and nothing has to be released once more."""
    world = make_world("ack")

    async def main():
        pcm = await world.open()
        await pcm.writei(frames_of(480, 4))
        await world.sleep(PLAYED_NS)
        await pcm.kill()
        await world.sleep(PLAYED_NS)
        again = world.driver.pcm()
        await again.open()
        assert world.driver.control.sent[-2:] == [STOP, RELEASE]
        await again.hw_params(format="S16_LE", channels=2, rate=48000, period_size=120, periods=4)
        await again.prepare()
        await again.writei(frames_of(480, 4))
        await again.drain()
        await again.close()

    world.run(main())
    assert [used.length for used in world.device.txq.used_log] == [8] * 8
