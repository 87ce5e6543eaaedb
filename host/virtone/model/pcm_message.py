# SPDX-License-Identifier: Apache-2.0
"""I/O messages of the driver: one per period of the buffer (sound/virtio/virtio_pcm_msg.c).

Promise: a message is header, one data segment per physically contiguous part of its period, status; its memory is
guest memory and is given back by `free`.
"""

from __future__ import annotations

from virtone.model.memory import Memory, PageList
from virtone.model.virtqueue import Segment
from virtone.virtio import snd
from virtone.virtio.layout import Record


class PcmMessage:
    """Message of the `size` bytes at `offset` of `buffer`, for stream `stream_id`."""

    def __init__(self, memory: Memory, stream_id: int, buffer: PageList, offset: int, size: int) -> None:
        self._memory = memory
        self.stream_id = stream_id
        self.size = size
        self.filled = 0  # bytes the application has written; the message is sent when it is full
        self._xfer = memory.alloc(snd.virtio_snd_pcm_xfer.size + snd.virtio_snd_pcm_status.size)
        self._status = self._xfer + snd.virtio_snd_pcm_xfer.size
        self._data = buffer.segments(offset, size)

    def segments(self) -> list[Segment]:
        """Header and status written afresh, as the chain to put on the txq."""
        self._memory.write(self._xfer, snd.virtio_snd_pcm_xfer.pack(stream_id=self.stream_id))
        self._memory.write(self._status, bytes(snd.virtio_snd_pcm_status.size))
        data = [(address, length, False) for address, length in self._data]
        return [
            (self._xfer, snd.virtio_snd_pcm_xfer.size, False),
            *data,
            (self._status, snd.virtio_snd_pcm_status.size, True),
        ]

    def status(self) -> Record:
        """What the device answered: `status` and `latency_bytes`."""
        return snd.virtio_snd_pcm_status.unpack(self._memory.read(self._status, snd.virtio_snd_pcm_status.size))

    def free(self) -> None:
        self._memory.free(self._xfer)
