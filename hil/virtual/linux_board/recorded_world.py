# SPDX-License-Identifier: Apache-2.0
"""The modelled device behind the Linux board's register window, with a recorder.

    python -m hil.virtual.linux_board.recorded_world SOCKET --dilation 10 --out FOLDER

Promise: as `model_world`, and the folder gets recording.txt (`hil.recordings.records`, without a head). The board divides it into
sections: a marker n (PROBE_MARKER) begins section n of `hil.recordings.actions.SECTIONS`; the first one begins by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hil.recordings.actions import SECTIONS
from hil.recordings.records import Recording, text
from virtone.virtio import probe

from .model_world import ModelPort, ModelWorld, main
from .recorder import Recorder


class SectionPort(ModelPort):
    """Markers begin sections."""

    recorder: Recorder

    async def _write(self, offset: int, value: int, size: int) -> None:
        await super()._write(offset, value, size)
        if offset == probe.PROBE_BASE + probe.PROBE_MARKER and value < len(SECTIONS):
            self.recorder.section(SECTIONS[value])


class RecordedWorld(ModelWorld):
    def __init__(self, socket: Path, dilation: float) -> None:
        super().__init__(socket, dilation)
        self.recorder = Recorder(self.device, SECTIONS[0])
        self.port = SectionPort(self.device)
        self.port.recorder = self.recorder
        self.bridge.port = self.port
        reset = self.bridge._reset

        async def reset_unseen() -> None:
            """The virtual machine resets the device before the board boots; that is none of the driver's accesses."""
            await reset()
            self.recorder.begin_anew()

        self.bridge._reset = reset_unseen

    def write(self, folder: Path) -> None:
        super().write(folder)
        part = folder / "recording.part"
        part.write_text(text(Recording({}, self.recorder.records)))
        part.rename(folder / "recording.txt")


if __name__ == "__main__":
    sys.exit(main(RecordedWorld, " with a recorder"))
