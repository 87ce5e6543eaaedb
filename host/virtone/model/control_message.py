# SPDX-License-Identifier: Apache-2.0
"""Control requests of the driver: sent, waited for with a timeout, answered or refused
(sound/virtio/virtio_ctl_msg.c).

Promise: `request` returns the bytes behind the status header or raises what Linux would return: BAD_MSG is
`InvalidArgument`, NOT_SUPP `NotSupported`, IO_ERR `DeviceIoError`, no answer in time `MessageTimeout`. A request
that timed out keeps its memory until the device gives it back.
"""

from __future__ import annotations

from virtone.model.errors import DeviceIoError, DriverError, InvalidArgument, MessageTimeout, NotSupported
from virtone.model.port import wait_with_timeout
from virtone.model.transport import VirtioMmio
from virtone.model.virtqueue import Virtqueue
from virtone.virtio import snd

_ERRORS: dict[int, type[DriverError]] = {
    int(snd.VIRTIO_SND_S_NOT_SUPP): NotSupported,
    int(snd.VIRTIO_SND_S_IO_ERR): DeviceIoError,
}


class _Pending:
    def __init__(self, transport: VirtioMmio, address: int, request_size: int, room: int) -> None:
        self._transport = transport
        self._address = address
        self._reply = address + request_size
        self._room = room
        self.answered = transport.port.event()
        self.response: bytes | None = None

    def complete(self, length: int) -> None:
        self.response = self._transport.port.memory.read(self._reply, min(length, self._room))
        self._transport.port.memory.free(self._address)
        self.answered.set()


class ControlQueue:
    """`code`s of everything sent are kept in `sent`, oldest first."""

    def __init__(self, transport: VirtioMmio, queue: Virtqueue, timeout_ms: float) -> None:
        self._transport = transport
        self._queue = queue
        self.timeout_ms = timeout_ms
        self.sent: list[int] = []

    async def service(self) -> None:
        """Interrupt callback."""
        while True:
            self._queue.disable_interrupts()
            while (used := self._queue.get_used()) is not None:
                used[0].complete(used[1])
            if self._queue.enable_interrupts():
                return

    async def _send(self, request: bytes, header: int, more: int) -> _Pending:
        self._transport.check()
        memory = self._transport.port.memory
        room = header + more
        address = memory.alloc(max(1, len(request) + room))
        reply = address + len(request)
        memory.write(address, request)
        if room >= snd.virtio_snd_hdr.size:
            # What the driver finds if the request is cancelled.
            memory.write(reply, snd.virtio_snd_hdr.pack(code=snd.VIRTIO_SND_S_IO_ERR))
        pending = _Pending(self._transport, address, len(request), room)
        segments = [(address, len(request), False)] if request else []
        segments += [(reply, header, True)] if header else []
        segments += [(reply + header, more, True)] if more else []
        try:
            self._queue.add(segments, pending)
        except DriverError:
            memory.free(address)
            raise
        self.sent.append(int.from_bytes(request[:4], "little"))
        await self._transport.kick(self._queue)
        return pending

    async def exchange(self, request: bytes, more: int = 0, header: int = 4) -> bytes:
        """Send any bytes; returns what the device has written into `header` and, behind it, `more` bytes."""
        pending = await self._send(request, header, more)
        if not await wait_with_timeout(self._transport.port, pending.answered, self.timeout_ms * 1e6):
            self._transport.check()
            code = int.from_bytes(request[:4], "little")
            raise MessageTimeout(f"control message {code:#06x} was not answered within {self.timeout_ms:g} ms")
        assert pending.response is not None
        return pending.response

    async def request(self, request: bytes, more: int = 0) -> bytes:
        """Send a request; returns what follows the status header, at most `more` bytes."""
        response = await self.exchange(request, more)
        self.check(int.from_bytes(request[:4], "little"), response)
        return response[snd.virtio_snd_hdr.size :]

    async def post(self, request: bytes) -> None:
        """Send a request and do not wait for its answer."""
        await self._send(request, snd.virtio_snd_hdr.size, 0)

    @staticmethod
    def check(code: int, response: bytes) -> None:
        """Raises unless the response says OK."""
        what = snd.REQUESTS.name_of(code)
        if len(response) < snd.virtio_snd_hdr.size:
            raise DeviceIoError(f"{what}: the device wrote {len(response)} bytes, a response has at least 4")
        status = snd.virtio_snd_hdr.unpack_from(response).code
        if status != snd.VIRTIO_SND_S_OK:
            raise _ERRORS.get(status, InvalidArgument)(f"{what} was answered {snd.STATUSES.name_of(status)}")
