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
User's duty: accesses are answered in the order they came, and `set_interrupt` follows the device's line.
"""

from __future__ import annotations

import array
import contextlib
import errno
import json
import os
import select
import socket
import struct
from pathlib import Path
from typing import NamedTuple, Protocol

from .errors import Disconnected, ProtocolError
from .intx import (
    IRQ_INFO_AUTOMASKED,
    IRQ_INFO_EVENTFD,
    IRQ_INFO_MASKABLE,
    IRQ_SET_ACTION_MASK,
    IRQ_SET_ACTION_TRIGGER,
    IRQ_SET_ACTION_UNMASK,
    IRQ_SET_DATA_EVENTFD,
    IRQ_SET_DATA_NONE,
    IntxLine,
)
from .shared_memory import SharedMemory

HEADER = struct.Struct("<HHIII")  # message id, command, size with header, flags, error
VERSION, DMA_MAP, DMA_UNMAP, GET_INFO, GET_REGION_INFO = 1, 2, 3, 4, 5
GET_IRQ_INFO, SET_IRQS, REGION_READ, REGION_WRITE, DEVICE_RESET = 7, 8, 9, 10, 13
REPLY, NO_REPLY, ERROR, TYPE_MASK = 0x1, 0x10, 0x20, 0xF
LARGEST_MESSAGE = 1 << 16
MOST_FDS = 8

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
_SEND_LIMIT_S = 10

PCI_VENDOR, PCI_DEVICE = 0x5654, 0x0001  # no driver of Linux asks for this pair
_COMMAND, _BAR0, _ROM, _LINE, _PIN = 0x04, 0x10, 0x30, 0x3C, 0x3D
_WRITABLE = {_COMMAND, _COMMAND + 1, _LINE}  # all else is fixed: a ROM BAR that takes a value would look like a ROM


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
    """One device at the socket `path`, which must not exist; it is listening when the constructor returns."""

    def __init__(self, path: Path, window: Window | None = None, window_size: int = 0x2000) -> None:
        if window_size < 0x1000 or window_size & (window_size - 1):
            raise ValueError(f"window of {window_size} bytes; right is a power of two, 4096 or more")
        self.path, self.window, self.window_size = path, window, window_size
        self.memories: dict[int, SharedMemory] = {}
        self.interrupt = IntxLine()
        self.resets = 0
        self._config = bytearray(256)
        struct.pack_into("<HH", self._config, 0, PCI_VENDOR, PCI_DEVICE)
        self._config[0x0B] = 0xFF  # class: fits none
        self._config[_PIN] = 1  # INTA
        self._bytes, self._fds, self._waiting = bytearray(), array.array("i"), 0
        self._client: socket.socket | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._listener.setblocking(False)

    # -- for the owner ------------------------------------------------------------------------------------------------
    def fileno(self) -> int:
        """What to wait for: the client's socket, before that the listening one."""
        return (self._client or self._listener).fileno()

    @property
    def connected(self) -> bool:
        return self._client is not None

    @property
    def pending(self) -> bool:
        """A whole message has been read already, so waiting for the socket would miss it."""
        return len(self._bytes) >= HEADER.size and len(self._bytes) >= HEADER.unpack_from(self._bytes)[2]

    def memory(self, address: int, size: int = 1) -> SharedMemory | None:
        """The piece of guest memory that holds `size` bytes at a guest-physical address."""
        for memory in self.memories.values():
            if memory.base <= address and address + size <= memory.base + memory.size:
                return memory
        return None

    def set_interrupt(self, level: bool) -> None:
        """Follow the device's interrupt line (1 = asserted)."""
        self.interrupt.set(level)

    def handle_one(self, timeout_s: float = 0.0) -> bool:
        """Wait at most `timeout_s` for a message, answer what is there to the end of one register access; False if nothing came."""
        if not self.pending and not select.select([self], [], [], timeout_s)[0]:
            return False
        if self.window is None:
            raise ValueError("handle_one needs a window; without one use receive and answer")
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
        if self._client is None:
            with contextlib.suppress(BlockingIOError):
                self._client, _ = self._listener.accept()
                limit = struct.pack("ll", _SEND_LIMIT_S, 0)
                self._client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            return None
        self._fill()
        while len(self._bytes) >= HEADER.size:
            message, command, size, flags, _ = HEADER.unpack_from(self._bytes)
            if not HEADER.size <= size <= LARGEST_MESSAGE or flags & TYPE_MASK:
                self._drop(f"message {message} with command {command}, size {size}, flags {flags:#x}")
            if len(self._bytes) < size:
                return None
            body = bytes(self._bytes[HEADER.size : size])
            del self._bytes[:size]
            access = self._execute(message, command, flags, body)
            if access is not None:
                return access
        return None

    def answer(self, access: Access, value: int = 0) -> None:
        """End an access of `receive`; `value` is what a read gives."""
        body = REGION_ACCESS.pack(access.offset, BAR0, access.size)
        if access.value is None:
            body += (value & (1 << 8 * access.size) - 1).to_bytes(access.size, "little")
            self._send(access.message, REGION_READ, body)
        else:
            self._send(access.message, REGION_WRITE, body)

    def close(self) -> None:
        """Leave; a client in the middle of a request is let go."""
        for sock in (self._client, self._listener):
            if sock is not None:
                sock.close()
        for fd in self._fds:
            os.close(fd)
        self._fds = array.array("i")
        self.interrupt.connect(None)
        self.memories.clear()
        self.path.unlink(missing_ok=True)

    # -- messages -----------------------------------------------------------------------------------------------------
    def _fill(self) -> None:
        assert self._client is not None
        try:
            data, ancillary, *_ = self._client.recvmsg(
                LARGEST_MESSAGE, socket.CMSG_SPACE(MOST_FDS * 4), socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError as error:
            raise Disconnected(f"{self.path}: {error.strerror}") from error
        if not data:
            raise Disconnected(f"{self.path}: the client closed the connection")
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self._fds.frombytes(content[: len(content) - len(content) % 4])
        self._bytes += data

    def _send(self, message: int, command: int, body: bytes = b"", error: int = 0) -> None:
        assert self._client is not None
        flags = REPLY | (ERROR if error else 0)
        try:
            self._client.sendall(HEADER.pack(message, command, HEADER.size + len(body), flags, error) + body)
        except OSError as failure:
            raise Disconnected(f"{self.path}: {failure.strerror or failure}") from failure

    def _drop(self, what: str) -> None:
        self.close()
        raise ProtocolError(f"{self.path}: {what}; that is no vfio-user request")

    def _execute(self, message: int, command: int, flags: int, body: bytes) -> Access | None:
        if command in (REGION_READ, REGION_WRITE):
            access = self._region(message, command, body)
            if access is not None:
                return access
            return None
        steps = {
            VERSION: self._version,
            DMA_MAP: self._dma_map,
            DMA_UNMAP: self._dma_unmap,
            GET_INFO: self._info,
            GET_REGION_INFO: self._region_info,
            GET_IRQ_INFO: self._irq_info,
            SET_IRQS: self._set_irqs,
            DEVICE_RESET: self._reset,
        }
        try:
            reply, error = (steps[command](body), 0) if command in steps else (b"", errno.ENOTSUP)
        except struct.error:
            reply, error = b"", errno.EINVAL
        except OSError as failure:
            reply, error = b"", failure.errno or errno.EIO
        if not flags & NO_REPLY:
            self._send(message, command, reply, error)
        return None

    def _version(self, body: bytes) -> bytes:
        major, minor = VERSION_HEAD.unpack_from(body)
        if major != 0:
            self._drop(f"protocol version {major}.{minor}, this is 0.1")
        mine = {"capabilities": {"max_msg_fds": MOST_FDS, "max_data_xfer_size": LARGEST_MESSAGE - 1024}}
        return VERSION_HEAD.pack(0, min(minor, 1)) + json.dumps(mine).encode() + b"\0"

    def _dma_map(self, body: bytes) -> bytes:
        _, _, offset, address, size = DMA_MAP_BODY.unpack_from(body)
        if self._fds:  # without a descriptor it is no memory that can be shared
            self.memories[address] = SharedMemory(self._fds.pop(0), offset, address, size)
        return b""

    def _dma_unmap(self, body: bytes) -> bytes:
        _, _, address, size = DMA_UNMAP_BODY.unpack_from(body)
        for base in [b for b in self.memories if address <= b < address + max(size, 1)]:
            del self.memories[base]
        return body

    def _info(self, _: bytes) -> bytes:
        return DEVICE_INFO.pack(DEVICE_INFO.size, _DEVICE_FLAGS, REGIONS, IRQS)

    def _region_info(self, body: bytes) -> bytes:
        index = REGION_INFO.unpack_from(body)[2]
        if index >= REGIONS:
            raise OSError(errno.EINVAL, "no such region")
        size = {BAR0: self.window_size, CONFIG: len(self._config)}.get(index, 0)
        return REGION_INFO.pack(REGION_INFO.size, _READ_WRITE if size else 0, index, 0, size, 0)

    def _irq_info(self, body: bytes) -> bytes:
        index = IRQ_INFO.unpack_from(body)[2]
        if index >= IRQS:
            raise OSError(errno.EINVAL, "no such interrupt")
        if index != INTX:
            return IRQ_INFO.pack(IRQ_INFO.size, 0, index, 0)
        return IRQ_INFO.pack(IRQ_INFO.size, IRQ_INFO_EVENTFD | IRQ_INFO_MASKABLE | IRQ_INFO_AUTOMASKED, index, 1)

    def _set_irqs(self, body: bytes) -> bytes:
        _, flags, index, _, count = IRQ_SET.unpack_from(body)
        if index != INTX:
            return b""
        if flags & IRQ_SET_ACTION_TRIGGER:
            if flags & IRQ_SET_DATA_EVENTFD:
                self.interrupt.connect(self._fds.pop(0) if self._fds else None)
            elif flags & IRQ_SET_DATA_NONE and count == 0:
                self.interrupt.connect(None)
        elif flags & IRQ_SET_ACTION_MASK:
            self.interrupt.mask()
        elif flags & IRQ_SET_ACTION_UNMASK and not flags & IRQ_SET_DATA_EVENTFD:
            self.interrupt.unmask()
        return b""

    def _reset(self, _: bytes) -> bytes:
        self.resets += 1
        if self.window is not None:
            self.window.reset()
        return b""

    def _region(self, message: int, command: int, body: bytes) -> Access | None:
        """A register access, or None after an access of the configuration space or a refusal."""
        if len(body) < REGION_ACCESS.size:
            self._send(message, command, b"", errno.EINVAL)
            return None
        offset, region, count = REGION_ACCESS.unpack_from(body)
        data = body[REGION_ACCESS.size :]
        if command == REGION_WRITE and len(data) != count:
            self._send(message, command, b"", errno.EINVAL)
        elif region == BAR0 and count in (1, 2, 4) and offset % count == 0 and offset + count <= self.window_size:
            return Access(offset, count, None if command == REGION_READ else int.from_bytes(data, "little"), message)
        elif region == CONFIG and offset + count <= len(self._config):
            head = body[: REGION_ACCESS.size]
            if command == REGION_READ:
                self._send(message, command, head + self._config[offset : offset + count])
            else:
                for i in range(count):
                    if offset + i in _WRITABLE:
                        self._config[offset + i] = data[i]
                self._send(message, command, head)
        else:
            self._send(message, command, b"", errno.EINVAL)
        return None
