# SPDX-License-Identifier: Apache-2.0
"""Every number of the certificate, from the record alone.

Promise: `evaluate(record, plan, config)` is a pure function of the record's folder; `virtone verify` calls it again and compares.
Times in seconds inside, in the measurand's unit in the results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from virtone.bench.config import BenchConfig
from virtone.signal.stimulus import hold_frames

from . import honesty, pace, stages
from .measure import BenchFacts, Measurer, Result, completions
from .plan import MEASURANDS, Configuration, Plan
from .record import Record, RecordError
from .steps import DETUNE_PPM, SELFTEST
from .uncertainty import Budget, Component, highest_percentile, percentile, shots_needed
from .verdict import judge, overall

MARKER_LIMIT_S = 135e-9  # the pin follows its event by 2 to 3 cycles of the audio master clock (22.5792 MHz)


class _Bench(BenchFacts):
    """What the budget needs of the bench file."""

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


def evaluate(
    record: Record, plan: Plan, config: BenchConfig, known: Mapping[str, Result] | None = None
) -> dict[str, Any]:
    """``{"detectors", "configurations", "verdict"}``, ready for JSON. `known`: results of `measure` by key, computed already.

    Raises RecordError for a record not complete or changed, IntegrityError for material that cannot be followed.
    """
    if not record.has("end"):
        raise RecordError(
            f"{record.folder}: the run is not finished; right is to start virtone certify again with the same files and --out"
        )
    bench, seen = _Bench(config), Measurer(record, plan, config, known)
    detectors = _detectors(record, plan.configurations[0], seen)
    doubts = []
    if not all(d["found"] for d in detectors):
        doubts.append("a detector did not find its seeded fault")
    if not record.begin["calibrated"]:
        doubts.append(f"calibration expired or unknown (due {record.begin['calibration_due']})")
    results = [_configuration(record, c, bench, seen, doubts) for c in plan.configurations]
    verdict = overall(m["_verdict"] for r in results for m in r["measurands"])
    for result in results:
        for m in result["measurands"]:
            del m["_verdict"]
    return {"detectors": detectors, "configurations": results, "verdict": str(verdict)}


def _detectors(record: Record, c: Configuration, measurer: Measurer) -> list[dict[str, Any]]:
    """Each seeded fault, and what was seen of it."""
    found = []
    slack = 8 * hold_frames(c.rate)
    clock_ppm = measurer.material(c)["integrity"]["clock_ppm"]
    for entry in record.steps("selftest"):
        facts, result = entry["facts"], measurer.step(entry)
        kind, seen = facts["fault"], result["integrity"]
        if seen is None:
            found.append({"fault": kind, "found": False, "seeded": "", "seen": result["error"]})
            continue
        faults = seen["faults"]
        if kind == "detune":
            off = seen["clock_ppm"] - clock_ppm
            ok = abs(off - DETUNE_PPM) < 1 + 4 * seen["clock_sigma_ppm"]
            seeded, text = f"clock {DETUNE_PPM:+d} ppm", f"clock {off:+.3f} ppm"
        else:
            ok = (
                len(faults) == 1
                and faults[0]["kind"] == kind
                and abs(faults[0]["at_frame"] - facts["at_frame"]) <= slack
                and abs(faults[0]["frames"] - facts["fault_frames"]) <= slack
            )
            seeded = f"{facts['fault_frames']} frames {kind} at {facts['at_frame']}"
            text = "; ".join(f"{f['frames']} frames {f['kind']} at {f['at_frame']}" for f in faults) or "nothing"
        found.append({"fault": kind, "found": bool(ok), "seeded": seeded, "seen": text})
    if [d["fault"] for d in found] != list(SELFTEST):
        raise RecordError(f"{record.folder}: self-test steps {[d['fault'] for d in found]}; {list(SELFTEST)} are right")
    return found


def _series(record: Record, c: Configuration, kind: str, measurer: Measurer) -> list[dict[str, Any]]:
    """All shots of one kind, each with ``said``, what the board reported of it."""
    return [
        shot | {"said": said}
        for entry in record.steps(kind, c.name)
        for shot, said in zip(measurer.step(entry)["shots"], entry["board"], strict=True)
    ]


def _configuration(
    record: Record, c: Configuration, bench: _Bench, measurer: Measurer, doubts: list[str]
) -> dict[str, Any]:
    material = measurer.material(c)
    clean, dt = material["integrity"], material["dt_s"]
    shots, notify, cold = (_series(record, c, kind, measurer) for kind in ("shots", "notify", "cold"))
    good, lost = [s for s in shots if s["good"]], [s for s in shots + notify + cold if not s["good"]]
    if lost:
        doubts = [*doubts, f"{len(lost)} shots not identified (first: {lost[0]['why']})"]
    late = {kind: pace.doubts(record.steps(kind, c.name)) for kind in ("material", "shots", "notify", "cold")}
    late_at_all = pace.doubts(record.steps(configuration=c.name))
    notes = {"notify_p50": stages.notify_note(record.steps("notify", c.name))}
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
                "text": f"{MEASURANDS[name].text}{notes.get(name, '')}",
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

    def times(of: list[dict[str, Any]]) -> tuple[np.ndarray, float, float]:
        """(delays, median sigma, longest sample interval) of the shots that were identified."""
        usable = [s for s in of if s["good"]]
        if not usable:
            return np.empty(0), math.nan, dt
        sigma, longest = np.median([s["sigma_s"] for s in usable]), max(s["dt_s"] for s in usable)
        return np.array([s["delay_s"] for s in usable]), float(sigma), longest

    delays, sigma, shot_dt = times(shots)
    for name, part in (("latency_p50", 0.5), ("latency_p95", 0.95), ("latency_p99", 0.99)):
        point, low, high = percentile(delays * 1e3, part) if len(delays) else (math.nan,) * 3
        few = (
            []
            if len(delays) >= shots_needed(part)
            else [f"{len(delays)} shots; {shots_needed(part)} support this percentile"]
        )
        row(
            name,
            point,
            bench.time_budget(point / 1e3, sigma, shot_dt, 1e3),
            len(delays),
            (low, high),
            few + late["shots"],
        )
    for name, kind, of, reduce in (
        ("latency_max", "shots", shots, np.max),
        ("notify_p50", "notify", notify, np.median),
        ("cold_max", "cold", cold, np.max),
    ):
        if not record.steps(kind, c.name):
            continue  # the plan has none
        values, s, its_dt = times(of)
        value = float(reduce(values)) * 1e3 if len(values) else math.nan
        bounds = percentile(values * 1e3, 0.5)[1:] if name == "notify_p50" and len(values) else None
        row(name, value, bench.time_budget(value / 1e3, s, its_dt, 1e3), len(values), bounds, late[kind])
    told = [honesty.of_shot(s["said"], s["delay_s"], c) for s in good]
    errors = {
        "honesty_raw": np.array([h.raw_s for h in told]) * 1e3,
        "honesty_corrected": np.array([h.corrected_s for h in told]) * 1e3,
        "honesty_completion": np.array([h.completion_s for h in told if h.completion_s is not None]) * 1e6,
    }

    def reckoned(scale: float) -> Component:
        return _log_clock(max(h.span_s for h in told), clean["clock_ppm"], scale)

    slow = pace.slow_board(record.steps("shots", c.name))
    for name, error, scale, more in (
        ("honesty_raw", errors["honesty_raw"], 1e3, late["shots"]),
        ("honesty_corrected", errors["honesty_corrected"], 1e3, late["shots"] + slow),
        ("honesty_completion", errors["honesty_completion"], 1e6, []),
    ):
        if name == "honesty_completion" and not len(error):
            continue  # the board keeps no event log
        value = float(error[np.argmax(np.abs(error))]) if len(error) else math.nan
        budget = bench.time_budget(float(np.mean(delays)) if len(delays) else math.nan, sigma, shot_dt, scale)
        if name == "honesty_completion":
            budget = Budget((*budget.components, reckoned(scale)))
        row(name, abs(value), budget, len(error), more=more)
    waits = [h.wait_s * 1e6 for h in told if h.wait_s is not None]
    if waits:
        row("update_wait", max(waits), Budget((reckoned(1e6),)), len(waits), more=late["shots"])
    deviations, completed = completions(
        material["marker_edges_s"], c, record.steps("material", c.name)[0]["facts"]["frames"]
    )
    row(
        "completion_jitter",
        float(np.abs(deviations).max()) * 1e6 if completed else math.nan,
        Budget((Component("edge within a sample", "B", dt / 2 * 1e6, "rectangular"),)),
        completed,
    )
    row(
        "word_clock",
        clean["clock_ppm"],
        Budget(
            (
                Component("time base of the instrument", "B", bench.timebase * 1e6, "rectangular"),
                Component("fit through the code positions", "A", clean["clock_sigma_ppm"]),
            )
        ),
        1,
    )
    row("glitches", float(len(clean["faults"])), Budget(()), clean["frames_checked"], more=late["material"])
    counted = sum(
        int(e["done"].get(k, 0))
        for e in record.steps(configuration=c.name)
        if e["step"] != "selftest"
        for k in ("xruns", "underruns")
    )
    given_up = [entry for entry in record.of_kind("slower") if entry.get("configuration") == c.name]
    again = pace.refusals([*record.steps(configuration=c.name), *given_up])
    row("xruns", float(counted), Budget(()), len(record.steps(configuration=c.name)), more=late_at_all + again)
    return {
        "name": c.name, "stream": {"format": c.format, "rate": c.rate, "channels": c.channels, "period_frames": c.period_frames,
                                   "periods": c.periods, "policy": c.policy, "buffer_ms": c.buffer_s * 1e3},
        "granted": _granted(record.steps(configuration=c.name)),
        "measurands": rows, "highest_percentile": highest_percentile(len(delays)) if len(delays) else None,
        "latency_ms": [_number(v * 1e3) for v in delays], "honesty_ms": {k: [_number(v) for v in e] for k, e in errors.items()},
        "stages": stages.table({kind: (record.steps(kind, c.name), series) for kind, series in
                                (("shots", shots), ("notify", notify), ("cold", cold)) if series}), "faults": clean["faults"],
        "not_identified": [{"shot": s["shot"], "why": s["why"]} for s in lost],
        "estimate": {"sigma_ns": _number(sigma * 1e9), "confidence_least": min((s["confidence"] for s in good), default=None),
                     "snr_db_least": min((s["snr_db"] for s in good), default=None)},
        "example": {k: good[0][k] for k in ("file", "index", "shot", "code", "delay_s")} if good else None,
    }  # fmt: skip


def _log_clock(span_s: float, clock_ppm: float, scale: float) -> Component:
    """Of a time that was reckoned from the event log with the nominal rate: the word clock as measured, and never below 1 ppm."""
    return Component(
        "word clock against the event log's", "B", max(abs(clock_ppm), 1.0) * 1e-6 * span_s * scale, "rectangular"
    )


def _granted(entries: list[dict[str, Any]]) -> dict[str, int] | None:
    """Period and buffer in frames as the driver granted them, if the board says so; it refuses what is not what was asked for."""
    done = next((e["done"] for e in entries if "period" in e["done"] and "buffer" in e["done"]), None)
    return {key: int(done[key]) for key in ("period", "buffer")} if done else None


def _number(value: float) -> float | None:
    """Nine significant digits; what is not finite is none."""
    return float(f"{value:.9g}") if math.isfinite(value) else None
