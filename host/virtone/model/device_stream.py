# SPDX-License-Identifier: Apache-2.0
"""One output stream of the device: messages in, frames out at the word clock (docs/device.md "Output stream").

Promise: a message completes when the last bit of its last frame has left the serializer, in message order, one
completion per message; payload is fetched ahead by at most the prefetch window; nothing is lost or repeated across
STOP and START.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from virtone.model.device_chain import Chain
from virtone.model.lifecycle import ACCEPTING, POLLING, State
from virtone.model.timeline import TICKS_PER_NS, Handle
from virtone.virtio import snd
from virtone.virtio.profile import Stream

if TYPE_CHECKING:
    from virtone.model.device import SoundDevice

# The prefetch window: frames in the sample FIFO, and bytes of the message being read in the fetch buffer.
FIFO_FRAMES = 32
FETCH_BYTES = 144


class FramePlayed(NamedTuple):
    """A frame of a message on the wire: time of its first bit, both slots as signed 32-bit numbers, the chain's head."""

    tick: int
    left: int
    right: int
    head: int


@dataclass(frozen=True)
class Params:
    """What SET_PARAMS has set."""

    format: int
    rate: int
    channels: int
    features: int
    buffer_bytes: int
    period_bytes: int

    @cached_property
    def frame_bytes(self) -> int:
        return snd.frame_bytes(self.format, self.channels)

    def slots(self, frame: bytes) -> tuple[int, int]:
        """The left and right slot of one frame: left-justified, signed 32 bits."""
        size = len(frame) // self.channels
        values = []
        for k in range(self.channels):
            sample = int.from_bytes(frame[k * size : (k + 1) * size], "little") << _SHIFT[self.format] & 0xFFFF_FFFF
            values.append(sample - (1 << 32) if sample >> 31 else sample)
        return values[0], values[-1]


_SHIFT = {
    int(snd.VIRTIO_SND_PCM_FMT_S16): 16,
    int(snd.VIRTIO_SND_PCM_FMT_S24_3): 8,
    int(snd.VIRTIO_SND_PCM_FMT_S24): 8,
    int(snd.VIRTIO_SND_PCM_FMT_S32): 0,
}


@dataclass(eq=False)
class Message:
    """A tx message the stream has accepted."""

    chain: Chain
    epoch: int
    frames: int = 0  # whole frames fetched
    played: int = 0  # frames whose last bit has left
    fetched: bool = False
    broken: bool = False  # empty, or no whole number of frames


class OutputStream:
    """Stream `stream_id` of `device`."""

    def __init__(self, device: SoundDevice, stream_id: int, profile: Stream) -> None:
        self._device = device
        self.stream_id = stream_id
        self.profile = profile
        self.is_output = profile.direction == snd.VIRTIO_SND_D_OUTPUT
        self.frames: list[FramePlayed] = []
        self.xruns = 0
        self._boundary: Handle | None = None
        self._polling: Handle | None = None
        self.clear()

    def clear(self) -> None:
        """State after a device reset."""
        self.state = State.INIT
        self.params: Params | None = None
        self.drop_messages()
        self._on_wire: Message | None = None
        self._playing = False  # a frame is on the wire
        self._started = False  # a frame has played since START
        self._silent = False  # an underrun episode is going on
        for handle in (self._boundary, self._polling):
            if handle is not None:
                handle.cancel()
        self._boundary = self._polling = None

    def drop_messages(self) -> None:
        """Forget every message and the frames fetched, completing nothing (reset of the device or of the txq)."""
        self._messages: deque[Message] = deque()
        self._fifo: deque[tuple[int, int, Message]] = deque()
        self._residue = b""  # the fetch buffer
        self._on_wire = None
        self._started = self._silent = False  # an empty FIFO is no underrun before the next frame has played

    @property
    def reports_xruns(self) -> bool:
        return self.params is not None and bool(self.params.features >> snd.VIRTIO_SND_PCM_F_EVT_XRUNS & 1)

    # Commands: the lifecycle table has been asked already.

    def enter(self, state: State) -> None:
        if state is State.PREPARED:
            assert self.params is not None
            self._device.clock.set_rate(self.params.rate, self._device.timeline.now)
        if state is State.RUNNING:
            self._started = self._silent = False
        self.state = state
        self._complete_played()
        self._schedule()

    def flush(self) -> None:
        """Complete every message of this stream, fetched or not, with OK and latency 0."""
        self._device.drain_txq()
        messages = self._messages
        self.drop_messages()
        for message in messages:
            self._finish(message, snd.VIRTIO_SND_S_OK, 0)

    # Messages.

    @property
    def hungry(self) -> bool:
        """Every message accepted so far is fetched whole; the next one may be taken."""
        return not self._messages or self._messages[-1].fetched

    def accepts(self) -> bool:
        return self.is_output and self.state in ACCEPTING

    def accept(self, chain: Chain, epoch: int) -> None:
        self._messages.append(Message(chain, epoch))
        self._schedule()

    def fetch(self) -> None:
        """Fill the prefetch window."""
        if self.params is None or self.hungry or not self._device.txq.live:
            return
        for message in self._messages:
            if not self._fetch_message(message, self.params):
                break
        self._complete_played()
        self._schedule()

    def _fetch_message(self, message: Message, params: Params) -> bool:
        """Fetch of one message what the window has room for; True when it is fetched whole."""
        size = params.frame_bytes
        while not message.fetched:
            data = self._residue + message.chain.read_ahead(FETCH_BYTES - len(self._residue))
            fetched = len(data) - len(self._residue)
            count = min(len(data) // size, FIFO_FRAMES - len(self._fifo))
            for start in range(0, count * size, size):
                left, right = params.slots(data[start : start + size])
                self._fifo.append((left, right, message))
            message.frames += count
            self._residue = data[count * size :]
            if message.chain.at_end() and len(self._residue) < size:
                message.fetched = True
                message.broken = bool(self._residue) or message.frames == 0
                self._residue = b""
            elif not count and not fetched:
                return False
        return True

    def _finish(self, message: Message, status: int, latency_bytes: int) -> None:
        response = snd.virtio_snd_pcm_status.pack(status=status, latency_bytes=latency_bytes)
        if self._device.txq.complete(message.chain, response, message.epoch):
            self._device.log("complete", message.chain.head)

    def latency_bytes(self) -> int:
        """The converter's delay in whole frames (to nearest) times the frame size."""
        assert self.params is not None
        ticks = round(self._device.converter_delay_ns * TICKS_PER_NS)
        period = self._device.clock.period
        return (2 * ticks + period) // (2 * period) * self.params.frame_bytes

    # The wire.

    def _schedule(self) -> None:
        now = self._device.timeline.now
        pending = bool(self._fifo) or (bool(self._messages) and self._device.txq.live)
        active = self._playing or (self.state is State.RUNNING and pending)
        if self._boundary is None and active:
            self._boundary = self._device.timeline.call_at(self._device.clock.after(now), self._at_boundary)
        wanted = self.params is not None and self.params.features >> snd.VIRTIO_SND_PCM_F_MSG_POLLING & 1
        if self._polling is None and wanted and self.state in POLLING:
            tick = self._device.clock.after(now)
            self._polling = self._device.timeline.call_at(tick, self._poll, background=True)

    def _poll(self) -> None:
        self._polling = None
        if self.state in POLLING:
            self._device.txq.poll()
            if self._device.txq.waiting:
                self._device.pump_txq()
        self._schedule()

    def _at_boundary(self) -> None:
        self._boundary = None
        if self._playing and self._on_wire is not None:
            self._on_wire.played += 1
        self._playing, self._on_wire = False, None
        self._complete_played()
        if self.state is State.RUNNING:
            if self._fifo:
                self._put_on_wire()
            elif self._started and not self._silent:
                self._silent = True
                self.xruns += 1
                self._device.report_xrun(self)
        self._device.pump_txq()
        self._schedule()

    def _put_on_wire(self) -> None:
        left, right, message = self._fifo.popleft()
        if not message.played:
            self._device.log("first_bit", message.chain.head)
        self.frames.append(FramePlayed(self._device.timeline.now, left, right, message.chain.head))
        self._playing, self._on_wire = True, message
        self._started, self._silent = True, False

    def _complete_played(self) -> None:
        while self._messages:
            first = self._messages[0]
            # A message without frames has its turn, all frames before it gone, only in a running stream.
            its_turn = bool(first.frames) or self.state is State.RUNNING
            if not first.fetched or first.played < first.frames or not its_turn:
                return
            self._messages.popleft()
            status = snd.VIRTIO_SND_S_IO_ERR if first.broken else snd.VIRTIO_SND_S_OK
            self._finish(first, status, self.latency_bytes())
