# SPDX-License-Identifier: Apache-2.0
"""Raw sockets that misbehave: each failure has its name, its message is complete, and the conversation stays in step."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from virtone.bench.errors import BadAnswer, InstrumentError, InstrumentLost, InstrumentTimeout, TruncatedBlock
from virtone.bench.transport import open_visa

IDN = "ACME,SCOPE,1,2"
Behaviour = Callable[[socket.socket, str], None]


class Server:
    """One line in, whatever `behaviour` sends out; `*IDN?` is answered by itself."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.behaviour: Behaviour = lambda sock, line: None
        self.heard: list[str] = []
        self.resource = f"TCPIP::127.0.0.1::{self.listener.getsockname()[1]}::SOCKET"
        self.idn = IDN
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, sock.makefile("r", encoding="latin-1") as lines:
            try:
                for line in lines:
                    line = line.rstrip("\r\n")
                    self.heard.append(line)
                    if line in ("*IDN?", "*CLS;*IDN?"):
                        sock.sendall(self.idn.encode() + b"\n")
                    elif line.endswith("?"):
                        self.behaviour(sock, line)
            except OSError:
                pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.listener.close()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(InstrumentLost, match=f"127.0.0.1::{port}::SOCKET.*switched on"):
        open_visa(f"TCPIP::127.0.0.1::{port}::SOCKET", open_timeout_s=2)
    with pytest.raises(InstrumentLost, match="nothing answers"):
        open_visa(f"TCPIP::127.0.0.1::hislip0,{port}::INSTR", open_timeout_s=2)
    assert time.monotonic() - began < 5


def test_no_resource_string() -> None:
    with pytest.raises(InstrumentLost, match="scope on the left"):
        open_visa("scope on the left")


def test_something_that_is_no_instrument(server: Server) -> None:
    server.idn = "SSH-2.0-OpenSSH_9.2"
    with pytest.raises(BadAnswer, match=r"'SSH-2\.0-OpenSSH_9\.2' is no identity"):
        open_visa(server.resource)


def test_silent_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        resource = f"TCPIP::127.0.0.1::{listener.getsockname()[1]}::SOCKET"
        with pytest.raises(InstrumentTimeout, match=r"no answer to '\*IDN\?' \(waited 0\.3 s\).*timeout_s"):
            open_visa(resource, timeout_s=0.3)


def test_blocks(server: Server) -> None:
    payload = bytes(range(256)) * 5000  # newlines in it
    server.behaviour = lambda sock, line: sock.sendall(b"#7%07d" % len(payload) + payload + b"\n")
    link = open_visa(server.resource)
    assert link.identity == IDN
    for _ in range(2):
        assert link.query_block("DATA?") == payload
        assert link.query("*IDN?") == IDN
    server.behaviour = lambda sock, line: sock.sendall(b"#10")  # empty block without newline
    assert link.query_block("DATA?") == b""
    link.close()
    with pytest.raises(InstrumentLost, match="closed"):
        link.query("*IDN?")


def test_truncated_block(server: Server) -> None:
    server.behaviour = lambda sock, line: sock.sendall(b"#41000" + bytes(400))
    link = open_visa(server.resource, timeout_s=0.5)
    with pytest.raises(TruncatedBlock, match=r"'DATA\?' \(waited .* s\): 400 of 1000 bytes"):
        link.query_block("DATA?")
    assert link.query("*IDN?") == IDN


def test_block_that_trickles(server: Server) -> None:
    """Pauses are no end, as long as the whole comes in time."""

    def trickle(sock: socket.socket, line: str) -> None:
        for piece in (b"#", b"3", b"01", b"1", b"01234\n", b"56789", b"\n"):
            sock.sendall(piece)
            time.sleep(0.15)

    server.behaviour = trickle
    link = open_visa(server.resource, timeout_s=5)
    assert link.query_block("DATA?") == b"01234\n56789"


@pytest.mark.parametrize("answer", [b"+1.0\n", b"#0indefinite\n", b"#x12\n"])
def test_answer_that_is_no_block(server: Server, answer: bytes) -> None:
    server.behaviour = lambda sock, line: sock.sendall(answer)
    link = open_visa(server.resource, timeout_s=1)
    with pytest.raises(BadAnswer, match="is no definite length block"):
        link.query_block("DATA?")
    assert link.query("*IDN?") == IDN


def test_late_answer_is_not_taken_for_the_next(server: Server) -> None:
    def late(sock: socket.socket, line: str) -> None:
        if line == "SLOW?":
            time.sleep(0.8)
            sock.sendall(b"late\n")

    server.behaviour = late
    link = open_visa(server.resource, timeout_s=0.3)
    with pytest.raises(InstrumentTimeout, match="SLOW"):
        link.query("SLOW?")
    time.sleep(0.8)
    assert link.query("*IDN?") == IDN
    assert server.heard.count("*CLS;*IDN?") == 1


def test_closed_connection_is_noticed_long_before_the_timeout(server: Server) -> None:
    server.behaviour = lambda sock, line: sock.shutdown(socket.SHUT_RDWR)
    link = open_visa(server.resource, timeout_s=20)
    began = time.monotonic()
    with pytest.raises(InstrumentLost, match="closed by the instrument"):
        link.query("ANY?")
    assert time.monotonic() - began < 2
    with pytest.raises(InstrumentLost):
        link.write("*RST")


def test_every_instrument_error_says_where_what_and_what_to_do() -> None:
    for kind in (InstrumentLost, InstrumentTimeout, TruncatedBlock, BadAnswer):
        text = str(kind("TCPIP::x::INSTR", ":DATA?", 1.25, "detail"))
        assert all(part in text for part in ("TCPIP::x::INSTR", "':DATA?'", "1.2 s", "detail", kind.todo))
        assert isinstance(kind("x"), InstrumentError)
