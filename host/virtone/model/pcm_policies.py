# SPDX-License-Identifier: Apache-2.0
"""When the driver queues a period: the two policies Linux has had.

Promise: `requeue` is the driver up to Linux 6.6 (it exposes a period again before the application has refilled it),
`ack` the one since (a period is exposed once it is full, through the ack operator).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtone.model.errors import InvalidArgument
from virtone.model.pcm_hw import PcmHardware
from virtone.model.pcm_substream import PcmSubstream
from virtone.virtio import snd

if TYPE_CHECKING:
    from virtone.model.driver import SoundDriver


class RequeueSubstream(PcmSubstream):
    """Policy `requeue`: all periods at start, each again when it completes; STOP is not waited for."""

    _last = -1  # index of the message queued last

    def _restart(self) -> None:
        self._last = -1

    async def _send_all(self) -> None:
        count = len(self._messages)
        idle = count - self._pending
        batch = [self._messages[(self._last + 1 + k) % count] for k in range(idle)]
        self._last = (self._last + idle) % count
        await self._send(batch)

    async def _before_start(self) -> None:
        await self._send_all()

    async def _after_completion(self) -> None:
        await self._send_all()

    async def _send_stop(self) -> None:
        await self.driver.control.post(self._request(snd.VIRTIO_SND_R_PCM_STOP))

    def _release_needed(self) -> bool:
        return self._pending > 0

    def pointer(self) -> int | None:
        assert self.runtime is not None
        return None if self.xfer_xrun else self.hw_ptr // self.runtime.params.frame_bytes


class AckSubstream(PcmSubstream):
    """Policy `ack`: a period is queued once the application has filled it; XRUN events change nothing (Linux 6.7)."""

    def __init__(self, driver: SoundDriver, stream_id: int, hardware: PcmHardware) -> None:
        super().__init__(driver, stream_id, hardware)
        self._restart()

    def _restart(self) -> None:
        self._seen = 0  # appl_ptr up to which bytes were handed over, in frames
        self._offset = 0  # where the next byte goes

    def pointer(self) -> int | None:
        assert self.runtime is not None
        return self.hw_ptr // self.runtime.params.frame_bytes

    async def ack(self) -> None:
        assert self.runtime is not None
        params = self.runtime.params
        fresh = (self.runtime.appl_ptr - self._seen) * params.frame_bytes
        if fresh < 0:
            raise InvalidArgument(f"stream {self.stream_id}: the application pointer went back; there are no rewinds")
        self._seen = self.runtime.appl_ptr
        batch = []
        while fresh:
            message = self._messages[self._offset // params.period_bytes]
            size = min(fresh, message.size - message.filled)
            message.filled += size
            self._offset = (self._offset + size) % params.buffer_bytes
            fresh -= size
            if message.filled == message.size:
                batch.append(message)
        await self._send(batch)


POLICIES: dict[str, type[PcmSubstream]] = {"ack": AckSubstream, "requeue": RequeueSubstream}
