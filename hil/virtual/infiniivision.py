# SPDX-License-Identifier: Apache-2.0
"""Command table of the virtual oscilloscope in the dialect of Keysight InfiniiVision 3000T X-Series.

Promises: the commands below behave as the family's programmer's guide says, seen from a program that configures, arms,
waits, and reads segments; what the model cannot do (a trigger on the analog channel) is refused with an error, not faked.
`*IDN?` says it is a simulation. Its user starts a server on it and calls `close` at the end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .faults import Faults
from .oscilloscope import DIVISIONS_X, DIVISIONS_Y, Oscilloscope, Settings, Vertical
from .readout import Readout
from .scpi import ScpiDevice, ScpiError, boolean, choice, number

RUN_BIT = 8  # bit 3 of the Operation Status Condition register: running
POLL_S = 0.002


class InfiniiVision(ScpiDevice):
    """The oscilloscope on the wire."""

    def __init__(self, scope: Oscilloscope, serial: str = "SIM00000001", faults: Faults | None = None) -> None:
        super().__init__(f"VIRTONE,DSOX3024T-SIM,{serial},07.50.2026")
        self.scope, self.faults = scope, faults or Faults()
        self.readout = Readout(scope, self._poll)
        self._closing = threading.Event()
        self._register_run_control()
        self._register_front_panel()
        self.readout.register(self)
        threading.Thread(target=self._pump, name="oscilloscope", daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self.cancel.set()

    def reset(self) -> None:
        self.scope.running, self.scope.segments, self.scope.settings = False, [], Settings()
        self.readout.reset()

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
    def _register_run_control(self) -> None:
        on = self.on
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

    def _register_front_panel(self) -> None:
        channel, setting, fixed = self._channel, self._setting, self._fixed
        channel(":CHANnel<n>:DISPlay", "display", boolean)
        channel(":CHANnel<n>:RANGe", "range_v", lambda t: number(t, 8e-3, 400))
        channel(":CHANnel<n>:SCALe", "range_v", lambda t: number(t, 1e-3, 50) * DIVISIONS_Y, 1 / DIVISIONS_Y)
        channel(":CHANnel<n>:OFFSet", "offset_v", lambda t: number(t, -400, 400))
        channel(":CHANnel<n>:COUPling", "coupling", lambda t: choice(t, "DC", "AC"))
        channel(":CHANnel<n>:BWLimit", "bandwidth_limit", boolean)
        channel(":CHANnel<n>:PROBe", "probe", lambda t: number(t, 1, 1))
        channel(":CHANnel<n>:IMPedance", "impedance", lambda t: choice(t, "ONEMeg"))

        setting(":TIMebase:RANGe", "span_s", lambda t: number(t, 2e-8, 500))
        setting(":TIMebase:SCALe", "span_s", lambda t: number(t, 2e-9, 50) * DIVISIONS_X, 1 / DIVISIONS_X)
        setting(":TIMebase:POSition", "position_s", lambda t: number(t, -500, 500))
        setting(":TIMebase:REFerence", "reference", lambda t: choice(t, "LEFT", "CENTer", "RIGHt"))
        fixed(":TIMebase:MODE", "MAIN", "WINDow", "XY", "ROLL")

        fixed(":TRIGger:MODE", "EDGE", "GLITch", "PATTern", "TV")
        fixed(":TRIGger:EDGE:COUPling", "DC", "AC", "LFReject")
        setting(":TRIGger:SWEep", "sweep", lambda t: choice(t, "AUTO", "NORMal"))
        setting(":TRIGger:HOLDoff", "holdoff_s", lambda t: number(t, 40e-9, 10))
        setting(":TRIGger[:EDGE]:SLOPe", "trigger_slope", lambda t: choice(t, "POSitive", "NEGative", "EITHer"))
        self.on(":TRIGger[:EDGE]:SOURce", set=self._trigger_source, get=self._trigger_source_name)
        self.on(":TRIGger[:EDGE]:LEVel", set=self._trigger_level, get=lambda: self.scope.settings.trigger_level_v)

        self.on(
            ":ACQuire:MODE", set=self._acquire_mode, get=lambda: "SEGM" if self.scope.settings.segmented else "RTIM"
        )
        setting(":ACQuire:SEGMented:COUNt", "segment_count", lambda t: int(number(t, 2, 1000)))
        self.on(":ACQuire:POINts", get=lambda: self.scope.settings.points)
        self.on(":ACQuire:SRATe", get=lambda: self.scope.settings.rate_hz)

    def _setting(self, pattern: str, attribute: str, parse: Callable[[str], Any], scale: float = 1.0) -> None:
        def get() -> Any:
            value = getattr(self.scope.settings, attribute)
            return value if scale == 1.0 else value * scale

        self.on(pattern, set=lambda t: self._set(self.scope.settings, attribute, parse(t)), get=get)

    def _channel(self, pattern: str, attribute: str, parse: Callable[[str], Any], scale: float = 1.0) -> None:
        def get(n: int) -> Any:
            value = getattr(self._front(n), attribute)
            return value if scale == 1.0 else value * scale

        self.on(pattern, set=lambda n, t: self._set(self._front(n), attribute, parse(t)), get=get)

    def _fixed(self, pattern: str, only: str, *others: str) -> None:
        """A setting of which the model has one value; the others of the family are refused as a conflict."""

        def put(text: str) -> None:
            if choice(text, only, *others) != only:
                raise ScpiError(-221, f"{text}: this model has {only} only")

        self.on(pattern, set=put, get=lambda: only)

    # -- settings -----------------------------------------------------------------------------------------------------
    def _set(self, target: Any, attribute: str, value: Any) -> None:
        """A change of settings ends a running acquisition and forgets its records."""
        if getattr(target, attribute) != value:
            setattr(target, attribute, value)
            self.scope.running, self.scope.segments = False, []

    def _front(self, n: int) -> Vertical:
        if n not in self.scope.settings.channels:
            raise ScpiError(-114, f"CHANnel{n}: this model has channels 1 and 2")
        return self.scope.settings.channels[n]

    def _trigger_source(self, text: str) -> None:
        if self.readout.channel(text) != 2:
            raise ScpiError(-221, "this model triggers on CHANnel2 (the marker) only")
        self._set(self.scope.settings, "trigger_source", 2)

    def _trigger_source_name(self) -> str:
        return f"CHAN{self.scope.settings.trigger_source}"

    def _trigger_level(self, level: str, source: str | None = None) -> None:
        if source is not None:
            self.readout.channel(source)
        self._set(self.scope.settings, "trigger_level_v", number(level, -400, 400))

    def _acquire_mode(self, text: str) -> None:
        self._set(self.scope.settings, "segmented", choice(text, "RTIMe", "SEGMented") == "SEGM")

    # -- acquisition --------------------------------------------------------------------------------------------------
    def _event(self, name: str) -> int:
        """Event registers are cleared by reading them."""
        self._poll()
        value = getattr(self.scope, name)
        setattr(self.scope, name, False)
        return int(value)

    def _condition(self) -> int:
        self._poll()
        return RUN_BIT if self.scope.running else 0

    def _single(self) -> None:
        self.readout.segment = 1
        self.scope.arm()

    def _stop(self) -> None:
        self._poll()
        self.scope.stop()

    def _digitize(self, *sources: str) -> None:
        """Acquire and block this client's parser until it is complete; a device clear breaks it off."""
        for text in sources:
            self._front(self.readout.channel(text)).display = True
        self._single()
        try:
            self.wait_until(lambda: not self._condition())
        finally:
            self.scope.running = False
