# SPDX-License-Identifier: Apache-2.0
"""Pace meter of a virtual bench whose board runs on stretched wall time: was the simulation where the board's clock was?

Command set: `:PACE?` answers seven numbers since the last `:PACE?`: N, simulated seconds, worst seconds behind, seconds behind now, wall
seconds that the simulation waited, wall seconds that the board's clock was held for it, interrupts that
the board left unanswered.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadAnswer
from ..transport import Link
from .digitizer import Identity, check_identity

MODELS = ("PACE-METER",)


@dataclass(frozen=True)
class Pace:
    """`dilation`: wall seconds per second of the board's clock; the rest in simulated seconds, `waited_s` and `held_s` in wall seconds."""

    dilation: float
    simulated_s: float
    worst_behind_s: float
    behind_s: float
    waited_s: float
    held_s: float
    unanswered: float


class PaceMeter:
    """One pace meter."""

    def __init__(self, link: Link, serial: str | None = None) -> None:
        self.link = link
        self.identity = Identity.parse(link.identity)
        check_identity(link.resource, self.identity, MODELS, serial)

    def close(self) -> None:
        self.link.close()

    def read(self) -> Pace:
        """How it was since the last reading. BadAnswer."""
        answer = self.link.query(":PACE?")
        try:
            return Pace(*(float(part) for part in answer.split(",")))
        except (ValueError, TypeError):
            raise BadAnswer(self.link.resource, ":PACE?", None, f"{answer[:60]!r}; right are seven numbers") from None
