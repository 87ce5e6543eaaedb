# SPDX-License-Identifier: Apache-2.0
"""Pace meter of the Linux board: how far the simulation was behind the guest's clock.

| Command | Meaning |
|---|---|
| `:PACE?` | since the last `:PACE?`: N, simulated seconds, worst seconds behind, seconds behind now, wall seconds the simulation waited, wall seconds the guest's clock was held, interrupts left unanswered |
"""

from __future__ import annotations

from collections.abc import Callable

from .linux_board.errors import BoardError
from .linux_board.time import PaceReport
from .scpi import ScpiDevice, ScpiError


class PaceMeter(ScpiDevice):
    """`ask` returns a report and begins a new one; simulated times."""

    def __init__(self, ask: Callable[[], PaceReport], serial: str = "SIM00000003") -> None:
        super().__init__(f"VIRTONE,PACE-METER-SIM,{serial},1.0")
        self._ask = ask
        self.on(":PACE", get=self._pace)

    def close(self) -> None:
        self.cancel.set()

    def reset(self) -> None:
        """Nothing is set."""

    def _pace(self) -> str:
        try:
            said = self._ask()
        except BoardError as error:
            raise ScpiError(-230, str(error)) from error
        return (
            f"{said.dilation:g},{said.simulated_s:.9g},{said.worst_behind_ns * 1e-9:.9g},"
            f"{said.behind_ns * 1e-9:.9g},{said.throttled_s:.6g},{said.held_s:.6g},{said.unanswered}"
        )
