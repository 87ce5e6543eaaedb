# SPDX-License-Identifier: Apache-2.0
"""What a guest saw, in a form in which two devices can be compared event by event.

Promise: a `Witness` around a driver records every register access, every control answer and every used tx message in
order, with the guest's time; nothing about the device is changed or hurried by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from virtone.model.driver import SoundDriver
from virtone.model.pcm_message import PcmMessage
from virtone.model.port import Port
from virtone.virtio import mmio, snd


@dataclass(frozen=True)
class TxUsed:
    """One used tx chain: head, used.len, what the status says, and when the guest saw it."""

    head: int
    length: int
    status: int
    latency_bytes: int
    time_ns: float = field(compare=False)


@dataclass
class Witness:
    """Filled while the scenario runs. `frames`: the audible frames at the I2S pins, in order."""

    registers: list[tuple[str, int, int]] = field(default_factory=list)
    control: list[tuple[str, str]] = field(default_factory=list)
    tx: list[TxUsed] = field(default_factory=list)
    events: list[tuple[int, int]] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)
    frames: Any = None
    flushes: bool = True  # RELEASE has to complete what is pending: not so when the txq has stopped

    def note(self, *what: Any) -> None:
        """Something the scenario itself observed."""
        self.notes.append(what)

    def watch(self, driver: SoundDriver) -> None:
        """Record what comes back on the driver's queues from now on. Call after probe."""
        self._watch_tx(driver)
        self._watch_control(driver)

    def _watch_tx(self, driver: SoundDriver) -> None:
        queue, port = driver.txq, driver.port
        inner = queue.get_used

        def get_used() -> Any:
            heads = list(queue._outstanding)
            used = inner()
            if used is not None and isinstance(used[0], PcmMessage):
                (head,) = set(heads) - set(queue._outstanding)
                status = used[0].status()
                self.tx.append(TxUsed(head, used[1], status.status, status.latency_bytes, port.now_ns()))
            return used

        queue.get_used = get_used  # type: ignore[method-assign]

    def _watch_control(self, driver: SoundDriver) -> None:
        queue = driver.ctlq
        inner = queue.get_used

        def get_used() -> Any:
            used = inner()
            if used is not None:
                pending, length = used
                memory = driver.port.memory
                code = int.from_bytes(memory.read(pending._address, 4), "little")
                answer = int.from_bytes(memory.read(pending._reply, min(4, length)), "little") if length else -1
                self.control.append((name_of(code), name_of(answer)))
                if code == snd.VIRTIO_SND_R_PCM_RELEASE and answer == snd.VIRTIO_SND_S_OK:
                    # virtio 1.4, 5.14.6.6.5.1: not answered before every message of the stream is completed.
                    live = driver.transport.queues.get(int(snd.VIRTIO_SND_VQ_TX)) is driver.txq  # not taken back
                    pending = (driver.txq.avail_idx - driver.txq.used_idx) & 0xFFFF if live and self.flushes else 0
                    assert not pending, f"RELEASE was answered while {pending} messages were pending"
            return used

        queue.get_used = get_used  # type: ignore[method-assign]


def name_of(code: int) -> str:
    """Short name of a request or status code, or its value."""
    for group in (snd.REQUESTS, snd.STATUSES):
        for constant in group:
            if int(constant) == code:
                return constant.name
    return f"{code:#x}"


class WitnessPort:
    """A `Port` that tells a `Witness` of every register access."""

    def __init__(self, port: Port, witness: Witness) -> None:
        self._port = port
        self._witness = witness
        self.memory = port.memory

    async def _read(self, access: Any, offset: int) -> int:
        value = await access(offset)
        self._witness.registers.append(("read", offset, value))
        return value

    async def _write(self, access: Any, offset: int, value: int) -> None:
        self._witness.registers.append(("write", offset, value))
        await access(offset, value)

    async def read32(self, offset: int) -> int:
        return await self._read(self._port.read32, offset)

    async def read16(self, offset: int) -> int:
        return await self._read(self._port.read16, offset)

    async def read8(self, offset: int) -> int:
        return await self._read(self._port.read8, offset)

    async def write32(self, offset: int, value: int) -> None:
        await self._write(self._port.write32, offset, value)

    async def write16(self, offset: int, value: int) -> None:
        await self._write(self._port.write16, offset, value)

    async def write8(self, offset: int, value: int) -> None:
        await self._write(self._port.write8, offset, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def same(name: str, rtl: Witness, model: Witness) -> None:
    """Raises AssertionError with the first event in which the two devices differ."""
    _first_difference(f"{name}: control", rtl.control, model.control)
    _first_difference(f"{name}: used tx", rtl.tx, model.tx)
    _first_difference(f"{name}: event", rtl.events, model.events)
    _first_difference(f"{name}: note", rtl.notes, model.notes)
    _first_difference(f"{name}: frame", rtl.frames, model.frames)


def same_registers(name: str, rtl: Witness, model: Witness) -> None:
    """Register by register: for scenarios without interrupts or polling, where nothing depends on time."""
    quiet = {int(mmio.VIRTIO_MMIO_INTERRUPT_STATUS), int(mmio.VIRTIO_MMIO_INTERRUPT_ACK)}
    kept = [[access for access in w.registers if access[1] not in quiet] for w in (rtl, model)]
    _first_difference(f"{name}: register", kept[0], kept[1])


def _first_difference(what: str, rtl: Any, model: Any) -> None:
    rtl, model = list(rtl), list(model)
    for index, (ours, theirs) in enumerate(zip(rtl, model, strict=False)):
        assert ours == theirs, f"{what} {index}: the RTL gives {ours}, the model {theirs}"
    assert len(rtl) == len(model), f"{what}: the RTL gives {len(rtl)}, the model {len(model)}"
