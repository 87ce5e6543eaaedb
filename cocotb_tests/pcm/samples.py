# SPDX-License-Identifier: Apache-2.0
"""Payload bytes and what the wire must show of them: docs/device.md, "Output stream"."""

from __future__ import annotations

from virtone.virtio import snd

S16, S24_3 = int(snd.VIRTIO_SND_PCM_FMT_S16), int(snd.VIRTIO_SND_PCM_FMT_S24_3)
S24, S32 = int(snd.VIRTIO_SND_PCM_FMT_S24), int(snd.VIRTIO_SND_PCM_FMT_S32)
SIZE = {S16: 2, S24_3: 3, S24: 4, S32: 4}  # bytes of a sample in memory
_SHIFT = {S16: 16, S24_3: 8, S24: 8, S32: 0}  # left-justified in 32 bits; bits above are lost


def slot(fmt: int, word: int) -> int:
    """A little-endian sample as its 32-bit slot shows it."""
    return word << _SHIFT[fmt] & 0xFFFFFFFF


def frames(fmt: int, channels: int, payload: bytes) -> list[int]:
    """The whole frames of a payload: left slot in [63:32], right slot in [31:0]; one channel goes into both."""
    size = SIZE[fmt]
    words = [int.from_bytes(payload[i : i + size], "little") for i in range(0, len(payload) - size + 1, size)]
    slots = [slot(fmt, word) for word in words]
    step = [slots[i : i + channels] for i in range(0, len(slots) - channels + 1, channels)]
    return [frame[0] << 32 | frame[-1] for frame in step]
