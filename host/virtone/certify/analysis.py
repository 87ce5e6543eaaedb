# SPDX-License-Identifier: Apache-2.0
"""Every number of the certificate, from the record alone.

Promise: `evaluate(record, plan, config)` is a pure function of the record's folder; `virtone verify` calls it again and compares.
Times in seconds inside, in the measurand's unit in the results.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from virtone.bench.config import BenchConfig
from virtone.signal import integrity, latency
from virtone.signal.capture import Capture
from virtone.signal.stimulus import hold_frames

from .plan import MEASURANDS, Configuration, Plan
from .procedure import DETUNE_PPM, SELFTEST
from .record import Record, RecordError
from .uncertainty import Budget, Component, highest_percentile, percentile, shots_needed
from .verdict import judge, overall

MARKER_LIMIT_S = 135e-9  # the pin follows its event by 2 to 3 cycles of the audio master clock (22.5792 MHz)
STAGES = ("A", "N", "F", "W", "C")


class _Bench:
    """What the budget needs of the bench file."""

    def __init__(self, config: BenchConfig) -> None:
        scope = config.instruments["oscilloscope"]
        self.analog, self.marker = (scope.channels[role] for role in ("analog", "marker"))
        self.timebase = scope.timebase_ppm * 1e-6
        self.skew_s = self.analog.skew_s - self.marker.skew_s
        self.skew_limit_s = math.hypot(self.analog.skew_limit_s, self.marker.skew_limit_s)

    def time_budget(self, value_s: float, sigma_s: float, dt_s: float, scale: float) -> Budget:
        return Budget(
            (
                Component("time base of the instrument", "B", self.timebase * abs(value_s) * scale, "rectangular"),
                Component("delay estimator (noise, predicted)", "A", sigma_s * scale),
                Component("trigger point within a sample", "B", dt_s / 2 * scale, "rectangular"),
                Component("skew of channels and probes", "B", self.skew_limit_s * scale, "rectangular"),
                Component("marker pin after its event", "B", MARKER_LIMIT_S * scale, "rectangular"),
            )
        )


def evaluate(record: Record, plan: Plan, config: BenchConfig) -> dict[str, Any]:
    """``{"detectors", "configurations", "verdict"}``, ready for JSON. Raises RecordError for a record not complete or changed."""
    if not record.has("end"):
        raise RecordError(
            f"{record.folder}: the run is not finished; right is to start virtone certify again with the same files and --out"
        )
    bench = _Bench(config)
    materials = {c.name: _material(record, c, bench) for c in plan.configurations}
    detectors = _detectors(record, plan.configurations[0], bench, materials[plan.configurations[0].name][1].clock_ppm)
    doubts = []
    if not all(d["found"] for d in detectors):
        doubts.append("a detector did not find its seeded fault")
    if not record.begin["calibrated"]:
        doubts.append(f"calibration expired or unknown (due {record.begin['calibration_due']})")
    results = [_configuration(record, plan, c, bench, materials[c.name], doubts) for c in plan.configurations]
    verdict = overall(m["_verdict"] for r in results for m in r["measurands"])
    for result in results:
        for m in result["measurands"]:
            del m["_verdict"]
    return {"detectors": detectors, "configurations": results, "verdict": str(verdict)}


def _material(record: Record, c: Configuration, bench: _Bench) -> tuple[Capture, integrity.Integrity]:
    entry = record.steps("material", c.name)[0]
    capture = record.captures(entry)[0]
    facts = entry["facts"]
    return capture, integrity.check(capture, str(bench.analog.number), c.rate, facts["frames"], facts["first_code"])


def _detectors(record: Record, c: Configuration, bench: _Bench, clock_ppm: float) -> list[dict[str, Any]]:
    found = []
    slack = 8 * hold_frames(c.rate)
    for entry in record.steps("selftest"):
        capture, facts = record.captures(entry)[0], entry["facts"]
        kind = facts["fault"]
        try:
            seen = integrity.check(capture, str(bench.analog.number), c.rate, facts["frames"], facts["first_code"])
        except integrity.IntegrityError as error:
            found.append({"fault": kind, "found": False, "seeded": "", "seen": str(error)})
            continue
        if kind == "detune":
            off = seen.clock_ppm - clock_ppm
            ok = abs(off - DETUNE_PPM) < 1 + 4 * seen.clock_sigma_ppm
            seeded, text = f"clock {DETUNE_PPM:+d} ppm", f"clock {off:+.3f} ppm"
        else:
            ok = (
                len(seen.faults) == 1
                and seen.faults[0].kind == kind
                and abs(seen.faults[0].at_frame - facts["at_frame"]) <= slack
                and abs(seen.faults[0].frames - facts["fault_frames"]) <= slack
            )
            seeded = f"{facts['fault_frames']} frames {kind} at {facts['at_frame']}"
            text = "; ".join(f"{f.frames} frames {f.kind} at {f.at_frame}" for f in seen.faults) or "nothing"
        found.append({"fault": kind, "found": bool(ok), "seeded": seeded, "seen": text})
    if [d["fault"] for d in found] != list(SELFTEST):
        raise RecordError(f"{record.folder}: self-test steps {[d['fault'] for d in found]}; {list(SELFTEST)} are right")
    return found


def shot_delays(record: Record, c: Configuration, kind: str, bench: Any, clock_ppm: float) -> list[dict[str, Any]]:
    """Per shot of one kind: measured delay after the marker, its estimate, and what the board said."""
    out = []
    for entry in record.steps(kind, c.name):
        facts = entry["facts"]
        codes = range(facts["first_code"], facts["first_code"] + facts["count"])
        captures = record.captures(entry)
        if not len(captures) == len(entry["board"]) == facts["count"]:
            raise RecordError(
                f"{entry['key']}: {len(captures)} captures, {len(entry['board'])} board records; {facts['count']} of each are right"
            )
        for index, (capture, said) in enumerate(zip(captures, entry["board"], strict=True)):
            shot = {
                "shot": facts["first_shot"] + index,
                "code": codes[index],
                "said": said,
                "dt_s": capture.dt_s,
                "file": entry["key"],
                "index": index,
            }
            try:
                d = _estimate(capture, str(bench.analog.number), c.rate, codes[index], codes, clock_ppm)
                edge, _ = latency.marker_edge(capture, str(bench.marker.number))
            except latency.EstimateError as error:
                out.append(shot | {"good": False, "why": str(error)})
                continue
            why = ""
            if d.code != codes[index] or said.get("code") != codes[index]:
                why = f"code {codes[index]} was due, {d.code} came, the board says {said.get('code')}"
            elif d.confidence < latency.CONFIDENCE_MIN:
                why = f"confidence {d.confidence:.2f}"
            elif abs(edge) > 2 * capture.dt_s:
                why = f"marker edge at {edge * 1e6:.2f} us, trigger at 0"
            out.append(
                shot
                | {
                    "good": not why,
                    "why": why,
                    "delay_s": d.t_s - bench.skew_s,
                    "sigma_s": d.sigma_s,
                    "confidence": d.confidence,
                    "snr_db": d.snr_db,
                    "edge_s": edge,
                }
            )
    return out


def _estimate(capture: Capture, channel: str, rate: int, due: int, codes: range, clock_ppm: float) -> latency.Delay:
    """The code that is due if it is there (no other one correlates as well), else whichever of the batch it is."""
    try:
        found = latency.estimate(capture, channel, rate, due, (), clock_ppm)
        if found.confidence >= latency.CONFIDENCE_MIN:
            return found
    except latency.EstimateError:
        pass
    return latency.estimate(capture, channel, rate, due, codes, clock_ppm)


def _configuration(
    record: Record,
    plan: Plan,
    c: Configuration,
    bench: _Bench,
    material: tuple[Capture, integrity.Integrity],
    doubts: list[str],
) -> dict[str, Any]:
    capture, clean = material
    shots, notify, cold = (shot_delays(record, c, kind, bench, clean.clock_ppm) for kind in ("shots", "notify", "cold"))
    good, lost = [s for s in shots if s["good"]], [s for s in shots + notify + cold if not s["good"]]
    if lost:
        doubts = [*doubts, f"{len(lost)} shots not identified (first: {lost[0]['why']})"]
    dt = capture.dt_s
    rows: list[dict[str, Any]] = []

    def row(
        name: str,
        value: float,
        budget: Budget,
        n: int,
        bounds: tuple[float, float] | None = None,
        more: list[str] | None = None,
    ) -> None:
        u = budget.expanded
        low, high = bounds or (value, value)
        limit = c.limits.get(name)
        verdict, why = judge(
            (low - u, high + u),
            limit.low if limit else None,
            limit.high if limit else None,
            limit.physics if limit else None,
            doubts + (more or []),
        )
        rows.append(
            {
                "name": name,
                "text": MEASURANDS[name].text,
                "unit": MEASURANDS[name].unit,
                "value": _number(value),
                "U": _number(u),
                "k": round(budget.k, 3),
                "interval": [_number(low - u), _number(high + u)],
                "n": n,
                "low": limit.low if limit else None,
                "high": limit.high if limit else None,
                "physics": limit.physics if limit else None,
                "reason": limit.reason if limit else "",
                "verdict": str(verdict),
                "why": why,
                "budget": budget.as_list(),
                "_verdict": verdict,
            }
        )

    def times(of: list[dict[str, Any]]) -> tuple[np.ndarray, float]:
        usable = [s for s in of if s["good"]]
        return np.array([s["delay_s"] for s in usable]), float(
            np.median([s["sigma_s"] for s in usable])
        ) if usable else math.nan

    delays, sigma = times(shots)
    for name, part in (("latency_p50", 0.5), ("latency_p95", 0.95), ("latency_p99", 0.99)):
        point, low, high = percentile(delays * 1e3, part) if len(delays) else (math.nan,) * 3
        few = (
            []
            if len(delays) >= shots_needed(part)
            else [f"{len(delays)} shots; {shots_needed(part)} support this percentile"]
        )
        row(name, point, bench.time_budget(point / 1e3, sigma, dt, 1e3), len(delays), (low, high), few)
    for name, of, reduce in (
        ("latency_max", shots, np.max),
        ("notify_p50", notify, np.median),
        ("cold_max", cold, np.max),
    ):
        values, s = times(of)
        value = float(reduce(values)) * 1e3 if len(values) else math.nan
        bounds = percentile(values * 1e3, 0.5)[1:] if name == "notify_p50" and len(values) else None
        row(name, value, bench.time_budget(value / 1e3, s, dt, 1e3), len(values), bounds)
    told = np.array([s["said"]["told_frames"] / c.rate for s in good])
    since = np.array([s["said"]["since_update_ns"] * 1e-9 for s in good])
    errors = {"honesty_raw": (told - delays) * 1e3, "honesty_corrected": (told - since - delays) * 1e3}
    for name, error in errors.items():
        value = float(error[np.argmax(np.abs(error))]) if len(error) else math.nan
        row(
            name,
            abs(value),
            bench.time_budget(float(np.mean(delays)) if len(delays) else math.nan, sigma, dt, 1e3),
            len(error),
        )
    deviations, completions = _completions(capture, bench, c, record.steps("material", c.name)[0]["facts"]["frames"])
    row(
        "completion_jitter",
        float(np.abs(deviations).max()) * 1e6 if completions else math.nan,
        Budget((Component("edge within a sample", "B", dt / 2 * 1e6, "rectangular"),)),
        completions,
    )
    row(
        "word_clock",
        clean.clock_ppm,
        Budget(
            (
                Component("time base of the instrument", "B", bench.timebase * 1e6, "rectangular"),
                Component("fit through the code positions", "A", clean.clock_sigma_ppm),
            )
        ),
        1,
    )
    row("glitches", float(len(clean.faults)), Budget(()), clean.frames_checked)
    counted = sum(
        int(e["done"].get(k, 0))
        for e in record.steps(configuration=c.name)
        if e["step"] != "selftest"
        for k in ("xruns", "underruns")
    )
    row("xruns", float(counted), Budget(()), len(record.steps(configuration=c.name)))
    return {
        "name": c.name, "stream": {"format": c.format, "rate": c.rate, "channels": c.channels, "period_frames": c.period_frames,
                                   "periods": c.periods, "policy": c.policy, "buffer_ms": c.buffer_s * 1e3},
        "measurands": rows, "highest_percentile": highest_percentile(len(delays)) if len(delays) else None,
        "latency_ms": [_number(v * 1e3) for v in delays], "honesty_ms": {k: [_number(v) for v in e] for k, e in errors.items()},
        "stages_ms": _stages(good, delays), "faults": [f.as_dict() for f in clean.faults],
        "not_identified": [{"shot": s["shot"], "why": s["why"]} for s in lost],
        "estimate": {"sigma_ns": _number(sigma * 1e9), "confidence_least": min((s["confidence"] for s in good), default=None),
                     "snr_db_least": min((s["snr_db"] for s in good), default=None)},
        "example": {k: good[0][k] for k in ("file", "index", "shot", "code", "delay_s")} if good else None,
    }  # fmt: skip


def _completions(capture: Capture, bench: _Bench, c: Configuration, frames: int) -> tuple[np.ndarray, int]:
    """(deviation of each completion from an even grid in seconds, their number), without those that RELEASE forces."""
    edges, _ = latency.marker_edges(capture, str(bench.marker.number))
    edges = edges[: max(0, frames // c.period_frames - c.periods)]
    if len(edges) < 3:
        return np.empty(0), 0
    index = np.rint((edges - edges[0]) * c.rate / c.period_frames)
    return edges - np.polyval(np.polyfit(index, edges, 1), index), len(edges)


def _stages(good: list[dict[str, Any]], delays: np.ndarray) -> dict[str, float]:
    """Median time of each point in a frame's life after A, ms: the board's event log, and O as measured."""
    stages = {}
    for name in STAGES:
        values = [
            s["said"]["stages_ns"][name] * 1e-6 for s in good if s["said"].get("stages_ns", {}).get(name) is not None
        ]
        if values:
            stages[name] = _number(float(np.median(values)))
    if len(delays):
        stages["O"] = _number(float(np.median(delays)) * 1e3)
    return stages


def _number(value: float) -> float | None:
    """Nine significant digits; what is not finite is none."""
    return float(f"{value:.9g}") if math.isfinite(value) else None
