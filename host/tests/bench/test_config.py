# SPDX-License-Identifier: Apache-2.0
"""Bench files: the good ones load, each kind of mistake gets its one message."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from virtone.bench.config import load_bench
from virtone.bench.errors import ConfigError

BENCHES = Path(__file__).resolve().parents[3] / "hil" / "benches"
PHYSICAL = (BENCHES / "example-physical.toml").read_text(encoding="utf-8")


def test_virtual_bench_file() -> None:
    bench = load_bench(BENCHES / "virtual.toml")
    assert bench.simulated and bench.virtual is not None and bench.virtual.command[1:3] == ("-m", "hil.virtual")
    scope = bench.instruments["oscilloscope"]
    assert scope.resource == "virtual:oscilloscope" and scope.channels["marker"].threshold_v == 1.65
    assert not scope.calibrated(datetime.date(2026, 11, 20))
    assert len(bench.sha256) == 64


def test_physical_example() -> None:
    bench = load_bench(BENCHES / "example-physical.toml")
    assert not bench.simulated and bench.time_scale == 1.0 and bench.board.codec == "ADAU1761"
    scope = bench.instruments["oscilloscope"]
    assert scope.serial == "MY12345678" and scope.channels["marker"].probe == 10.0
    assert scope.calibrated(datetime.date(2027, 3, 1)) and not scope.calibrated(datetime.date(2027, 3, 2))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("timebase_ppm = 1.6", "timebase_pmm = 1.6", r"oscilloscope\.timebase_pmm: unknown key .*did you mean timebase_ppm"),
        ("time_scale = 1.0", 'time_scale = "slow"', r'time_scale: is "slow"; right is a number from 0\.01 to 10000'),
        ("time_scale = 1.0", "time_scale = 0", r"time_scale: is 0; right is a number from"),
        ("time_scale = 1.0", "time_scale = nan", r"time_scale: is nan"),
        ("baud = 115200", "baud = 115200.5", r"console\.baud: is 115200\.5; right is a whole number"),
        ("baud = 115200", "baud = true", r"console\.baud: is true; right is a whole number"),
        ('driver = "infiniivision"', 'driver = "infinivision"', r"did you mean infiniivision\?"),
        ('codec = "ADAU1761"', 'codec = "ADAU1671"', r"board\.codec: .*did you mean ADAU1761\?"),
        ("number = 2", "number = 1", r"oscilloscope\.channels: numbers are \[1, 1\]; right is a different number"),
        ("number = 2", "number = 9", r"marker\.number: is 9; right is a whole number from 1 to 8"),
        ("channels.marker]", "channels.marks]", r"channels\.marker: missing; .*marker pin"),
        ("calibration_due = 2027-03-01", 'calibration_due = "soon"', r'calibration_due: is "soon"; right is a date'),
        ('port = "/dev/ttyUSB1"', 'port = "virtual:console"', r"console\.port: .*right is a real address"),
        ('# bitstream_sha256 = "..."', 'bitstream_sha256 = "abc"', r"bitstream_sha256: .*64 lower-case hexadecimal"),
        ("[instruments.oscilloscope]", "[instruments.scope]", r"instruments\.oscilloscope: .*right|oscilloscope\.driver: missing"),
        ('title = "PYNQ-Z2', '# title = "PYNQ-Z2', r"title: missing; right is a string"),
        ('title = "PYNQ-Z2', "title = PYNQ-Z2", r"is no TOML: .*line 3"),
    ],
)  # fmt: skip
def test_one_mistake_one_message(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in PHYSICAL
    file = tmp_path / "mine.toml"
    file.write_text(PHYSICAL.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        load_bench(file)
    assert str(caught.value).startswith(str(file)) and "\n" not in str(caught.value)


def test_a_table_that_is_a_value(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('title = "x"\nconsole = 3\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"console: is 3; right is a table: \[console\]"):
        load_bench(file)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_bench(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_bench(tmp_path)


def test_physical_address_on_a_virtual_bench(tmp_path: Path) -> None:
    file = tmp_path / "mixed.toml"
    text = (BENCHES / "virtual.toml").read_text(encoding="utf-8")
    file.write_text(text.replace('"virtual:i2s"', '"TCPIP::192.0.2.1::5025::SOCKET"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="do not mix"):
        load_bench(file)
