# SPDX-License-Identifier: Apache-2.0
"""The modelled device (`virtone.model.device`) behind the Linux board's register window, paced to the guest's clock.

    python -m hil.virtual.linux_board.model_world SOCKET --dilation 10 --out FOLDER

It serves until the virtual machine leaves, its standard input ends, or SIGTERM; then it writes frames.npy (time in ns, left, right
of every frame played) and report.json (pace, interrupts, accesses, device events by kind) into FOLDER. One line of JSON on standard
output says when it listens.

Promise: simulated time is wall time / N when an access is carried out, so the driver meets the device as docs/device.md has it.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import select
import signal
import sys
from pathlib import Path

import numpy as np

from virtone.model.device import SoundDevice
from virtone.model.memory import BusError, Memory
from virtone.model.timeline import TICKS_PER_NS, Timeline
from virtone.virtio import mmio, probe

from .errors import Disconnected
from .time import Pacer
from .vfio_user import Server

_STEP_S = 0.0005  # longest sleep while the device may have something to do


class LateMemory(Memory):
    """Guest memory that is mapped when the virtual machine hands it over; before that every access is a bus error."""

    def __init__(self) -> None:
        super().__init__(1 << 12)
        self.size = 0

    def attach(self, view: memoryview, base: int) -> None:
        self._view, self.base, self.size = view, base, len(view)

    def read(self, address: int, size: int) -> bytes:
        if not self.size:
            raise BusError(address, size, self.base, 0)
        return super().read(address, size)


class ModelWindow:
    """Registers of the model; the probe page answers its magic word, version and clock."""

    def __init__(self, device: SoundDevice) -> None:
        self.device, self.accesses = device, 0
        self.markers: list[tuple[int, int]] = []  # simulated ns, value

    def read(self, offset: int, size: int) -> int:
        self.accesses += 1
        if offset < probe.PROBE_BASE:
            return self.device.read(offset, size)
        now = self.device.timeline.now_ns()
        answers = {
            int(probe.PROBE_MAGIC): int(probe.PROBE_MAGIC_WORD),
            int(probe.PROBE_VERSION): int(probe.PROBE_VERSION_WORD),
            int(probe.PROBE_CLOCK_HZ): 1_000_000_000,
            int(probe.PROBE_TIME_LOW): now & 0xFFFF_FFFF,
            int(probe.PROBE_TIME_HIGH): now >> 32,
        }
        return answers.get(offset - int(probe.PROBE_BASE), 0)

    def write(self, offset: int, size: int, value: int) -> None:
        self.accesses += 1
        if offset < probe.PROBE_BASE:
            self.device.write(offset, value, size)
        elif offset == probe.PROBE_BASE + probe.PROBE_MARKER:
            self.markers.append((self.device.timeline.now_ns(), value))

    def reset(self) -> None:
        self.device.write(int(mmio.VIRTIO_MMIO_STATUS), 0, 4)


class ModelWorld:
    """Timeline, device and server in one loop."""

    def __init__(self, socket: Path, dilation: float) -> None:
        self.timeline, self.memory = Timeline(), LateMemory()
        self.device = SoundDevice(self.timeline, self.memory, reset_ns=0)
        self.window = ModelWindow(self.device)
        self.server = Server(socket, self.window)
        self.pacer = Pacer(dilation)

    def catch_up(self) -> None:
        """Run the device up to guest time and show its interrupt line."""
        now_ps = self.timeline.now * 1000 // TICKS_PER_NS
        late_ps = self.pacer.due_ps(now_ps) - now_ps
        if late_ps > 0:
            self.pacer.ahead_s(now_ps)
            self.timeline.advance_ns(late_ps / 1000)
        self.server.set_interrupt(self.device.interrupt.is_set())

    def serve(self, stop: int) -> None:
        """Until descriptor `stop` has something to read, or the virtual machine leaves."""
        while True:
            ready = select.select([self.server, stop], [], [], _STEP_S)[0]
            if stop in ready:
                return
            self.catch_up()
            try:
                while self.server.handle_one():
                    if not self.memory.size and (ram := self.server.memory(0x4000_0000)):
                        self.memory.attach(ram.view, ram.base)
                    self.catch_up()
            except Disconnected:
                return

    def write(self, folder: Path) -> None:
        frames = [(f.tick // TICKS_PER_NS, f.left, f.right) for f in self.device.frames]
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "frames.part").open("wb") as file:
            np.save(file, np.array(frames, dtype=np.int64).reshape(-1, 3))
        (folder / "frames.part").rename(folder / "frames.npy")
        pace = self.pacer.report()
        line = self.server.interrupt
        report = {
            "pace": str(pace),
            "worst_behind_ns": pace.worst_behind_ns,
            "accesses": self.window.accesses,
            "markers": self.window.markers,
            "interrupts": {"events": line.events, "withdrawn": line.withdrawn},
            "events": collections.Counter(e.kind for e in self.device.events),
        }
        (folder / "report.part").write_text(json.dumps(report, indent=1))
        (folder / "report.part").rename(folder / "report.json")


def main() -> int:
    parser = argparse.ArgumentParser(description="The modelled sound device behind a vfio-user socket.")
    parser.add_argument("socket", type=Path)
    parser.add_argument("--dilation", type=float, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    stop, ring = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(ring, b"."))
    world = ModelWorld(options.socket, options.dilation)
    print(json.dumps({"ready": True, "socket": str(options.socket)}), flush=True)
    try:
        world.serve(stop)
    finally:
        world.server.close()
        world.write(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
