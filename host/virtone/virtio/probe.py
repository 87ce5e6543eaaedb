# SPDX-License-Identifier: Apache-2.0
"""The probe page: our own registers, at 0x1000 behind the virtio-mmio window.

The driver of the sound device never claims this page, so user space on the board may map it. Offsets are
from the start of the page; all registers are 32 bits wide. Event numbers are those of `event_e` in
rtl/pkg/vsnd_pkg.sv.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtone.virtio.layout import Struct
from virtone.virtio.mmio import Register
from virtone.virtio.wire import Const, Group, publish

if TYPE_CHECKING:

    def __getattr__(name: str) -> Const: ...


_WHERE = "Virtone probe page"


def _reg(name: str, offset: int, access: str, doc: str) -> Register:
    return Register(name, offset, doc, radix=16, access=access)  # type: ignore[return-value]


REGISTERS = Group(
    "Probe registers",
    _WHERE,
    None,
    [
        _reg("PROBE_MAGIC", 0x00, "R", "the bytes `VTNP`"),
        _reg("PROBE_VERSION", 0x04, "R", "version of this page, 1"),
        _reg("PROBE_BUILD_ID", 0x08, "R", "build id of the bit stream or the simulation"),
        _reg("PROBE_CLOCK_HZ", 0x0C, "R", "frequency of the bus clock in Hz"),
        _reg("PROBE_TIME_LOW", 0x10, "R", "time in bus clock cycles, bits 0..31; reading it latches TIME_HIGH"),
        _reg("PROBE_TIME_HIGH", 0x14, "R", "time, bits 32..63, as latched by TIME_LOW"),
        _reg("PROBE_MARKER", 0x20, "W", "application marker: logs MARKER with this value, pulses its pins"),
        _reg("PROBE_MARKER_SEL", 0x24, "RW", "event shown by each marker pin: [3:0] pin 0, [7:4] pin 1; 0 is off"),
        _reg("PROBE_EVENT_COUNT", 0x30, "R", "entries that wait in the event log"),
        _reg("PROBE_EVENT_KIND", 0x34, "R", "[3:0] event number of the oldest entry"),
        _reg("PROBE_EVENT_ARG", 0x38, "R", "argument of the oldest entry"),
        _reg("PROBE_EVENT_TIME_LOW", 0x3C, "R", "time of the oldest entry, bits 0..31"),
        _reg("PROBE_EVENT_TIME_HIGH", 0x40, "R", "time of the oldest entry, bits 32..63; reading it removes the entry"),
        _reg("PROBE_EVENT_LOST", 0x44, "R", "entries dropped because the log was full"),
        _reg("PROBE_EVENT_MASK", 0x48, "RW", "bit n: log event n; 0 after reset"),
        _reg("PROBE_FRAMES_PLAYED", 0x50, "R", "frames sent out on I2S"),
        _reg("PROBE_UNDERRUNS", 0x54, "R", "underrun episodes"),
        _reg("PROBE_SILENT_FRAMES", 0x58, "R", "frames of silence sent during underruns"),
        _reg("PROBE_LATE_MESSAGES", 0x5C, "R", "messages that came too late to follow without a gap"),
        _reg("PROBE_BUS_ERRORS", 0x60, "R", "bus transactions answered with an error"),
    ],
    prefix="PROBE_",
)

EVENTS = Group(
    "Event numbers",
    _WHERE,
    None,
    [
        Const("PROBE_EV_NONE", 0, "no event"),
        Const("PROBE_EV_MARKER", 1, "application marker written; argument: the value"),
        Const("PROBE_EV_NOTIFY", 2, "QueueNotify written; argument: the value"),
        Const("PROBE_EV_FETCH", 3, "first payload beat of a tx message arrived; argument: head"),
        Const("PROBE_EV_FIRST_BIT", 4, "first bit of a message's first frame is on the wire; argument: head"),
        Const("PROBE_EV_COMPLETE", 5, "used index of a tx message is in memory; argument: head"),
        Const("PROBE_EV_XRUN", 6, "an underrun episode began; argument: its number"),
        Const("PROBE_EV_INTERRUPT", 7, "the interrupt line rose; argument: InterruptStatus"),
    ],
    prefix="PROBE_EV_",
)

VALUES = Group(
    "Values",
    _WHERE,
    None,
    [
        Const("PROBE_BASE", 0x1000, "address of the page in the device's register window", radix=16),
        Const("PROBE_SIZE", 0x1000, "its size in bytes", radix=16),
        Const("PROBE_MAGIC_WORD", 0x504E5456, "what PROBE_MAGIC reads: the bytes `V`, `T`, `N`, `P`", radix=16),
        Const("PROBE_VERSION_WORD", 1, "what PROBE_VERSION reads"),
        Const("PROBE_MARKER_SEL_RESET", 1, "MARKER_SEL after reset: pin 0 shows MARKER, pin 1 is off"),
        Const("PROBE_MARKER_SEL_PIN0_LSB", 0, "MARKER_SEL: event of pin 0, 4 bits"),
        Const("PROBE_MARKER_SEL_PIN1_LSB", 4, "MARKER_SEL: event of pin 1, 4 bits"),
        Const("PROBE_LOG_DEPTH", 256, "entries that the event log holds"),
        Const("PROBE_MARKER_MCLK_CYCLES", 256, "length of a marker pulse in cycles of the audio master clock"),
    ],
)

GROUPS = (REGISTERS, EVENTS, VALUES)
STRUCTS: tuple[Struct, ...] = ()
publish(globals(), *GROUPS)
