# SPDX-License-Identifier: Apache-2.0
"""Configuration space of the PCI function that carries the register window (PCI Local Bus Specification 3.0, 6.1).

Promise: a vendor and device no driver of Linux asks for, a class that fits none, INTA; only COMMAND and INTERRUPT_LINE take what
is written. (BARs are the virtual machine's own; a ROM BAR that took a value would look like a ROM.)
"""

from __future__ import annotations

import struct

SIZE = 256
VENDOR, DEVICE = 0x5654, 0x0001
_COMMAND, _CLASS, _LINE, _PIN = 0x04, 0x0B, 0x3C, 0x3D
_WRITABLE = {_COMMAND, _COMMAND + 1, _LINE}


class ConfigSpace:
    """256 bytes; the caller keeps accesses inside."""

    def __init__(self) -> None:
        self._bytes = bytearray(SIZE)
        struct.pack_into("<HH", self._bytes, 0, VENDOR, DEVICE)
        self._bytes[_CLASS] = 0xFF
        self._bytes[_PIN] = 1

    def read(self, offset: int, count: int) -> bytes:
        return bytes(self._bytes[offset : offset + count])

    def write(self, offset: int, data: bytes) -> None:
        for at, value in enumerate(data, start=offset):
            if at in _WRITABLE:
                self._bytes[at] = value
