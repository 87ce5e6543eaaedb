# SPDX-License-Identifier: Apache-2.0
"""Wires: VISA resources and serial lines. The only module that imports pyvisa or pyserial.

Promises: an open `Visa` has answered `*IDN?`; every failure of the libraries below (VisaIOError, BrokenPipeError, bare
RuntimeError of pyvisa-py) comes out as one of `bench.errors`; after a timeout the conversation is put back in step before
the error is raised, so that a late answer is never taken for the next one; a dead connection stays dead (`InstrumentLost`).
Its user uses one `Visa` from one thread, and closes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import select
import socket
import sys
import termios
import time
from typing import Protocol

import pyvisa
import serial
from pyvisa.constants import StatusCode

from .errors import (
    BadAnswer,
    ConsoleLost,
    InstrumentError,
    InstrumentLost,
    InstrumentMissing,
    InstrumentTimeout,
    TruncatedBlock,
)

CHUNK = (1 << 20) + 1  # odd: a reply that is an exact multiple of the chunk confuses some VXI-11 servers
NEWLINE_S = 0.1  # how long a raw socket may take to send the newline after a block, if it sends one
_DEAD = (OSError, RuntimeError, EOFError, AttributeError, AssertionError, pyvisa.errors.InvalidSession)
_manager: pyvisa.ResourceManager | None = None

for _name in ("pyvisa", "pyvisa_py"):
    logging.getLogger(_name).addHandler(
        logging.NullHandler()
    )  # they print tracebacks of failures that we report ourselves


class Link(Protocol):
    """What drivers know of a VISA resource (tests replace it)."""

    resource: str
    identity: str

    def write(self, command: str) -> None: ...
    def query(self, command: str, timeout_s: float | None = None) -> str: ...
    def query_block(self, command: str, timeout_s: float | None = None) -> bytes: ...
    def close(self) -> None: ...


def open_visa(resource: str, *, timeout_s: float = 10.0, open_timeout_s: float = 5.0) -> Visa:
    """Open a VISA resource and ask who it is. Errors: InstrumentLost, InstrumentTimeout, BadAnswer."""
    link = Visa(resource, timeout_s, open_timeout_s)
    try:
        link.identity = link.query("*IDN?", min(timeout_s, open_timeout_s))
        if link.identity.count(",") < 2:
            raise BadAnswer(
                resource, "*IDN?", None, f"{link.identity[:80]!r} is no identity (maker,model,serial,firmware)"
            )
    except InstrumentError:
        link.close()
        raise
    return link


class Visa:
    """One open VISA resource; texts without terminations, blocks as bytes."""

    def __init__(self, resource: str, timeout_s: float, open_timeout_s: float) -> None:
        self.resource, self.identity, self.timeout_s = resource, "", timeout_s
        self._open_timeout_s, self._lost = open_timeout_s, ""
        self._raw_socket = resource.upper().endswith("::SOCKET")
        self._open()

    def _open(self) -> None:
        global _manager
        began = time.monotonic()
        try:
            if _manager is None:  # one for all: closing one of two pulls the sessions of the other
                _manager = pyvisa.ResourceManager("@py")
            self._instrument = _manager.open_resource(
                self.resource, open_timeout=int(self._open_timeout_s * 1000), chunk_size=CHUNK
            )
            self._instrument.write_termination = "\n"
            self._instrument.read_termination = "\n" if self._raw_socket else None
        except (pyvisa.errors.Error, ValueError, *_DEAD) as error:
            missing = getattr(error, "error_code", None) == StatusCode.error_resource_not_found
            detail = "nothing answers at that address" if missing else _text(error)
            raise InstrumentMissing(self.resource, "", time.monotonic() - began, detail) from error
        if self._raw_socket:  # otherwise a write followed by a query stalls 40 ms (Nagle and delayed acknowledge)
            with contextlib.suppress(OSError):
                self._socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._instrument.close()
        self._lost = self._lost or "closed"

    def write(self, command: str) -> None:
        """Send a command that has no answer."""
        self._check(command)
        try:
            self._instrument.write(command)
        except (pyvisa.errors.Error, *_DEAD) as error:
            raise self._gone(command, None, error) from error

    def query(self, command: str, timeout_s: float | None = None) -> str:
        """Send a query and return its answer, stripped. Errors: InstrumentLost, InstrumentTimeout."""
        began = time.monotonic()
        deadline = began + (self.timeout_s if timeout_s is None else timeout_s)
        self.write(command)
        answer = b""
        while not answer.endswith(b"\n"):
            piece, end = self._read(CHUNK, deadline, command, began)
            answer += piece
            if end:
                break
        return answer.decode("latin-1").strip()

    def query_block(self, command: str, timeout_s: float | None = None) -> bytes:
        """Send a query and return the payload of its definite length block (IEEE 488.2, 8.7.9).

        Errors: InstrumentLost, InstrumentTimeout (nothing came), TruncatedBlock (less came than announced), BadAnswer.
        """
        began = time.monotonic()
        deadline = began + (self.timeout_s if timeout_s is None else timeout_s)
        self._binary(True)
        try:
            self.write(command)
            head = self._exactly(2, deadline, command, began)
            if head[:1] != b"#" or not head[1:].isdigit() or head == b"#0":
                rest = self._rest(deadline, command, began)
                self._recover(command)
                raise BadAnswer(self.resource, command, None, f"{(head + rest)[:60]!r} is no definite length block")
            length = self._exactly(int(head[1:]), deadline, command, began, within=True)
            data = self._exactly(int(length), deadline, command, began, within=True)
            self._rest(deadline, command, began)
            return data
        finally:
            self._binary(False)

    # -- below: one place for every way the libraries fail -----------------------------------------------------------
    def _check(self, command: str) -> None:
        if self._lost:
            raise InstrumentLost(self.resource, command, None, self._lost)
        if self._raw_socket and self._is_closed():
            raise self._gone(command, None, ConnectionError("closed by the instrument"))

    def _gone(self, command: str, waited_s: float | None, error: BaseException | str) -> InstrumentLost:
        self._lost = _text(error)
        with contextlib.suppress(Exception):
            self._instrument.close()
        return InstrumentLost(self.resource, command, waited_s, self._lost)

    def _read(self, count: int, deadline: float, command: str, began: float) -> tuple[bytes, bool]:
        """Up to `count` bytes, and whether they end the message. Raises InstrumentTimeout after putting things in step."""
        visa, session = self._instrument.visalib, self._instrument.session
        try:
            if self._raw_socket:
                count = min(count, self._await_socket(deadline))
            self._instrument.timeout = max(1.0, (deadline - time.monotonic()) * 1000)
            with visa.ignore_warning(session, StatusCode.success_max_count_read):  # expected: we ask for so many
                data, status = visa.read(session, count)
            whole = StatusCode.success_termination_character_read
            return bytes(data), status == whole or (status == StatusCode.success and not self._raw_socket)
        except (pyvisa.errors.VisaIOError, TimeoutError) as error:
            waited = time.monotonic() - began
            if getattr(error, "error_code", StatusCode.error_timeout) != StatusCode.error_timeout:
                raise self._gone(command, waited, error) from error
            self._recover(command)
            raise InstrumentTimeout(self.resource, command, waited) from None
        except _DEAD as error:
            raise self._gone(command, time.monotonic() - began, error) from error

    def _await_socket(self, deadline: float) -> int:
        """Bytes that a raw socket has for us, at least 1. TimeoutError at the deadline, ConnectionError if it was closed.

        pyvisa-py itself throws away what came before a timeout, and spins on a closed socket until the timeout.
        """
        sock = self._socket()
        while not (waiting := len(self._session()._pending_buffer) + _readable(sock)):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if select.select([sock], [], [], left)[0] and self._is_closed():
                raise ConnectionError("closed by the instrument")
        return waiting

    def _exactly(self, count: int, deadline: float, command: str, began: float, within: bool = False) -> bytes:
        """`count` bytes; `within` a block, too few are a TruncatedBlock."""
        data = bytearray()
        while len(data) < count:
            try:
                piece, end = self._read(min(count - len(data), CHUNK), deadline, command, began)
            except InstrumentTimeout:
                if not data and not within:
                    raise
                piece, end = b"", True
            else:
                if end and len(data) + len(piece) < count and not self._raw_socket:
                    self._recover(command)
            data += piece
            if len(data) < count and (not piece or (end and not self._raw_socket)):
                came = f"{len(data)} of {count} bytes came"
                raise TruncatedBlock(self.resource, command, time.monotonic() - began, came)
        return bytes(data)

    def _rest(self, deadline: float, command: str, began: float) -> bytes:
        """What follows a block: a newline (on a raw socket: perhaps none), or the rest of the message."""
        if not self._raw_socket:
            return self._read(CHUNK, deadline, command, began)[0]
        with contextlib.suppress(TimeoutError, ConnectionError):
            self._await_socket(time.monotonic() + NEWLINE_S)
            return self._read(1, deadline, command, began)[0]
        return b""

    def _recover(self, command: str) -> None:
        """Get back in step after a timeout: break off what the instrument does, and open it anew (a late answer cannot follow)."""
        with contextlib.suppress(pyvisa.errors.Error, *_DEAD):
            self._instrument.timeout = 1000
            if not self._raw_socket:
                self._instrument.clear()
        with contextlib.suppress(pyvisa.errors.Error, *_DEAD):
            self._instrument.close()
        try:
            self._open()
            if self.identity:
                self._instrument.timeout = max(1000, self._open_timeout_s * 1000)
                answer = self._instrument.query("*CLS;*IDN?").strip()
                if answer != self.identity:
                    raise ConnectionError(f"now answers to *IDN? with {answer[:80]!r}")
        except (InstrumentLost, pyvisa.errors.Error, *_DEAD) as error:
            self._lost = f"out of step since {command!r}, and opening it anew failed ({_text(error)})"

    def _binary(self, on: bool) -> None:
        """Raw sockets end a text at its newline, which a block may contain."""
        if self._raw_socket and not self._lost:
            self._instrument.read_termination = None if on else "\n"

    def _session(self):
        return self._instrument.visalib.sessions[self._instrument.session]

    def _socket(self) -> socket.socket:
        return self._session().interface

    def _is_closed(self) -> bool:
        """Has the other side closed a raw socket (pyvisa-py spins on one until the timeout)?"""
        try:
            sock = self._socket()
            return not self._session()._pending_buffer and sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


def _readable(sock: socket.socket) -> int:
    """Bytes that can be received without waiting."""
    return int.from_bytes(fcntl.ioctl(sock, termios.FIONREAD, bytes(4)), sys.byteorder)


def _text(error: BaseException | str) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


class SerialLine:
    """A tty or pty in raw mode. Errors: ConsoleLost."""

    def __init__(self, port: str, baud: int = 115200) -> None:
        self.port = port
        try:
            self._serial = serial.Serial(port, baud, timeout=0, write_timeout=5.0, exclusive=False)
        except (serial.SerialException, ValueError, OSError) as error:
            raise ConsoleLost(
                f"{port}: cannot open the console ({_text(error)}); check console.port in the bench file, and that you may use the port"
            ) from error

    def read(self, timeout_s: float) -> bytes:
        """What has arrived, after waiting at most timeout_s for a first byte."""
        try:
            self._serial.timeout = timeout_s
            first = self._serial.read(1)
            return first + self._serial.read(self._serial.in_waiting) if first else b""
        except (serial.SerialException, OSError, TypeError) as error:
            raise ConsoleLost(
                f"{self.port}: the console has gone ({_text(error)}); is the board (or the virtual bench) still running?"
            ) from error

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError, TypeError) as error:
            raise ConsoleLost(
                f"{self.port}: the console takes no input ({_text(error)}); is the board still running?"
            ) from error

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._serial.close()
