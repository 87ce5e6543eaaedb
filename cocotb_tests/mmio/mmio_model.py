# SPDX-License-Identifier: Apache-2.0
"""The virtio-mmio window in plain Python, one call per clock cycle: what tb_mmio_regs compares the RTL with.

How long a reset takes is not fixed, so the bench tells the model when it saw one end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from virtone.virtio import mmio

NUM_QUEUES = 4
QUEUE_SIZE_MAX = 1024
OFFERED = sum(1 << bit for bit in (0, 28, 29, 32, 33, 36, 38, 40))  # docs/device.md "Registers and status"
ADDRESSES = {
    mmio.VIRTIO_MMIO_QUEUE_DESC_LOW: ("desc", 0),
    mmio.VIRTIO_MMIO_QUEUE_DESC_HIGH: ("desc", 32),
    mmio.VIRTIO_MMIO_QUEUE_AVAIL_LOW: ("driver", 0),
    mmio.VIRTIO_MMIO_QUEUE_AVAIL_HIGH: ("driver", 32),
    mmio.VIRTIO_MMIO_QUEUE_USED_LOW: ("device", 0),
    mmio.VIRTIO_MMIO_QUEUE_USED_HIGH: ("device", 32),
}


@dataclass
class Queue:
    """Registers of one queue; `clearing` while it is taken back, `forget` if by QueueReset."""

    ready: bool = False
    written_size: int = 0
    desc: int = 0
    driver: int = 0
    device: int = 0
    clearing: bool = False
    forget: bool = False

    def config(self, device_reset: bool) -> int:
        """The packed queue_cfg_t."""
        live = self.ready and not self.clearing and not device_reset
        value = int(live) << 16 | self.written_size & 0xFFFF
        for address in (self.desc, self.driver, self.device):
            value = value << 64 | address
        return value

    def write(self, offset: int, value: int, ring_reset: bool) -> None:
        if offset == mmio.VIRTIO_MMIO_QUEUE_READY:
            size = self.written_size
            if self.forget:
                return
            if self.ready and not value & 1:
                self.ready, self.clearing = False, True
            elif value & 1 and 0 < size <= QUEUE_SIZE_MAX and not size & (size - 1):
                self.ready = True
        elif offset == mmio.VIRTIO_MMIO_QUEUE_RESET:
            if ring_reset and value & 1:
                self.clearing = self.forget = True
        elif self.ready or self.forget:
            return
        elif offset == mmio.VIRTIO_MMIO_QUEUE_NUM:
            self.written_size = value
        elif offset in ADDRESSES:
            name, shift = ADDRESSES[offset]
            mask = 0xFFFFFFFF << shift
            setattr(self, name, getattr(self, name) & ~mask | value << shift)


@dataclass
class MmioModel:
    """State between two cycles. `step` applies one cycle's inputs."""

    status: int = 0
    resetting: bool = False
    device_sel: int = 0
    driver_sel: int = 0
    accepted: int = 0
    beyond: bool = False
    queue_sel: int = 0
    isr: int = 0
    notify: int = 0
    notify_value: int = 0
    rdata: int = 0
    queues: list[Queue] = field(default_factory=lambda: [Queue() for _ in range(NUM_QUEUES)])

    @property
    def features_ok(self) -> bool:
        return bool(self.status & mmio.VIRTIO_CONFIG_S_FEATURES_OK)

    @property
    def driver_ok(self) -> bool:
        return self.features_ok and bool(self.status & mmio.VIRTIO_CONFIG_S_DRIVER_OK) and not self.resetting

    def has(self, bit: int) -> bool:
        return self.features_ok and bool(self.accepted >> bit & 1)

    @property
    def ring_features(self) -> int:
        """The packed ring_features_t."""
        return self.has(29) << 2 | self.has(28) << 1 | self.has(38)

    @property
    def queue_clear(self) -> int:
        return sum((queue.clearing or self.resetting) << q for q, queue in enumerate(self.queues))

    def read(self, offset: int) -> int:
        offset &= ~3
        chosen = self.queues[self.queue_sel] if self.queue_sel < NUM_QUEUES else None
        if 0xB0 <= offset <= 0xBC:
            return 0xFFFFFFFF
        values = {
            0x000: 0x74726976,
            0x004: 2,
            0x008: 25,
            0x00C: 0x4E4F5456,
            0x010: OFFERED >> 32 * self.device_sel & 0xFFFFFFFF if self.device_sel < 2 else 0,
            0x034: QUEUE_SIZE_MAX if chosen else 0,
            0x044: int(chosen.ready) if chosen else 0,
            0x060: self.isr,
            0x070: self.status | (1 if self.resetting else 0),
            0x0C0: int(chosen.forget) if chosen else 0,
            0x104: 1,  # streams; jacks, chmaps, controls are 0
        }
        return values.get(offset, 0)

    def step(self, *, wr: tuple[int, int, int] | None, rd: int | None, used: int, fault: int) -> None:
        """One cycle: a write (offset, value, strobes), a read's offset, pulses of the queues."""
        if rd is not None:
            self.rdata = self.read(rd)
        self.notify = 0
        driver_ok_bit = self.status & mmio.VIRTIO_CONFIG_S_DRIVER_OK
        events = 0
        if not self.resetting:
            events = int(used != 0) | (2 if fault and driver_ok_bit else 0)
        ack = 0
        reset = False
        needs_reset = self.status & 0x40 | (0x40 if fault and not self.resetting else 0)
        self.status |= needs_reset
        if wr is not None and wr[2] == 0xF and wr[0] < 0x100:
            offset, value = wr[0] & ~3, wr[1]
            if offset == mmio.VIRTIO_MMIO_STATUS:
                reset = value & 0xFF == 0
                acceptable = self.accepted >> 32 & 1 and not self.accepted & ~OFFERED and not self.beyond
                keep = 0x8F if self.features_ok or acceptable else 0x87
                self.status = value & keep | needs_reset
            elif offset == mmio.VIRTIO_MMIO_INTERRUPT_ACK:
                ack = value
            else:
                self._write(offset, value)
        self.isr = (self.isr & ~ack | events) & 3
        if self.resetting:
            self.isr = 0
        if reset:
            notify, value, rdata = self.notify, self.notify_value, self.rdata
            self.__init__()  # type: ignore[misc]
            self.resetting, self.notify, self.notify_value, self.rdata = True, notify, value, rdata

    def _write(self, offset: int, value: int) -> None:
        if offset == mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL:
            self.device_sel = value
        elif offset == mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL:
            self.driver_sel = value
        elif offset == mmio.VIRTIO_MMIO_QUEUE_SEL:
            self.queue_sel = value
        elif offset == mmio.VIRTIO_MMIO_DRIVER_FEATURES and not self.features_ok:
            if self.driver_sel < 2:
                shift = 32 * self.driver_sel
                self.accepted = self.accepted & ~(0xFFFFFFFF << shift) | value << shift
            elif value:
                self.beyond = True
        elif offset == mmio.VIRTIO_MMIO_QUEUE_NOTIFY:
            index = value & 0xFFFF if self.has(38) else value
            if index < NUM_QUEUES:
                queue = self.queues[index]
                if queue.ready and not queue.clearing and not self.resetting:
                    self.notify, self.notify_value = 1 << index, value
        elif self.queue_sel < NUM_QUEUES:
            self.queues[self.queue_sel].write(offset, value, self.has(40))

    def end_reset(self) -> None:
        """The bench saw device_reset_o fall."""
        self.resetting = False

    def end_queue_clear(self, q: int) -> None:
        """The bench saw a queue's clear fall."""
        queue = self.queues[q]
        queue.clearing = False
        if queue.forget:
            self.queues[q] = Queue()
