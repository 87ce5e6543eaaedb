# SPDX-License-Identifier: Apache-2.0
"""`:WAVeform` and `:MEASure` subsystems of the virtual InfiniiVision: records out of memory, as codes or as one figure.

Promises: V = (code - yreference) * yincrement + yorigin and t = n * xincrement + xorigin hold for what is sent (xreference is
0, t = 0 is the trigger); reading does not change the record. Its user registers it on a device and gives it `poll`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .oscilloscope import ADC_BITS, MEMORY_POINTS, Oscilloscope, Segment
from .scpi import ScpiDevice, ScpiError, block, boolean, choice, is_mnemonic, number

NOTHING = 9.9e37  # a measurement without result


class Readout:
    """What is selected for reading, and the reading itself."""

    def __init__(self, scope: Oscilloscope, poll: Callable[[], None]) -> None:
        self.scope, self._poll = scope, poll
        self.reset()

    def reset(self) -> None:
        self.source, self.format, self.msb_first, self.unsigned = 1, "BYTE", True, True
        self.points, self.segment, self.acquire_type = MEMORY_POINTS, 1, "NORM"
        self.delay_edges = (1, 1)

    def register(self, device: ScpiDevice) -> None:
        on = device.on
        on(":ACQuire:TYPE", set=self._set_type, get=lambda: self.acquire_type)
        on(":ACQuire:SEGMented:INDex", set=self._set_segment, get=lambda: self.segment)
        on(":WAVeform:SOURce", set=self._set_source, get=lambda: f"CHAN{self.source}")
        on(":WAVeform:FORMat", set=self._set_format, get=lambda: self.format)
        on(":WAVeform:BYTeorder", set=self._set_order, get=lambda: "MSBF" if self.msb_first else "LSBF")
        on(":WAVeform:UNSigned", set=self._set_unsigned, get=lambda: self.unsigned)
        on(":WAVeform:POINts:MODE", set=lambda t: choice(t, "NORMal", "MAXimum", "RAW"), get=lambda: "RAW")
        on(":WAVeform:POINts", set=self._set_points, get=lambda: self.shape(self.record())[0])
        on(":WAVeform:TYPE", get=lambda: self.acquire_type)
        on(":WAVeform:COUNt", get=lambda: 1)
        on(":WAVeform:SEGMented:COUNt", get=self._segments)
        on(":WAVeform:SEGMented:TTAG", get=self._time_tag)
        on(":WAVeform:PREamble", get=lambda: ",".join(_plain(v) for v in self.preamble()))
        for place, name in enumerate(("XINCrement", "XORigin", "XREFerence", "YINCrement", "YORigin", "YREFerence")):
            on(f":WAVeform:{name}", get=lambda place=place: self.preamble()[4 + place])
        on(":WAVeform:DATA", get=self._data)
        on(":MEASure:DEFine", set=self._define)
        on(":MEASure:DELay", get=self._delay)

    def channel(self, text: str) -> int:
        """The number of a channel that the model has."""
        for n in self.scope.settings.channels:
            if is_mnemonic(f"CHANnel{n}", text):
                return n
        raise ScpiError(-224, f"{text}: right is CHANnel1 or CHANnel2")

    # -- selection ----------------------------------------------------------------------------------------------------
    def _set_type(self, text: str) -> None:
        self.acquire_type = choice(text, "NORMal", "HRESolution")

    def _set_segment(self, text: str) -> None:
        self.segment = int(number(text, 1, max(1, len(self.scope.segments))))

    def _set_source(self, text: str) -> None:
        self.source = self.channel(text)

    def _set_format(self, text: str) -> None:
        self.format = choice(text, "WORD", "BYTE")

    def _set_order(self, text: str) -> None:
        self.msb_first = choice(text, "MSBFirst", "LSBFirst") == "MSBF"

    def _set_unsigned(self, text: str) -> None:
        self.unsigned = boolean(text)

    def _set_points(self, text: str) -> None:
        self.points = int(number(text, 100, MEMORY_POINTS, MAXimum=MEMORY_POINTS))

    # -- records ------------------------------------------------------------------------------------------------------
    def record(self) -> Segment:
        self._poll()
        if self.segment > len(self.scope.segments):
            raise ScpiError(-230, "no record: nothing has been acquired with these settings")
        return self.scope.segments[self.segment - 1]

    def shape(self, record: Segment) -> tuple[int, int]:
        """Points that are read out, and every how many of the record's."""
        decimate = -(-record.points // self.points)
        return -(-record.points // decimate), decimate

    def preamble(self) -> tuple[int | float, ...]:
        """format, type, points, count, xincrement, xorigin, xreference, yincrement, yorigin, yreference."""
        record, front = self.record(), self.scope.settings.channels[self.source]
        points, decimate = self.shape(record)
        bits = 16 if self.format == "WORD" else 8
        reference = 1 << (bits - 1) if self.unsigned else 0
        kind = {"NORM": 0, "HRES": 3}[self.acquire_type]
        x = (decimate / record.rate_hz, record.first_s, 0)
        return (int(bits == 16), kind, points, 1, *x, front.range_v / (1 << bits), front.offset_v, reference)

    def _data(self) -> bytes:
        record = self.record()
        codes, _ = self.scope.codes(record, self.source, self.shape(record)[1])
        if self.format == "WORD":
            codes = codes << (16 - ADC_BITS)
            kind, middle = ("u2", 0) if self.unsigned else ("i2", 1 << 15)
        else:
            codes = codes >> (ADC_BITS - 8)
            kind, middle = ("u1", 0) if self.unsigned else ("i1", 1 << 7)
        return block((codes - middle).astype((">" if self.msb_first else "<") + kind).tobytes())

    def _segments(self) -> int:
        self._poll()
        return len(self.scope.segments)

    def _time_tag(self) -> float:
        """Seconds on the instrument's clock from the first segment's trigger to this one's."""
        elapsed = self.record().trigger_ps - self.scope.segments[0].trigger_ps
        return elapsed * 1e-12 * (1 + self.scope.timebase_ppm * 1e-6)

    # -- measurements -------------------------------------------------------------------------------------------------
    def _define(self, what: str, first: str, second: str) -> None:
        choice(what, "DELay")
        edges = int(number(first, -1000, 1000)), int(number(second, -1000, 1000))
        if 0 in edges:
            raise ScpiError(-222, "edge 0: right is +1 for the first rising, -1 for the first falling edge, and so on")
        self.delay_edges = edges

    def _delay(self, first: str = "CHANnel1", second: str = "CHANnel2") -> float:
        """Time of the chosen edge of the second source minus that of the first, at the middle thresholds."""
        edges = zip((first, second), self.delay_edges, strict=True)
        times = [self._edge(self.channel(text), edge) for text, edge in edges]
        return NOTHING if None in times else times[1] - times[0]

    def _edge(self, channel: int, which: int) -> float | None:
        record = self.record()
        decimate = self.shape(record)[1]
        codes = self.scope.codes(record, channel, decimate)[0].astype(float)
        low, high = codes.min(), codes.max()
        if high - low < 64:
            return None
        above = codes > (low + high) / 2
        crossings = np.flatnonzero((above[1:] != above[:-1]) & (above[1:] == (which > 0)))
        if len(crossings) < abs(which):
            return None
        k = crossings[abs(which) - 1]
        part = ((low + high) / 2 - codes[k]) / (codes[k + 1] - codes[k])
        return record.first_s + (k + part) * decimate / record.rate_hz


def _plain(value: int | float) -> str:
    return f"{value:+d}" if isinstance(value, int) else f"{value:+.12E}"
