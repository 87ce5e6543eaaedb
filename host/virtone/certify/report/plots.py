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

from virtone.signal import latency
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
    """One shot on two channels over the same time, in volts: analog output above, marker pin below; beside each its enlargement,
    the begin of the burst with the estimate, and the marker's pulse with time zero."""
    figure = Figure(figsize=(10.2, 4.2), layout="constrained")
    (whole, burst), (pin, pulse) = figure.subplots(2, 2, width_ratios=(3, 2), height_ratios=(3, 2))
    t, at_ms = capture.times() * 1e3, delay_s * 1e3
    edges, _ = latency.marker_edges(capture, marker, rising=False)
    pulse_ms = float(np.min(edges[edges > 0], initial=delay_s)) * 1e3
    for panel, channel, (begin, end), color in (
        (whole, analog, (t[0], t[-1]), BLUE),
        (burst, analog, (at_ms - 0.15, at_ms + 0.35 * length_s * 1e3), BLUE),
        (pin, marker, (t[0], t[-1]), GREEN),
        (pulse, marker, (-0.5 * pulse_ms, 2 * pulse_ms), GREEN),
    ):
        part = (t >= begin) & (t <= end)
        panel.plot(*_outline(t[part], capture.volts(channel)[part]), color=color, lw=0.8 if channel == analog else 1.6)
        if begin <= at_ms <= end:
            panel.axvline(at_ms, color=ORANGE, lw=1.3)
        if begin <= 0 <= end:
            panel.axvline(0.0, color=INK, lw=1.0, ls=":")
        panel.set_xlim(begin, end)
        panel.set_ylabel("V")
    for panel, title in (
        (whole, "channel 1, analog output"),
        (burst, "channel 1, begin of the burst"),
        (pin, "channel 2, marker pin"),
        (pulse, "channel 2, the marker's pulse"),
    ):
        panel.set_title(title, fontsize=9, loc="left")
    for panel in (pin, pulse):
        panel.set_xlabel("ms after the marker's rising edge (time zero)")
    for panel, text, x, color in (
        (whole, f"frame 0 at {at_ms:.4f} ms", at_ms, ORANGE),
        (pin, "A: hand-over", 0.0, INK),
    ):
        left = x > t[-1] / 6
        panel.annotate(
            text, (x, 1), xycoords=("data", "axes fraction"), xytext=(-5 if left else 5, -3), textcoords="offset points",
            ha="right" if left else "left", va="top", color=color, fontsize=9,
        )  # fmt: skip
    return _svg(figure, simulated)


def _outline(t: np.ndarray, volts: np.ndarray, columns: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """At most two points for each of so many columns, its least and its greatest value in their order: no pulse is lost."""
    width = len(t) // columns
    if width < 4:
        return t, volts
    count = len(t) // width
    blocks = volts[: count * width].reshape(count, width)
    ends = np.sort(np.stack((blocks.argmin(1), blocks.argmax(1))), axis=0) + np.arange(count) * width
    index = np.append(ends.T.ravel(), len(t) - 1)
    return t[index], volts[index]


def histogram(
    latency_ms: list[float], lines: dict[str, float], limits: tuple[float | None, float | None], simulated: bool
) -> str:
    """Spread of the latency with its percentiles and limits."""
    figure = Figure(figsize=(4.85, 2.9), layout="constrained")
    axes = figure.subplots()
    values = np.asarray(latency_ms)
    if len(values):
        axes.hist(values, bins=min(40, max(5, len(values) // 8)), color=BLUE, alpha=0.85)
    for (name, value), color in zip(lines.items(), (GREEN, ORANGE, INK), strict=False):
        axes.axvline(value, color=color, lw=1.2, label=f"{name} {value:.3f} ms")
    for limit, side in zip(limits, ("least", "most"), strict=True):
        if limit is not None:
            axes.axvline(limit, color="#c53030", lw=1, ls="--", label=f"limit of p99, at {side} {limit:g} ms")
    axes.set_xlabel("application to analog (A to O), ms")
    axes.set_ylabel("shots")
    axes.margins(x=0.02, y=0.1)
    figure.legend(fontsize=8, frameon=False, loc="outside upper left", ncols=2)
    return _svg(figure, simulated)


def stages(stages_ms: dict[str, float | None], simulated: bool) -> str:
    """Median split of the way: from A to each point in order of time."""
    figure = Figure(figsize=(4.85, 2.9), layout="constrained")
    axes = figure.subplots()
    before = 0.0
    order = sorted((v, k) for k, v in stages_ms.items() if k in STAGE_TEXT and v is not None)
    for row, (value, name) in enumerate(order):
        axes.barh(row, value - before, left=before, color=STAGE_COLOR[name], height=0.6)
        axes.text(value, row, f" +{value - before:.3f} ms", va="center", fontsize=9)
        before = value
    axes.set_yticks(range(len(order)), [f"{STAGE_TEXT[name]} ({name})" for _, name in order])
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.set_xlabel("ms after hand-over A (medians)")
    return _svg(figure, simulated)
