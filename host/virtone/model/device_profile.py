# SPDX-License-Identifier: Apache-2.0
"""What the modelled device offers unless it is given another `virtone.virtio.profile.Profile`.

Promise: `DEFAULT` is the device of docs/device.md, written down from that page; `items` are the structures an
*_INFO request speaks of, in order of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence

from virtone.virtio import mmio, snd
from virtone.virtio.profile import ChannelMap, Jack, Profile, Stream

_FEATURES = (
    mmio.VIRTIO_F_VERSION_1,
    mmio.VIRTIO_F_ACCESS_PLATFORM,
    mmio.VIRTIO_F_ORDER_PLATFORM,
    mmio.VIRTIO_RING_F_INDIRECT_DESC,
    mmio.VIRTIO_RING_F_EVENT_IDX,
    mmio.VIRTIO_F_RING_RESET,
    mmio.VIRTIO_F_NOTIFICATION_DATA,
    snd.VIRTIO_SND_F_CTLS,
)
_RATES = (
    *("5512", "8000", "11025", "12000", "16000", "22050", "24000", "32000", "44100"),
    *("48000", "64000", "88200", "96000", "176400", "192000"),
)

DEFAULT = Profile(
    name="docs/device.md",
    queue_size_max=1024,
    features=sum(1 << int(bit) for bit in _FEATURES),
    streams=(
        Stream(
            direction=int(snd.VIRTIO_SND_D_OUTPUT),
            hda_fn_nid=0,
            formats=snd.FORMATS.mask(["S16", "S24_3", "S24", "S32"]),
            rates=snd.RATES.mask(_RATES),
            channels_min=1,
            channels_max=2,
            features=snd.PCM_FEATURES.mask(["MSG_POLLING", "EVT_XRUNS"]),
        ),
    ),
)


def items(profile: Profile, request: int) -> tuple[bytes, ...]:
    """The items of an *_INFO request code, as bytes."""
    described: Sequence[Stream | Jack | ChannelMap] = ()
    if request == snd.VIRTIO_SND_R_PCM_INFO:
        described = profile.streams
    elif request == snd.VIRTIO_SND_R_JACK_INFO:
        described = profile.jacks
    elif request == snd.VIRTIO_SND_R_CHMAP_INFO:
        described = profile.chmaps
    return tuple(item.info() for item in described)
