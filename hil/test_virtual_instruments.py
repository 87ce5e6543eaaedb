# SPDX-License-Identifier: Apache-2.0
"""From the wire to a capture: virtual instruments read by unmodified pyvisa and our drivers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hil.virtual.codec import CODECS
from hil.virtual.hislip import HislipServer
from hil.virtual.i2s_analyzer import I2sAnalyzer
from hil.virtual.oscilloscope import SLEW_S
from hil.virtual.ring_source import RingSource
from hil.virtual.ring_writer import RingWriter
from hil.wire_rig import BURST, Rig, burst, fitted_delay, rig, setup, take
from virtone.bench import instruments
from virtone.bench.errors import InstrumentRefused
from virtone.bench.instruments.digitizer import Digitizer
from virtone.bench.transport import open_visa
from virtone.signal.capture import Capture

__all__ = ["rig"]  # a fixture


@pytest.mark.parametrize("kind", ["hislip", "socket"])
def test_capture_of_a_marked_burst_shows_the_codec_delay(rig: Rig, kind: str) -> None:
    scope = instruments.InfiniiVision(open_visa(rig.resource(kind)))
    assert isinstance(scope, Digitizer) and scope.identity.simulated
    assert take(rig, scope, setup()) == 1
    capture = scope.fetch()
    assert capture.samples == 100_000 and capture.meta["instrument"] == str(scope.identity)
    assert abs(capture.t0_s + 0.002) <= capture.dt_s
    codec = rig.scope.codec
    half_slew = SLEW_S / 2  # the trigger point is the middle of the marker's edge
    assert fitted_delay(capture, codec, 48000) + half_slew == pytest.approx(codec.delay_s(48000), abs=20e-9)
    marker = capture.volts("2")
    assert marker.min() == pytest.approx(0, abs=0.02) and marker.max() == pytest.approx(3.3, abs=0.02)
    assert np.flatnonzero(marker > 1.65)[0] * capture.dt_s + capture.t0_s == pytest.approx(0, abs=capture.dt_s)
    scope.close()


def test_a_late_codec_is_seen(rig: Rig) -> None:
    """The loop above can fail: one more 1/16 frame of delay is 1.3 us."""
    codec = rig.scope.codec
    scope = instruments.InfiniiVision(open_visa(rig.resource("hislip")))
    rig.wire.next_ps = 1e12 / 48000 / 16
    take(rig, scope, setup())
    wrong = codec.delay_s(48000) + 1 / 48000 / 16
    assert abs(fitted_delay(scope.fetch(), codec, 48000) + SLEW_S / 2 - wrong) > 1e-6


def test_time_base_error_stretches_the_record(rig: Rig) -> None:
    """A burst 10 ms after the trigger, on an instrument that runs 200 ppm fast: 2 us late, and the codec's delay with it."""
    rig.scope.timebase_ppm = 200.0
    scope = instruments.InfiniiVision(open_visa(rig.resource("hislip")))
    scope.configure(setup(0.04, 0.002))
    scope.link.query(":SINGle;*OPC?")
    rig.wire.silence(0.01)
    assert scope.link.query(":AER?") == "+1"
    rig.wire.pulse(rig.wire.next_ps)
    rig.wire.silence(0.01)
    rig.wire.play(burst())
    rig.wire.silence(0.05)
    assert scope.wait(2) == 1
    capture, right = scope.fetch(), rig.scope.codec.delay_s(48000)
    as_read = Capture(capture.t0_s - 0.01, capture.dt_s, capture.channels)
    corrected = Capture(capture.t0_s / (1 + 200e-6) - 0.01, capture.dt_s / (1 + 200e-6), capture.channels)
    assert fitted_delay(corrected, rig.scope.codec, 48000) + SLEW_S / 2 == pytest.approx(right, abs=20e-9)
    assert fitted_delay(as_read, rig.scope.codec, 48000) > right + 2e-6


def test_two_benches_side_by_side(tmp_path: Path) -> None:
    """Free ports, and each sees its own wire."""
    wires = [RingWriter(tmp_path / f"ring{n}") for n in (1, 2)]
    analyzers = [I2sAnalyzer(RingSource(wire.path)) for wire in wires]
    servers = [HislipServer(analyzer) for analyzer in analyzers]
    drivers = [instruments.I2sAnalyzer(open_visa(server.resource)) for server in servers]
    assert servers[0].port != servers[1].port
    for driver in drivers:
        driver.start()
    wires[0].play(np.full(100, 7, np.int32))
    wires[1].play(np.full(50, 9, np.int32))
    assert [driver.stop() for driver in drivers] == [100, 50]
    assert [int(driver.samples()[0, 0]) for driver in drivers] == [7, 9]
    for part in (*servers, *analyzers):
        part.close()


def test_segments_and_time_tags(rig: Rig) -> None:
    scope = instruments.InfiniiVision(open_visa(rig.resource("hislip")))
    assert take(rig, scope, setup(0.01, 0.001, 10_000, segments=3), shots=3) == 3
    captures = [scope.fetch(n) for n in (1, 2, 3)]
    tags = [capture.meta["time_tag_s"] for capture in captures]
    step = (BURST + round(0.011 * 48000)) / 48000
    assert tags == pytest.approx([0, step * (1 + 0.8e-6), 2 * step * (1 + 0.8e-6)], abs=1e-9)
    for capture in captures:
        assert fitted_delay(capture, rig.scope.codec, 48000) == pytest.approx(rig.scope.codec.delay_s(48000), abs=30e-9)
    assert not np.array_equal(captures[0].channels["1"].codes, captures[1].channels["1"].codes)  # own noise each
    again = scope.fetch(1)
    assert np.array_equal(captures[0].channels["1"].codes, again.channels["1"].codes)  # reading changes nothing


def test_own_delay_measurement_agrees_with_the_record(rig: Rig) -> None:
    scope = instruments.InfiniiVision(open_visa(rig.resource("hislip")))
    take(rig, scope, setup())
    capture = scope.fetch()
    volts = capture.volts("1")
    middle = (volts.min() + volts.max()) / 2
    first = np.flatnonzero((volts[1:] > middle) & (volts[:-1] <= middle))[0]
    assert scope.delay(2, 1) == pytest.approx(capture.times()[first], abs=2 * capture.dt_s)


def test_trigger_before_the_pretrigger_time_filled_does_not_count(rig: Rig) -> None:
    rig.wire.silence(0.01)
    scope = instruments.InfiniiVision(open_visa(rig.resource("hislip")))
    scope.configure(setup(pre_s=0.002))
    scope.link.write(":SINGle")
    assert scope.link.query(":AER?") == "+0"
    assert rig.wire.want_ps >= rig.wire.next_ps + 1.99e9
    rig.wire.pulse(rig.wire.next_ps + 1e9)
    rig.wire.silence(0.05)
    assert scope.link.query(":AER?") == "+1" and not scope.done()
    rig.wire.pulse(rig.wire.next_ps)
    rig.wire.silence(0.05)
    assert scope.done()


def test_analyzer_returns_every_frame(tmp_path: Path) -> None:
    wire = RingWriter(tmp_path / "ring", 44100, frames=1 << 10)
    analyzer = I2sAnalyzer(RingSource(wire.path))
    server = HislipServer(analyzer)
    driver = instruments.I2sAnalyzer(open_visa(server.resource))
    wire.silence(0.001)
    driver.start()
    rng = np.random.default_rng(3)
    left, right = rng.integers(-(2**31), 2**31, (2, 4000)).astype(np.int32)
    for begin in range(0, 4000, 200):  # far more than the ring holds
        wire.play(left[begin : begin + 200], right[begin : begin + 200])
        driver.wait_frames(begin + 200, 2)
    assert driver.stop() == 4000
    assert np.array_equal(driver.samples(), np.column_stack((left, right)))
    assert np.diff(driver.times()) == pytest.approx(1 / 44100, abs=2e-12)
    assert driver.rate_hz() == pytest.approx(44100, rel=1e-9)
    driver.start()
    wire.play(np.zeros(3000, np.int32))  # too many at once: overwritten before anybody can look
    with pytest.raises(InstrumentRefused, match="overwritten"):
        driver.stop()
    server.close()
    analyzer.close()


def test_every_codec_has_a_sensible_delay_at_each_rate() -> None:
    assert {name: codec.converter_delay for name, codec in CODECS.items()} == {
        "ADAU1761": (400, 176, 0),
        "SSM2603": (288, 80, 0),
        "PCM5102A": (320, 320, 320),
    }
