# SPDX-License-Identifier: Apache-2.0
"""The certificate as one HTML file that needs nothing else: verdict and headline figures first, then the tables and plots."""

from __future__ import annotations

from importlib import resources
from typing import Any

import jinja2

from virtone.bench.config import BenchConfig
from virtone.signal.stimulus import burst_frames

from ..record import Record
from ..uncertainty import shots_needed
from . import plots

UNIT = {"us": "µs"}
POINTS = (
    (
        "A",
        "application",
        "the application hands the frame over: a marker write right before the write to the stream; time zero",
    ),
    ("N", "notify", "the driver's write to QueueNotify that exposes the frame's message to the device"),
    ("F", "fetch", "the first payload beat of the message arrives in the device"),
    ("W", "wire", "the frame's first bit is on the I2S wire"),
    ("O", "output", "the frame is at the converter's analog output (group delay by correlation, not a threshold)"),
    ("C", "completion", "the used index of the message, which a period's last frame completes, is in guest memory"),
)
SERIES = {"shots": "continuous stream", "notify": "notify series", "cold": "cold start"}


def figure(value: float | None, unit: str = "") -> str:
    """A number as people read it: four decimals for ms, whole for counts."""
    if value is None:
        return "–"
    digits = {"1": 0, "ms": 4, "us": 2, "ppm": 3}.get(unit, 3)
    return f"{value:.{digits}f}"


def with_unit(text: str, unit: str) -> str:
    """A number and its unit, not to be separated; counts have none."""
    return text if unit == "1" else f"{text}\u00a0{UNIT.get(unit, unit)}"


def quantity(value: float | None, unit: str = "") -> str:
    """`figure` with its unit."""
    return figure(value) if value is None else with_unit(figure(value, unit), unit)


def bound(value: float | None, unit: str = "") -> str:
    """A limit as the plan gives it, with its unit."""
    return "" if value is None else with_unit(f"{value:g}", unit)


def small(value: float | None, unit: str = "") -> str:
    """A component of an uncertainty: three significant digits and its unit, milliseconds as microseconds."""
    if unit == "ms" and value is not None:
        value, unit = 1e3 * value, "us"
    return figure(value) if value is None else with_unit(f"{value:.3g}", unit)


def clock(stamp: str) -> str:
    """An ISO 8601 instant as people read it."""
    return stamp.replace("T", " ").replace("+00:00", " UTC")


def render(data: dict[str, Any], record: Record, config: BenchConfig) -> str:
    """HTML text of a certificate."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(figure=figure, quantity=quantity, bound=bound, small=small, clock=clock)
    text = resources.files("virtone.certify.report").joinpath("certificate.html.j2").read_text(encoding="utf-8")
    pictures = {c["name"]: _pictures(c, data["simulated"], record, config) for c in data["configurations"]}
    rows = [r for c in data["configurations"] for r in c["measurands"]]
    counts = {v: sum(r["verdict"] == v for r in rows) for v in ("PASS", "FAIL", "INCONCLUSIVE")}
    return environment.from_string(text).render(
        d=data,
        pictures=pictures,
        counts=counts,
        found=sum(x["found"] for x in data["detectors"]),
        needed=shots_needed,
        points=POINTS,
        series=SERIES,
        bench=config,
        by_name={c["name"]: {m["name"]: m for m in c["measurands"]} for c in data["configurations"]},
    )


def _pictures(c: dict[str, Any], simulated: bool, record: Record, config: BenchConfig) -> dict[str, str]:
    rows = {m["name"]: m for m in c["measurands"]}
    lines = {n: rows[f"latency_{n}"]["value"] for n in ("p50", "p99") if rows[f"latency_{n}"]["value"] is not None}
    lines["max"] = rows["latency_max"]["value"] or 0.0
    found = {
        "histogram": plots.histogram(
            c["latency_ms"], lines, (rows["latency_p99"]["low"], rows["latency_p99"]["high"]), simulated
        ),
        "stages": plots.stages(c["stages"][0]["ms"], simulated),
    }
    example = c["example"]
    if example:
        entry = next(e for e in record.steps() if e["key"] == example["file"])
        channels = config.instruments["oscilloscope"].channels
        rate = c["stream"]["rate"]
        found["waveform"] = plots.waveform(
            record.captures(entry)[example["index"]],
            str(channels["analog"].number),
            str(channels["marker"].number),
            example["delay_s"],
            burst_frames(rate) / rate,
            simulated,
        )
    return found
