# SPDX-License-Identifier: Apache-2.0
"""The modelled device behind the Linux board's register window, with the whole probe page: event log, marker pin, counters.

    python -m hil.guest.probed_world SOCKET --dilation 10 --out FOLDER

Promise: as `linux_board.model_world`, and the folder gets probe.json: `pulses`, times in ns at which marker pin 0 rose, and
`events`, every event of the device as [ns, kind, argument].
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from hil.virtual.linux_board.model_world import ModelWorld
from hil.virtual.model_probe import ProbedPort
from virtone.model.device import SoundDevice
from virtone.model.timeline import TICKS_PER_NS


class MarkedPort(ProbedPort):
    """`ProbedPort` that says what `ModelWorld` wants to report."""

    def __init__(self, device: SoundDevice) -> None:
        super().__init__(device)
        self.markers: list[tuple[int, int]] = []


def main() -> int:
    parser = argparse.ArgumentParser(description="The modelled sound device with its probe page behind a socket.")
    parser.add_argument("socket", type=Path)
    parser.add_argument("--dilation", type=float, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    stop, ring = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(ring, b"."))
    world = ModelWorld(options.socket, options.dilation)
    port = MarkedPort(world.device)
    world.port = world.bridge.port = port
    print(json.dumps({"ready": True, "socket": str(options.socket)}), flush=True)
    try:
        world.serve(stop)
    finally:
        world.server.close()
        world.write(options.out)
        events = [[e.tick // TICKS_PER_NS, e.kind, e.arg] for e in world.device.events]
        part = options.out / "probe.part"
        part.write_text(json.dumps({"pulses": port.pulses, "events": events}))
        part.rename(options.out / "probe.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
