# SPDX-License-Identifier: Apache-2.0
"""Questions to a running bridge from the process that owns the board: how the pace was, and please end.

One connection at a time on a Unix socket (SOCK_SEQPACKET), one JSON object per packet each way. The bridge's side never blocks;
the asking side waits at most ten seconds.
"""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path
from typing import Any

from .errors import Disconnected
from .time import Pacer, PaceReport

_PACKET = 1 << 16
_ANSWER_LIMIT_S = 10.0


class Control:
    """The bridge's side. `sockets` are what to wait for; `serve` answers what has come and says whether to end."""

    def __init__(self, path: Path, pacer: Pacer) -> None:
        self.path, self.pacer = path, pacer
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._listener.setblocking(False)
        self.sockets: list[socket.socket] = [self._listener]
        self._ended = False

    def serve(self) -> bool:
        """Answer questions; True once the owner asked for the end."""
        if len(self.sockets) == 1:
            with contextlib.suppress(BlockingIOError):
                client, _ = self._listener.accept()
                client.setblocking(False)
                self.sockets.append(client)
        for client in self.sockets[1:]:
            try:
                packet = client.recv(_PACKET)
                if packet:
                    client.send(json.dumps(self._answer(packet)).encode())
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass
            self.sockets.remove(client)
            client.close()
        return self._ended

    def close(self) -> None:
        for one in self.sockets:
            one.close()
        self.path.unlink(missing_ok=True)

    def _answer(self, packet: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(packet)["ask"]
        except (ValueError, KeyError, TypeError):
            return {"error": 'not understood; right is {"ask": "pace"} or {"ask": "end"}'}
        if asked == "pace":
            return vars(self.pacer.report(begin_anew=True))
        if asked == "end":
            self._ended = True
            return {}
        return {"error": f"{asked!r} is nothing that can be asked; right is pace or end"}


class Asker:
    """The owner's side. Disconnected when the bridge has gone or does not answer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_ANSWER_LIMIT_S)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise Disconnected(f"{path}: {error.strerror}") from error

    def pace(self) -> PaceReport:
        """How the pace was since the last time this was asked."""
        return PaceReport(**self._ask("pace"))

    def end(self) -> None:
        """Ask the bridge to end; its world then writes its results."""
        self._ask("end")

    def close(self) -> None:
        self._socket.close()

    def _ask(self, what: str) -> dict[str, Any]:
        try:
            self._socket.send(json.dumps({"ask": what}).encode())
            packet = self._socket.recv(_PACKET)
        except OSError as error:
            raise Disconnected(f"{self.path}: {error}") from error
        if not packet:
            raise Disconnected(f"{self.path}: the simulation has gone")
        answer: dict[str, Any] = json.loads(packet)
        return answer
