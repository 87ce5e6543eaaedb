# SPDX-License-Identifier: Apache-2.0
"""What every digitizer can do, whatever it is: the protocol that drivers implement and measurements use.

Promises: time zero of a `Capture` is the trigger; sample codes are the converter's own; one `arm` yields `segments` records.
Its user configures once, then per acquisition: arm, make the signal happen, wait, fetch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

from virtone.signal.capture import Capture

from ..errors import WrongInstrument


@dataclass(frozen=True)
class Identity:
    """The four fields of `*IDN?` (IEEE 488.2, 10.14)."""

    manufacturer: str
    model: str
    serial: str
    firmware: str

    @classmethod
    def parse(cls, text: str) -> Identity:
        fields = [field.strip() for field in text.split(",", 3)]
        return cls(*(fields + [""] * 4)[:4])

    @property
    def simulated(self) -> bool:
        """Does it say of itself that it is a simulation?"""
        return self.manufacturer.upper() == "VIRTONE" or "-SIM" in self.model.upper()

    def __str__(self) -> str:
        return ",".join((self.manufacturer, self.model, self.serial, self.firmware))


@dataclass(frozen=True)
class ChannelSetup:
    """One input: number on the front panel, full screen range and centre in volts."""

    number: int
    range_v: float
    offset_v: float = 0.0
    coupling: str = "DC"
    probe: float = 1.0


@dataclass(frozen=True)
class TimebaseSetup:
    """A record: length, how much of it lies before the trigger (seconds), and how many samples are wanted at most."""

    span_s: float
    pre_trigger_s: float
    points: int


@dataclass(frozen=True)
class TriggerSetup:
    """An edge."""

    channel: int
    level_v: float
    slope: str = "rising"
    holdoff_s: float = 40e-9


@dataclass(frozen=True)
class Setup:
    """Everything one acquisition needs."""

    channels: tuple[ChannelSetup, ...]
    timebase: TimebaseSetup
    trigger: TriggerSetup
    segments: int = 1

    def as_meta(self) -> dict[str, object]:
        return asdict(self)


@runtime_checkable
class Digitizer(Protocol):
    """An instrument that records voltages around a trigger. Errors of all methods: those of `bench.errors`."""

    @property
    def identity(self) -> Identity: ...

    def configure(self, setup: Setup) -> None:
        """Set everything; InstrumentRefused if the instrument does not take it as it is."""

    def arm(self, timeout_s: float = 10.0) -> None:
        """Start an acquisition; returns when the pre-trigger time has filled, so that the next trigger counts."""

    def done(self) -> bool:
        """Are all segments recorded?"""

    def wait(self, timeout_s: float) -> int:
        """Until all segments are recorded; returns their number. NoTrigger after timeout_s, with how many there are."""

    def stop(self) -> int:
        """End the acquisition; returns how many segments were recorded."""

    def fetch(self, segment: int = 1) -> Capture:
        """Segment 1..n as a capture; channels are named by their number."""

    def delay(self, first: int, second: int, segment: int = 1) -> float | None:
        """The instrument's own figure: seconds from the rising edge of `first` to that of `second`; None if it has none."""

    def close(self) -> None: ...


def check_identity(resource: str, identity: Identity, models: Sequence[str], serial: str | None) -> None:
    """Is it one of the models (prefixes) that the driver knows, and the unit that the bench file names? WrongInstrument."""
    if not identity.model.upper().startswith(tuple(m.upper() for m in models)):
        raise WrongInstrument(
            resource, "*IDN?", None, f"it says {identity}; this driver takes models {', '.join(models)}"
        )
    if serial and identity.serial != serial:
        raise WrongInstrument(
            resource, "*IDN?", None, f"it says serial {identity.serial!r}, the bench file says {serial!r}"
        )
