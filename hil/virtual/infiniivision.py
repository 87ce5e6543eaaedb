# SPDX-License-Identifier: Apache-2.0
"""Command table of the virtual oscilloscope in the dialect of Keysight InfiniiVision 3000T X-Series.

Promises: the commands below behave as the family's programmer's guide says, seen from a program that configures, arms,
waits, and reads segments; what the model cannot do (a trigger on the analog channel) is refused with an error, not faked.
`*IDN?` says it is a simulation. Its user starts a server on it and calls `close` at the end.
"""

from __future__ import annotations

import contextlib
import threading

import numpy as np

from .faults import Faults
from .oscilloscope import ADC_BITS, DIVISIONS_X, DIVISIONS_Y, MEMORY_POINTS, Oscilloscope, Segment, Settings
from .scpi import ScpiDevice, ScpiError, block, boolean, choice, is_mnemonic, number

RUN_BIT = 8  # bit 3 of the Operation Status Condition register: running
NOTHING = 9.9e37  # a measurement without result
POLL_S = 0.002


class InfiniiVision(ScpiDevice):
    """The oscilloscope on the wire."""

    def __init__(self, scope: Oscilloscope, serial: str = "SIM00000001", faults: Faults | None = None) -> None:
        super().__init__(f"VIRTONE,DSOX3024T-SIM,{serial},07.50.2026")
        self.scope, self.faults = scope, faults or Faults()
        self._reset_waveform()
        self._closing = threading.Event()
        self._register_commands()
        threading.Thread(target=self._pump, name="oscilloscope", daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self.cancel.set()

    def reset(self) -> None:
        self.scope.running, self.scope.segments, self.scope.settings = False, [], Settings()
        self._reset_waveform()

    def _reset_waveform(self) -> None:
        self._source, self._format, self._msb_first, self._unsigned = 1, "BYTE", True, True
        self._points, self._segment = MEMORY_POINTS, 1
        self._acquire_type, self._delay_edges = "NORM", (1, 1)

    def _pump(self) -> None:
        """The instrument runs by itself, whether or not anybody asks."""
        while not self._closing.wait(POLL_S):
            with self.lock:
                self._poll()

    def _poll(self) -> None:
        self.scope.blind = self.faults.active("never_triggers")
        self.scope.poll()
        if self.scope.lost:
            self.push_error(ScpiError(-230, self.scope.lost))
            self.scope.lost = None

    # -- the table ----------------------------------------------------------------------------------------------------
    def _register_commands(self) -> None:
        on, settings = self.on, lambda: self.scope.settings
        on(":RUN", set=self._single)
        on(":SINGle", set=self._single)
        on(":STOP", set=self._stop)
        on(":DIGitize", set=self._digitize)
        on("*TRG", set=self.scope.force)
        on(":TRIGger:FORCe", set=self.scope.force)
        on(":AER", get=lambda: self._event("armed_event"))
        on(":TER", get=lambda: self._event("trigger_event"))
        on(":OPERegister:CONDition", get=self._condition)
        on(":SYSTem:PRESet", set=self.reset)

        self._channel(":CHANnel<n>:DISPlay", "display", boolean)
        self._channel(":CHANnel<n>:RANGe", "range_v", lambda t: number(t, 8e-3, 400))
        on(":CHANnel<n>:SCALe", set=lambda n, t: self._set_channel(n, "range_v", number(t, 1e-3, 50) * DIVISIONS_Y),
           get=lambda n: self._front(n).range_v / DIVISIONS_Y)  # fmt: skip
        self._channel(":CHANnel<n>:OFFSet", "offset_v", lambda t: number(t, -400, 400))
        self._channel(":CHANnel<n>:COUPling", "coupling", lambda t: choice(t, "DC", "AC"))
        self._channel(":CHANnel<n>:BWLimit", "bandwidth_limit", boolean)
        on(":CHANnel<n>:PROBe", set=lambda n, t: self._only(self._front(n) and number(t, 0.001, 10000) == 1, "probe factor 1"),
           get=lambda n: 1.0)  # fmt: skip
        on(":CHANnel<n>:IMPedance", set=lambda n, t: self._only(choice(t, "ONEMeg", "FIFTy") == "ONEM", "ONEMeg"),
           get=lambda n: "ONEM")  # fmt: skip

        on(":TIMebase:MODE", set=lambda t: self._only(choice(t, "MAIN", "WINDow", "XY", "ROLL") == "MAIN", "MAIN"), get=lambda: "MAIN")
        on(":TIMebase:RANGe", set=lambda t: self._set("span_s", number(t, 2e-8, 500)), get=lambda: settings().span_s)
        on(":TIMebase:SCALe", set=lambda t: self._set("span_s", number(t, 2e-9, 50) * DIVISIONS_X),
           get=lambda: settings().span_s / DIVISIONS_X)  # fmt: skip
        on(":TIMebase:POSition", set=lambda t: self._set("position_s", number(t, -500, 500)), get=lambda: settings().position_s)
        on(":TIMebase:REFerence", set=lambda t: self._set("reference", choice(t, "LEFT", "CENTer", "RIGHt")), get=lambda: settings().reference)

        on(":TRIGger:MODE", set=lambda t: self._only(choice(t, "EDGE", "GLITch", "PATTern", "TV") == "EDGE", "EDGE"), get=lambda: "EDGE")
        on(":TRIGger:SWEep", set=lambda t: self._set("sweep", choice(t, "AUTO", "NORMal")), get=lambda: settings().sweep)
        on(":TRIGger:HOLDoff", set=lambda t: self._set("holdoff_s", number(t, 40e-9, 10)), get=lambda: settings().holdoff_s)
        on(":TRIGger:EDGE:SOURce", set=self._trigger_source, get=lambda: f"CHAN{settings().trigger_source}")
        on(":TRIGger[:EDGE]:LEVel", set=self._trigger_level, get=lambda *_: settings().trigger_level_v)
        on(":TRIGger[:EDGE]:SLOPe", set=lambda t: self._set("trigger_slope", choice(t, "POSitive", "NEGative", "EITHer")),
           get=lambda: settings().trigger_slope)  # fmt: skip
        on(":TRIGger:EDGE:COUPling", set=lambda t: self._only(choice(t, "DC", "AC", "LFReject") == "DC", "DC"), get=lambda: "DC")

        on(":ACQuire:TYPE", set=lambda t: setattr(self, "_acquire_type", choice(t, "NORMal", "HRESolution")), get=lambda: self._acquire_type)
        on(":ACQuire:MODE", set=lambda t: self._set("segmented", choice(t, "RTIMe", "SEGMented") == "SEGM"),
           get=lambda: "SEGM" if settings().segmented else "RTIM")  # fmt: skip
        on(":ACQuire:SEGMented:COUNt", set=lambda t: self._set("segment_count", int(number(t, 2, 1000))), get=lambda: settings().segment_count)
        on(":ACQuire:SEGMented:INDex", set=self._index, get=lambda: self._segment)
        on(":ACQuire:POINts", get=lambda: settings().points)
        on(":ACQuire:SRATe", get=lambda: settings().rate_hz)

        on(":WAVeform:SOURce", set=lambda t: setattr(self, "_source", self._channel_named(t)), get=lambda: f"CHAN{self._source}")
        on(":WAVeform:FORMat", set=lambda t: setattr(self, "_format", choice(t, "WORD", "BYTE")), get=lambda: self._format)
        on(":WAVeform:BYTeorder", set=lambda t: setattr(self, "_msb_first", choice(t, "MSBFirst", "LSBFirst") == "MSBF"),
           get=lambda: "MSBF" if self._msb_first else "LSBF")  # fmt: skip
        on(":WAVeform:UNSigned", set=lambda t: setattr(self, "_unsigned", boolean(t)), get=lambda: self._unsigned)
        on(":WAVeform:POINts:MODE", set=lambda t: choice(t, "NORMal", "MAXimum", "RAW"), get=lambda: "RAW")
        on(":WAVeform:POINts", set=lambda t: setattr(self, "_points", int(number(t, 100, MEMORY_POINTS, MAXimum=MEMORY_POINTS))),
           get=lambda: self._shape(self._record())[0])  # fmt: skip
        on(":WAVeform:TYPE", get=lambda: self._acquire_type)
        on(":WAVeform:COUNt", get=lambda: 1)
        on(":WAVeform:SEGMented:COUNt", get=lambda: self._polled(lambda: len(self.scope.segments)))
        on(":WAVeform:SEGMented:TTAG", get=self._time_tag)
        on(":WAVeform:PREamble", get=lambda: ",".join(_plain(v) for v in self._preamble()))
        for place, name in enumerate(("XINCrement", "XORigin", "XREFerence", "YINCrement", "YORigin", "YREFerence")):
            on(f":WAVeform:{name}", get=lambda place=place: self._preamble()[4 + place])
        on(":WAVeform:DATA", get=self._data)

        on(":MEASure:DEFine", set=self._define)
        on(":MEASure:DELay", get=self._delay)

    def _channel(self, pattern: str, attribute: str, parse) -> None:
        self.on(pattern, set=lambda n, t: self._set_channel(n, attribute, parse(t)), get=lambda n: getattr(self._front(n), attribute))

    # -- settings -----------------------------------------------------------------------------------------------------
    def _set(self, attribute: str, value) -> None:
        """A change of settings ends a running acquisition and forgets its records, as the family does."""
        if getattr(self.scope.settings, attribute) != value:
            setattr(self.scope.settings, attribute, value)
            self.scope.running, self.scope.segments = False, []

    def _set_channel(self, n: int, attribute: str, value) -> None:
        if getattr(self._front(n), attribute) != value:
            setattr(self._front(n), attribute, value)
            self.scope.running, self.scope.segments = False, []

    def _front(self, n: int):
        if n not in self.scope.settings.channels:
            raise ScpiError(-114, f"CHANnel{n}: this model has channels 1 and 2")
        return self.scope.settings.channels[n]

    def _channel_named(self, text: str) -> int:
        for n in self.scope.settings.channels:
            if is_mnemonic(f"CHANnel{n}", text):
                return n
        raise ScpiError(-224, f"{text}: right is CHANnel1 or CHANnel2")

    @staticmethod
    def _only(right: bool, what: str) -> None:
        if not right:
            raise ScpiError(-221, f"this model has {what} only")

    def _trigger_source(self, text: str) -> None:
        if self._channel_named(text) != 2:
            raise ScpiError(-221, "this model triggers on CHANnel2 (the marker) only")
        self._set("trigger_source", 2)

    def _trigger_level(self, level: str, source: str | None = None) -> None:
        if source is not None:
            self._channel_named(source)
        self._set("trigger_level_v", number(level, -400, 400))

    # -- acquisition --------------------------------------------------------------------------------------------------
    def _polled(self, read):
        self._poll()
        return read()

    def _event(self, name: str) -> int:
        self._poll()
        value = getattr(self.scope, name)
        setattr(self.scope, name, False)
        return int(value)

    def _condition(self) -> int:
        self._poll()
        return RUN_BIT if self.scope.running else 0

    def _single(self) -> None:
        self._segment = 1
        self.scope.arm()

    def _stop(self) -> None:
        self._poll()
        self.scope.stop()

    def _digitize(self, *sources: str) -> None:
        for text in sources:
            self._front(self._channel_named(text)).display = True
        self._single()
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: setattr(self.scope, "running", False))
            self.wait_until(lambda: not self._condition())

    def _index(self, text: str) -> None:
        self._segment = int(number(text, 1, max(1, len(self.scope.segments))))

    # -- records ------------------------------------------------------------------------------------------------------
    def _record(self) -> Segment:
        self._poll()
        if self._segment > len(self.scope.segments):
            raise ScpiError(-230, "no record: nothing has been acquired with these settings")
        return self.scope.segments[self._segment - 1]

    def _shape(self, record: Segment) -> tuple[int, int]:
        """Points that are read out, and every how many of the record's."""
        decimate = -(-record.points // self._points)
        return -(-record.points // decimate), decimate

    def _preamble(self) -> tuple[int | float, ...]:
        """format, type, points, count, xincrement, xorigin, xreference, yincrement, yorigin, yreference."""
        record, front = self._record(), self._front(self._source)
        points, decimate = self._shape(record)
        bits = 16 if self._format == "WORD" else 8
        reference = 1 << (bits - 1) if self._unsigned else 0
        kind = {"NORM": 0, "HRES": 3}[self._acquire_type]
        return (int(bits == 16), kind, points, 1, decimate / record.rate_hz, record.first_s, 0,
                front.range_v / (1 << bits), front.offset_v, reference)  # fmt: skip

    def _data(self) -> bytes:
        record = self._record()
        codes, _ = self.scope.codes(record, self._source, self._shape(record)[1])
        if self._format == "WORD":
            codes = codes << (16 - ADC_BITS)
            kind, middle = ("u2", 0) if self._unsigned else ("i2", 1 << 15)
        else:
            codes = codes >> (ADC_BITS - 8)
            kind, middle = ("u1", 0) if self._unsigned else ("i1", 1 << 7)
        return block((codes - middle).astype((">" if self._msb_first else "<") + kind).tobytes())

    def _time_tag(self) -> float:
        """Seconds on the instrument's clock from the first segment's trigger to this one's."""
        elapsed = self._record().trigger_ps - self.scope.segments[0].trigger_ps
        return elapsed * 1e-12 * (1 + self.scope.timebase_ppm * 1e-6)

    # -- measurements -------------------------------------------------------------------------------------------------
    def _define(self, what: str, *edges: str) -> None:
        choice(what, "DELay")
        first, second = edges
        self._delay_edges = int(number(first, -1000, 1000)), int(number(second, -1000, 1000))
        if 0 in self._delay_edges:
            self._delay_edges = 1, 1
            raise ScpiError(-222, "edge 0: right is +1 for the first rising, -1 for the first falling edge, and so on")

    def _delay(self, first: str = "CHANnel1", second: str = "CHANnel2") -> float:
        """Time of the chosen edge of the second source minus that of the first, at the middle thresholds."""
        times = [self._edge(self._channel_named(text), edge) for text, edge in zip((first, second), self._delay_edges, strict=True)]
        return NOTHING if None in times else times[1] - times[0]

    def _edge(self, channel: int, which: int) -> float | None:
        record = self._record()
        decimate = self._shape(record)[1]
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


