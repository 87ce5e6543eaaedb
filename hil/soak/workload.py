# SPDX-License-Identifier: Apache-2.0
"""What a workload is: a name, what it does with which parameters, the files it needs on the board, how late the simulation may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .outcome import Findings
from .session import Session

Files = dict[str, bytes | Path]


@dataclass(frozen=True)
class Workload:
    """`guest_s`: about how long it takes in guest time. `buffer_ms`: of its stream; half of that is how late the simulation may be.
    `carry_out(session, **parameters)` does it; `files(root, **parameters)` is what it wants on the board.
    """

    name: str
    family: str
    carry_out: Callable[..., Findings]
    guest_s: float
    buffer_ms: float
    parameters: Mapping[str, Any] = field(default_factory=dict)
    files: Callable[..., Files] | None = None
    quick: bool = False

    @property
    def behind_limit_ms(self) -> float:
        return self.buffer_ms / 2

    def board_files(self, root: Path) -> Files:
        return {} if self.files is None else self.files(root, **self.parameters)

    def run(self, session: Session) -> Findings:
        return self.carry_out(session, **self.parameters)


@dataclass(frozen=True)
class Stream:
    """Shape of a stream as aplay is told."""

    rate: int = 48000
    period: int = 480
    periods: int = 4

    @property
    def options(self) -> str:
        return f"--period-size={self.period} --buffer-size={self.period * self.periods}"

    @property
    def buffer_ms(self) -> float:
        return 1000 * self.period * self.periods / self.rate
