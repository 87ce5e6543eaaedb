# SPDX-License-Identifier: Apache-2.0
"""Control requests of the device (docs/device.md "Control requests" and "Lifecycle").

Promise: `answer(device, chain)` gives the response bytes of one request; of the rules on that page the first that
applies decides, and a refused request changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtone.model import device_profile
from virtone.model.device_chain import Chain
from virtone.model.device_stream import OutputStream, Params
from virtone.model.lifecycle import TRANSITIONS
from virtone.virtio import snd
from virtone.virtio.layout import Record

if TYPE_CHECKING:
    from virtone.model.device import SoundDevice

OK, BAD_MSG, NOT_SUPP = snd.VIRTIO_SND_S_OK, snd.VIRTIO_SND_S_BAD_MSG, snd.VIRTIO_SND_S_NOT_SUPP
ITEM_SIZE_MAX = 4095

_INFO = (
    snd.VIRTIO_SND_R_JACK_INFO,
    snd.VIRTIO_SND_R_PCM_INFO,
    snd.VIRTIO_SND_R_CHMAP_INFO,
    snd.VIRTIO_SND_R_CTL_INFO,
)
_ABSENT = (
    snd.VIRTIO_SND_R_CTL_ENUM_ITEMS,
    snd.VIRTIO_SND_R_CTL_READ,
    snd.VIRTIO_SND_R_CTL_WRITE,
    snd.VIRTIO_SND_R_CTL_TLV_READ,
    snd.VIRTIO_SND_R_CTL_TLV_WRITE,
    snd.VIRTIO_SND_R_CTL_TLV_COMMAND,
)
# Bytes a request of each known code must have.
REQUEST_SIZE: dict[int, int] = {
    **dict.fromkeys(map(int, _INFO), snd.virtio_snd_query_info.size),
    **dict.fromkeys(map(int, _ABSENT), snd.virtio_snd_ctl_hdr.size),
    **dict.fromkeys(map(int, TRANSITIONS), snd.virtio_snd_pcm_hdr.size),
    int(snd.VIRTIO_SND_R_PCM_SET_PARAMS): snd.virtio_snd_pcm_set_params.size,
    int(snd.VIRTIO_SND_R_JACK_REMAP): snd.virtio_snd_jack_remap.size,
}


def status(code: int) -> bytes:
    """A response that is nothing but its header."""
    return snd.virtio_snd_hdr.pack(code=code)


def answer(device: SoundDevice, chain: Chain) -> bytes:
    """Reads the request, does what it asks for and returns the response."""
    request = chain.read(snd.virtio_snd_hdr.size)
    if len(request) < snd.virtio_snd_hdr.size:
        return status(BAD_MSG)
    code = snd.virtio_snd_hdr.unpack(request).code
    if code not in REQUEST_SIZE:
        return status(NOT_SUPP)
    request += chain.read(REQUEST_SIZE[code] - len(request))
    if len(request) < REQUEST_SIZE[code]:
        return status(BAD_MSG)
    if code in _INFO:
        return _info(device, code, snd.virtio_snd_query_info.unpack(request))
    if code in TRANSITIONS:
        return status(_pcm(device, code, request))
    return status(BAD_MSG)  # no jack to remap, no control to speak of


def _info(device: SoundDevice, code: int, query: Record) -> bytes:
    items = device_profile.items(device.profile, code)
    start, count, size = query.start_id, query.count, query.size
    if start + count > len(items) or (count and not 1 <= size <= ITEM_SIZE_MAX):
        return status(BAD_MSG)
    return status(OK) + b"".join(item[:size].ljust(size, b"\0") for item in items[start : start + count])


def _pcm(device: SoundDevice, code: int, request: bytes) -> int:
    stream_id = snd.virtio_snd_pcm_hdr.unpack_from(request).stream_id
    if stream_id >= len(device.streams):
        return BAD_MSG
    stream = device.streams[stream_id]
    transition = TRANSITIONS[code]
    if stream.state not in transition.allowed:
        return BAD_MSG
    params = None
    if code == snd.VIRTIO_SND_R_PCM_SET_PARAMS:
        wanted = snd.virtio_snd_pcm_set_params.unpack(request)
        refusal = _check_params(stream, wanted)
        if refusal is not None:
            return refusal
        params = Params(
            wanted.format, wanted.rate, wanted.channels, wanted.features, wanted.buffer_bytes, wanted.period_bytes
        )
    if stream.state in transition.flush_from:
        stream.flush()
    if params is not None:
        stream.params = params
        device.params_changed(stream)
    device.log("command", code)
    stream.enter(transition.after)
    return OK


def _check_params(stream: OutputStream, w: Record) -> int | None:
    offered = stream.profile
    supported = (
        offered.formats >> w.format & 1
        and offered.rates >> w.rate & 1
        and offered.channels_min <= w.channels <= offered.channels_max
        and w.channels
        and not w.features & ~offered.features
    )
    if not supported:
        return NOT_SUPP
    buffer_bytes, period_bytes = w.buffer_bytes, w.period_bytes
    if not buffer_bytes or not period_bytes or buffer_bytes % period_bytes:
        return BAD_MSG
    if period_bytes % snd.frame_bytes(w.format, w.channels):
        return BAD_MSG
    return None
