# SPDX-License-Identifier: Apache-2.0
"""Keysight InfiniiVision 2000/3000/4000 X-Series oscilloscopes (and the virtual one that speaks their language).

Source: InfiniiVision 3000T X-Series programmer's guide. Rules from it that the code below follows:
* condition (not event) bit 3 of the Operation Status register: 8 while running, 0 when the acquisition is complete;
* `:AER?` turns 1 when the pre-trigger time has filled: a trigger before that does not count;
* V = (code - yreference) * yincrement + yorigin, t = (n - xreference) * xincrement + xorigin, and t = 0 is the trigger;
* with `:TIMebase:REFerence LEFT` the reference point lies one of ten divisions from the left; POSition is the time from the trigger to it;
* segments count from 1; `:WAVeform:SEGMented:TTAG?` is the time from the first segment's trigger to the selected one's.
Infiniium (8000, 9000, S, V, MXR) differs in run control and scaling: not this driver.
"""

from __future__ import annotations

import time
from typing import TypeVar

import numpy as np

from virtone.signal.capture import Capture, Channel

from ..errors import BadAnswer, InstrumentRefused, InstrumentTimeout, NoTrigger
from ..transport import Link
from .digitizer import Identity, Setup, check_identity

MODELS = ("DSO-X", "DSOX", "MSO-X", "MSOX", "EDU-X", "EDUX")
RUNNING = 8
INVALID = 9.0e37  # results of 9.9E+37 mean "no result"
POLL_S = 0.01
T = TypeVar("T", int, float)


class InfiniiVision:
    """One oscilloscope."""

    def __init__(self, link: Link, serial: str | None = None) -> None:
        self.link = link
        self.identity = Identity.parse(link.identity)
        check_identity(link.resource, self.identity, MODELS, serial)
        self._setup: Setup | None = None

    def close(self) -> None:
        self.link.close()

    def configure(self, setup: Setup) -> None:
        time_, trigger = setup.timebase, setup.trigger
        self._send("*CLS;:STOP")
        for n in (1, 2, 3, 4):
            if not any(channel.number == n for channel in setup.channels) and (n <= 2 or self._has_four_channels):
                self._send(f":CHANnel{n}:DISPlay 0")
        for channel in setup.channels:
            self._send(f":CHANnel{channel.number}:DISPlay 1")
            self._send(f":CHANnel{channel.number}:PROBe {channel.probe:g}")
            self._send(f":CHANnel{channel.number}:COUPling {channel.coupling}")
            self._send(f":CHANnel{channel.number}:RANGe {channel.range_v:.6g}")
            self._send(f":CHANnel{channel.number}:OFFSet {channel.offset_v:.6g}")
        self._send(":TIMebase:MODE MAIN")
        self._send(":TIMebase:REFerence LEFT")
        self._send(f":TIMebase:RANGe {time_.span_s:.9g}")
        self._send(f":TIMebase:POSition {time_.span_s / 10 - time_.pre_trigger_s:.9g}")
        self._send(":TRIGger:MODE EDGE")
        self._send(":TRIGger:SWEep NORMal")
        self._send(f":TRIGger:EDGE:SOURce CHANnel{trigger.channel}")
        self._send(f":TRIGger:EDGE:LEVel {trigger.level_v:.6g}")
        self._send(f":TRIGger:EDGE:SLOPe {'POSitive' if trigger.slope == 'rising' else 'NEGative'}")
        self._send(f":TRIGger:HOLDoff {max(trigger.holdoff_s, 40e-9):.6g}")
        self._send(":ACQuire:TYPE NORMal")
        if setup.segments > 1:
            self._send(":ACQuire:MODE SEGMented")
            self._send(f":ACQuire:SEGMented:COUNt {setup.segments}")
        else:
            self._send(":ACQuire:MODE RTIMe")
        self._send(":WAVeform:FORMat WORD")
        self._send(":WAVeform:BYTeorder LSBFirst")
        self._send(":WAVeform:UNSigned 1")
        self._send(":WAVeform:POINts:MODE RAW")
        self._send(f":WAVeform:POINts {time_.points}")
        self._check_errors("the configuration")
        self._setup = setup

    def arm(self, timeout_s: float = 10.0) -> None:
        self._send(":SINGle")
        began = time.monotonic()
        while not self._number(":AER?", int):
            if time.monotonic() - began > timeout_s:
                raise InstrumentTimeout(self.link.resource, ":AER?", timeout_s, "the pre-trigger time does not fill")
            time.sleep(POLL_S)

    def done(self) -> bool:
        return not self._number(":OPERegister:CONDition?", int) & RUNNING

    def wait(self, timeout_s: float) -> int:
        began = time.monotonic()
        while not self.done():
            if time.monotonic() - began > timeout_s:
                wanted = self._setup.segments if self._setup else 1
                detail = f"{self.stop()} of {wanted} records were taken"
                raise NoTrigger(self.link.resource, ":SINGle", timeout_s, detail)
            time.sleep(POLL_S)
        self._check_errors("the acquisition")
        return self._count(complete=True)

    def stop(self) -> int:
        complete = self.done()
        self._send(":STOP")
        return self._count(complete)

    def fetch(self, segment: int = 1) -> Capture:
        if self._setup is None:
            raise ValueError("fetch before configure")
        meta: dict[str, object] = {
            "instrument": str(self.identity),
            "segment": segment,
            "settings": self._setup.as_meta(),
        }
        if self._setup.segments > 1:
            self._send(f":ACQuire:SEGMented:INDex {segment}")
            meta["time_tag_s"] = self._number(":WAVeform:SEGMented:TTAG?", float)
        channels: dict[str, Channel] = {}
        for channel in self._setup.channels:
            self._send(f":WAVeform:SOURce CHANnel{channel.number}")
            preamble = self._preamble()
            data = self.link.query_block(":WAVeform:DATA?")
            codes = np.frombuffer(data[: len(data) & ~1], "<u2")
            if len(codes) != preamble["points"] or len(data) & 1:
                detail = f"{len(data)} bytes for {preamble['points']:.0f} points of 2 bytes"
                raise BadAnswer(self.link.resource, ":WAVeform:DATA?", None, detail)
            scale = preamble["yincrement"]
            channels[str(channel.number)] = Channel(codes, scale, preamble["yorigin"] - preamble["yreference"] * scale)
            t0_s, dt_s = preamble["xorigin"] - preamble["xreference"] * preamble["xincrement"], preamble["xincrement"]
        self._check_errors("the read-out")
        return Capture(t0_s, dt_s, channels, meta)

    def delay(self, first: int, second: int, segment: int = 1) -> float | None:
        if self._setup and self._setup.segments > 1:
            self._send(f":ACQuire:SEGMented:INDex {segment}")
        self._send(":MEASure:DEFine DELay,+1,+1")
        value = self._number(f":MEASure:DELay? CHANnel{first},CHANnel{second}", float)
        return None if abs(value) > INVALID else value

    # -- parts --------------------------------------------------------------------------------------------------------
    @property
    def _has_four_channels(self) -> bool:
        digits = "".join(c for c in self.identity.model if c.isdigit())
        return digits.endswith("4") and not self.identity.simulated

    def _send(self, command: str) -> None:
        self.link.write(command)

    def _number(self, query: str, kind: type[T]) -> T:
        answer = self.link.query(query)
        try:
            return kind(float(answer))
        except (ValueError, OverflowError):
            raise BadAnswer(self.link.resource, query, None, f"{answer[:60]!r} is no number") from None

    def _count(self, complete: bool) -> int:
        if self._setup is not None and self._setup.segments > 1:
            return self._number(":WAVeform:SEGMented:COUNt?", int)
        return int(complete)

    def _preamble(self) -> dict[str, float]:
        names = (
            "format",
            "type",
            "points",
            "count",
            "xincrement",
            "xorigin",
            "xreference",
            "yincrement",
            "yorigin",
            "yreference",
        )
        answer = self.link.query(":WAVeform:PREamble?")
        try:
            values = dict(zip(names, (float(v) for v in answer.split(",")), strict=True))
        except ValueError:
            self._check_errors(":WAVeform:PREamble?")
            raise BadAnswer(
                self.link.resource, ":WAVeform:PREamble?", None, f"{answer[:100]!r}; ten numbers are right"
            ) from None
        if values["format"] != 1 or not values["xincrement"] > 0 or not values["yincrement"] > 0:
            raise BadAnswer(
                self.link.resource,
                ":WAVeform:PREamble?",
                None,
                f"{answer[:120]!r}; WORD data and positive increments are right",
            )
        return values

    def _check_errors(self, what: str) -> None:
        errors = []
        for _ in range(32):
            answer = self.link.query(":SYSTem:ERRor?")
            if answer.split(",")[0].strip() in ("0", "+0", "-0"):
                break
            errors.append(answer)
        if errors:
            raise InstrumentRefused(self.link.resource, what, None, "; ".join(errors[:3]))
