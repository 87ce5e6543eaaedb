# SPDX-License-Identifier: Apache-2.0
"""The vfio-user server by itself: a client of a few lines plays QEMU's part, no virtual machine is started."""

from __future__ import annotations

import array
import errno
import os
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil.virtual.linux_board import intx
from hil.virtual.linux_board import vfio_user as vu
from hil.virtual.linux_board.errors import Disconnected, ProtocolError
from hil.virtual.linux_board.message_socket import ERROR, HEADER, REPLY

RAM = 0x4000_0000


class Scratch:
    """Registers that keep what is written, and a list of everything that happened."""

    def __init__(self) -> None:
        self.words: dict[int, int] = {}
        self.seen: list[tuple] = []

    def read(self, offset: int, size: int) -> int:
        self.seen.append(("read", offset, size))
        return self.words.get(offset, 0x11223344)

    def write(self, offset: int, size: int, value: int) -> None:
        self.seen.append(("write", offset, size, value))
        self.words[offset] = value

    def reset(self) -> None:
        self.seen.append(("reset",))


class Client:
    """QEMU's half of the conversation."""

    def __init__(self, server: vu.Server, path: Path) -> None:
        self.server, self.number = server, 0
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(5)
        self.socket.connect(str(path))
        server.receive()

    def send(self, command: int, body: bytes = b"", fds: tuple[int, ...] = (), flags: int = 0) -> None:
        self.number += 1
        message = HEADER.pack(self.number, command, HEADER.size + len(body), flags, 0) + body
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([message], rights)

    def reply(self) -> tuple[int, bytes]:
        """(errno, body) of the next message, which must answer the last one sent."""
        number, _, size, flags, error = HEADER.unpack(self.socket.recv(HEADER.size, socket.MSG_WAITALL))
        assert number == self.number and flags & REPLY
        assert bool(flags & ERROR) == bool(error)
        body = self.socket.recv(size - HEADER.size, socket.MSG_WAITALL) if size > HEADER.size else b""
        return error, body

    def ask(self, command: int, body: bytes = b"", fds: tuple[int, ...] = ()) -> tuple[int, bytes]:
        self.send(command, body, fds)
        assert self.server.handle_one(5)
        return self.reply()

    def read(self, offset: int, size: int, region: int = vu.BAR0) -> tuple[int, bytes]:
        error, body = self.ask(vu.REGION_READ, vu.REGION_ACCESS.pack(offset, region, size))
        return error, body[vu.REGION_ACCESS.size :]

    def write(self, offset: int, data: bytes, region: int = vu.BAR0) -> int:
        return self.ask(vu.REGION_WRITE, vu.REGION_ACCESS.pack(offset, region, len(data)) + data)[0]

    def irqs(self, flags: int, count: int = 1, fds: tuple[int, ...] = ()) -> int:
        return self.ask(vu.SET_IRQS, vu.IRQ_SET.pack(20, flags, vu.INTX, 0, count), fds)[0]


@pytest.fixture
def pair() -> Iterator[tuple[Client, vu.Server, Scratch]]:
    with tempfile.TemporaryDirectory() as folder:
        window, path = Scratch(), Path(folder) / "s"
        server = vu.Server(path, window)
        client = Client(server, path)
        yield client, server, window
        client.socket.close()
        server.close()


def test_greets_and_describes_the_device(pair: tuple[Client, vu.Server, Scratch]) -> None:
    client, _, window = pair
    error, body = client.ask(vu.VERSION, vu.VERSION_HEAD.pack(0, 1) + b'{"capabilities":{}}\0')
    assert error == 0 and vu.VERSION_HEAD.unpack_from(body) == (0, 1) and body.endswith(b"}\0")
    assert vu.DEVICE_INFO.unpack(client.ask(vu.GET_INFO, bytes(16))[1]) == (16, 3, 9, 5)
    sizes = {}
    for index in range(9):
        reply = vu.REGION_INFO.unpack(client.ask(vu.GET_REGION_INFO, vu.REGION_INFO.pack(32, 0, index, 0, 0, 0))[1])
        sizes[index] = reply[4]
    assert sizes == {0: 0x2000, 7: 256} | {i: 0 for i in (1, 2, 3, 4, 5, 6, 8)}
    counts = [vu.IRQ_INFO.unpack(client.ask(vu.GET_IRQ_INFO, vu.IRQ_INFO.pack(16, 0, i, 0))[1])[1::2] for i in range(5)]
    assert counts == [(7, 1), (0, 0), (0, 0), (0, 0), (0, 0)]
    assert client.ask(vu.DEVICE_RESET) == (0, b"") and window.seen == [("reset",)]


def test_registers(pair: tuple[Client, vu.Server, Scratch]) -> None:
    client, _, window = pair
    assert client.read(0x1008, 4) == (0, bytes.fromhex("44332211"))
    assert client.read(0x101, 1) == (0, b"\x44")  # no more than was asked for
    assert client.write(0x50, (3).to_bytes(4, "little")) == 0
    assert client.write(0x102, b"\x34\x12") == 0
    assert window.seen == [("read", 0x1008, 4), ("read", 0x101, 1), ("write", 0x50, 4, 3), ("write", 0x102, 2, 0x1234)]


@pytest.mark.parametrize(
    ("offset", "size", "region"),
    [(2, 4, 0), (0x2000, 4, 0), (0x1FFF, 2, 0), (0, 8, 0), (0, 0, 0), (0, 4, 1), (0xFE, 4, 7), (1 << 63, 4, 0)],
)
def test_accesses_that_nothing_answers(
    pair: tuple[Client, vu.Server, Scratch], offset: int, size: int, region: int
) -> None:
    client, _, window = pair
    assert client.read(offset, size, region)[0] == errno.EINVAL
    assert client.write(offset, bytes(size), region) == errno.EINVAL
    assert window.seen == []
    assert client.read(0, 4)[0] == 0  # and the conversation goes on


def test_answers_any_time_later() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = vu.Server(Path(folder) / "s")
        client = Client(server, Path(folder) / "s")
        client.send(vu.REGION_READ, vu.REGION_ACCESS.pack(0x1010, 0, 4))
        access = server.receive()
        assert access is not None and access[:3] == (0x1010, 4, None)
        assert server.receive() is None
        server.set_interrupt(True)  # the device's life goes on meanwhile
        server.answer(access, 0xDEADBEEF)
        assert client.reply()[1][-4:] == bytes.fromhex("efbeadde")
        server.close()


def test_config_space_keeps_only_command_and_line(pair: tuple[Client, vu.Server, Scratch]) -> None:
    client, _, _ = pair
    assert client.write(4, b"\x06\x04", vu.CONFIG) == 0
    assert client.write(0x3C, b"\x2a", vu.CONFIG) == 0
    for offset in (0x00, 0x10, 0x14, 0x30):
        assert client.write(offset, b"\xff" * 4, vu.CONFIG) == 0
    error, config = client.read(0, 256, vu.CONFIG)
    assert error == 0 and config[4:6] == b"\x06\x04" and config[0x3C:0x3E] == b"\x2a\x01"
    assert config[:4] == bytes.fromhex("54560100") and config[0x0B] == 0xFF
    assert not any(config[0x10:0x28]) and not any(config[0x30:0x34])


def test_guest_memory_is_shared_not_copied(pair: tuple[Client, vu.Server, Scratch]) -> None:
    client, server, _ = pair
    fd = os.memfd_create("ram")
    os.truncate(fd, 0x3000)
    assert client.ask(vu.DMA_MAP, vu.DMA_MAP_BODY.pack(32, 3, 0x1000, RAM, 0x2000), (fd,)) == (0, b"")
    memory = server.memory(RAM + 0x1FF8, 8)
    assert memory is not None and memory.base == RAM and server.memory(RAM + 0x1FF9, 8) is None
    os.pwrite(fd, b"guest", 0x1000)
    assert bytes(memory.view[:5]) == b"guest"
    memory.view[0x1FFF] = 7
    assert os.pread(fd, 1, 0x2FFF) == b"\x07"
    body = vu.DMA_UNMAP_BODY.pack(24, 0, RAM, 0x2000)
    assert client.ask(vu.DMA_UNMAP, body) == (0, body) and server.memory(RAM) is None
    client.ask(
        vu.GET_INFO, bytes(16), (fd,)
    )  # a descriptor that belongs to nothing is not taken for the next message's
    assert client.ask(vu.DMA_MAP, vu.DMA_MAP_BODY.pack(32, 1, 0, 0x8000_0000, 0x1000)) == (0, b"")  # none: a ROM
    assert server.memory(0x8000_0000) is None
    assert (
        client.ask(vu.DMA_MAP, vu.DMA_MAP_BODY.pack(32, 3, 1, RAM, 0x1000), (fd,))[0] == errno.EINVAL
    )  # no page boundary
    os.close(fd)


def consumed(eventfd: int) -> bool:
    """Take the event as QEMU does."""
    try:
        os.read(eventfd, 8)
    except BlockingIOError:
        return False
    return True


def test_level_interrupt(pair: tuple[Client, vu.Server, Scratch]) -> None:
    client, server, _ = pair
    event = os.eventfd(0, os.EFD_NONBLOCK)
    server.set_interrupt(True)  # high before anybody listens
    assert client.irqs(intx.SET_ACTION_TRIGGER | intx.SET_DATA_EVENTFD, fds=(event,)) == 0
    assert consumed(event), "a line that is high already is an event"
    assert not consumed(event), "masked until the end of interrupt"
    client.irqs(intx.SET_ACTION_UNMASK | intx.SET_DATA_NONE)
    assert consumed(event), "still high after the end of interrupt"
    server.set_interrupt(False)
    client.irqs(intx.SET_ACTION_UNMASK | intx.SET_DATA_NONE)
    assert not consumed(event), "low: nothing after the end of interrupt"
    server.set_interrupt(True)
    server.set_interrupt(False)
    assert not consumed(event), "withdrawn, for the line dropped before it was consumed"
    server.set_interrupt(True)
    assert consumed(event), "a withdrawn event leaves the line unmasked"
    client.irqs(intx.SET_ACTION_MASK | intx.SET_DATA_NONE)
    server.set_interrupt(False)
    server.set_interrupt(True)
    assert not consumed(event), "masked by the client"
    client.irqs(intx.SET_ACTION_TRIGGER | intx.SET_DATA_NONE, count=0)
    client.irqs(intx.SET_ACTION_UNMASK | intx.SET_DATA_NONE)
    assert not consumed(event), "disconnected"
    assert (server.interrupt.events, server.interrupt.withdrawn) == (4, 1)
    os.close(event)


def test_messages_in_pieces_and_in_one_piece(pair: tuple[Client, vu.Server, Scratch]) -> None:
    client, server, window = pair
    body = vu.REGION_ACCESS.pack(0, 0, 4)
    whole = HEADER.pack(1, vu.REGION_READ, HEADER.size + len(body), 0, 0) + body
    for byte in whole[:-1]:
        client.socket.send(bytes([byte]))
        assert server.handle_one(5) and window.seen == []
    client.socket.send(whole[-1:] + whole + whole)
    for expected in (1, 2, 3):
        assert server.handle_one(5) and len(window.seen) == expected
    assert not server.handle_one(0)


@pytest.mark.parametrize(
    "junk",
    [
        HEADER.pack(1, vu.GET_INFO, 15, 0, 0),
        HEADER.pack(1, vu.GET_INFO, 1 << 20, 0, 0),
        HEADER.pack(1, vu.GET_INFO, 32, REPLY, 0) + bytes(16),
        HEADER.pack(1, vu.VERSION, 20, 0, 0) + struct.pack("<HH", 1, 0),
        b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n",
    ],
)
def test_what_is_no_request_ends_the_connection(pair: tuple[Client, vu.Server, Scratch], junk: bytes) -> None:
    client, server, _ = pair
    client.socket.send(junk)
    with pytest.raises(ProtocolError, match="no vfio-user request"):
        server.handle_one(5)
    assert client.socket.recv(1) == b""


def test_requests_that_cannot_be_fulfilled(pair: tuple[Client, vu.Server, Scratch]) -> None:
    client, _, _ = pair
    assert client.ask(14, bytes(8))[0] == errno.ENOTSUP  # dirty pages
    assert client.ask(vu.GET_REGION_INFO, vu.REGION_INFO.pack(32, 0, 9, 0, 0, 0))[0] == errno.EINVAL
    assert client.ask(vu.GET_IRQ_INFO, b"short")[0] == errno.EINVAL
    assert client.ask(vu.REGION_READ, b"short")[0] == errno.EINVAL
    assert client.ask(vu.REGION_WRITE, vu.REGION_ACCESS.pack(0, 0, 4) + b"xyz")[0] == errno.EINVAL
    assert client.read(0, 4)[0] == 0


def test_client_gone(pair: tuple[Client, vu.Server, Scratch]) -> None:
    client, server, _ = pair
    client.socket.close()
    with pytest.raises(Disconnected, match="closed the connection"):
        server.handle_one(5)


def test_client_gone_in_the_middle_of_a_request() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = vu.Server(Path(folder) / "s")
        client = Client(server, Path(folder) / "s")
        client.send(vu.REGION_READ, vu.REGION_ACCESS.pack(0, 0, 4))
        access = server.receive()
        client.socket.close()
        assert access is not None
        with pytest.raises(Disconnected):
            server.answer(access, 1)
        server.close()


def test_leaves_no_descriptor_behind() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        server = vu.Server(path, Scratch())
        client = Client(server, path)
        fd, event = os.memfd_create("ram"), os.eventfd(0)
        os.truncate(fd, 0x1000)
        client.ask(vu.DMA_MAP, vu.DMA_MAP_BODY.pack(32, 3, 0, RAM, 0x1000), (fd,))
        client.irqs(intx.SET_ACTION_TRIGGER | intx.SET_DATA_EVENTFD, fds=(event,))
        client.ask(vu.GET_INFO, bytes(16), (fd,))  # one that nobody wants
        os.close(fd)
        os.close(event)
        client.socket.close()
        server.close()
        assert not path.exists()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
