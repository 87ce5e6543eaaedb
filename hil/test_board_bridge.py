# SPDX-License-Identifier: Apache-2.0
"""The bridge between the Linux board's socket and a simulated world, without a virtual machine: time, order, interrupt, reset."""

from __future__ import annotations

import os
import select
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil.test_vfio_user import Client, consumed
from hil.virtual.linux_board import intx
from hil.virtual.linux_board import vfio_user as vu
from hil.virtual.linux_board.bridge import QUANTUM_NS, Bridge
from hil.virtual.linux_board.control import Asker, Control
from hil.virtual.linux_board.errors import Disconnected
from hil.virtual.linux_board.model_world import ModelPort
from hil.virtual.linux_board.time import Pacer
from virtone.model.device import SoundDevice
from virtone.model.memory import Memory
from virtone.model.timeline import Timeline
from virtone.virtio import mmio, probe

N = 4


class World:
    """The modelled device, a client, and a wall clock that is set by hand: waiting moves it to when the wait would end."""

    def __init__(self, folder: Path) -> None:
        self.timeline, self.wall_s, self.waits = Timeline(), 100.0, 0
        self.device = SoundDevice(self.timeline, Memory())
        self.port = ModelPort(self.device)
        self.server = vu.Server(folder / "s")
        self.client = Client(self.server, folder / "s")
        self.pacer = Pacer(N, clock=lambda: self.wall_s)
        self.bridge = Bridge(
            self.server, self.port, self.device.interrupt.is_set, self.pacer, register_errors=(ZeroDivisionError,)
        )
        self.bridge._wait = self.wait

    def wait(self, seconds: float, wake: object) -> None:
        self.wall_s += seconds
        self.waits += 1

    def accesses(self, count: int) -> None:
        """Run until so many accesses have been answered."""
        wanted = self.bridge.accesses + count
        self.timeline.run(self.bridge.run(lambda: self.bridge.accesses >= wanted))

    def run_to(self, guest_ns: float) -> None:
        """Run until simulated time is there, with no message coming."""
        self.timeline.run(self.bridge.run(lambda: self.port.now_ns() >= guest_ns))

    def read(self, offset: int, size: int = 4) -> int:
        self.client.send(vu.REGION_READ, vu.REGION_ACCESS.pack(offset, vu.BAR0, size))
        self.accesses(1)
        error, body = self.client.reply()
        assert error == 0
        return int.from_bytes(body[vu.REGION_ACCESS.size :], "little")

    def write(self, offset: int, value: int) -> None:
        self.client.send(vu.REGION_WRITE, vu.REGION_ACCESS.pack(offset, vu.BAR0, 4) + value.to_bytes(4, "little"))
        self.accesses(1)
        assert self.client.reply()[0] == 0


@pytest.fixture
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        one = World(Path(folder))
        yield one
        one.client.socket.close()
        one.server.close()


def test_registers_of_every_width(world: World) -> None:
    assert world.read(mmio.VIRTIO_MMIO_MAGIC_VALUE) == mmio.VIRT_MAGIC
    assert world.read(mmio.VIRTIO_MMIO_CONFIG + 4) == 1  # one stream
    assert world.read(mmio.VIRTIO_MMIO_CONFIG + 4, 1) == 1
    assert world.read(mmio.VIRTIO_MMIO_CONFIG + 4, 2) == 1
    assert world.read(probe.PROBE_BASE + probe.PROBE_MAGIC) == probe.PROBE_MAGIC_WORD
    world.write(mmio.VIRTIO_MMIO_STATUS, 3)
    assert world.read(mmio.VIRTIO_MMIO_STATUS) == 3
    assert world.bridge.bus_errors == 0


def test_an_access_happens_when_guest_time_says(world: World) -> None:
    world.run_to(1)  # starts the pacer
    start_ns, start_s = world.port.now_ns(), world.wall_s
    world.wall_s += 15_000e-9 * N
    world.write(probe.PROBE_BASE + probe.PROBE_MARKER, 7)
    ((time_ns, value),) = world.port.markers
    assert value == 7 and time_ns - start_ns == pytest.approx((world.wall_s - start_s) / N * 1e9, abs=1000)


def test_simulated_time_follows_guest_time(world: World) -> None:
    world.run_to(1)
    start_ns, start_s, waits = world.port.now_ns(), world.wall_s, world.waits
    world.run_to(start_ns + 50e6)
    assert (world.wall_s - start_s) * 1e9 / N == pytest.approx(50e6, rel=0.01)
    assert world.waits - waits == pytest.approx(50e6 / QUANTUM_NS, rel=0.1), "it waits rather than polls"
    assert world.pacer.report().kept(QUANTUM_NS * 1.01)


def test_a_world_that_is_behind_looks_at_the_socket_in_between(world: World) -> None:
    world.run_to(1)
    world.wall_s += 1.0  # a quarter of a second of guest time
    before = world.port.now_ns()
    assert world.read(mmio.VIRTIO_MMIO_MAGIC_VALUE) == mmio.VIRT_MAGIC
    assert world.port.now_ns() - before <= QUANTUM_NS + 1000, "an access does not wait until all is caught up"
    assert not world.pacer.report().kept(200e6)


def test_interrupt_at_the_instant_it_rises(world: World) -> None:
    event = os.eventfd(0, os.EFD_NONBLOCK)
    body = vu.IRQ_SET.pack(20, intx.SET_ACTION_TRIGGER | intx.SET_DATA_EVENTFD, vu.INTX, 0, 1)
    world.client.send(vu.SET_IRQS, body, (event,))
    world.run_to(1)
    world.client.reply()
    seen: list[tuple[int, bool]] = []
    rise_ns = world.port.now_ns() + 123_456

    async def device() -> None:
        await world.port.sleep_ns(rise_ns - world.port.now_ns())
        world.device.raise_interrupt(mmio.VIRTIO_MMIO_INT_VRING)
        await world.port.sleep_ns(0)
        seen.append((world.port.now_ns(), consumed(event)))

    world.timeline.spawn(device())
    world.run_to(rise_ns + 3 * QUANTUM_NS)
    assert seen == [(rise_ns, True)]
    assert not consumed(event), "one event while the line stays high"
    world.write(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 1)
    assert not world.server.interrupt.level
    world.client.send(vu.SET_IRQS, vu.IRQ_SET.pack(20, intx.SET_ACTION_UNMASK | intx.SET_DATA_NONE, vu.INTX, 0, 1))
    world.device.raise_interrupt(mmio.VIRTIO_MMIO_INT_VRING)
    world.run_to(world.port.now_ns() + 3 * QUANTUM_NS)
    assert consumed(event), "and another one after the end of interrupt"
    os.close(event)


def test_an_interrupt_without_an_answer_holds_time(world: World) -> None:
    """Until the guest makes any access, or patience ends."""
    world.run_to(1)
    world.bridge.answer_ns = 2 * QUANTUM_NS
    for answered in (True, False):
        rise_ns = world.port.now_ns()
        world.device.raise_interrupt(mmio.VIRTIO_MMIO_INT_VRING)
        waits = world.waits
        stop = time.monotonic() + 10

        def held(rise_ns: float = rise_ns, waits: int = waits, stop: float = stop) -> bool:
            return world.waits > waits + 20 or time.monotonic() > stop

        world.timeline.run(world.bridge.run(held))
        assert rise_ns + 2 * QUANTUM_NS <= world.port.now_ns() <= rise_ns + 4 * QUANTUM_NS, "time went on"
        if answered:
            world.write(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 1)
        world.run_to(rise_ns + 20 * QUANTUM_NS)
        assert bool(world.bridge.unanswered) == (not answered)


def test_a_guest_that_the_machine_does_not_run_holds_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its accesses are served all the same."""
    world.run_to(1)
    awake = [False]
    monkeypatch.setattr(Pacer, "guest_awake", property(lambda self: awake[0]))
    before, waits = world.port.now_ns(), world.waits
    world.wall_s += 1.0
    world.timeline.run(world.bridge.run(lambda: world.waits > waits + 50))
    assert world.port.now_ns() == before
    assert world.read(mmio.VIRTIO_MMIO_MAGIC_VALUE) == mmio.VIRT_MAGIC
    awake[0] = True
    world.run_to(before + 20 * QUANTUM_NS)


def test_reset_of_the_virtual_machine_resets_the_device(world: World) -> None:
    world.write(mmio.VIRTIO_MMIO_STATUS, 3)
    world.client.send(vu.DEVICE_RESET)
    world.run_to(world.port.now_ns() + QUANTUM_NS)
    assert world.client.reply()[0] == 0
    assert world.read(mmio.VIRTIO_MMIO_STATUS) == 0


def test_an_access_nothing_answers_gives_all_ones(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(offset: int) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(world.port, "read16", refuse)
    assert world.read(0, 2) == 0xFFFF and world.bridge.bus_errors == 1


def test_ends_when_the_virtual_machine_has_gone(world: World) -> None:
    world.client.socket.close()
    world.timeline.run(world.bridge.run())


def test_questions_to_a_running_bridge() -> None:
    wall = [0.0]
    pacer = Pacer(N, clock=lambda: wall[0])
    with tempfile.TemporaryDirectory() as folder:
        control = Control(Path(folder) / "c", pacer)
        pacer.ahead_s(0)
        wall[0] = 0.004
        pacer.ahead_s(0)
        answers: list[object] = []

        def ask() -> None:
            asker = Asker(Path(folder) / "c")
            answers.extend([asker.pace(), asker.pace(), asker._ask("the way")])
            asker.end()
            asker.close()

        owner = threading.Thread(target=ask)
        owner.start()
        deadline = time.monotonic() + 10
        while not control.serve() and time.monotonic() < deadline:
            select.select(control.sockets, [], [], 0.1)
        owner.join(10)
        first, second, wrong = answers
        assert first.worst_behind_ns == pytest.approx(1e6) and first.dilation == N
        assert second.worst_behind_ns == pytest.approx(1e6), "still behind"
        assert wrong == {"error": "'the way' is nothing that can be asked; right is pace or end"}
        control.close()
        with pytest.raises(Disconnected):
            Asker(Path(folder) / "c")
