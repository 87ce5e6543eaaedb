# SPDX-License-Identifier: Apache-2.0
"""HiSLIP server (IVI-6.1, protocol version 1.0, synchronized mode) for one virtual instrument, loopback only.

Promises: every client gets its synchronous and its asynchronous channel, a thread each; device clear breaks off what its own
client is waiting for; answers carry the MessageID of the query they answer; `close` ends every thread and socket.
Its user gives a `ScpiDevice` and reads `resource` for the VISA address.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
from dataclasses import dataclass, field
from enum import IntEnum

from .faults import Faults
from .scpi import ScpiDevice

HEADER = struct.Struct(
    "!2sBBIQ"
)  # prologue, message type, control code, message parameter, payload length (IVI-6.1 table 1)
PROLOGUE = b"HS"
LIMIT = 1 << 20  # longest message taken or sent, header included
VENDOR_ID = int.from_bytes(b"VT", "big")


class Message(IntEnum):
    """Message types (IVI-6.1 table 4)."""

    INITIALIZE = 0
    INITIALIZE_RESPONSE = 1
    FATAL_ERROR = 2
    ERROR = 3
    ASYNC_LOCK = 4
    ASYNC_LOCK_RESPONSE = 5
    DATA = 6
    DATA_END = 7
    DEVICE_CLEAR_COMPLETE = 8
    DEVICE_CLEAR_ACKNOWLEDGE = 9
    ASYNC_REMOTE_LOCAL_CONTROL = 10
    ASYNC_REMOTE_LOCAL_RESPONSE = 11
    TRIGGER = 12
    ASYNC_MAX_MSG_SIZE = 15
    ASYNC_MAX_MSG_SIZE_RESPONSE = 16
    ASYNC_INITIALIZE = 17
    ASYNC_INITIALIZE_RESPONSE = 18
    ASYNC_DEVICE_CLEAR = 19
    ASYNC_STATUS_QUERY = 21
    ASYNC_STATUS_RESPONSE = 22
    ASYNC_DEVICE_CLEAR_ACKNOWLEDGE = 23
    ASYNC_LOCK_INFO = 24
    ASYNC_LOCK_INFO_RESPONSE = 25


@dataclass
class Session:
    """One client: its channels, the longest message it takes, and the flag that breaks off what it waits for."""

    number: int
    sync: socket.socket
    limit: int = LIMIT
    cancel: threading.Event = field(default_factory=threading.Event)
    sockets: list[socket.socket] = field(default_factory=list)


def receive_exact(sock: socket.socket, count: int) -> bytes:
    """Exactly `count` bytes, or ConnectionError when the other side has gone."""
    data = bytearray()
    while len(data) < count:
        piece = sock.recv(min(count - len(data), 1 << 16))
        if not piece:
            raise ConnectionError("closed by the client")
        data += piece
    return bytes(data)


def send(sock: socket.socket, kind: Message, control: int = 0, parameter: int = 0, payload: bytes = b"") -> None:
    sock.sendall(HEADER.pack(PROLOGUE, kind, control, parameter, len(payload)) + payload)


class HislipServer:
    """Serves one device until `close`."""

    def __init__(self, device: ScpiDevice, faults: Faults | None = None, port: int = 0) -> None:
        self.device, self.faults = device, faults or Faults()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._sessions: dict[int, Session] = {}
        self._sockets: set[socket.socket] = set()
        self._numbers = itertools.count(1)
        self._closing = threading.Event()
        threading.Thread(target=self._accept, name=f"hislip-{self.port}", daemon=True).start()

    @property
    def resource(self) -> str:
        """VISA address of the device."""
        return f"TCPIP::127.0.0.1::hislip0,{self.port}::INSTR"

    def close(self) -> None:
        self._closing.set()
        for session in list(self._sessions.values()):
            session.cancel.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for sock in (self._listener, *list(self._sockets)):
            _hang_up(sock)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.add(sock)
            threading.Thread(target=self._channel, args=(sock,), name="hislip-channel", daemon=True).start()

    def _channel(self, sock: socket.socket) -> None:
        """One connection: its first message says which channel it is."""
        try:
            kind, _, parameter, _ = self._receive(sock)
            if kind == Message.INITIALIZE:
                session = Session(next(self._numbers) & 0xFFFF, sock)
                session.sockets.append(sock)
                self._sessions[session.number] = session
                send(sock, Message.INITIALIZE_RESPONSE, 0, (0x0100 << 16) | session.number)
                self._synchronous(session)
            elif kind == Message.ASYNC_INITIALIZE and parameter in self._sessions:
                session = self._sessions[parameter]
                session.sockets.append(sock)
                send(sock, Message.ASYNC_INITIALIZE_RESPONSE, 0, VENDOR_ID)
                self._asynchronous(session, sock)
            else:
                send(sock, Message.FATAL_ERROR, 3, 0, b"Invalid Initialization sequence")
        except (OSError, ConnectionError, ValueError):
            pass
        finally:
            session = next((s for s in list(self._sessions.values()) if sock in s.sockets), None)
            if session is not None:  # one channel gone ends the session
                session.cancel.set()
                self._sessions.pop(session.number, None)
                for other in session.sockets:
                    _hang_up(other)
                    self._sockets.discard(other)
            _hang_up(sock)
            self._sockets.discard(sock)

    def _receive(self, sock: socket.socket) -> tuple[int, int, int, bytes]:
        prologue, kind, control, parameter, length = HEADER.unpack(receive_exact(sock, HEADER.size))
        if prologue != PROLOGUE or length > LIMIT:
            send(sock, Message.FATAL_ERROR, 1, 0, b"Poorly formed message header")
            raise ValueError("poorly formed message header")
        return kind, control, parameter, receive_exact(sock, length)

    def _synchronous(self, session: Session) -> None:
        message = b""
        while not self._closing.is_set():
            kind, _, parameter, payload = self._receive(session.sync)
            if kind == Message.DEVICE_CLEAR_COMPLETE:
                message = b""
                session.cancel.clear()
                send(session.sync, Message.DEVICE_CLEAR_ACKNOWLEDGE)
            elif session.cancel.is_set():
                continue  # between AsyncDeviceClear and DeviceClearComplete everything is dropped
            elif kind in (Message.DATA, Message.DATA_END):
                message += payload
                if kind == Message.DATA_END:
                    query, message = message, b""
                    self._answer(session, query, parameter)
            elif kind != Message.TRIGGER:
                send(session.sync, Message.ERROR, 1, 0, b"Unrecognized Message Type")

    def _answer(self, session: Session, query: bytes, message_id: int) -> None:
        data = self.device.execute(query, session.cancel)
        reply = self.faults.reply(query, data)
        if reply.delay_s and session.cancel.wait(reply.delay_s):
            return
        if session.cancel.is_set():
            return
        rest, room = reply.data or b"", max(session.limit - HEADER.size, 1)
        while rest:
            piece, rest = rest[:room], rest[room:]
            kind = Message.DATA if rest or reply.close else Message.DATA_END
            send(session.sync, kind, 0, message_id, piece)
        if reply.close:
            raise ConnectionError("seeded fault")

    def _asynchronous(self, session: Session, sock: socket.socket) -> None:
        while not self._closing.is_set():
            kind, _, _, payload = self._receive(sock)
            if kind == Message.ASYNC_MAX_MSG_SIZE:
                session.limit = min(LIMIT, int.from_bytes(payload, "big"))
                send(sock, Message.ASYNC_MAX_MSG_SIZE_RESPONSE, 0, 0, LIMIT.to_bytes(8, "big"))
            elif kind == Message.ASYNC_DEVICE_CLEAR:
                session.cancel.set()
                send(sock, Message.ASYNC_DEVICE_CLEAR_ACKNOWLEDGE)
            elif kind == Message.ASYNC_STATUS_QUERY:
                send(sock, Message.ASYNC_STATUS_RESPONSE, self.device.status_byte())
            elif kind == Message.ASYNC_LOCK:
                send(sock, Message.ASYNC_LOCK_RESPONSE, 1)
            elif kind == Message.ASYNC_LOCK_INFO:
                send(sock, Message.ASYNC_LOCK_INFO_RESPONSE)
            elif kind == Message.ASYNC_REMOTE_LOCAL_CONTROL:
                send(sock, Message.ASYNC_REMOTE_LOCAL_RESPONSE)
            else:
                send(sock, Message.ERROR, 1, 0, b"Unrecognized Message Type")


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        sock.close()
