# SPDX-License-Identifier: Apache-2.0
"""States of a playback handle and what an application is told of it.

Promise: the names are ALSA's; positions and delays are in frames, times in nanoseconds of the `Port`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class PcmState(Enum):
    """States of an ALSA PCM (SNDRV_PCM_STATE_*)."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    SETUP = "SETUP"
    PREPARED = "PREPARED"
    RUNNING = "RUNNING"
    DRAINING = "DRAINING"
    PAUSED = "PAUSED"
    XRUN = "XRUN"


ACTIVE = (PcmState.RUNNING, PcmState.DRAINING, PcmState.PAUSED)


@dataclass(frozen=True)
class PcmStatus:
    """Positions in frames; `delay` = appl_ptr - hw_ptr + the device's latency; `tstamp_ns` is that of the last hw_ptr change."""

    state: PcmState
    appl_ptr: int
    hw_ptr: int
    delay: int
    avail: int
    xruns: int
    tstamp_ns: int
