# SPDX-License-Identifier: Apache-2.0
"""What the control queue answers, by the tables of docs/device.md, for the profile of one stereo output stream."""

from __future__ import annotations

import struct
from dataclasses import dataclass

OK, BAD_MSG, NOT_SUPP = 0x8000, 0x8001, 0x8002
JACK_INFO, JACK_REMAP, CHMAP_INFO, CTL_INFO = 0x001, 0x002, 0x200, 0x300
PCM_INFO, SET_PARAMS, PREPARE, RELEASE, START, STOP = range(0x100, 0x106)
CTL_OTHERS = range(0x301, 0x307)
PCM_COMMANDS = (SET_PARAMS, PREPARE, RELEASE, START, STOP)
ITEMS = {JACK_INFO: 0, PCM_INFO: 1, CHMAP_INFO: 0, CTL_INFO: 0}
NEED = {
    **dict.fromkeys(ITEMS, 16),
    JACK_REMAP: 16,
    **dict.fromkeys(CTL_OTHERS, 8),
    **dict.fromkeys(PCM_COMMANDS, 8),
    SET_PARAMS: 24,
}

INIT, PARAMS, PREPARED, RUNNING, STOPPED, RELEASED = range(6)
# command: {state: (state after, flushes)}
LIFECYCLE: dict[int, dict[int, tuple[int, bool]]] = {
    SET_PARAMS: {
        INIT: (PARAMS, False),
        PARAMS: (PARAMS, False),
        RELEASED: (PARAMS, False),
        PREPARED: (PARAMS, True),
        STOPPED: (PARAMS, True),
    },
    PREPARE: {
        PARAMS: (PREPARED, False),
        PREPARED: (PREPARED, False),
        RELEASED: (PREPARED, False),
        STOPPED: (PREPARED, True),
    },
    START: {PREPARED: (RUNNING, False), STOPPED: (RUNNING, False)},
    STOP: {RUNNING: (STOPPED, False)},
    RELEASE: {PREPARED: (RELEASED, True), STOPPED: (RELEASED, True)},
}

SAMPLE_BYTES = {5: 2, 11: 3, 15: 4, 17: 4}  # VIRTIO_SND_PCM_FMT_*: S16, S24_3, S24, S32
RATES = (*range(13), 14, 15)  # VIRTIO_SND_PCM_RATE_*, all but 384000
FEATURES = 1 << 2 | 1 << 4  # MSG_POLLING, EVT_XRUNS
FORMATS = sum(1 << code for code in SAMPLE_BYTES)
STREAM_INFO = struct.pack("<IIQQBBB5x", 0, FEATURES, FORMATS, sum(1 << code for code in RATES), 0, 1, 2)


@dataclass(frozen=True)
class Params:
    """The fields of SET_PARAMS, in the order of the request."""

    buffer_bytes: int = 1920
    period_bytes: int = 192
    features: int = 0
    channels: int = 2
    format: int = 5
    rate: int = 7
    padding: int = 0

    def request(self, stream: int = 0) -> bytes:
        """The whole request."""
        return struct.pack(
            "<IIIIIBBBB", SET_PARAMS, stream, self.buffer_bytes, self.period_bytes, self.features,
            self.channels, self.format, self.rate, self.padding,
        )  # fmt: skip

    @staticmethod
    def of(request: bytes) -> Params:
        """The fields of a request."""
        return Params(*struct.unpack("<IIIIIBBBB", request[:24])[2:])

    @property
    def packed(self) -> int:
        """As stream_params_t shows them."""
        value = self.buffer_bytes << 32 | self.period_bytes
        value = value << 2 | (self.features >> 2 & 1) << 1 | self.features >> 4 & 1
        return value << 20 | self.channels << 16 | self.format << 8 | self.rate

    @property
    def status(self) -> int:
        """Whether the stream can have them."""
        known = self.format in SAMPLE_BYTES and self.rate in RATES
        if not known or self.channels not in (1, 2) or self.features & ~FEATURES:
            return NOT_SUPP
        if not self.period_bytes or not self.buffer_bytes or self.buffer_bytes % self.period_bytes:
            return BAD_MSG
        return BAD_MSG if self.period_bytes % (SAMPLE_BYTES[self.format] * self.channels) else OK


@dataclass(frozen=True)
class Answer:
    """The response, and what has changed by the time it is out."""

    response: bytes
    state: int
    flush: bool = False
    params: Params | None = None
    prepared: bool = False

    @property
    def status(self) -> int:
        return int.from_bytes(self.response[:4], "little")


def answer(state: int, request: bytes) -> Answer:
    """What the device answers to `request` in `state`."""

    def refused(status: int) -> Answer:
        return Answer(struct.pack("<I", status), state)

    if len(request) < 4:
        return refused(BAD_MSG)
    code = int.from_bytes(request[:4], "little")
    if code not in NEED:
        return refused(NOT_SUPP)
    if len(request) < NEED[code]:
        return refused(BAD_MSG)
    if code in ITEMS:
        start, count, size = struct.unpack("<III", request[4:16])
        if start + count > ITEMS[code] or (count and not 0 < size <= 4095):
            return refused(BAD_MSG)
        item = STREAM_INFO[:size].ljust(size, b"\0") if count else b""
        return Answer(struct.pack("<I", OK) + item * count, state)
    if code not in PCM_COMMANDS or int.from_bytes(request[4:8], "little") >= 1 or state not in LIFECYCLE[code]:
        return refused(BAD_MSG)
    after, flush = LIFECYCLE[code][state]
    params = Params.of(request) if code == SET_PARAMS else None
    if params is not None and params.status != OK:
        return refused(params.status)
    return Answer(struct.pack("<I", OK), after, flush, params, code == PREPARE)
