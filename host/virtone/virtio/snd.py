# SPDX-License-Identifier: Apache-2.0
"""The virtio sound device, whole: every code, enumeration and structure of virtio 1.4, 5.14.

`snd.VIRTIO_SND_R_PCM_START`, `snd.virtio_snd_pcm_info.pack(...)`, `snd.FORMATS["S16"].physical_width`,
`snd.RATES.of(7).hz`. Declared in `snd_codes` and `snd_structs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtone.virtio import snd_codes, snd_structs
from virtone.virtio.snd_codes import (
    CHMAP_POSITIONS,
    CTL_ACCESS,
    CTL_EVENT_REASONS,
    CTL_ROLES,
    CTL_TYPES,
    DIRECTIONS,
    EVENTS,
    FEATURES,
    FORMATS,
    JACK_FEATURES,
    PCM_FEATURES,
    QUEUES,
    RATES,
    REQUESTS,
    SND_H,
    STATUSES,
    Format,
    Rate,
)
from virtone.virtio.wire import WireError, publish

__all__ = [  # besides these, every name of GROUPS and STRUCTS
    "CHMAP_POSITIONS",
    "CTL_ACCESS",
    "CTL_EVENT_REASONS",
    "CTL_ROLES",
    "CTL_TYPES",
    "DIRECTIONS",
    "EVENTS",
    "FEATURES",
    "FORMATS",
    "GROUPS",
    "JACK_FEATURES",
    "PCM_FEATURES",
    "QUEUES",
    "RATES",
    "REQUESTS",
    "SND_H",
    "STATUSES",
    "STRUCTS",
    "Format",
    "Rate",
    "frame_bytes",
    "rate_of",
]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


GROUPS = snd_codes.GROUPS
STRUCTS = snd_structs.STRUCTS
publish(globals(), *GROUPS, *STRUCTS)


def frame_bytes(format_code: int, channels: int) -> int:
    """Bytes of one frame; `WireError` for an unknown format or a frame that is no whole number of bytes."""
    bits = FORMATS.of(format_code).physical_width * channels
    if bits % 8 or not bits:
        raise WireError(
            f"{channels} channels of {FORMATS.name_of(format_code)} make no whole number of bytes ({bits} bits)"
        )
    return bits // 8


def rate_of(hz: float) -> Rate:
    """The frame rate with this nominal or true frequency (5512 and 5512.5 both give RATE_5512)."""
    for rate in RATES:
        if hz in (rate.nominal, rate.hz):
            return rate
    raise WireError(f"{hz} Hz is no virtio rate; there are {', '.join(str(rate.nominal) for rate in RATES)}")
