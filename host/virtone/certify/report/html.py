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


def figure(value: float | None, unit: str = "") -> str:
    """A number as people read it: four decimals for ms, whole for counts."""
    if value is None:
        return "–"
    digits = {"1": 0, "ms": 4, "us": 2, "ppm": 3}.get(unit, 3)
    return f"{value:.{digits}f}"


def render(data: dict[str, Any], record: Record, config: BenchConfig) -> str:
    """HTML text of a certificate."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["figure"] = figure
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
        "stages": plots.stages(c["stages_ms"], simulated),
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
