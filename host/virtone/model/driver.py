# SPDX-License-Identifier: Apache-2.0
"""The reference driver: what Linux' snd_virtio does, over a `Port` (sound/virtio/virtio_card.c).

Promise: `probe` brings the device up in Linux' order and describes its streams; `pcm(n)` is an ALSA-like handle on
stream n. Events are kept in `events` and given to their stream. `policy` says when periods are queued: `ack` (Linux
6.7 and later: when the application has filled them) or `requeue` (the driver before that: all at start, each again
when it completes).

User's duty: one driver per port; `remove` before the port is given to another one.
"""

from __future__ import annotations

from typing import NamedTuple

from virtone.model.control_message import ControlQueue
from virtone.model.errors import InvalidArgument
from virtone.model.pcm_core import Pcm
from virtone.model.pcm_hw import LINUX_RATES, ModuleParams, PcmHardware
from virtone.model.pcm_policies import POLICIES
from virtone.model.pcm_substream import PcmSubstream
from virtone.model.port import Port
from virtone.model.transport import LINUX_TRANSPORT_FEATURES, VirtioMmio, feature_mask
from virtone.model.virtqueue import Virtqueue
from virtone.virtio import mmio, snd

# What snd_virtio takes when it is offered. Linux does not take RING_RESET on virtio-mmio; add it to reset queues.
LINUX_FEATURES = LINUX_TRANSPORT_FEATURES | feature_mask(snd.VIRTIO_SND_F_CTLS)


class SoundEvent(NamedTuple):
    """A notification of the eventq."""

    time_ns: int
    code: int
    data: int


class SoundDriver:
    """`queue_size` None: as large as the device allows, as Linux does. `known_rates` maps Hz to rate codes."""

    def __init__(
        self,
        port: Port,
        policy: str = "ack",
        features: int = LINUX_FEATURES,
        queue_size: int | None = None,
        params: ModuleParams | None = None,
        known_rates: dict[int, int] = LINUX_RATES,
        contiguous: bool = False,
    ) -> None:
        if policy not in POLICIES:
            raise InvalidArgument(f"policy {policy!r}: there are {', '.join(POLICIES)}")
        self.port = port
        self.policy = policy
        self.params = params or ModuleParams()
        self.transport = VirtioMmio(port)
        self.events: list[SoundEvent] = []
        self.substreams: list[PcmSubstream] = []
        self.jacks = self.streams = self.chmaps = self.controls = 0
        self.contiguous = contiguous  # period buffers in contiguous pages
        self._wanted = features
        self._queue_size = queue_size
        self._known_rates = known_rates
        self._event_buffers: list[int] = []

    async def probe(self) -> None:
        """Bring the device up. Raises a `DriverError` that says what does not fit."""
        transport = self.transport
        await transport.probe(mmio.VIRTIO_ID_SOUND)
        await transport.negotiate(self._wanted)
        self.ctlq = await transport.setup_queue(snd.VIRTIO_SND_VQ_CONTROL, self._serve_control, self._queue_size)
        self.eventq = await transport.setup_queue(snd.VIRTIO_SND_VQ_EVENT, self._serve_events, self._queue_size)
        self.txq = await transport.setup_queue(snd.VIRTIO_SND_VQ_TX, self._serve_tx, self._queue_size)
        self.rxq = await transport.setup_queue(snd.VIRTIO_SND_VQ_RX, self._serve_rx, self._queue_size)
        self.control = ControlQueue(transport, self.ctlq, self.params.msg_timeout_ms)
        self.eventq.disable_interrupts()
        size = snd.virtio_snd_event.size
        self._event_buffers = [self.port.memory.alloc(size, 8) for _ in range(self.eventq.size)]
        for address in self._event_buffers:
            self.eventq.add([(address, size, True)], address)
        await transport.driver_ok()
        await self._build_devices()
        if not self.eventq.enable_interrupts():
            await self._serve_events()
        await self.transport.probed()

    async def _build_devices(self) -> None:
        """Each count is read when its items are asked for (virtsnd_build_devs)."""
        offset = snd.virtio_snd_config.offset
        self.jacks = await self.transport.config32(offset("jacks"))
        self.streams = await self.transport.config32(offset("streams"))
        await self._describe_streams()
        self.chmaps = await self.transport.config32(offset("chmaps"))
        if self.transport.features >> snd.VIRTIO_SND_F_CTLS & 1:
            self.controls = await self.transport.config32(offset("controls"))

    async def _describe_streams(self) -> None:
        infos = await self.query_info(snd.VIRTIO_SND_R_PCM_INFO, 0, self.streams, snd.virtio_snd_pcm_info.size)
        for stream_id, raw in enumerate(infos):
            info = snd.virtio_snd_pcm_info.unpack(raw)
            hardware = PcmHardware.from_info(info, self._known_rates, self.params)
            self.substreams.append(POLICIES[self.policy](self, stream_id, hardware))

    async def query_info(self, code: int, start_id: int, count: int, size: int) -> list[bytes]:
        """`count` items of an *_INFO request, `size` bytes each."""
        if not count:
            return []
        query = snd.virtio_snd_query_info.pack(hdr=code, start_id=start_id, count=count, size=size)
        data = await self.control.request(query, count * size)
        return [data[k * size : (k + 1) * size] for k in range(count)]

    def pcm(self, stream_id: int = 0) -> Pcm:
        """A handle on one stream, to be opened."""
        if not 0 <= stream_id < len(self.substreams):
            raise InvalidArgument(f"stream {stream_id}: the device has {len(self.substreams)}")
        return Pcm(self.port, self.substreams[stream_id])

    async def remove(self) -> None:
        """Reset the device and give all memory back; it stays known, so that `probe` binds it again as Linux does."""
        await self.transport.remove()
        for substream in self.substreams:
            substream.forget()
        self.substreams.clear()
        for address in self._event_buffers:
            self.port.memory.free(address)
        self._event_buffers = []

    # Interrupt callbacks.

    async def _serve_control(self) -> None:
        await self.control.service()

    async def _serve_events(self) -> None:
        memory, size = self.port.memory, snd.virtio_snd_event.size
        while True:
            self.eventq.disable_interrupts()
            while (used := self.eventq.get_used()) is not None:
                event = snd.virtio_snd_event.unpack(memory.read(used[0], size))
                self._dispatch(SoundEvent(self.port.now_ns(), event.hdr.code, event.data))
                memory.write(used[0], bytes(size))
                self.eventq.add([(used[0], size, True)], used[0])
                await self.transport.kick(self.eventq)
            if self.eventq.enable_interrupts():
                return

    def _dispatch(self, event: SoundEvent) -> None:
        self.events.append(event)
        if event.code == snd.VIRTIO_SND_EVT_PCM_XRUN and event.data < len(self.substreams):
            self.substreams[event.data].xrun_event()

    async def _serve_tx(self) -> None:
        await self._serve_io(self.txq)

    async def _serve_rx(self) -> None:
        await self._serve_io(self.rxq)

    async def _serve_io(self, queue: Virtqueue) -> None:
        while True:
            queue.disable_interrupts()
            while (used := queue.get_used()) is not None:
                message, _ = used
                await self.substreams[message.stream_id].message_complete(message)
            if queue.enable_interrupts():
                return
