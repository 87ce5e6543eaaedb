# SPDX-License-Identifier: Apache-2.0
"""Register file of the device (docs/device.md "Registers and status"; virtio 1.4, 4.2.2).

Promise: the virtio-mmio window as the driver sees it, with what a write sets going left to `SoundDevice`.
`hold_until` is the tick up to which an access is held while a reset is going on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtone.model.device_queue import DeviceQueue
from virtone.model.timeline import TICKS_PER_NS
from virtone.virtio import mmio, probe

if TYPE_CHECKING:
    from virtone.model.device_probe import ProbePage
    from virtone.model.timeline import Timeline, TimelineEvent
    from virtone.virtio.profile import Profile

_NEEDS_RESET = int(mmio.VIRTIO_CONFIG_S_NEEDS_RESET)
_FEATURES_OK = int(mmio.VIRTIO_CONFIG_S_FEATURES_OK)
_DRIVER_OK = int(mmio.VIRTIO_CONFIG_S_DRIVER_OK)
# Status bits a driver can set; the others read 0.
_DRIVER_BITS = (
    _FEATURES_OK
    | _DRIVER_OK
    | int(mmio.VIRTIO_CONFIG_S_ACKNOWLEDGE | mmio.VIRTIO_CONFIG_S_DRIVER | mmio.VIRTIO_CONFIG_S_FAILED)
)
_ADDRESSES = {
    int(mmio.VIRTIO_MMIO_QUEUE_DESC_LOW): ("desc", 0),
    int(mmio.VIRTIO_MMIO_QUEUE_DESC_HIGH): ("desc", 32),
    int(mmio.VIRTIO_MMIO_QUEUE_AVAIL_LOW): ("driver", 0),
    int(mmio.VIRTIO_MMIO_QUEUE_AVAIL_HIGH): ("driver", 32),
    int(mmio.VIRTIO_MMIO_QUEUE_USED_LOW): ("device", 0),
    int(mmio.VIRTIO_MMIO_QUEUE_USED_HIGH): ("device", 32),
}


class Registers:
    """Mixed into `SoundDevice`."""

    timeline: Timeline
    profile: Profile
    probe: ProbePage
    queues: list[DeviceQueue]
    interrupt: TimelineEvent

    def __init__(self, reset_ns: float) -> None:
        self.reset_ns = reset_ns
        self.status = 0
        self.resetting = False
        self._clear_registers()

    def _clear_registers(self) -> None:
        self.driver_features = 0
        self._beyond = False  # a feature bit above 63 was accepted
        self.interrupt_status = 0
        self.interrupt.clear()
        self._device_features_sel = self._driver_features_sel = self._queue_sel = 0

    # What SoundDevice does.

    def log(self, kind: str, arg: int | str = 0) -> None: ...

    def clear(self) -> None: ...

    def clear_queue(self, index: int) -> None: ...

    def notify(self, value: int) -> None: ...

    def put_in_service(self, queue: DeviceQueue) -> None: ...

    # Accesses.

    def hold_ticks(self) -> int:
        """How long an access made now is held."""
        return self._reset_end - self.timeline.now if self.resetting else 0

    def negotiated(self, bit: int) -> bool:
        """A feature bit holds from FEATURES_OK on."""
        return bool(self.status & _FEATURES_OK and self.driver_features >> bit & 1)

    def read(self, offset: int, size: int) -> int:
        """Value of `size` bytes (1, 2, 4) at `offset`."""
        if offset >= probe.PROBE_BASE:
            return self.probe.read(offset - probe.PROBE_BASE) if size == 4 else 0
        if offset >= mmio.VIRTIO_MMIO_CONFIG:
            data = self.profile.config()
            start = offset - mmio.VIRTIO_MMIO_CONFIG
            return int.from_bytes(data[start : start + size], "little")
        return self._read_register(offset & ~3) >> 8 * (offset & 3) & (1 << 8 * size) - 1

    def _read_register(self, offset: int) -> int:
        queue = self._queue()
        values: dict[int, Any] = {
            mmio.VIRTIO_MMIO_MAGIC_VALUE: mmio.VIRT_MAGIC,
            mmio.VIRTIO_MMIO_VERSION: mmio.VIRT_VERSION,
            mmio.VIRTIO_MMIO_DEVICE_ID: mmio.VIRTIO_ID_SOUND,
            mmio.VIRTIO_MMIO_VENDOR_ID: mmio.VIRT_VENDOR,
            mmio.VIRTIO_MMIO_DEVICE_FEATURES: _half(self.profile.features, self._device_features_sel),
            mmio.VIRTIO_MMIO_QUEUE_NUM_MAX: self.profile.queue_size_max if queue else 0,
            mmio.VIRTIO_MMIO_QUEUE_READY: queue.ready if queue else 0,
            mmio.VIRTIO_MMIO_QUEUE_RESET: queue.resetting if queue else 0,
            mmio.VIRTIO_MMIO_INTERRUPT_STATUS: self.interrupt_status,
            mmio.VIRTIO_MMIO_STATUS: self.status,
            mmio.VIRTIO_MMIO_SHM_LEN_LOW: 0xFFFF_FFFF,
            mmio.VIRTIO_MMIO_SHM_LEN_HIGH: 0xFFFF_FFFF,
            mmio.VIRTIO_MMIO_SHM_BASE_LOW: 0xFFFF_FFFF,
            mmio.VIRTIO_MMIO_SHM_BASE_HIGH: 0xFFFF_FFFF,
        }
        return int(values.get(offset, 0))

    def write(self, offset: int, value: int, size: int) -> None:
        """A write of `size` bytes. Registers take whole words only; the configuration space is read-only."""
        if offset >= probe.PROBE_BASE and size == 4:
            self.probe.write(offset - probe.PROBE_BASE, value)
        if offset >= mmio.VIRTIO_MMIO_CONFIG or size != 4:
            return
        queue = self._queue()
        if offset == mmio.VIRTIO_MMIO_STATUS:
            self._write_status(value & 0xFF)
        elif self.resetting:
            return
        elif offset == mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL:
            self._device_features_sel = value
        elif offset == mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL:
            self._driver_features_sel = value
        elif offset == mmio.VIRTIO_MMIO_DRIVER_FEATURES:
            self._write_driver_features(value)
        elif offset == mmio.VIRTIO_MMIO_QUEUE_SEL:
            self._queue_sel = value
        elif offset == mmio.VIRTIO_MMIO_QUEUE_NOTIFY:
            self.notify(value)
        elif offset == mmio.VIRTIO_MMIO_INTERRUPT_ACK:
            self.interrupt_status &= ~value
            if not self.interrupt_status:
                self.interrupt.clear()
        elif queue is not None:
            self._write_queue(queue, offset, value)

    def _queue(self) -> DeviceQueue | None:
        return self.queues[self._queue_sel] if self._queue_sel < len(self.queues) else None

    def _write_queue(self, queue: DeviceQueue, offset: int, value: int) -> None:
        if offset == mmio.VIRTIO_MMIO_QUEUE_READY:
            if value & 1 and not queue.ready and not queue.resetting:
                queue.enable()
                self.put_in_service(queue)
            elif not value & 1 and queue.ready and not queue.resetting:
                queue.ready = False
                self._take_back(queue, forget=False)
        elif offset == mmio.VIRTIO_MMIO_QUEUE_RESET:
            if value & 1 and self.negotiated(mmio.VIRTIO_F_RING_RESET):
                self._take_back(queue, forget=True)
        elif queue.ready or queue.resetting:
            return
        elif offset == mmio.VIRTIO_MMIO_QUEUE_NUM:
            queue.size = value
        elif offset in _ADDRESSES:
            name, shift = _ADDRESSES[offset]
            kept = getattr(queue, name) & ~(0xFFFF_FFFF << shift)
            setattr(queue, name, kept | value << shift)

    def _write_driver_features(self, value: int) -> None:
        if self.status & _FEATURES_OK:
            return
        if self._driver_features_sel > 1:
            self._beyond |= bool(value)
            return
        shift = 32 * self._driver_features_sel
        self.driver_features = self.driver_features & ~(0xFFFF_FFFF << shift) | value << shift

    def _write_status(self, value: int) -> None:
        if value == 0:
            self._reset()
        elif not self.resetting:
            accepted = self.driver_features
            if self._beyond or not accepted >> mmio.VIRTIO_F_VERSION_1 & 1 or accepted & ~self.profile.features:
                value &= ~_FEATURES_OK
            before = self.status
            self.status = value & _DRIVER_BITS | before & _NEEDS_RESET
            if self.status & ~before & (_DRIVER_OK | _FEATURES_OK):
                for queue in self.queues:
                    self.put_in_service(queue)

    # Resets: nothing is written to memory from here on; the registers follow when the bus has come to rest.

    def _reset(self) -> None:
        self.log("reset")
        if self.resetting:
            return
        self.resetting = True
        self.clear()
        self._clear_registers()
        self._reset_end = self.timeline.now + round(self.reset_ns * TICKS_PER_NS)
        if self.status == 0:
            self._reset_end = self.timeline.now
        if self._reset_end == self.timeline.now:
            self._end_reset()
        else:
            self.timeline.call_at(self._reset_end, self._end_reset)

    def _end_reset(self) -> None:
        self.status = 0
        self.resetting = False

    def _take_back(self, queue: DeviceQueue, forget: bool) -> None:
        """QueueReset = 1 (`forget`: size and addresses too) or QueueReady = 0."""
        self.log("queue_reset", queue.index)
        queue.leaving = True
        queue.resetting |= forget
        queue.epoch += 1
        epoch = queue.epoch
        self.clear_queue(queue.index)

        def end() -> None:
            if queue.epoch == epoch:
                queue.clear() if queue.resetting else queue.restart()
                self.put_in_service(queue)  # it may have been set up again meanwhile

        if self.reset_ns:
            self.timeline.call_later(round(self.reset_ns * TICKS_PER_NS), end)
        else:
            end()


def _half(features: int, select: int) -> int:
    """The 32 bits of `features` that a features selector chooses."""
    return features >> 32 * select & 0xFFFF_FFFF if select < 2 else 0
