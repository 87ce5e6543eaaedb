# SPDX-License-Identifier: Apache-2.0
"""The modelled device (`virtone.model.device`) behind the Linux board's register window, paced to the guest's clock.

    python -m hil.virtual.linux_board.model_world SOCKET --dilation 10 --out FOLDER

The guest counts by the `clock` beside the socket (`guest_clock`). It serves until the virtual machine leaves, or SIGTERM; then it writes frames.npy (time in ns, left, right
of every frame played) and report.json (pace, interrupts, accesses, device events by kind) into FOLDER. When the process that started it dies,
it is killed at once and writes nothing. One line of JSON on standard output says when it listens; standard input is not read.

It is what the simulated RTL is behind the same bridge: another `Port`. So the driver meets the device as docs/device.md has it.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cocotb_tests.engine.process import die_with_parent
from virtone.model.device import SoundDevice
from virtone.model.device_port import DevicePort
from virtone.model.memory import BusError, Memory
from virtone.model.timeline import TICKS_PER_NS, Timeline
from virtone.virtio import probe

from .bridge import ANSWER_NS, Bridge
from .guest_clock import FILE, GuestClock
from .qemu import MEMORY_BASE
from .time import Pacer
from .vfio_user import Server

_LIMIT_NS = 86_400e9  # a day of simulated time


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


class ModelPort(DevicePort):
    """The model's registers, and a probe page that knows its magic word, version and clock and records markers."""

    def __init__(self, device: SoundDevice) -> None:
        super().__init__(device)
        self.markers: list[tuple[int, int]] = []  # simulated ns, value

    async def _read(self, offset: int, size: int) -> int:
        if offset < probe.PROBE_BASE:
            return await super()._read(offset, size)
        now = self.now_ns()
        answers = {
            int(probe.PROBE_MAGIC): int(probe.PROBE_MAGIC_WORD),
            int(probe.PROBE_VERSION): int(probe.PROBE_VERSION_WORD),
            int(probe.PROBE_CLOCK_HZ): 1_000_000_000,
            int(probe.PROBE_TIME_LOW): now & 0xFFFF_FFFF,
            int(probe.PROBE_TIME_HIGH): now >> 32,
        }
        return answers.get(offset - int(probe.PROBE_BASE), 0)

    async def _write(self, offset: int, value: int, size: int) -> None:
        if offset < probe.PROBE_BASE:
            await super()._write(offset, value, size)
        elif offset == probe.PROBE_BASE + probe.PROBE_MARKER:
            self.markers.append((self.now_ns(), value))


class ModelWorld:
    """Timeline, device, server, and the bridge between them."""

    def __init__(self, socket: Path, dilation: float) -> None:
        self.timeline, self.memory = Timeline(), LateMemory()
        self.device = SoundDevice(self.timeline, self.memory)
        self.port = ModelPort(self.device)
        self.server = Server(socket)
        self.pacer = Pacer(dilation, guest=GuestClock(socket.with_name(FILE)))
        self.bridge = Bridge(
            self.server,
            self.port,
            self.device.interrupt.is_set,
            self.pacer,
            answer_ns=ANSWER_NS,
            on_memory=self._map_memory,
        )

    def serve(self, stop: int) -> None:
        """Until descriptor `stop` has something to read, or the virtual machine leaves."""
        self.timeline.run(
            self.bridge.run(lambda: bool(select.select([stop], [], [], 0)[0]), wake=[stop]), limit_ns=_LIMIT_NS
        )

    def _map_memory(self, server: Server) -> None:
        if (ram := server.memory(MEMORY_BASE)) is not None:
            self.memory.attach(ram.view, ram.base)

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
            "accesses": self.bridge.accesses,
            "markers": self.port.markers,
            "interrupts": {"events": line.events, "withdrawn": line.withdrawn},
            "events": collections.Counter(e.kind for e in self.device.events),
        }
        (folder / "report.part").write_text(json.dumps(report, indent=1))
        (folder / "report.part").rename(folder / "report.json")


def main(make: Callable[[Path, float], ModelWorld] = ModelWorld, what: str = "") -> int:
    """The program around a world that `make` makes of socket and dilation; `what` it has beside the device, for --help."""
    parser = argparse.ArgumentParser(description=f"The modelled sound device{what} behind a vfio-user socket.")
    parser.add_argument("socket", type=Path)
    parser.add_argument("--dilation", type=float, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    die_with_parent(parent=os.getppid())()
    stop, ring = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(ring, b"."))
    world = make(options.socket, options.dilation)
    print(json.dumps({"ready": True, "socket": str(options.socket)}), flush=True)
    try:
        world.serve(stop)
    finally:
        world.server.close()
        world.write(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
