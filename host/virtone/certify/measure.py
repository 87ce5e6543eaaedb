# SPDX-License-Identifier: Apache-2.0
"""What the captures of one recorded step show: the slow half of the evaluation, one step at a time.

Promise: `Measurer.step(entry)` is a pure function of the record's folder, and its result survives JSON unchanged, so that it does not
matter which process computed it. Times in seconds. The user measures a configuration's material before its shots: the word
clock found there sets the time base of the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from virtone.bench.config import BenchConfig
from virtone.signal import integrity, latency
from virtone.signal.capture import Capture

from .plan import Configuration, Plan
from .record import Record, RecordError

Result = dict[str, Any]
PLAYED = ("material", "selftest")


class BenchFacts:
    """What the evaluation needs of the bench file."""

    def __init__(self, config: BenchConfig) -> None:
        scope = config.instruments["oscilloscope"]
        self.analog, self.marker = (scope.channels[role] for role in ("analog", "marker"))
        self.timebase = scope.timebase_ppm * 1e-6
        self.skew_s = self.analog.skew_s - self.marker.skew_s
        self.skew_limit_s = math.hypot(self.analog.skew_limit_s, self.marker.skew_limit_s)


class Measurer:
    """Measures steps of one record; `known` holds results by key that need not be computed again."""

    def __init__(
        self, record: Record, plan: Plan, config: BenchConfig, known: Mapping[str, Result] | None = None
    ) -> None:
        self.record, self.facts = record, BenchFacts(config)
        self._configurations = {c.name: c for c in plan.configurations}
        self._results: dict[str, Result] = dict(known or {})

    def step(self, entry: dict[str, Any]) -> Result:
        """Of material and self-tests: `played`; of shots, notify and cold: ``{"shots": [one_shot, ...]}``. Errors: RecordError."""
        key = entry["key"]
        if key not in self._results:
            c = self._configurations[entry["configuration"]]
            measure = self._played if entry["step"] in PLAYED else self._shots
            self._results[key] = measure(entry, c)
        return self._results[key]

    def material(self, c: Configuration) -> Result:
        """`played` of a configuration's clean material. Raises IntegrityError when it cannot be followed."""
        entries = self.record.steps("material", c.name)
        if not entries:
            raise RecordError(f"{self.record.folder}: no material of {c.name}; the record is not complete")
        result = self.step(entries[0])
        if result["error"]:
            raise integrity.IntegrityError(f"{entries[0]['captures']['file']}: {result['error']}")
        return result

    def _played(self, entry: dict[str, Any], c: Configuration) -> Result:
        """``{"error", "dt_s", "integrity": Integrity as dict, "marker_edges_s"}``; `error` is empty or says why nothing was found."""
        capture, facts = self.record.captures(entry)[0], entry["facts"]
        result: Result = {"error": "", "dt_s": capture.dt_s, "integrity": None, "marker_edges_s": []}
        try:
            seen = integrity.check(capture, str(self.facts.analog.number), c.rate, facts["frames"], facts["first_code"])
        except integrity.IntegrityError as error:
            return result | {"error": str(error)}
        edges, _ = latency.marker_edges(capture, str(self.facts.marker.number))
        return result | {"integrity": asdict(seen) | {"faults": [f.as_dict() for f in seen.faults]}, "marker_edges_s": edges.tolist()}  # fmt: skip

    def _shots(self, entry: dict[str, Any], c: Configuration) -> Result:
        facts = entry["facts"]
        codes = range(facts["first_code"], facts["first_code"] + facts["count"])
        captures = self.record.captures(entry)
        if not len(captures) == len(entry["board"]) == facts["count"]:
            raise RecordError(
                f"{entry['key']}: {len(captures)} captures, {len(entry['board'])} board records; {facts['count']} of each are right"
            )
        clock_ppm = self.material(c)["integrity"]["clock_ppm"]
        shots = []
        for index, (capture, said) in enumerate(zip(captures, entry["board"], strict=True)):
            shot = {"shot": facts["first_shot"] + index, "code": codes[index], "file": entry["key"], "index": index}
            shots.append(shot | self._one_shot(capture, c, said.get("code"), codes[index], codes, clock_ppm))
        return {"shots": shots}

    def _one_shot(
        self, capture: Capture, c: Configuration, said_code: int | None, due: int, codes: range, clock_ppm: float
    ) -> Result:
        """``{"good", "why", "dt_s"}`` and, if the burst was found, ``delay_s`` after the marker and the estimate."""
        try:
            d = _estimate(capture, str(self.facts.analog.number), c.rate, due, codes, clock_ppm)
            edge, _ = latency.marker_edge(capture, str(self.facts.marker.number))
        except latency.EstimateError as error:
            return {"good": False, "why": str(error), "dt_s": capture.dt_s}
        why = ""
        if d.code != due or said_code != due:
            why = f"code {due} was due, {d.code} came, the board says {said_code}"
        elif d.confidence < latency.CONFIDENCE_MIN:
            why = f"confidence {d.confidence:.2f}"
        elif abs(edge) > 2 * capture.dt_s:
            why = f"marker edge at {edge * 1e6:.2f} us, trigger at 0"
        return {
            "good": not why,
            "why": why,
            "dt_s": capture.dt_s,
            "delay_s": float(d.t_s - self.facts.skew_s),
            "sigma_s": float(d.sigma_s),
            "confidence": float(d.confidence),
            "snr_db": float(d.snr_db),
            "edge_s": float(edge),
        }


def _estimate(capture: Capture, channel: str, rate: int, due: int, codes: range, clock_ppm: float) -> latency.Delay:
    """The code that is due if it is there (no other one correlates as well), else whichever of the batch it is."""
    try:
        found = latency.estimate(capture, channel, rate, due, (), clock_ppm)
        if found.confidence >= latency.CONFIDENCE_MIN:
            return found
    except latency.EstimateError:
        pass
    return latency.estimate(capture, channel, rate, due, codes, clock_ppm)


def completions(edges_s: list[float], c: Configuration, frames: int) -> tuple[np.ndarray, int]:
    """(deviation of each completion from an even grid in seconds, their number), without those that RELEASE forces."""
    edges = np.asarray(edges_s[: max(0, frames // c.period_frames - c.periods)])
    if len(edges) < 3:
        return np.empty(0), 0
    index = np.rint((edges - edges[0]) * c.rate / c.period_frames)
    return edges - np.polyval(np.polyfit(index, edges, 1), index), len(edges)
