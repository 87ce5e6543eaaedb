# SPDX-License-Identifier: Apache-2.0
"""Server of one vfio-user device, as QEMU's vfio-user-pci speaks the protocol (QEMU docs/interop/vfio-user.rst; linux/vfio.h).

The device is a PCI function that carries a register window (BAR0), guest memory by shared descriptors, and one level interrupt
(INTA). Promise: the server never blocks on its client and needs no thread. Either

    while ...: select([server]); server.handle_one()          with a window whose read and write answer at once, or

    while access := server.receive():                         a register access that the client waits for; None: nothing is left
        ...                                                   any time later
        server.answer(access, value)

Errors: `Disconnected` when the client has gone, `ProtocolError` when it says what it must not; requests that merely cannot be
fulfilled are refused with an errno, as the protocol has it.
User's duty: accesses are answered in the order they came, `set_interrupt` follows the device's line, and without a window the
device is reset whenever `resets` has grown, before the next access is carried out.
"""

from __future__ import annotations

import errno
import json
import select
import struct
from pathlib import Path
from typing import NamedTuple, Protocol

from . import intx
from .message_socket import LARGEST_MESSAGE, MOST_FDS, NO_REPLY, MessageSocket, Request
from .pci_config import SIZE as CONFIG_SIZE
from .pci_config import ConfigSpace
from .shared_memory import SharedMemory

VERSION, DMA_MAP, DMA_UNMAP, GET_INFO, GET_REGION_INFO = 1, 2, 3, 4, 5
GET_IRQ_INFO, SET_IRQS, REGION_READ, REGION_WRITE, DEVICE_RESET = 7, 8, 9, 10, 13
VERSION_HEAD = struct.Struct("<HH")
DMA_MAP_BODY = struct.Struct("<IIQQQ")  # argsz, flags, offset, address, size
DMA_UNMAP_BODY = struct.Struct("<IIQQ")  # argsz, flags, address, size
DEVICE_INFO = struct.Struct("<IIII")  # argsz, flags, regions, irqs
REGION_INFO = struct.Struct("<IIIIQQ")  # argsz, flags, index, capability offset, size, offset
IRQ_INFO = struct.Struct("<IIII")  # argsz, flags, index, count
IRQ_SET = struct.Struct("<IIIII")  # argsz, flags, index, start, count
REGION_ACCESS = struct.Struct("<QII")  # offset, region, count
BAR0, CONFIG, REGIONS = 0, 7, 9
INTX, IRQS = 0, 5
_DEVICE_FLAGS = 0x3  # reset works, PCI
_READ_WRITE = 0x3


class Window(Protocol):
    """Registers behind BAR0. Sizes are 1, 2 or 4 bytes, offsets multiples of them."""

    def read(self, offset: int, size: int) -> int: ...
    def write(self, offset: int, size: int, value: int) -> None: ...
    def reset(self) -> None: ...


class Access(NamedTuple):
    """A register access that waits for `Server.answer`. `value` is None for a read."""

    offset: int
    size: int
    value: int | None
    message: int


class Server:
    """One device at the socket `path`, which must not exist; it listens when the constructor returns."""

    def __init__(self, path: Path, window: Window | None = None, window_size: int = 0x2000) -> None:
        if window_size < 0x1000 or window_size & (window_size - 1):
            raise ValueError(f"window of {window_size} bytes; right is a power of two, 4096 or more")
        self.window, self.window_size = window, window_size
        self.memories: dict[int, SharedMemory] = {}
        self.interrupt = intx.IntxLine()
        self.resets = self.maps = 0  # resets of the device, changes of `memories`
        self._config = ConfigSpace()
        self._socket = MessageSocket(path)
        self._steps = {
            VERSION: self._version,
            DMA_MAP: self._dma_map,
            DMA_UNMAP: self._dma_unmap,
            GET_INFO: self._info,
            GET_REGION_INFO: self._region_info,
            GET_IRQ_INFO: self._irq_info,
            SET_IRQS: self._set_irqs,
            DEVICE_RESET: self._reset,
        }

    # -- for the owner ------------------------------------------------------------------------------------------------
    def fileno(self) -> int:
        """What to wait for (select, poll); it changes when the client connects."""
        return self._socket.fileno()

    @property
    def connected(self) -> bool:
        return self._socket.connected

    def memory(self, address: int, size: int = 1) -> SharedMemory | None:
        """The piece of guest memory that holds `size` bytes at a guest-physical address."""
        for memory in self.memories.values():
            if memory.base <= address and address + size <= memory.base + memory.size:
                return memory
        return None

    def set_interrupt(self, level: bool) -> None:
        """Follow the device's interrupt line (True = asserted)."""
        self.interrupt.set(level)

    def handle_one(self, timeout_s: float = 0.0) -> bool:
        """Wait at most `timeout_s` for a message and answer up to one register access; False if nothing came."""
        if self.window is None:
            raise ValueError("handle_one needs a window; without one use receive and answer")
        if not self._socket.pending and not select.select([self], [], [], timeout_s)[0]:
            return False
        access = self.receive()
        if access is not None:
            if access.value is None:
                self.answer(access, self.window.read(access.offset, access.size))
            else:
                self.window.write(access.offset, access.size, access.value)
                self.answer(access)
        return True

    def receive(self) -> Access | None:
        """Take what has come; everything but register accesses is answered at once. Never blocks."""
        while (request := self._socket.receive()) is not None:
            if request.command in (REGION_READ, REGION_WRITE):
                access = self._region(request)
                if access is not None:
                    return access
            else:
                self._execute(request)
        return None

    def answer(self, access: Access, value: int = 0) -> None:
        """End an access of `receive`; `value` is what a read gives."""
        body = REGION_ACCESS.pack(access.offset, BAR0, access.size)
        if access.value is None:
            body += (value & (1 << 8 * access.size) - 1).to_bytes(access.size, "little")
        self._socket.reply(access.message, REGION_READ if access.value is None else REGION_WRITE, body)

    def close(self) -> None:
        """Leave; a client in the middle of a request is let go. Safe to call twice."""
        self._socket.close()
        self.interrupt.connect(None)
        self.memories.clear()

    # -- messages -----------------------------------------------------------------------------------------------------
    def _execute(self, request: Request) -> None:
        step = self._steps.get(request.command)
        try:
            reply, error = (step(request.body), 0) if step else (b"", errno.ENOTSUP)
        except struct.error:  # shorter than its structure
            reply, error = b"", errno.EINVAL
        except OSError as failure:
            reply, error = b"", failure.errno or errno.EIO
        if not self._socket.pending:
            self._socket.drop_fds()
        if not request.flags & NO_REPLY:
            self._socket.reply(request.id, request.command, reply, error)

    def _version(self, body: bytes) -> bytes:
        major, minor = VERSION_HEAD.unpack_from(body)
        if major != 0:
            self._socket.refuse(f"protocol version {major}.{minor}, this is 0.1")
        mine = {"capabilities": {"max_msg_fds": MOST_FDS, "max_data_xfer_size": LARGEST_MESSAGE - 1024}}
        return VERSION_HEAD.pack(0, min(minor, 1)) + json.dumps(mine).encode() + b"\0"

    def _dma_map(self, body: bytes) -> bytes:
        _, _, offset, address, size = DMA_MAP_BODY.unpack_from(body)
        fd = self._socket.take_fd()
        if fd is not None:  # without a descriptor it is no memory that can be shared
            self.memories[address] = SharedMemory(fd, offset, address, size)
            self.maps += 1
        return b""

    def _dma_unmap(self, body: bytes) -> bytes:
        _, _, address, size = DMA_UNMAP_BODY.unpack_from(body)
        for base in [b for b in self.memories if address <= b < address + max(size, 1)]:
            del self.memories[base]
            self.maps += 1
        return body

    def _info(self, _: bytes) -> bytes:
        return DEVICE_INFO.pack(DEVICE_INFO.size, _DEVICE_FLAGS, REGIONS, IRQS)

    def _region_info(self, body: bytes) -> bytes:
        index = REGION_INFO.unpack_from(body)[2]
        if index >= REGIONS:
            raise OSError(errno.EINVAL, "no such region")
        size = {BAR0: self.window_size, CONFIG: CONFIG_SIZE}.get(index, 0)
        return REGION_INFO.pack(REGION_INFO.size, _READ_WRITE if size else 0, index, 0, size, 0)

    def _irq_info(self, body: bytes) -> bytes:
        index = IRQ_INFO.unpack_from(body)[2]
        if index >= IRQS:
            raise OSError(errno.EINVAL, "no such interrupt")
        flags = intx.INFO_EVENTFD | intx.INFO_MASKABLE | intx.INFO_AUTOMASKED
        return IRQ_INFO.pack(IRQ_INFO.size, flags if index == INTX else 0, index, 1 if index == INTX else 0)

    def _set_irqs(self, body: bytes) -> bytes:
        _, flags, index, _, count = IRQ_SET.unpack_from(body)
        if index != INTX:
            if count:
                raise OSError(errno.EINVAL, "no such interrupt")
        elif flags & intx.SET_ACTION_TRIGGER:
            if flags & intx.SET_DATA_EVENTFD:
                self.interrupt.connect(self._socket.take_fd())
            elif count == 0:
                self.interrupt.connect(None)
        elif flags & intx.SET_ACTION_MASK:
            self.interrupt.mask()
        elif flags & intx.SET_ACTION_UNMASK and flags & intx.SET_DATA_NONE:
            self.interrupt.unmask()
        return b""

    def _reset(self, _: bytes) -> bytes:
        self.resets += 1
        if self.window is not None:
            self.window.reset()
        return b""

    def _region(self, request: Request) -> Access | None:
        """A register access, or None after an access of the configuration space or a refusal."""
        body, reading = request.body, request.command == REGION_READ
        if len(body) < REGION_ACCESS.size:
            self._socket.reply(request.id, request.command, error=errno.EINVAL)
            return None
        offset, region, count = REGION_ACCESS.unpack_from(body)
        head, data = body[: REGION_ACCESS.size], body[REGION_ACCESS.size :]
        if not reading and len(data) != count:
            self._socket.reply(request.id, request.command, error=errno.EINVAL)
        elif region == BAR0 and count in (1, 2, 4) and offset % count == 0 and offset + count <= self.window_size:
            return Access(offset, count, None if reading else int.from_bytes(data, "little"), request.id)
        elif region == CONFIG and offset + count <= CONFIG_SIZE:
            if not reading:
                self._config.write(offset, data)
            self._socket.reply(
                request.id, request.command, head + self._config.read(offset, count) if reading else head
            )
        else:
            self._socket.reply(request.id, request.command, error=errno.EINVAL)
        return None
