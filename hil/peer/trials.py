# SPDX-License-Identifier: Apache-2.0
"""How small a buffer can be and still play cleanly, and one job's figures.

Promise: a shape (period, periods) is called clean when every one of the trials was: `sndprobe` ended well without an underrun, and every
frame left the device in its place. Shapes are tried from the smallest buffer up; a short screening job spares the trials of those that
fail at once. A trial says nothing and is repeated when the simulation lagged behind the guest's clock by more than a period, or when it
went wrong while the guest itself was later than half a period (`lateness`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import figures, guest
from .boards import BACKEND_HZ, Side
from .lateness import guest_late_s
from .sink import Evidence, QemuWatch, RtlWatch

RATE = BACKEND_HZ
SCREENING_S = 0.25
_REPEATS = 3  # of a trial that says nothing, of a job whose figures were spoiled by an underrun
FIGURES_S = 2.0  # guest time of a job whose figures are taken, where it is stretched
Say = Callable[[str], None]
Noise = NDArray[np.int16]


@dataclass(frozen=True)
class Shape:
    """Frames of a period, periods of the buffer."""

    period: int
    periods: int

    @property
    def buffer_ms(self) -> float:
        return self.period * self.periods * 1000 / RATE

    def __str__(self) -> str:
        return f"{self.buffer_ms:.3g} ms ({self.period} x {self.periods} frames)"


# By size of the buffer. 25 frames is the smallest period of a device that offers mono S16 at 5512 Hz.
LADDER = tuple(
    Shape(period, periods)
    for period, periods in (
        *((25, 2), (48, 2), (25, 4), (96, 2), (48, 4), (240, 2), (120, 4), (480, 2), (240, 4), (240, 5), (480, 3)),
        *((960, 2), (480, 4), (960, 4)),
    )
)


@dataclass(frozen=True)
class Trial:
    """`verdict`: clean, dirty or inconclusive; `why` of the latter two. `repeated`: how often it had said nothing before."""

    verdict: str
    why: str = ""
    repeated: int = 0


@dataclass(frozen=True)
class Tried:
    shape: Shape
    seconds: float
    clean: int
    trials: int
    verdict: str
    why: str
    repeated: int


@dataclass
class Search:
    """`smallest` is None if no shape was clean."""

    smallest: Shape | None = None
    tried: list[Tried] = field(default_factory=list)

    def two_periods(self, most_ms: float) -> str:
        """Verdict on buffers of two periods up to `most_ms`: clean if one of them was, else inconclusive if one was, else dirty."""
        verdicts = {t.verdict for t in self.tried if t.shape.periods == 2 and t.shape.buffer_ms <= most_ms}
        return next((v for v in ("clean", "inconclusive", "dirty") if v in verdicts), "inconclusive")


def judge(played: guest.Played, evidence: Evidence, shape: Shape, dilation: float) -> Trial:
    """What one job says about a shape. A late simulation makes it easier, a late guest harder than it is."""
    period_s = shape.period / RATE
    if evidence.pace is not None and not evidence.pace.kept(period_s * 1e9):
        behind = evidence.pace.worst_behind_ns / 1e6
        return Trial("inconclusive", f"the simulation lagged by {behind:.2f} ms; a larger --dilation is right")
    wrong = played.error or (f"{played.xruns} underruns seen by ALSA" if played.xruns else evidence.fault)
    if not wrong:
        return Trial("clean")
    late_s = guest_late_s(played, evidence, shape.period, dilation)
    if late_s > period_s / 2:
        return Trial("inconclusive", f"{wrong}, but the guest itself was {late_s * 1e3:.2f} ms late")
    return Trial("dirty", wrong)


def sources(noise: Noise) -> dict[str, Noise]:
    """What is played, by the name under which it is on the board."""
    return {"noise": noise, "some": noise[: round(FIGURES_S * RATE)], "short": noise[: round(SCREENING_S * RATE)]}


class Bench:
    """One board with its watch and the noise that is on it under the names `noise` (whole), `some` (FIGURES_S of it) and `short` (SCREENING_S)."""

    def __init__(self, side: Side, watch: QemuWatch | RtlWatch, noise: Noise, say: Say) -> None:
        self.side, self.watch, self.noise, self.say = side, watch, noise, say

    def job(self, shape: Shape, source: str) -> tuple[guest.Played, Evidence]:
        noise = sources(self.noise)[source]
        self.watch.begin()
        played = guest.play(self.side, source, len(noise), RATE, shape.period, shape.periods)
        return played, self.watch.end(noise)

    def trial(self, shape: Shape, source: str) -> Trial:
        """Repeated while it says nothing, a few times."""
        found, repeated = judge(*self.job(shape, source), shape, self.side.dilation), 0
        while found.verdict == "inconclusive" and repeated < _REPEATS:
            self.say(f"{self.side.name}: {shape}: repeated, {found.why}")
            found, repeated = judge(*self.job(shape, source), shape, self.side.dilation), repeated + 1
        return replace(found, repeated=repeated)

    def attempt(self, shape: Shape, trials: int) -> Tried:
        """Screening, then trials until one is not clean."""
        found = self.trial(shape, "short")
        seconds, clean, repeated = SCREENING_S, 0, found.repeated
        if found.verdict == "clean":
            seconds = len(self.noise) / RATE
            while clean < trials and found.verdict == "clean":
                found = self.trial(shape, "noise")
                clean += found.verdict == "clean"
                repeated += found.repeated
                self.say(f"{self.side.name}: {shape}: {seconds:g} s {found.verdict}")
        return Tried(shape, seconds, clean, clean + (found.verdict != "clean"), found.verdict, found.why, repeated)

    def search(self, trials: int, ladder: Sequence[Shape] = LADDER) -> Search:
        """Up to the smallest clean shape."""
        search = Search()
        for shape in ladder:
            tried = self.attempt(shape, trials)
            search.tried.append(tried)
            again = f" ({tried.repeated} repeated)" if tried.repeated else ""
            self.say(
                f"{self.side.name}: {shape}: {tried.clean} of {tried.trials} clean{again}{tried.why and '; '}{tried.why}"
            )
            if tried.verdict == "clean":
                search.smallest = shape
                break
        return search

    def figures(self, shape: Shape) -> dict[str, Any]:
        """Figures of one job in which every frame was in its place, if there is one; `missing` says why there are none at all."""
        why, spoiled, source = "", None, "noise" if self.side.dilation == 1 else "some"
        for _ in range(1 + _REPEATS):
            played, evidence = self.job(shape, source)
            pace = {} if evidence.pace is None else {"worst_behind_ns": evidence.pace.worst_behind_ns}
            try:
                found = figures.measured(played, evidence, shape.period, RATE)
            except figures.NoFigure as error:
                why = str(error)
                continue
            taken = {"shape": [shape.period, shape.periods], **found, **pace}
            if evidence.fault:
                self.say(f"{self.side.name}: figures at {shape}: repeated, {evidence.fault}")
                spoiled = taken
                continue
            self.say(f"{self.side.name}: figures at {shape}")
            return taken
        if spoiled is not None:
            return spoiled
        self.say(f"{self.side.name}: no figures at {shape}: {why}")
        return {"shape": [shape.period, shape.periods], "missing": why}
