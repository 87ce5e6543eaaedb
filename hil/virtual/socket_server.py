# SPDX-License-Identifier: Apache-2.0
"""Raw SCPI socket (VISA `TCPIP::host::port::SOCKET`) for one virtual instrument, loopback only.

Promises: one program message per line, one thread per client, answers at once (no Nagle delay); `close` ends every thread
and socket. There is no device clear on a raw socket: a client that goes away breaks off what it was waiting for.
Its user gives a `ScpiDevice` and reads `resource` for the VISA address.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading

from .faults import Faults
from .scpi import ScpiDevice

LONGEST_LINE = 1 << 20


class SocketServer:
    """Serves one device until `close`."""

    def __init__(self, device: ScpiDevice, faults: Faults | None = None, port: int = 0) -> None:
        self.device, self.faults = device, faults or Faults()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._clients: dict[socket.socket, threading.Event] = {}
        self._closing = threading.Event()
        threading.Thread(target=self._accept, name=f"scpi-socket-{self.port}", daemon=True).start()

    @property
    def resource(self) -> str:
        """VISA address of the device."""
        return f"TCPIP::127.0.0.1::{self.port}::SOCKET"

    def close(self) -> None:
        self._closing.set()
        for cancel in list(self._clients.values()):
            cancel.set()
        for sock in (self._listener, *list(self._clients)):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                sock.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._clients[sock] = threading.Event()
            threading.Thread(target=self._serve, args=(sock,), name="scpi-client", daemon=True).start()
            threading.Thread(target=self._watch, args=(sock,), name="scpi-watch", daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        cancel, pending = self._clients[sock], b""
        try:
            while not cancel.is_set():
                piece = sock.recv(1 << 16)
                if not piece or len(pending) > LONGEST_LINE:
                    return
                *lines, pending = (pending + piece).split(b"\n")
                for line in lines:
                    self._answer(sock, line, cancel)
        except OSError:
            pass
        finally:
            self._clients.pop(sock, None)
            with contextlib.suppress(OSError):
                sock.close()

    def _answer(self, sock: socket.socket, line: bytes, cancel: threading.Event) -> None:
        data = self.device.execute(line, cancel)
        reply = self.faults.reply(line, data)
        if reply.delay_s and cancel.wait(reply.delay_s):
            return
        if reply.data:
            sock.sendall(reply.data)
        if reply.close:
            sock.shutdown(socket.SHUT_RDWR)
            raise ConnectionError("seeded fault")

    def _watch(self, sock: socket.socket) -> None:
        """Notice a client that hung up while its command is still waiting."""
        cancel = self._clients.get(sock)
        if cancel is None:
            return
        poller = select.poll()
        with contextlib.suppress(OSError, ValueError):
            poller.register(sock, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
            while not cancel.is_set() and sock in self._clients:
                if poller.poll(200):
                    break
        cancel.set()
