# SPDX-License-Identifier: Apache-2.0
"""All instruments of one virtual bench, on free loopback ports.

Promises: after construction every address in `resources` answers; `close` ends all threads and sockets.
Its user has a capture ring whose header is written, and hands `resources` to whoever opens the bench.
"""

from __future__ import annotations

from pathlib import Path

from .codec import Codec, codec_by_name
from .faults import Faults
from .hislip import HislipServer
from .i2s_analyzer import I2sAnalyzer
from .infiniivision import InfiniiVision
from .oscilloscope import Oscilloscope
from .ring_source import RingSource
from .socket_server import SocketServer


class Rack:
    """Oscilloscope (`oscilloscope`) and digital audio analyzer (`i2s`), each over HiSLIP and over a raw socket (`..._socket`)."""

    def __init__(
        self, ring: Path | str, codec: str, *, timebase_ppm: float = 0.8, seed: int = 1, audio: str = "left"
    ) -> None:
        self.codec: Codec = codec_by_name(codec)
        self.source = RingSource(ring)
        scope = Oscilloscope(self.source, self.codec, timebase_ppm=timebase_ppm, seed=seed, audio=audio)
        self.faults = {"oscilloscope": Faults(), "i2s": Faults()}
        self.oscilloscope = InfiniiVision(scope, faults=self.faults["oscilloscope"])
        self.i2s = I2sAnalyzer(self.source)
        self.resources: dict[str, str] = {}
        self._servers: list[HislipServer | SocketServer] = []
        for name, device in (("oscilloscope", self.oscilloscope), ("i2s", self.i2s)):
            hislip, raw = HislipServer(device, self.faults[name]), SocketServer(device, self.faults[name])
            self._servers += [hislip, raw]
            self.resources |= {name: hislip.resource, f"{name}_socket": raw.resource}

    def close(self) -> None:
        for server in self._servers:
            server.close()
        self.oscilloscope.close()
        self.i2s.close()
