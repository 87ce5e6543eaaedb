# SPDX-License-Identifier: Apache-2.0
"""Plots of the certificate as SVG text: one shot with marker and estimate, the spread of latencies, the stages.

Promise: the same data give the same bytes; the word SIMULATED stands across every plot of a simulated measurement.
"""

from __future__ import annotations

import io
import re

import matplotlib
import numpy as np

matplotlib.use("svg")
from matplotlib.figure import Figure

from virtone.signal.capture import Capture

INK, BLUE, ORANGE, GREEN, GREY = "#1f2933", "#2b6cb0", "#dd6b20", "#2f855a", "#9aa5b1"
STAGE_TEXT = {"N": "to notify", "F": "to fetch", "W": "to the wire", "O": "to analog", "C": "to completion"}
STAGE_COLOR = {"N": GREY, "F": "#b794f4", "W": BLUE, "O": ORANGE, "C": GREEN}
matplotlib.rcParams.update({"font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
                            "axes.edgecolor": GREY, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
                            "svg.hashsalt": "virtone", "svg.fonttype": "none"})  # fmt: skip


def _svg(figure: Figure, simulated: bool) -> str:
    if simulated:
        figure.text(0.5, 0.5, "SIMULATED", fontsize=30, color=GREY, alpha=0.22, ha="center", va="center", rotation=12)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)


def waveform(capture: Capture, analog: str, marker: str, delay_s: float, length_s: float, simulated: bool) -> str:
    """One shot: marker at zero, analog output, and the estimate of frame 0."""
    figure = Figure(figsize=(7.4, 2.6), layout="constrained")
    top, zoom = figure.subplots(1, 2, width_ratios=(3, 2))
    t = capture.times() * 1e3
    volts, pin = capture.volts(analog), capture.volts(marker)
    for axes, low, high in ((top, t[0], t[-1]), (zoom, delay_s * 1e3 - 0.15, delay_s * 1e3 + 0.35 * length_s * 1e3)):
        part = (t >= low) & (t <= high)
        thin = max(1, int(part.sum() // 4000))
        axes.plot(t[part][::thin], volts[part][::thin], color=BLUE, lw=0.7, label="analog output")
        axes.axvline(delay_s * 1e3, color=ORANGE, lw=1.3, label=f"frame 0 at {delay_s * 1e3:.4f} ms")
        axes.set_xlabel("ms after the marker")
        axes.set_xlim(low, high)
    scale = np.abs(volts).max() / max(np.abs(pin).max(), 1e-9)
    top.plot(t, pin * scale * 0.9, color=GREEN, lw=1.0, label="marker pin (scaled)")
    top.set_ylabel("V")
    top.legend(loc="upper left", fontsize=7, frameon=False)
    zoom.set_title("around the estimate", fontsize=9)
    return _svg(figure, simulated)


def histogram(
    latency_ms: list[float], lines: dict[str, float], limits: tuple[float | None, float | None], simulated: bool
) -> str:
    """Spread of the latency with its percentiles and limits."""
    figure = Figure(figsize=(3.6, 2.5), layout="constrained")
    axes = figure.subplots()
    values = np.asarray(latency_ms)
    if len(values):
        axes.hist(values, bins=min(40, max(5, len(values) // 8)), color=BLUE, alpha=0.85)
    for (name, value), color in zip(lines.items(), (GREEN, ORANGE, INK), strict=False):
        axes.axvline(value, color=color, lw=1.2, label=f"{name} {value:.3f} ms")
    for limit in limits:
        if limit is not None:
            axes.axvline(limit, color="#c53030", lw=1, ls="--")
    axes.set_xlabel("application to analog, ms (dashed: limits)")
    axes.set_ylabel("shots")
    axes.margins(y=0.35)
    axes.legend(fontsize=7, frameon=False)
    return _svg(figure, simulated)


def stages(stages_ms: dict[str, float], simulated: bool) -> str:
    """Median split of the way: from A to each point in order of time."""
    figure = Figure(figsize=(3.6, 2.5), layout="constrained")
    axes = figure.subplots()
    before = 0.0
    order = sorted(((v, k) for k, v in stages_ms.items() if k in STAGE_TEXT))
    for row, (value, name) in enumerate(order):
        axes.barh(row, value - before, left=before, color=STAGE_COLOR[name], height=0.6)
        axes.text(value, row, f" {value - before:.3f}", va="center", fontsize=8)
        before = value
    axes.set_yticks(range(len(order)), [f"{STAGE_TEXT[name]} ({name})" for _, name in order])
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.set_xlabel("ms after hand-over (median)")
    return _svg(figure, simulated)
