# SPDX-License-Identifier: Apache-2.0
"""PCM operators of the driver (sound/virtio/virtio_pcm_ops.c, virtio_pcm_msg.c), in both queueing policies.

Promise: open, close, hw_params, hw_free, prepare, trigger, sync_stop, pointer, ack do to the device what Linux' do.
`runtime.delay` follows `latency_bytes` of the last completion. `elapsed` (set by the PCM core) runs in a task of
its own, coalescing like a work item.

Known differences, both on purpose: `prepare` empties half-filled messages (Linux leaves their fill level and then
never sends them), and the `requeue` policy reports elapsed periods from a task, as Linux does since 5.13, not from
the interrupt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtone.model.errors import BadState, InvalidArgument, MessageTimeout
from virtone.model.memory import PageList
from virtone.model.pcm_hw import ALSA_FORMATS, HwParams, PcmHardware
from virtone.model.pcm_message import PcmMessage
from virtone.model.port import wait_with_timeout
from virtone.virtio import snd

if TYPE_CHECKING:
    from virtone.model.driver import SoundDriver

# Taken whenever the stream offers them; shared memory never.
_WANTED_FEATURES = snd.PCM_FEATURES.mask(["MSG_POLLING", "EVT_XRUNS"])
TURNAROUND_NS = 5000.0  # between two requests that are not waited for: allocation, locks, the way back through ALSA
TRIGGERS = ("start", "stop", "pause_push", "pause_release")


@dataclass
class Runtime:
    """What core and driver share of an open stream: `dma` is the buffer, `appl_ptr` and `delay` are frames."""

    params: HwParams
    dma: PageList
    appl_ptr: int = 0
    delay: int = 0


class PcmSubstream:
    """What both policies share; a policy adds when messages are sent."""

    def __init__(self, driver: SoundDriver, stream_id: int, hardware: PcmHardware) -> None:
        self.driver = driver
        self.stream_id = stream_id
        self.hardware = hardware
        self.runtime: Runtime | None = None
        self.elapsed: Callable[[], Awaitable[None]] | None = None
        self.work_delay_ns = 0.0
        self.interrupted = False  # a signal is pending: requests are sent, answers not waited for
        self.hw_ptr = 0  # bytes, start of the first message in the queue, modulo buffer_bytes
        self.xfer_enabled = False
        self.xfer_xrun = False
        self.completions: list[tuple[int, int, int]] = []  # (time in ns, status, latency_bytes)
        self._messages: list[PcmMessage] = []
        self._pending = 0
        self._stopped = False
        self._empty = driver.port.event()
        self._empty.set()
        self._work_due = False
        self._working = False

    # Messages.

    @property
    def pending(self) -> int:
        """Messages the device has."""
        return self._pending

    @property
    def polling(self) -> bool:
        return bool(self.hardware.features >> snd.VIRTIO_SND_PCM_F_MSG_POLLING & 1)

    async def _send(self, messages: list[PcmMessage]) -> None:
        """Queue messages, one kick for all of them; none with MSG_POLLING."""
        if not messages:
            return
        queue = self.driver.txq
        for message in messages:
            queue.add(message.segments(), message)
            self._pending += 1
        self._empty.clear()
        if not self.polling:
            await self.driver.transport.kick(queue)

    async def message_complete(self, message: PcmMessage) -> None:
        """Interrupt: the device has used a message."""
        assert self.runtime is not None
        params = self.runtime.params
        self.hw_ptr = (self.hw_ptr + message.size) % params.buffer_bytes
        message.filled = 0
        self.xfer_xrun = False
        self._pending -= 1
        status = message.status()
        self.completions.append((self.driver.port.now_ns(), status.status, status.latency_bytes))
        if self.xfer_enabled:
            self.runtime.delay = status.latency_bytes // params.frame_bytes
            self._schedule_work()
            await self._after_completion()
        if not self._pending:
            self._empty.set()

    async def _after_completion(self) -> None:
        """Policy: a message has come back while transfers are enabled."""

    def _schedule_work(self) -> None:
        self._work_due = True
        if not self._working:
            self._working = True
            self.driver.port.spawn(self._work())

    async def _work(self) -> None:
        try:
            while self._work_due:
                if self.work_delay_ns:
                    await self.driver.port.sleep_ns(self.work_delay_ns)
                await self.driver.transport.service_ended()
                due, self._work_due = self._work_due, False
                if due and self.elapsed is not None:
                    await self.elapsed()
        finally:
            self._working = False

    def xrun_event(self) -> None:
        """The device reported an underrun."""
        if self.xfer_enabled:
            self.xfer_xrun = True

    def _free_messages(self) -> None:
        for message in self._messages:
            message.free()
        self._messages = []

    def forget(self) -> None:
        """The device was reset: nothing is pending any more."""
        self._pending = 0
        self._empty.set()
        self._work_due = False
        self._free_messages()

    # Operators.

    async def open(self) -> None:
        self._stopped = bool(self._pending)
        await self.sync_stop()

    async def close(self) -> None:
        return None

    async def hw_params(self, params: HwParams) -> None:
        """SET_PARAMS; `runtime` with its buffer must be in place."""
        self._require_empty_queue("hw_params")
        assert self.runtime is not None
        if params.rate not in self.hardware.rates or params.format not in ALSA_FORMATS:
            raise InvalidArgument(f"{params} has no virtio code for its rate or format")
        request = snd.virtio_snd_pcm_set_params.pack(
            hdr={"hdr": snd.VIRTIO_SND_R_PCM_SET_PARAMS, "stream_id": self.stream_id},
            buffer_bytes=params.buffer_bytes,
            period_bytes=params.period_bytes,
            features=self.hardware.features & _WANTED_FEATURES,
            channels=params.channels,
            format=ALSA_FORMATS[params.format],
            rate=self.hardware.rates[params.rate],
        )
        await self.driver.control.request(request)
        self._free_messages()
        size = params.period_bytes
        memory, dma = self.driver.port.memory, self.runtime.dma
        self._messages = [PcmMessage(memory, self.stream_id, dma, k * size, size) for k in range(params.periods)]

    async def hw_free(self) -> None:
        if not self._pending:
            self._free_messages()

    async def prepare(self) -> None:
        self._require_empty_queue("prepare")
        self.hw_ptr = 0
        self.xfer_xrun = False
        for message in self._messages:
            message.filled = 0
        self._restart()
        await self._command(snd.VIRTIO_SND_R_PCM_PREPARE)

    def _restart(self) -> None:
        """Policy: forget where sending stood."""

    async def trigger(self, command: str) -> None:
        """`start`, `stop`, `pause_push` or `pause_release`."""
        if command not in TRIGGERS:
            raise InvalidArgument(f"trigger {command!r}: there are {', '.join(TRIGGERS)}")
        if command in ("start", "pause_release"):
            await self._before_start()
            self.xfer_enabled = True
            await self._command(snd.VIRTIO_SND_R_PCM_START)
            return
        if command == "stop":
            self._stopped = True
        self.xfer_enabled = False
        await self._send_stop()

    async def _before_start(self) -> None:
        """Policy: what is queued before START."""

    async def _send_stop(self) -> None:
        await self._command(snd.VIRTIO_SND_R_PCM_STOP)

    async def sync_stop(self) -> None:
        """After a stop: RELEASE, and wait until every message has come back. Raises `MessageTimeout`."""
        self._work_due = False
        if not self._stopped:
            return
        if self._release_needed():
            await self._command(snd.VIRTIO_SND_R_PCM_RELEASE)
            if self.interrupted:
                return
            timeout_ms = self.driver.params.msg_timeout_ms
            if self._pending and not await wait_with_timeout(self.driver.port, self._empty, timeout_ms * 1e6):
                raise MessageTimeout(
                    f"stream {self.stream_id}: {self._pending} messages are not back {timeout_ms} ms after RELEASE"
                )
        self._stopped = False

    def _release_needed(self) -> bool:
        return True

    def pointer(self) -> int | None:
        """Position in the buffer in frames; None after an underrun the policy reports."""
        raise NotImplementedError

    async def ack(self) -> None:
        """The application has moved `appl_ptr`."""

    def _require_empty_queue(self, operator: str) -> None:
        if self._pending:
            raise BadState(f"stream {self.stream_id}: {operator} with {self._pending} messages still in the queue")

    async def _command(self, code: int) -> None:
        if self.interrupted:
            await self.driver.control.post(self._request(code))
            await self.driver.port.sleep_ns(TURNAROUND_NS)
        else:
            await self.driver.control.request(self._request(code))

    def _request(self, code: int) -> bytes:
        return snd.virtio_snd_pcm_hdr.pack(hdr=code, stream_id=self.stream_id)
