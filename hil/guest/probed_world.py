# SPDX-License-Identifier: Apache-2.0
"""The modelled device behind the Linux board's register window, with the whole probe page: event log, marker pin, counters.

    python -m hil.guest.probed_world SOCKET --dilation 10 --out FOLDER

Promise: as `linux_board.model_world`, and the folder gets probe.json: `pulses`, times in ns at which marker pin 0 rose, and
`events`, every event of the device as [ns, kind, argument].
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hil.virtual.linux_board.model_world import ModelWorld, main
from hil.virtual.model_probe import ProbedPort
from virtone.model.device import SoundDevice
from virtone.model.timeline import TICKS_PER_NS


class MarkedPort(ProbedPort):
    """`ProbedPort` that says what `ModelWorld` wants to report."""

    def __init__(self, device: SoundDevice) -> None:
        super().__init__(device)
        self.markers: list[tuple[int, int]] = []


class ProbedWorld(ModelWorld):
    def __init__(self, socket: Path, dilation: float) -> None:
        super().__init__(socket, dilation)
        self.port = self.bridge.port = self.probed = MarkedPort(self.device)

    def write(self, folder: Path) -> None:
        super().write(folder)
        events = [[e.tick // TICKS_PER_NS, e.kind, e.arg] for e in self.device.events]
        part = folder / "probe.part"
        part.write_text(json.dumps({"pulses": self.probed.pulses, "events": events}))
        part.rename(folder / "probe.json")


if __name__ == "__main__":
    sys.exit(main(ProbedWorld, " with its probe page"))
