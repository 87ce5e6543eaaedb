# SPDX-License-Identifier: Apache-2.0
"""Plan files: which configurations are measured, how often, and what is demanded, with the reason for each limit.

Promise: `load_plan` returns a complete, checked `Plan` or raises `bench.errors.ConfigError` (file, key, value, what would
be right). `hil/plans/first-light.toml` explains every key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtone.bench.errors import ConfigError
from virtone.bench.schema import Field, Named, Table, check, read
from virtone.signal.stimulus import CODES, FORMATS, burst_frames

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000)


@dataclass(frozen=True)
class Measurand:
    """What is measured: ``unit``, and ``text`` as the certificate prints it."""

    name: str
    unit: str
    text: str


MEASURANDS = {m.name: m for m in (
    Measurand("latency_p50", "ms", "application to analog, median"),
    Measurand("latency_p95", "ms", "application to analog, 95th percentile"),
    Measurand("latency_p99", "ms", "application to analog, 99th percentile"),
    Measurand("latency_max", "ms", "application to analog, largest of n"),
    Measurand("notify_p50", "ms", "notify to analog, median"),
    Measurand("cold_max", "ms", "application to analog, first sound of a stream that was opened and prepared just before, largest of n"),
    Measurand("honesty_raw", "ms", "delay told at hand-over minus true delay, largest magnitude"),
    Measurand("honesty_corrected", "ms", "the same, told delay reduced by the time since the position was updated"),
    Measurand("honesty_completion", "us", "the same, as told in the instant of the completion before (the device's part of it)"),
    Measurand("update_wait", "us", "from that completion to the update of the application's position (interrupt and driver), largest of n"),
    Measurand("completion_jitter", "us", "period completions against an even grid, largest deviation"),
    Measurand("word_clock", "ppm", "word clock against nominal"),
    Measurand("glitches", "1", "faults in the continuous material at the analog output"),
    Measurand("xruns", "1", "underruns and xruns that board and device counted in all runs"),
)}  # fmt: skip


@dataclass(frozen=True)
class Limit:
    """Permitted ``low``..``high`` in the measurand's unit and why; below ``physics`` the measurement itself is broken."""

    low: float | None
    high: float | None
    physics: float | None
    reason: str


@dataclass(frozen=True)
class Configuration:
    """One stream set-up and its limits by measurand."""

    name: str
    format: str
    rate: int
    channels: int
    period_frames: int
    periods: int
    policy: str
    spacing_ms: float
    limits: dict[str, Limit]

    @property
    def buffer_s(self) -> float:
        return self.period_frames * self.periods / self.rate


@dataclass(frozen=True)
class Plan:
    """A whole plan; ``sha256`` of the file."""

    file: Path
    sha256: str
    title: str
    seed: int
    shots: int
    batch: int
    notify_shots: int
    cold_shots: int
    material_s: float
    selftest_s: float
    configurations: tuple[Configuration, ...]


_LIMIT = Table(
    {"low": Field(float, None), "high": Field(float, None), "physics": Field(float, None), "reason": Field(str)}
)
_CONFIGURATION = Table({
    "format": Field(str, choices=tuple(FORMATS)),
    "rate": Field(int, low=min(RATES), high=max(RATES), unit="Hz"),
    "channels": Field(int, 2, 1, 2),
    "period_frames": Field(int, low=8, high=65536, unit="frames"),
    "periods": Field(int, low=2, high=64),
    "policy": Field(str, "ack", choices=("ack", "requeue")),
    "spacing_ms": Field(float, low=1, high=10000, unit="ms"),
    "limits": Named(_LIMIT),
})  # fmt: skip
_PLAN = Table({
    "title": Field(str),
    "seed": Field(int, 1, 0, 2**31 - 1),
    "shots": Field(int, low=5, high=1_000_000),
    "batch": Field(int, 50, 2, 1000, unit="shots (segments of one acquisition)"),
    "notify_shots": Field(int, 20, 0, 100_000),
    "cold_shots": Field(int, 5, 3, 10_000),
    "material_s": Field(float, 1.0, 0.05, 3600, unit="seconds"),
    "selftest_s": Field(float, 0.25, 0.05, 10, unit="seconds"),
    "configurations": Named(_CONFIGURATION),
})  # fmt: skip


def load_plan(path: Path | str) -> Plan:
    """Read and check a plan file. Raises ConfigError."""
    path = Path(path)
    values: dict[str, Any] = check(path, read(path), _PLAN)
    if not values["configurations"]:
        raise ConfigError(path, "configurations", "missing", "right is at least one table [configurations.NAME]")
    configurations = tuple(_configuration(path, name, v) for name, v in values.pop("configurations").items())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Plan(file=path, sha256=digest, configurations=configurations, **values)


def _configuration(path: Path, name: str, values: dict[str, Any]) -> Configuration:
    key = f"configurations.{name}"
    rate, period = values["rate"], values["period_frames"]
    if rate not in RATES:
        raise ConfigError(path, f"{key}.rate", f"is {rate}", f"right is one of {', '.join(map(str, RATES))}")
    buffer_ms = period * values["periods"] * 1000 / rate
    least = burst_frames(rate) * 1000 / rate + 1.3 * buffer_ms + 5
    if values["spacing_ms"] < least:
        raise ConfigError(
            path,
            f"{key}.spacing_ms",
            f"is {values['spacing_ms']:g}",
            f"right is at least {least:.1f}: buffer, burst and margin",
        )
    limits = {}
    for what, limit in values.pop("limits").items():
        place = f"{key}.limits.{what}"
        if what not in MEASURANDS:
            raise ConfigError(path, place, "unknown measurand", f"right are {', '.join(MEASURANDS)}")
        limits[what] = Limit(**limit)
        low, high = limits[what].low, limits[what].high
        if low is None and high is None:
            raise ConfigError(path, place, "has neither low nor high", f"right is a bound in {MEASURANDS[what].unit}")
        if low is not None and high is not None and low > high:
            raise ConfigError(path, place, f"low {low:g} is above high {high:g}", "right is low <= high")
        if not limits[what].reason.strip():
            raise ConfigError(path, f"{place}.reason", "is empty", "right is why the limit is what it is")
    return Configuration(name=name, limits=limits, **values)


def code_of(shot: int) -> int:
    """Code of a plan's shot number: all different up to 2047, then again."""
    return shot % CODES
