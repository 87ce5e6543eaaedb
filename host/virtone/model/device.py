# SPDX-License-Identifier: Apache-2.0
"""The oracle: the sound device's half, register-accurate, on the timeline (docs/device.md).

Promise: behaves as that page says, written from it alone. It records what happened: `frames`, `used_log` of each
queue, `events` with exact times. Registers are reached through `device_port.DevicePort`, memory is read and written
in no time; a notification is served `service_ns` later.

User's duty: one `Timeline` and one `Memory` shared with the driver.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from virtone.model import device_control
from virtone.model.device_chain import Chain
from virtone.model.device_probe import ProbePage
from virtone.model.device_profile import DEFAULT
from virtone.model.device_queue import DeviceQueue
from virtone.model.device_registers import Registers
from virtone.model.device_stream import FramePlayed, OutputStream
from virtone.model.memory import Memory
from virtone.model.timeline import TICKS_PER_NS, Timeline
from virtone.model.word_clock import WordClock
from virtone.virtio import mmio, snd
from virtone.virtio.profile import Profile


class DeviceEvent(NamedTuple):
    """Something that happened: timeline time, kind (`notify`, `first_bit`, `complete`, `xrun`, ...), argument."""

    tick: int
    kind: str
    arg: int | str


class SoundDevice(Registers):
    """`converter_delay_ns`: first bit of a frame on the wire to that frame at the analog output."""

    def __init__(
        self,
        timeline: Timeline,
        memory: Memory,
        profile: Profile = DEFAULT,
        converter_delay_ns: float = 0.0,
        service_ns: float = 300.0,
        reset_ns: float = 200.0,
    ) -> None:
        self.timeline = timeline
        self.memory = memory
        self.profile = profile
        self.converter_delay_ns = converter_delay_ns
        self.service_ns = service_ns
        self.events: list[DeviceEvent] = []
        self.clock = WordClock()
        self.probe = ProbePage(self)
        self.interrupt = timeline.event("interrupt line")
        self.queues = [DeviceQueue(self, index) for index in range(snd.VIRTIO_SND_VQ_MAX)]
        self.ctlq, self.eventq, self.txq, self.rxq = self.queues
        self.ctlq.serve, self.eventq.serve = self._serve_control, self._serve_events
        self.txq.serve, self.rxq.serve = self.pump_txq, self._serve_rx
        self._xrun_event: int | None = None  # the stream of the event that waits for a buffer
        self._event_chain: Chain | None = None  # the buffer that waits for an event
        self._life = 0  # counts resets: what was scheduled in an earlier life does not happen
        self.streams: list[OutputStream] = []
        self.streams = [OutputStream(self, k, stream) for k, stream in enumerate(profile.streams)]
        super().__init__(reset_ns)

    # What happened.

    def log(self, kind: str, arg: int | str = 0) -> None:
        self.events.append(DeviceEvent(self.timeline.now, kind, arg))

    def times_ns(self, kind: str) -> list[float]:
        """Times of all events of one kind in nanoseconds."""
        return [event.tick / TICKS_PER_NS for event in self.events if event.kind == kind]

    @property
    def frames(self) -> list[FramePlayed]:
        """Every frame of a message that went onto the wire, in order of time."""
        return self.streams[0].frames if len(self.streams) == 1 else sorted(f for s in self.streams for f in s.frames)

    @property
    def driver_ok(self) -> bool:
        live = int(mmio.VIRTIO_CONFIG_S_DRIVER_OK | mmio.VIRTIO_CONFIG_S_FEATURES_OK)
        return self.status & live == live and not self.resetting

    # Interrupts and faults.

    def raise_interrupt(self, bit: int) -> None:
        if not self.interrupt_status:
            self.log("interrupt", int(bit))
        self.interrupt_status |= int(bit)
        self.interrupt.set()

    def set_needs_reset(self, reason: str) -> None:
        live = self.status & mmio.VIRTIO_CONFIG_S_DRIVER_OK
        self.status |= int(mmio.VIRTIO_CONFIG_S_NEEDS_RESET)
        self.log("needs_reset", reason)
        if live:
            self.raise_interrupt(mmio.VIRTIO_MMIO_INT_CONFIG)

    # Resets.

    def clear(self) -> None:
        """Everything but the clocks, as after power-up."""
        self._life += 1
        self._xrun_event = self._event_chain = None
        for queue in self.queues:
            queue.clear()
        for stream in self.streams:
            stream.clear()

    def clear_queue(self, index: int) -> None:
        """Drop what one queue had in flight: it was reset or disabled."""
        if index == snd.VIRTIO_SND_VQ_TX:
            for stream in self.streams:
                stream.drop_messages()
        elif index == snd.VIRTIO_SND_VQ_EVENT:
            self._xrun_event = self._event_chain = None

    # Service.

    def notify(self, value: int) -> None:
        """A write of QueueNotify."""
        index = value & 0xFFFF if self.negotiated(mmio.VIRTIO_F_NOTIFICATION_DATA) else value
        self.log("notify", value)
        if index < len(self.queues) and self.driver_ok:
            queue = self.queues[index]
            self._soon(queue, lambda: queue.notified(value))

    def put_in_service(self, queue: DeviceQueue) -> None:
        """QueueReady and DRIVER_OK have met: look at the avail ring once."""
        if queue.live:
            self._soon(queue, queue.look)

    def _soon(self, queue: DeviceQueue, service: Callable[[], None]) -> None:
        life, epoch = self._life, queue.epoch

        def serve() -> None:
            if self._life == life and queue.epoch == epoch:
                service()

        self.timeline.call_later(round(self.service_ns * TICKS_PER_NS), serve)

    def _serve_control(self) -> None:
        while (chain := self.ctlq.take()) is not None:
            epoch = self.ctlq.epoch
            with self.ctlq.guard():
                response = device_control.answer(self, chain)
                self.ctlq.complete(chain, response, epoch)

    def _serve_rx(self) -> None:
        while (chain := self.rxq.take()) is not None:
            self.rxq.complete(chain, b"")

    def report_xrun(self, stream: OutputStream) -> None:
        """An underrun episode has begun."""
        self.log("xrun", stream.stream_id)
        if stream.reports_xruns and self._xrun_event is None:  # one waits; what comes meanwhile is dropped
            self._xrun_event = stream.stream_id
            self._serve_events()

    def params_changed(self, stream: OutputStream) -> None:
        """SET_PARAMS without EVT_XRUNS: an event that waits is dropped."""
        if not stream.reports_xruns:
            self._xrun_event = None

    def _serve_events(self) -> None:
        with self.eventq.guard():
            while self.eventq.live:
                if self._event_chain is None:
                    self._event_chain = self.eventq.take()
                    if self._event_chain is None:
                        return
                    self._event_chain.look()  # its first descriptor is looked at as soon as it is there
                if self._xrun_event is None:
                    return
                event = snd.virtio_snd_event.pack(hdr=snd.VIRTIO_SND_EVT_PCM_XRUN, data=self._xrun_event)
                chain, self._event_chain, self._xrun_event = self._event_chain, None, None
                self.eventq.complete(chain, event)

    # The txq: one chain at a time, the next when the one before is fetched whole.

    def pump_txq(self) -> None:
        with self.txq.guard():
            while True:
                for stream in self.streams:
                    stream.fetch()
                if not all(stream.hungry for stream in self.streams):
                    return
                if not self._take_message():
                    return

    def drain_txq(self) -> None:
        """Take over everything that is in the avail ring now."""
        self.txq.poll()
        with self.txq.guard():
            while self._take_message():
                pass

    def _take_message(self) -> bool:
        chain = self.txq.take()
        if chain is None:
            return False
        header = chain.read(snd.virtio_snd_pcm_xfer.size)
        if len(header) == snd.virtio_snd_pcm_xfer.size:
            stream_id = snd.virtio_snd_pcm_xfer.unpack(header).stream_id
            if stream_id < len(self.streams) and self.streams[stream_id].accepts():
                self.log("fetch", chain.head)
                self.streams[stream_id].accept(chain, self.txq.epoch)
                return True
        refusal = snd.virtio_snd_pcm_status.pack(status=snd.VIRTIO_SND_S_IO_ERR, latency_bytes=0)
        return self.txq.complete(chain, refusal)
