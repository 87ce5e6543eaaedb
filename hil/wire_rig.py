# SPDX-License-Identifier: Apache-2.0
"""What the tests of the virtual instruments share: a wire made up by the test, the instruments on it, marked bursts, a fit.

Promises: the fixture `rig` leaves no thread and no socket behind. Its user imports `rig` into the test module.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize

from hil.virtual.codec import Codec, codec_by_name
from hil.virtual.faults import Faults
from hil.virtual.hislip import HislipServer
from hil.virtual.infiniivision import InfiniiVision
from hil.virtual.oscilloscope import Oscilloscope
from hil.virtual.ring_source import RingSource
from hil.virtual.ring_writer import RingWriter
from hil.virtual.socket_server import SocketServer
from virtone.bench import instruments
from virtone.bench.instruments.digitizer import ChannelSetup, Setup, TimebaseSetup, TriggerSetup
from virtone.signal.capture import Capture

BURST = 480


@dataclass
class Rig:
    """A wire, the instruments on it, and their addresses."""

    wire: RingWriter
    scope: Oscilloscope
    device: InfiniiVision
    faults: Faults
    hislip: HislipServer
    socket: SocketServer

    def resource(self, kind: str) -> str:
        return getattr(self, kind).resource


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    wire = RingWriter(tmp_path / "ring")
    faults = Faults()
    scope = Oscilloscope(RingSource(wire.path), codec_by_name("PCM5102A"))
    device = InfiniiVision(scope, faults=faults)
    made = Rig(wire, scope, device, faults, HislipServer(device, faults), SocketServer(device, faults))
    yield made
    made.hislip.close()
    made.socket.close()
    device.close()


def burst(frames: int = BURST) -> np.ndarray:
    """A windowed chirp, 0.5 of full scale."""
    k = np.arange(frames)
    return 0.5 * np.sin(2 * np.pi * (0.01 + 0.3 * k / frames / 2) * k) * np.hanning(frames)


def setup(span_s: float = 0.02, pre_s: float = 0.002, points: int = 100_000, segments: int = 1) -> Setup:
    return Setup(
        (ChannelSetup(1, 8.0), ChannelSetup(2, 8.0, 1.65)),
        TimebaseSetup(span_s, pre_s, points),
        TriggerSetup(2, 1.65),
        segments,
    )


def take(rig: Rig, scope: instruments.InfiniiVision, how: Setup, shots: int = 1) -> int:
    """Configure, arm, and put `shots` marked bursts on the wire."""
    scope.configure(how)

    def run() -> None:
        deadline = time.monotonic() + 5
        while rig.wire.want_ps <= rig.wire.next_ps and time.monotonic() < deadline:
            time.sleep(0.001)
        rig.wire.silence(how.timebase.pre_trigger_s + 0.001)
        for _ in range(shots):
            time.sleep(0.02)  # the driver sees that the pre-trigger time has filled
            rig.wire.pulse(rig.wire.next_ps)
            rig.wire.play(burst())
            rig.wire.silence(how.timebase.span_s + 0.001)

    wire = threading.Thread(target=run)
    wire.start()
    scope.arm(5)
    count = scope.wait(5)
    wire.join()
    return count


def fitted_delay(capture: Capture, codec: Codec, rate_hz: float) -> float:
    """Delay of the burst in channel 1 by least squares against its band-limited self, not using the codec's filter."""
    guess = codec.delay_s(rate_hz)
    times = capture.times()
    near = np.flatnonzero((times > guess - 20 / rate_hz) & (times < guess + (BURST + 20) / rate_hz))
    near = near[:: max(1, len(near) // 4000)]
    times, volts, x = times[near], capture.volts("1")[near], burst()

    def miss(delay: float) -> float:
        position = (times - delay) * rate_hz
        return -float(np.dot(np.sinc(position[:, None] - np.arange(BURST)) @ x, volts))

    return optimize.minimize_scalar(
        miss, bounds=(guess - 5e-6, guess + 5e-6), method="bounded", options={"xatol": 1e-10}
    ).x
