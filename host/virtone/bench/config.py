# SPDX-License-Identifier: Apache-2.0
"""Bench files: what is on the bench, where it is, and how far it can be trusted.

Promises: `load_bench` returns a complete, checked `BenchConfig` or raises `ConfigError` (one message: file, key, value, what
would be right). `hil/benches/example-physical.toml` explains every key.
A resource or port `virtual:NAME` is filled in from what the virtual bench says when it is ready.
"""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .instruments import DRIVERS
from .schema import Field, Named, Table, check, read

VIRTUAL = "virtual:"
CODECS = ("ADAU1761", "SSM2603", "PCM5102A", "other")


@dataclass(frozen=True)
class ChannelConfig:
    """One input of an instrument: what hangs on it, its front end, and its skew (seconds it reads late) with half-width."""

    number: int
    range_v: float
    offset_v: float
    coupling: str
    probe: float
    threshold_v: float
    skew_s: float
    skew_limit_s: float


@dataclass(frozen=True)
class InstrumentConfig:
    """One instrument. timebase_ppm: half-width of its relative time base error, from data sheet or certificate."""

    name: str
    driver: str
    resource: str
    serial: str
    timeout_s: float
    timebase_ppm: float
    calibration_due: datetime.date | None
    calibration_certificate: str
    channels: dict[str, ChannelConfig]

    def calibrated(self, today: datetime.date) -> bool:
        return self.calibration_due is not None and today <= self.calibration_due


@dataclass(frozen=True)
class ConsoleConfig:
    """The board's console."""

    port: str
    baud: int
    prompt: str
    timeout_s: float


@dataclass(frozen=True)
class BoardConfig:
    """The device under test as it says of itself on paper."""

    name: str
    serial: str
    revision: str
    codec: str
    bitstream_sha256: str
    word_clock_ppm: float


@dataclass(frozen=True)
class VirtualConfig:
    """How to start the virtual bench. `{python}` in the command is this interpreter."""

    command: tuple[str, ...]
    ready_timeout_s: float


@dataclass(frozen=True)
class BenchConfig:
    """A whole bench. time_scale: wall seconds that one second at the instrument takes (1 for physical ones)."""

    file: Path
    sha256: str
    title: str
    time_scale: float
    virtual: VirtualConfig | None
    console: ConsoleConfig
    board: BoardConfig
    instruments: dict[str, InstrumentConfig]

    @property
    def simulated(self) -> bool:
        return self.virtual is not None


CHANNEL = Table({
    "number": Field(int, low=1, high=8),
    "range_v": Field(float, low=8e-3, high=400, unit="volts (full screen)"),
    "offset_v": Field(float, 0.0, -400, 400, unit="volts (centre of the screen)"),
    "coupling": Field(str, "DC", choices=("DC", "AC")),
    "probe": Field(float, 1.0, 0.001, 10000),
    "threshold_v": Field(float, 0.0, -400, 400, unit="volts"),
    "skew_s": Field(float, 0.0, -1e-3, 1e-3, unit="seconds"),
    "skew_limit_s": Field(float, 5e-9, 0, 1e-3, unit="seconds"),
})  # fmt: skip
INSTRUMENT = Table({
    "driver": Field(str, choices=tuple(DRIVERS)),
    "resource": Field(str),
    "serial": Field(str, ""),
    "timeout_s": Field(float, 10.0, 0.1, 600, unit="seconds"),
    "timebase_ppm": Field(float, low=0, high=1000, unit="ppm"),
    "calibration_due": Field(datetime.date, None),
    "calibration_certificate": Field(str, ""),
    "channels": Named(CHANNEL),
})  # fmt: skip
BENCH = Table({
    "title": Field(str),
    "time_scale": Field(float, 1.0, 0.01, 10000),
    "virtual": Table({
        "command": Field([str]),
        "ready_timeout_s": Field(float, 120.0, 1, 3600, unit="seconds"),
    }, optional=True),
    "console": Table({
        "port": Field(str),
        "baud": Field(int, 115200, 300, 4_000_000),
        "prompt": Field(str, "virtone# "),
        "timeout_s": Field(float, 10.0, 0.1, 600, unit="seconds"),
    }),
    "board": Table({
        "name": Field(str),
        "serial": Field(str, ""),
        "revision": Field(str, ""),
        "codec": Field(str, choices=CODECS),
        "bitstream_sha256": Field(str, ""),
        "word_clock_ppm": Field(float, 100.0, 0, 10000, unit="ppm"),
    }),
    "instruments": Named(INSTRUMENT, at_least=("oscilloscope",)),
})  # fmt: skip


def load_bench(path: Path | str) -> BenchConfig:
    """Read and check a bench file. Raises ConfigError."""
    path = Path(path)
    values: dict[str, Any] = check(path, read(path), BENCH)
    instruments = {name: _instrument(path, name, v) for name, v in values["instruments"].items()}
    virtual = values["virtual"]
    places = {f"instruments.{i.name}.resource": i.resource for i in instruments.values()} | {
        "console.port": values["console"]["port"]
    }
    for key, place in places.items():
        if place.startswith(VIRTUAL) and virtual is None:
            raise ConfigError(
                path,
                key,
                f'is "{place}"',
                "right is a real address, or a table [virtual] with the command that starts it",
            )
        if virtual is not None and not place.startswith(VIRTUAL):
            raise ConfigError(
                path,
                key,
                f'is "{place}"',
                f'right is "{VIRTUAL}NAME" on a virtual bench: physical and simulated parts do not mix',
            )
    digest = values["board"]["bitstream_sha256"]
    if digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
        raise ConfigError(
            path, "board.bitstream_sha256", f'is "{digest}"', "right are 64 lower-case hexadecimal digits (sha256sum)"
        )
    return BenchConfig(
        file=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        title=values["title"],
        time_scale=values["time_scale"],
        virtual=VirtualConfig(tuple(virtual["command"]), virtual["ready_timeout_s"]) if virtual else None,
        console=ConsoleConfig(**values["console"]),
        board=BoardConfig(**values["board"]),
        instruments=instruments,
    )


def _instrument(path: Path, name: str, values: dict[str, Any]) -> InstrumentConfig:
    channels = {role: ChannelConfig(**v) for role, v in values.pop("channels").items()}
    if values["driver"] == "infiniivision":
        for role in ("analog", "marker"):
            if role not in channels:
                key = f"instruments.{name}.channels.{role}"
                raise ConfigError(
                    path,
                    key,
                    "missing",
                    f"right is a table [{key}]: the oscilloscope sees the analog output and the marker pin",
                )
        numbers = [channel.number for channel in channels.values()]
        if len(set(numbers)) != len(numbers):
            raise ConfigError(
                path,
                f"instruments.{name}.channels",
                f"numbers are {numbers}",
                "right is a different number for each channel",
            )
    return InstrumentConfig(name=name, channels=channels, **values)
