# SPDX-License-Identifier: Apache-2.0
"""The way of a frame, stage by stage: medians of what the board's event log says, and of the analog output as measured.

Promise: a stage without a time says why. Points: A the application hands the frame over, N the notify that exposes its message, F its
first payload beat, W its first bit on the wire, O the analog output, C its message's completion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

POINTS = "ANFWOC"
FEATURES = {"msg_polling": "MSG_POLLING", "event_idx": "EVENT_IDX"}  # each spares the driver notifications
UNKNOWN = "not recorded by the board"


def table(series: Mapping[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Per series (its step entries, its shots): ``{"series", "n", "ms": {point: median ms after A or None}, "note": {point: why None}}``."""
    rows = []
    for name, (entries, shots) in series.items():
        good = [shot for shot in shots if shot["good"]]
        ms = {point: _median(_after_a(shot, point, name) for shot in good) for point in POINTS}
        note = {point: UNKNOWN if good else "no shot identified" for point, value in ms.items() if value is None}
        if ms["N"] is None and good:
            note["N"] = _without_notify(entries)
        rows.append({"series": name, "n": len(good), "ms": ms, "note": note})
    return rows


def notify_note(entries: list[dict[str, Any]]) -> str:
    """What the certificate adds to the text of notify-to-analog: with which driver features it was measured."""
    taken = {name: {entry["done"].get(key) for entry in entries} for key, name in FEATURES.items()}
    if taken["MSG_POLLING"] == taken["EVENT_IDX"] == {False}:
        how = "taken with a driver that accepts neither MSG_POLLING nor EVENT_IDX, so that every period is notified"
    elif any(None in values for values in taken.values()):
        how = "the board does not say which of MSG_POLLING and EVENT_IDX its driver took"
    else:
        how = "taken with a driver that accepts " + " and ".join(n for n, v in taken.items() if True in v)
    return f" ({how}; with MSG_POLLING, as in all other rows, the device polls and no period is notified)" if (
        taken["MSG_POLLING"] == {False}
    ) else f" ({how})"  # fmt: skip


def _without_notify(entries: list[dict[str, Any]]) -> str:
    """Why no shot of these steps has a notify."""
    done = [entry["done"] for entry in entries]
    for key, name in FEATURES.items():
        if done and all(d.get(key) is True for d in done):
            return f"not used: {name}"
    return UNKNOWN


def _after_a(shot: dict[str, Any], point: str, series: str) -> float | None:
    """Milliseconds from A to a point of one shot. O is measured from the marker pin: A, or N where that is what the pin shows."""
    stages = shot["said"].get("stages_ns") or {}
    if point != "O":
        time_ns = stages.get(point)
        return None if time_ns is None else time_ns * 1e-6
    zero = stages.get("N") if series == "notify" else 0.0
    return None if zero is None else zero * 1e-6 + shot["delay_s"] * 1e3


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(f"{np.median(known):.9g}") if known else None
