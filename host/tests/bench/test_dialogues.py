# SPDX-License-Identifier: Apache-2.0
"""Drivers against a script: the lines they must send, in order, and what they make of the answers.

A line that is not in the script fails at once; a line that was not sent fails at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from virtone.bench.errors import BadAnswer, InstrumentRefused, InstrumentTimeout, NoTrigger, WrongInstrument
from virtone.bench.instruments import I2sAnalyzer, InfiniiVision
from virtone.bench.instruments.digitizer import ChannelSetup, Identity, Setup, TimebaseSetup, TriggerSetup

KEYSIGHT = "KEYSIGHT TECHNOLOGIES,DSO-X 3024T,MY12345678,07.50.2021102830"
NO_ERROR = (":SYSTem:ERRor?", '+0,"No error"')


class Script:
    """A link that knows what must be said: `(sent, answer)`, answer None for commands."""

    resource = "TEST::INSTR"

    def __init__(self, lines: list[tuple[str, str | bytes | None]], identity: str = KEYSIGHT) -> None:
        self.lines, self.identity = list(lines), identity

    def _next(self, command: str) -> str | bytes | None:
        assert self.lines, f"unexpected {command!r} after the end of the script"
        expected, answer = self.lines.pop(0)
        assert command == expected
        return answer

    def write(self, command: str) -> None:
        assert self._next(command) is None

    def query(self, command: str, timeout_s: float | None = None) -> str:
        answer = self._next(command)
        assert isinstance(answer, str)
        return answer

    def query_block(self, command: str, timeout_s: float | None = None) -> bytes:
        answer = self._next(command)
        assert isinstance(answer, bytes)
        return answer

    def close(self) -> None:
        pass


@contextmanager
def script(*lines: tuple[str, str | bytes | None], identity: str = KEYSIGHT) -> Iterator[Script]:
    link = Script(list(lines), identity)
    yield link
    assert not link.lines, f"not sent: {link.lines}"


def commands(*lines: str) -> list[tuple[str, None]]:
    return [(line, None) for line in lines]


SETUP = Setup(
    (ChannelSetup(1, 8.0), ChannelSetup(2, 8.0, 1.65, probe=10)),
    TimebaseSetup(0.02, 0.002, 100_000),
    TriggerSetup(2, 1.65),
    segments=3,
)
CONFIGURE = [
    *commands(
        "*CLS;:STOP", ":CHANnel3:DISPlay 0", ":CHANnel4:DISPlay 0",
        ":CHANnel1:DISPlay 1", ":CHANnel1:PROBe 1", ":CHANnel1:COUPling DC", ":CHANnel1:RANGe 8", ":CHANnel1:OFFSet 0",
        ":CHANnel2:DISPlay 1", ":CHANnel2:PROBe 10", ":CHANnel2:COUPling DC", ":CHANnel2:RANGe 8", ":CHANnel2:OFFSet 1.65",
        ":TIMebase:MODE MAIN", ":TIMebase:REFerence LEFT", ":TIMebase:RANGe 0.02", ":TIMebase:POSition 0",
        ":TRIGger:MODE EDGE", ":TRIGger:SWEep NORMal", ":TRIGger:EDGE:SOURce CHANnel2", ":TRIGger:EDGE:LEVel 1.65",
        ":TRIGger:EDGE:SLOPe POSitive", ":TRIGger:HOLDoff 4e-08",
        ":ACQuire:TYPE NORMal", ":ACQuire:MODE SEGMented", ":ACQuire:SEGMented:COUNt 3",
        ":WAVeform:FORMat WORD", ":WAVeform:BYTeorder LSBFirst", ":WAVeform:UNSigned 1", ":WAVeform:POINts:MODE RAW",
        ":WAVeform:POINts 100000",
    ),
    NO_ERROR,
]  # fmt: skip


def test_infiniivision_configures_arms_waits_and_fetches() -> None:
    codes = np.array([0, 32768, 65520, 40000], "<u2")
    preamble = "+1,+0,+4,+1,+2.0E-07,-2.0E-03,+0,+1.220703125E-04,{},+32768"
    with script(
        *CONFIGURE,
        (":SINGle", None),
        (":AER?", "+0"),
        (":AER?", "+1"),
        (":OPERegister:CONDition?", "+4136"),  # bit 3 among others: running
        (":OPERegister:CONDition?", "+4128"),
        NO_ERROR,
        (":WAVeform:SEGMented:COUNt?", "+3"),
        (":ACQuire:SEGMented:INDex 2", None),
        (":WAVeform:SEGMented:TTAG?", "+1.25E-01"),
        (":WAVeform:SOURce CHANnel1", None),
        (":WAVeform:PREamble?", preamble.format("+0.0")),
        (":WAVeform:DATA?", codes.tobytes()),
        (":WAVeform:SOURce CHANnel2", None),
        (":WAVeform:PREamble?", preamble.format("+1.65")),
        (":WAVeform:DATA?", codes.tobytes()),
        NO_ERROR,
        (":ACQuire:SEGMented:INDex 2", None),
        (":MEASure:DEFine DELay,+1,+1", None),
        (":MEASure:DELay? CHANnel2,CHANnel1", "+9.9E+37"),
    ) as link:
        scope = InfiniiVision(link)
        assert not scope.identity.simulated
        scope.configure(SETUP)
        scope.arm()
        assert scope.wait(1) == 3
        capture = scope.fetch(2)
        assert scope.delay(2, 1, 2) is None
    # V = (code - yreference) * yincrement + yorigin, t = (n - xreference) * xincrement + xorigin
    assert capture.volts("1") == pytest.approx([-4.0, 0.0, 3.998047, 0.882813], abs=1e-6)
    assert capture.volts("2") == pytest.approx(capture.volts("1") + 1.65)
    assert capture.t0_s == -0.002 and capture.dt_s == 2e-7
    assert capture.meta["time_tag_s"] == 0.125 and capture.meta["instrument"] == KEYSIGHT


def test_an_unsent_line_fails() -> None:
    with (
        pytest.raises(AssertionError, match="not sent"),
        script((":SINGle", None), (":AER?", "+1"), ("*TRG", None)) as link,
    ):
        InfiniiVision(link).arm()


def test_infiniivision_refused_configuration() -> None:
    lines = [*CONFIGURE[:-1], (":SYSTem:ERRor?", '-222,"Data out of range"'), NO_ERROR]
    with script(*lines) as link, pytest.raises(InstrumentRefused, match=r"configuration.*-222"):
        InfiniiVision(link).configure(SETUP)


def test_infiniivision_no_trigger_says_how_many_segments() -> None:
    with script(
        *CONFIGURE,
        (":OPERegister:CONDition?", "+8"),
        (":OPERegister:CONDition?", "+8"),
        (":STOP", None),
        (":WAVeform:SEGMented:COUNt?", "+1"),
    ) as link:
        scope = InfiniiVision(link)
        scope.configure(SETUP)
        with pytest.raises(NoTrigger, match=r"waited 0\.0 s.*1 of 3 records"):
            scope.wait(0)


@pytest.mark.parametrize(
    ("preamble", "data", "message"),
    [
        ("+1,+0,+4,+1,+2E-07,0,+0,+1E-04,0,+32768", bytes(7), "7 bytes for 4 points"),
        ("+1,+0,+4,+1,+2E-07,0,+0,+1E-04,0,+32768", bytes(6), "6 bytes for 4 points"),
        ("+0,+0,+4,+1,+2E-07,0,+0,+1E-04,0,+128", None, "WORD data"),
        ("+1,+0,+4,+1,0,0,+0,+1E-04,0,+32768", None, "positive increments"),
    ],
)
def test_infiniivision_wrong_preamble_or_length(preamble: str, data: bytes | None, message: str) -> None:
    lines = [
        *CONFIGURE,
        (":ACQuire:SEGMented:INDex 1", None),
        (":WAVeform:SEGMented:TTAG?", "0"),
        (":WAVeform:SOURce CHANnel1", None),
        (":WAVeform:PREamble?", preamble),
    ]
    if data is not None:
        lines.append((":WAVeform:DATA?", data))
    with script(*lines) as link, pytest.raises(BadAnswer, match=message):
        scope = InfiniiVision(link)
        scope.configure(SETUP)
        scope.fetch(1)


def test_answers_that_are_no_numbers() -> None:
    with script((":OPERegister:CONDition?", "BUSY")) as link, pytest.raises(BadAnswer, match="'BUSY' is no number"):
        InfiniiVision(link).done()


def test_pretrigger_time_never_fills() -> None:
    with script((":SINGle", None), (":AER?", "+0")) as link, pytest.raises(InstrumentTimeout, match="pre-trigger"):
        InfiniiVision(link).arm(timeout_s=-1)


@pytest.mark.parametrize(
    "identity", ["RIGOL TECHNOLOGIES,DS1054Z,DS1,00.04", "KEYSIGHT TECHNOLOGIES,MXR604A,MY1,1", "?,?,?"]
)
def test_other_instruments_are_refused(identity: str) -> None:
    with pytest.raises(WrongInstrument, match="DSO-X"):
        InfiniiVision(Script([], identity))


def test_identity() -> None:
    simulated = Identity.parse("VIRTONE,DSOX3024T-SIM,SIM1,07.50")
    assert simulated.simulated and str(simulated) == "VIRTONE,DSOX3024T-SIM,SIM1,07.50"
    assert not Identity.parse(KEYSIGHT).simulated


def test_analyzer_dialogue() -> None:
    frames = np.array([[1, -1], [2, -2]], "<i4")
    with script(
        ("*CLS;:CAPTure:STARt;*OPC?", "1"),
        (":CAPTure:FRAMes?", "+1"),
        (":CAPTure:FRAMes?", "+2"),
        (":CAPTure:STOP", None),
        NO_ERROR,
        (":CAPTure:FRAMes?", "+2"),
        (":CAPTure:FRAMes?", "+2"),
        (":CAPTure:DATA? 0,2", frames.tobytes()),
        (":CAPTure:TIME? 1,1", np.array([0.5], "<f8").tobytes()),
        (":CAPTure:RATE?", "+4.8E+04"),
        (":CAPTure:DATA? 0,2", bytes(12)),
        identity="VIRTONE,I2S-ANALYZER-SIM,SIM2,1.0",
    ) as link:
        analyzer = I2sAnalyzer(link)
        analyzer.start()
        assert analyzer.wait_frames(2, 1) == 2
        assert analyzer.stop() == 2
        assert np.array_equal(analyzer.samples(), frames)
        assert analyzer.times(1, 1).tolist() == [0.5]
        assert analyzer.rate_hz() == 48000
        with pytest.raises(BadAnswer, match="12 bytes for 2 frames"):
            analyzer.samples(0, 2)
