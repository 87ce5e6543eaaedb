# SPDX-License-Identifier: Apache-2.0
"""Messages of the vfio-user protocol on a Unix stream socket, with the descriptors that travel beside them (SCM_RIGHTS).

Promise: `receive` never blocks; a message is handed out when it is whole. A reply that the client does not take within ten
seconds counts as `Disconnected`. What is no request, or longer than 64 KiB, is a `ProtocolError`, and the connection is closed.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
from pathlib import Path
from typing import NamedTuple

from .errors import Disconnected, ProtocolError

HEADER = struct.Struct("<HHIII")  # message id, command, size with header, flags, error
REPLY, NO_REPLY, ERROR, TYPE_MASK = 0x1, 0x10, 0x20, 0xF
LARGEST_MESSAGE = 1 << 16
MOST_FDS = 8
_SEND_LIMIT = struct.pack("ll", 10, 0)


class Request(NamedTuple):
    """One message of the client."""

    id: int
    command: int
    flags: int
    body: bytes


class MessageSocket:
    """One client at the socket `path`, which must not exist; it listens when the constructor returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._bytes, self._fds = bytearray(), array.array("i")
        self._client: socket.socket | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._listener.setblocking(False)

    def fileno(self) -> int:
        """The client's socket, before there is one the listening one."""
        return (self._client or self._listener).fileno()

    @property
    def connected(self) -> bool:
        return self._client is not None

    @property
    def pending(self) -> bool:
        """A whole message has been read already, so waiting for the socket would miss it."""
        return len(self._bytes) >= HEADER.size and len(self._bytes) >= HEADER.unpack_from(self._bytes)[2]

    def receive(self) -> Request | None:
        """The next whole message, or None when there is none yet."""
        if self._client is None:
            with contextlib.suppress(BlockingIOError):
                self._client, _ = self._listener.accept()
                self._client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _SEND_LIMIT)
            return None
        if not self.pending:
            self._fill()
        if len(self._bytes) < HEADER.size:
            return None
        number, command, size, flags, _ = HEADER.unpack_from(self._bytes)
        if not HEADER.size <= size <= LARGEST_MESSAGE or flags & TYPE_MASK:
            self.refuse(f"message {number} with command {command}, size {size}, flags {flags:#x}")
        if len(self._bytes) < size:
            return None
        body = bytes(self._bytes[HEADER.size : size])
        del self._bytes[:size]
        return Request(number, command, flags, body)

    def take_fd(self) -> int | None:
        """The oldest descriptor that came along; who takes it closes it."""
        return self._fds.pop(0) if self._fds else None

    def drop_fds(self) -> None:
        """Close descriptors that nobody took, so that none is taken for a later message's."""
        while (fd := self.take_fd()) is not None:
            os.close(fd)

    def reply(self, number: int, command: int, body: bytes = b"", error: int = 0) -> None:
        """Answer message `number`; `error` is an errno."""
        if self._client is None:
            raise Disconnected(f"{self.path}: nobody to answer")
        head = HEADER.pack(number, command, HEADER.size + len(body), REPLY | (ERROR if error else 0), error)
        try:
            self._client.sendall(head + body)
        except OSError as failure:
            raise Disconnected(f"{self.path}: {failure.strerror or failure}") from failure

    def refuse(self, what: str) -> None:
        """Close the connection and raise ProtocolError."""
        self.close()
        raise ProtocolError(f"{self.path}: {what}; that is no vfio-user request")

    def close(self) -> None:
        """Leave; a client in the middle of a request is let go. Safe to call twice."""
        for sock in (self._client, self._listener):
            if sock is not None:
                sock.close()
        self.drop_fds()
        self.path.unlink(missing_ok=True)

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
