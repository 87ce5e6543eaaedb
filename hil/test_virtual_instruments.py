# SPDX-License-Identifier: Apache-2.0
"""Virtual instruments as the rig meets them: unmodified pyvisa against the servers, on a wire made up by the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pyvisa
from scipy import optimize

from hil.virtual.codec import CODECS, Codec, codec_by_name
from hil.virtual.faults import Faults
from hil.virtual.hislip import HislipServer
from hil.virtual.i2s_analyzer import I2sAnalyzer
from hil.virtual.infiniivision import InfiniiVision
from hil.virtual.oscilloscope import SLEW_S, Oscilloscope
from hil.virtual.ring_source import RingSource
from hil.virtual.ring_writer import RingWriter
from hil.virtual.socket_server import SocketServer
from virtone.bench import instruments
from virtone.bench.errors import (
    InstrumentLost,
    InstrumentRefused,
    InstrumentTimeout,
    NoTrigger,
    TruncatedBlock,
    WrongInstrument,
)
from virtone.bench.instruments.digitizer import ChannelSetup, Digitizer, Setup, TimebaseSetup, TriggerSetup
from virtone.bench.transport import open_visa

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


def fitted_delay(capture, codec: Codec, rate_hz: float) -> float:
    """Delay of the burst in channel 1 by least squares against its band-limited self, not using the codec's filter."""
    times, volts = capture.times(), capture.volts("1")
    x, step = burst(), max(1, capture.samples // 20_000)
    times, volts = times[::step], volts[::step]

    def miss(delay: float) -> float:
        position = (times - delay) * rate_hz
        return -float(np.dot(np.sinc(position[:, None] - np.arange(BURST)) @ x, volts))

    guess = codec.delay_s(rate_hz)
    return optimize.minimize_scalar(
        miss, bounds=(guess - 5e-6, guess + 5e-6), method="bounded", options={"xatol": 1e-10}
    ).x


# -- the path from the wire to a capture --------------------------------------------------------------------------------


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


# -- seeded faults: each has its name, and the next conversation is in step -----------------------------------------------


@pytest.mark.parametrize("kind", ["hislip", "socket"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("no_reply", InstrumentTimeout),
        ("late_reply", InstrumentTimeout),
        ("disconnect", InstrumentLost),
    ],
)
def test_reply_faults(rig: Rig, kind: str, fault: str, expected: type[Exception]) -> None:
    link = open_visa(rig.resource(kind), timeout_s=0.5)
    seeded = rig.faults.arm(fault, match="SRAT", delay_s=1.5)
    began = time.monotonic()
    with pytest.raises(expected, match=r"ACQuire:SRATe") as caught:
        link.query(":ACQuire:SRATe?")
    assert time.monotonic() - began < 2 and seeded.struck == 1
    assert rig.resource(kind) in str(caught.value)
    if expected is InstrumentTimeout:
        assert float(link.query(":ACQuire:POINts?")) > 0
        time.sleep(1.2)  # the late answer would be here by now
        assert link.query("*IDN?") == link.identity
    else:
        with pytest.raises(InstrumentLost):
            link.query("*IDN?")
    link.close()


@pytest.mark.parametrize("kind", ["hislip", "socket"])
@pytest.mark.parametrize(
    ("fault", "expected"), [("truncated_block", TruncatedBlock), ("disconnect_mid_block", InstrumentLost)]
)
def test_block_faults(rig: Rig, kind: str, fault: str, expected: type[Exception]) -> None:
    scope = instruments.InfiniiVision(open_visa(rig.resource(kind), timeout_s=1.0))
    take(rig, scope, setup())
    rig.faults.arm(fault)
    with pytest.raises(expected, match=r"WAVeform:DATA") as caught:
        scope.fetch()
    if expected is TruncatedBlock:
        assert "of 200000 bytes" in str(caught.value)
        assert scope.fetch().samples == 100_000  # the record is still there
    scope.close()


@pytest.mark.parametrize("kind", ["hislip", "socket"])
def test_never_triggers(rig: Rig, kind: str) -> None:
    scope = instruments.InfiniiVision(open_visa(rig.resource(kind)))
    rig.faults.arm("never_triggers")
    with pytest.raises(NoTrigger, match=r"0 of 1 records.*marker"):
        scope.configure(setup())
        scope.link.write(":SINGle")
        rig.wire.silence(0.01)
        rig.wire.pulse(rig.wire.next_ps)
        rig.wire.silence(0.1)
        scope.wait(0.3)
    scope.close()


@pytest.mark.parametrize("kind", ["hislip", "socket"])
def test_wrong_instrument(rig: Rig, kind: str) -> None:
    rig.faults.arm("wrong_idn")
    link = open_visa(rig.resource(kind))
    with pytest.raises(WrongInstrument, match="TOASTER"):
        instruments.InfiniiVision(link)
    link.close()
    link = open_visa(rig.resource(kind))
    with pytest.raises(WrongInstrument, match=r"serial 'SIM00000001'.*'MY1'"):
        instruments.InfiniiVision(link, serial="MY1")
    link.close()


# -- servers ----------------------------------------------------------------------------------------------------------


def test_plain_pyvisa_status_byte_clear_and_terminations(rig: Rig) -> None:
    """No code of ours on the client's side."""
    manager = pyvisa.ResourceManager("@py")
    scope = manager.open_resource(rig.resource("hislip"), open_timeout=3000)
    scope.timeout = 3000
    assert "DSOX3024T-SIM" in scope.query("*IDN?")
    scope.write("*ESE 255;*SRE 32;:NONSense 1")
    assert scope.read_stb() & 0x60 == 0x60
    assert scope.query(":SYSTem:ERRor?").startswith("-113")
    scope.query("*CLS;*OPC?")  # the status byte comes over the other channel
    assert scope.read_stb() & 0x60 == 0
    scope.write(":DIGitize;*OPC?")  # nothing will ever trigger it
    scope.clear()
    assert scope.query("*OPC?").strip() == "1"
    scope.close()


def test_a_waiting_client_does_not_hold_up_another(rig: Rig) -> None:
    one, two = open_visa(rig.resource("hislip")), open_visa(rig.resource("socket"))
    one.write(":TRIGger:SWEep NORMal;:DIGitize")
    began = time.monotonic()
    for _ in range(20):
        assert two.query("*IDN?") == one.identity
    assert time.monotonic() - began < 2
    two.write(":STOP")
    assert one.query("*OPC?") == "1"
    one.close()
    two.close()


def test_write_then_query_on_a_socket_does_not_stall(rig: Rig) -> None:
    """40 ms each without TCP_NODELAY on both sides."""
    link = open_visa(rig.resource("socket"))
    began = time.monotonic()
    for _ in range(50):
        link.write(":TRIGger:SWEep NORMal")
        link.query(":TRIGger:SWEep?")
    assert time.monotonic() - began < 1.0
    link.close()


def test_close_ends_threads_and_frees_ports(rig: Rig) -> None:
    link = open_visa(rig.resource("hislip"))
    link.write(":TRIGger:SWEep NORMal;:DIGitize")
    for part in (rig.hislip, rig.socket, rig.device):
        part.close()
    deadline = time.monotonic() + 5
    mine = ("hislip", "scpi-", "oscilloscope")
    while (left := [t.name for t in threading.enumerate() if t.name.startswith(mine)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left
    with pytest.raises(InstrumentLost, match="nothing answers"):
        open_visa(rig.resource("hislip"), open_timeout_s=1)
    with pytest.raises(InstrumentLost):
        open_visa(rig.resource("socket"), open_timeout_s=1)


def test_every_codec_has_a_sensible_delay_at_each_rate() -> None:
    assert {name: codec.converter_delay for name, codec in CODECS.items()} == {
        "ADAU1761": (400, 176, 0),
        "SSM2603": (288, 80, 0),
        "PCM5102A": (320, 320, 320),
    }
