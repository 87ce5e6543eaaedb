# SPDX-License-Identifier: Apache-2.0
"""The outcome: bounds, the table, the stored file.

`result` is what `__main__` gathers: {"sides": {"qemu": SIDE, "virtone": SIDE}, ...} with SIDE = {"name", "dilation", "offers", "search",
"common", "smallest"}; a side that was not asked for is missing. Figures are seconds, as `figures.measured` makes them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .trials import RATE, Shape

FRAME_S = 1 / RATE
MOST_BUFFER_MS = 2.0
OURS = "virtone"
PASS, FAIL, INCONCLUSIVE = "PASS", "FAIL", "INCONCLUSIVE"
SideResult = dict[str, Any]


@dataclass(frozen=True)
class Bound:
    """A demand on this project's device. `value` as text; `verdict`: PASS, FAIL or INCONCLUSIVE."""

    name: str
    limit: str
    value: str
    verdict: str


def bounds(side: SideResult) -> list[Bound]:
    """Every bound, judged. What could not be measured is INCONCLUSIVE, never PASS."""
    found = []
    for place in ("common", "smallest"):
        at = _shape(side.get(place))
        found.append(
            _limit(
                side, place, f"honesty error at a completion, {at}", "at most one frame",
                lambda f: max(abs(f["honesty_error_s"]["low"]), abs(f["honesty_error_s"]["high"])),
                lambda value: value <= FRAME_S,
            )
        )  # fmt: skip
        found.append(
            _limit(
                side, place, f"completion jitter at the used ring, {at}", "sd below one frame",
                lambda f: f["used_ring_interval_s"]["sd"], lambda value: value < FRAME_S,
            )
        )  # fmt: skip
    search = side["search"]
    size = search["smallest"]
    unsure = any(t["verdict"] == "inconclusive" for t in search["tried"] if t["buffer_ms"] <= MOST_BUFFER_MS)
    small = size is not None and Shape(*size).buffer_ms <= MOST_BUFFER_MS
    verdict = PASS if small else INCONCLUSIVE if unsure else FAIL
    found.append(Bound("smallest clean buffer", f"at most {MOST_BUFFER_MS:g} ms", _size(size), verdict))
    two = search["two_periods"]
    verdict = {"clean": PASS, "dirty": FAIL}.get(two, INCONCLUSIVE)
    found.append(Bound(f"two periods, buffer up to {MOST_BUFFER_MS:g} ms", "plays cleanly", two, verdict))
    return found


def _limit(
    side: SideResult, place: str, name: str, limit: str,
    value: Callable[[Any], float], good: Callable[[float], bool],
) -> Bound:  # fmt: skip
    figures = side.get(place)
    if not figures or "missing" in figures:
        return Bound(name, limit, (figures or {}).get("missing", "not measured"), INCONCLUSIVE)
    if figures["frames"] != "exact":
        return Bound(name, limit, f"from a job that was not clean: {figures['frames']}", INCONCLUSIVE)
    seconds = value(figures)
    return Bound(name, limit, f"{seconds / FRAME_S:.3g} frames", PASS if good(seconds) else FAIL)


# -- text -------------------------------------------------------------------------------------------------------------
def _size(shape: list[int] | None) -> str:
    return "none of those tried" if shape is None else str(Shape(*shape))


def _shape(figures: dict[str, Any] | None) -> str:
    return _size(figures["shape"]) if figures else "smallest clean buffer"


def _ms(spread: dict[str, float]) -> str:
    return (
        f"{_short(spread['mean'])} ms, sd {_short(spread['sd'])}, {_short(spread['low'])} to {_short(spread['high'])}"
    )


def _frames(spread: dict[str, float]) -> str:
    return f"; at most {max(abs(spread['low']), abs(spread['high'])) / FRAME_S:.3g} frames"


def _short(seconds: float) -> str:
    """Milliseconds; below a nanosecond is nothing."""
    return "0" if abs(seconds) < 1e-9 else f"{seconds * 1e3:+.4g}" if seconds < 0 else f"{seconds * 1e3:.4g}"


def _per_period(f: dict[str, Any]) -> str:
    keys = ("notifications", "device_interrupts", "guest_interrupts", "register_accesses")
    return ", ".join(f"{f[f'{key}_per_period']:.2f}" for key in keys)


_FIGURES: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
    ("honesty error: told - true, at completions", lambda f: _ms(f["honesty_error_s"]) + _frames(f["honesty_error_s"])),
    ("told (snd_pcm_delay)", lambda f: _ms(f["told_s"])),
    ("true (next frame at the sink or the I2S pins)", lambda f: _ms(f["true_s"])),
    ("completed before its last frame was out", lambda f: _ms(f["completed_early_s"])),
    ("completion interval at the used ring", lambda f: _ms(f["used_ring_interval_s"])),
    ("completion interval at the guest's wake-ups", lambda f: _ms(f["wakeup_interval_s"])),
    ("wake-ups that carried two periods", lambda f: f"{f['two_in_one']} of {f['periods']}"),
    ("per period: notifications, interrupts raised, taken by the guest, register accesses", _per_period),
    (
        "drift of hw_ptr against the guest's clock",
        lambda f: f"{f['drift_ppm']['ppm']:+.0f} ppm +- {2 * f['drift_ppm']['standard_error_ppm']:.0f} (2 se)",
    ),
    ("frames", lambda f: str(f["frames"])),
]


def _searched(search: dict[str, Any]) -> str:
    said = _size(search["smallest"])
    for t in search["tried"]:
        if t["verdict"] == "clean":
            said += f", {t['clean']} of {t['trials']}" + (f" ({t['repeated']} repeated)" if t["repeated"] else "")
    return said


def _two(search: dict[str, Any]) -> str:
    told = [f"{t['buffer_ms']:.3g} ms {t['verdict']}" for t in search["tried"] if t["periods"] == 2]
    return ", ".join(told) or "not tried"


def table(result: dict[str, Any]) -> Table:
    """Side by side."""
    sides: list[SideResult] = list(result["sides"].values())
    made = Table(title="The same kernel, QEMU and programs on both", show_lines=True)
    made.add_column("What")
    for side in sides:
        made.add_column(side["name"])
    add: Callable[[str, Callable[[SideResult], str]], None] = lambda name, text: made.add_row(name, *map(text, sides))  # noqa: E731
    add("guest time", lambda s: "wall time" if s["dilation"] == 1 else f"wall time / {s['dilation']:g}")
    add("formats the driver sees", lambda s: " ".join(s["offers"]["formats"]))
    add("rates in Hz", lambda s: " ".join(map(str, s["offers"]["rates"])))
    add("smallest period, bytes", lambda s: str(s["offers"]["period_bytes"][0]))
    add(f"smallest buffer that plays {result['seconds']:g} s cleanly", lambda s: _searched(s["search"]))
    add("buffers of two periods", lambda s: _two(s["search"]))
    for place, title in (("common", "{}"), ("smallest", "smallest clean buffer, {}")):
        shapes = {_shape(s.get(place)) for s in sides}
        where = title.format(shapes.pop()) if len(shapes) == 1 else "each at its smallest clean buffer"
        made.add_section()
        made.add_row(f"[bold]{where}[/bold]", *(_shape(s.get(place)) for s in sides))
        for name, text in _FIGURES:
            add(name, lambda s, text=text, place=place: _cell(s.get(place), text))  # type: ignore[misc]
    return made


def _cell(figures: dict[str, Any] | None, text: Callable[[dict[str, Any]], str]) -> str:
    if not figures:
        return "not measured"
    return f"none: {figures['missing']}" if "missing" in figures else text(figures)


def show(result: dict[str, Any], console: Console) -> None:
    """Table, bounds, and what the reader must know about both."""
    console.print(table(result))
    verdicts = Table(title="Bounds of this project's device")
    for column in ("Bound", "limit", "found", ""):
        verdicts.add_column(column)
    for bound in result["bounds"]:
        verdicts.add_row(bound["name"], bound["limit"], bound["value"], bound["verdict"])
    if result["bounds"]:
        console.print(verdicts)
    for note in result["notes"]:
        console.print(f"* {note}")


def store(result: dict[str, Any], file: Path) -> None:
    """Written aside and renamed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps(result, indent=1) + "\n")
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
