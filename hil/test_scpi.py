# SPDX-License-Identifier: Apache-2.0
"""SCPI parser and status model of the virtual instruments."""

from __future__ import annotations

import pytest

from hil.virtual.scpi import ScpiDevice, block, compile_pattern, split_quoted


class Device(ScpiDevice):
    def __init__(self) -> None:
        super().__init__("A,B,C,D")
        self.log: list[tuple] = []
        self.on(":CHANnel<n>:RANGe", set=lambda n, v: self.log.append(("range", n, v)), get=lambda n: 1.5 * n)
        self.on(":CHANnel<n>:OFFSet", set=lambda n, v: self.log.append(("offset", n, v)))
        self.on(":TRIGger[:EDGE]:LEVel", set=lambda v, s="": self.log.append(("level", v, s)), get=lambda: 2)
        self.on(":WAVeform:DATA", get=lambda: block(b"a;b\n"))
        self.on(":BROKen", set=lambda: {}["key"])


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        (":CHANnel1:RANGe", True),
        (":chan1:rang", True),
        (":CHANNEL12:RANG", True),
        (":CHAN:RANGE", True),  # suffix 1
        (":CHANN1:RANGe", False),  # neither short nor long
        (":CHA1:RANGe", False),
        (":CHAN1:RAN", False),
        (":CHAN1", False),
        (":CHAN1:RANGe:MORE", False),
    ],
)
def test_short_and_long_forms(header: str, matches: bool) -> None:
    assert bool(compile_pattern(":CHANnel<n>:RANGe").fullmatch(header)) is matches


def test_paths_suffixes_and_answers(device: Device) -> None:
    assert (
        device.execute(":CHAN2:RANG 4;OFFS 1;*CLS;RANG?;:CHANnel:RANGe?")
        == b"+3.000000000000E+00;+1.500000000000E+00\n"
    )
    assert device.log == [("range", 2, "4"), ("offset", 2, "1")]
    assert device.execute(":TRIG:LEV 1,CHAN2;:TRIG:EDGE:LEV 3;LEV?") == b"+2\n"
    assert device.log[2:] == [("level", "1", "CHAN2"), ("level", "3", "")]
    assert device.execute(":WAV:DATA?") == b"#14a;b\n\n"
    assert device.execute("*IDN?;*OPC?") == b"A,B,C,D;1\n"
    assert device.execute("") is None and device.execute("*CLS") is None


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":NONSense 1", -113),
        (":CHAN1:OFFS?", -113),  # no query form
        (":WAV:DATA 1", -113),  # no command form
        (":CHAN1:RANG", -109),
        (":CHAN1:RANG 1,2", -108),
        (":BROK", -200),
        ("*ESE 300", -222),
        ("*ESE x", -104),
    ],
)
def test_errors_go_to_the_queue_and_end_the_message(device: Device, message: str, code: int) -> None:
    assert device.execute(f"{message};*IDN?") is None
    error = device.execute(":SYST:ERR?")
    assert error is not None and error.startswith(b"%+d," % code)
    assert device.execute(":SYSTem:ERRor:NEXT?") == b'+0,"No error"\n'
    assert device.execute("*IDN?") == b"A,B,C,D\n"


def test_status_registers(device: Device) -> None:
    device.execute("*ESE 32;*SRE 32;:NONSense")
    assert device.execute("*STB?") == b"+96\n"
    assert device.execute("*ESR?;*ESR?") == b"+32;+0\n"
    device.execute("*OPC")
    assert device.execute("*ESR?") == b"+1\n"


def test_queue_overflow(device: Device) -> None:
    for _ in range(40):
        device.execute(":NONSense")
    answers = [device.execute(":SYST:ERR?") or b"" for _ in range(31)]
    assert all(answer.startswith(b"-113") for answer in answers[:29])
    assert answers[29].startswith(b"-350") and answers[30].startswith(b"+0")


def test_quotes_protect_separators() -> None:
    assert split_quoted("A 'x;y';B \"1;2\"", ";") == ["A 'x;y'", 'B "1;2"']
