# SPDX-License-Identifier: Apache-2.0
"""The driver's half of virtio-mmio, version 2, in Linux' order of accesses.

Promise: `probe`, `negotiate`, `setup_queue`, `driver_ok`, `probed`, `remove` make the register accesses of
drivers/virtio/virtio_mmio.c and drivers/virtio/virtio.c in their order; the interrupt service reads the status,
acknowledges it and then services the queues that have something, the one set up last first. DEVICE_NEEDS_RESET ends in `NeedsReset` on the next use. Single queues can be reset (virtio
1.4, 2.6.1.1).

User's duty: callbacks are coroutines without arguments and run inside the interrupt service, one after another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from virtone.model.errors import DeviceIoError, InvalidArgument, MessageTimeout, NeedsReset, NoDevice, NoQueue
from virtone.model.port import Port, Task
from virtone.model.virtqueue import Virtqueue
from virtone.virtio import mmio

Callback = Callable[[], Awaitable[None]]
# Interrupts in a row that nothing in InterruptStatus explains, before the line counts as stuck.
SPURIOUS_LIMIT = 100


def feature_mask(*bits: int) -> int:
    """Bit map of feature bit numbers."""
    return sum(1 << int(bit) for bit in bits)


# What Linux takes of a split ring over virtio-mmio when it is offered (vring_transport_features).
LINUX_TRANSPORT_FEATURES = feature_mask(
    mmio.VIRTIO_RING_F_INDIRECT_DESC,
    mmio.VIRTIO_RING_F_EVENT_IDX,
    mmio.VIRTIO_F_VERSION_1,
    mmio.VIRTIO_F_ACCESS_PLATFORM,
    mmio.VIRTIO_F_ORDER_PLATFORM,
    mmio.VIRTIO_F_NOTIFICATION_DATA,
)


class VirtioMmio:
    """One virtio-mmio device behind a `Port`."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.features = 0
        self.offered = 0
        self.queues: dict[int, Virtqueue] = {}
        self.needs_reset = False
        self.interrupts = 0
        self._registered = False  # the device is identified and acknowledged, no driver is bound
        self._callbacks: dict[int, Callback] = {}
        self._service: Task | None = None
        self._at_rest = port.event()  # no interrupt is being served
        self._at_rest.set()

    async def probe(self, device_id: int) -> None:
        """Identify the device, reset it and say that there is a driver. Raises `NoDevice`.

        After `remove` the device is known: only a driver is bound to it.
        """
        if not self._registered:
            await self._register(device_id)
        self._registered = False
        await self._add_status(mmio.VIRTIO_CONFIG_S_DRIVER)

    async def _register(self, device_id: int) -> None:
        """virtio_mmio_probe and register_virtio_device."""
        read = self.port.read32
        magic = await read(mmio.VIRTIO_MMIO_MAGIC_VALUE)
        if magic != mmio.VIRT_MAGIC:
            raise NoDevice(f"MagicValue is {magic:#010x}, a virtio-mmio device has {int(mmio.VIRT_MAGIC):#010x}")
        version = await read(mmio.VIRTIO_MMIO_VERSION)
        if version != mmio.VIRT_VERSION:
            raise NoDevice(f"Version is {version}, this driver knows {int(mmio.VIRT_VERSION)}")
        found = await read(mmio.VIRTIO_MMIO_DEVICE_ID)
        if found != device_id:
            raise NoDevice(f"DeviceID is {found}, this driver drives {device_id}")
        await read(mmio.VIRTIO_MMIO_VENDOR_ID)
        # Linux does not wait after the reset: the next status read must already be that of a reset device.
        await self.port.write32(mmio.VIRTIO_MMIO_STATUS, 0)
        status = await self.status()
        if status:
            raise DeviceIoError(f"Status reads {status:#x} after the reset, it would have to be 0")
        await self.port.write32(mmio.VIRTIO_MMIO_STATUS, mmio.VIRTIO_CONFIG_S_ACKNOWLEDGE)

    async def negotiate(self, wanted: int) -> int:
        """Accept what is offered of `wanted` (bit map); returns it. VERSION_1 is asked for in any case."""
        port = self.port
        await port.write32(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1)
        high = await port.read32(mmio.VIRTIO_MMIO_DEVICE_FEATURES)
        await port.write32(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0)
        self.offered = high << 32 | await port.read32(mmio.VIRTIO_MMIO_DEVICE_FEATURES)
        if not self.offered >> mmio.VIRTIO_F_VERSION_1 & 1:
            await self.fail()
            raise InvalidArgument("the device does not offer VIRTIO_F_VERSION_1")
        self.features = self.offered & (wanted | feature_mask(mmio.VIRTIO_F_VERSION_1))
        await port.write32(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1)
        await port.write32(mmio.VIRTIO_MMIO_DRIVER_FEATURES, self.features >> 32)
        await port.write32(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0)
        await port.write32(mmio.VIRTIO_MMIO_DRIVER_FEATURES, self.features & 0xFFFF_FFFF)
        await self._add_status(mmio.VIRTIO_CONFIG_S_FEATURES_OK)
        if not await self.status() & mmio.VIRTIO_CONFIG_S_FEATURES_OK:
            await self.fail()
            raise NoDevice(f"the device refuses the features {self.features:#x} that it offered")
        return self.features

    async def setup_queue(self, index: int, callback: Callback, size: int | None = None) -> Virtqueue:
        """Create and activate one queue, of `size` or of the largest size the device has."""
        port = self.port
        await port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, index)
        if await port.read32(mmio.VIRTIO_MMIO_QUEUE_READY):
            raise NoQueue(f"queue {index}: QueueReady is not 0 before it was set up")
        largest = await port.read32(mmio.VIRTIO_MMIO_QUEUE_NUM_MAX)
        if largest == 0:
            raise NoQueue(f"queue {index}: the device has no such queue")
        queue = Virtqueue(port.memory, index, min(size or largest, largest), self.features)
        await port.write32(mmio.VIRTIO_MMIO_QUEUE_NUM, queue.size)
        for low, high, address in (
            (mmio.VIRTIO_MMIO_QUEUE_DESC_LOW, mmio.VIRTIO_MMIO_QUEUE_DESC_HIGH, queue.desc),
            (mmio.VIRTIO_MMIO_QUEUE_AVAIL_LOW, mmio.VIRTIO_MMIO_QUEUE_AVAIL_HIGH, queue.avail),
            (mmio.VIRTIO_MMIO_QUEUE_USED_LOW, mmio.VIRTIO_MMIO_QUEUE_USED_HIGH, queue.used),
        ):
            await port.write32(low, address & 0xFFFF_FFFF)
            await port.write32(high, address >> 32)
        await port.write32(mmio.VIRTIO_MMIO_QUEUE_READY, 1)
        self.queues[index] = queue
        self._callbacks[index] = callback
        return queue

    async def driver_ok(self) -> None:
        """Go live; from here on interrupts are served."""
        self._service = self.port.spawn(self._serve())
        await self._add_status(mmio.VIRTIO_CONFIG_S_DRIVER_OK)

    async def probed(self) -> None:
        """The driver's probe has ended: Linux looks whether it has set DRIVER_OK itself (virtio_dev_probe)."""
        if not await self.status() & mmio.VIRTIO_CONFIG_S_DRIVER_OK:
            await self._add_status(mmio.VIRTIO_CONFIG_S_DRIVER_OK)

    async def notify(self, queue: Virtqueue) -> None:
        await self.port.write32(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, queue.notification())

    async def kick(self, queue: Virtqueue) -> bool:
        """Notify if the device wants it; returns whether it did."""
        if not queue.kick_prepare():
            return False
        await self.notify(queue)
        return True

    async def status(self) -> int:
        return await self.port.read32(mmio.VIRTIO_MMIO_STATUS) & 0xFF

    async def fail(self) -> None:
        """Give the device up (FAILED)."""
        await self._add_status(mmio.VIRTIO_CONFIG_S_FAILED)

    async def config32(self, offset: int) -> int:
        return await self.port.read32(mmio.VIRTIO_MMIO_CONFIG + offset)

    def check(self) -> None:
        """Raises `NeedsReset` once the device has asked for one."""
        if self.needs_reset:
            raise NeedsReset("the device has set DEVICE_NEEDS_RESET; probe it again")

    async def reset(self, timeout_ns: float = 1e9) -> None:
        """Reset the device, wait until Status reads 0 (virtio 1.4, 2.4.1) and give the queues up."""
        await self._end_service()
        await self.port.write32(mmio.VIRTIO_MMIO_STATUS, 0)
        end = self.port.now_ns() + timeout_ns
        while await self.status():
            if self.port.now_ns() > end:
                raise MessageTimeout(f"Status is not 0 within {timeout_ns / 1e6:g} ms of the reset")
        self._forget_queues()
        self._registered = False

    async def remove(self) -> None:
        """Take the queues out of service, reset the device, and leave it acknowledged without a driver.

        Order of virtsnd_remove and virtio_dev_remove (Linux 6.12); Linux warns if QueueReady or Status is not 0, here it is an error.
        """
        await self._end_service()
        for index in self.queues:
            await self.port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, index)
            await self.port.write32(mmio.VIRTIO_MMIO_QUEUE_READY, 0)
            if await self.port.read32(mmio.VIRTIO_MMIO_QUEUE_READY):
                raise DeviceIoError(f"queue {index}: QueueReady is not 0 after 0 was written")
        await self.port.write32(mmio.VIRTIO_MMIO_STATUS, 0)
        status = await self.status()
        if status:
            raise DeviceIoError(f"Status reads {status:#x} after the reset, it would have to be 0")
        await self._add_status(mmio.VIRTIO_CONFIG_S_ACKNOWLEDGE)
        self._forget_queues()
        self._registered = True

    async def _end_service(self) -> None:
        await self.service_ended()  # never cut a register access in two
        if self._service is not None:
            self._service.cancel()
            self._service = None

    def _forget_queues(self) -> None:
        for queue in self.queues.values():
            queue.close()
        self.queues.clear()
        self._callbacks.clear()
        self.needs_reset = False

    async def reset_queue(self, index: int, timeout_ns: float = 1e9) -> list[object]:
        """Reset one queue (VIRTIO_F_RING_RESET); returns the tokens of the chains the device has not used."""
        if not self.features >> mmio.VIRTIO_F_RING_RESET & 1:
            raise InvalidArgument("a queue cannot be reset: VIRTIO_F_RING_RESET is not negotiated")
        await self.port.write32(mmio.VIRTIO_MMIO_QUEUE_SEL, index)
        await self.port.write32(mmio.VIRTIO_MMIO_QUEUE_RESET, 1)
        end = self.port.now_ns() + timeout_ns
        while await self.port.read32(mmio.VIRTIO_MMIO_QUEUE_RESET):
            if self.port.now_ns() > end:
                raise MessageTimeout(f"queue {index}: QueueReset is not 0 within {timeout_ns / 1e6:g} ms")
        if await self.port.read32(mmio.VIRTIO_MMIO_QUEUE_READY):
            raise DeviceIoError(f"queue {index}: QueueReady is not 0 after the queue's reset")
        queue = self.queues.pop(index)
        self._callbacks.pop(index)
        tokens = queue.tokens()
        queue.close()
        return tokens

    async def _add_status(self, bits: int) -> None:
        await self.port.write32(mmio.VIRTIO_MMIO_STATUS, await self.status() | bits)

    async def service_ended(self) -> None:
        """Wait until no interrupt is being served: on one processor nothing else runs meanwhile."""
        await self._at_rest.wait()

    async def _serve(self) -> None:
        spurious = 0
        try:
            while True:
                self._at_rest.set()
                await self.port.interrupt()
                self._at_rest.clear()
                found = await self._serve_interrupt()
                spurious = 0 if found else spurious + 1
                if spurious > SPURIOUS_LIMIT:
                    raise DeviceIoError(
                        f"the interrupt line stays high with InterruptStatus 0, {spurious} times in a row"
                    )
        finally:
            self._at_rest.set()

    async def _serve_interrupt(self) -> int:
        """vm_interrupt; returns what InterruptStatus said."""
        status = await self.port.read32(mmio.VIRTIO_MMIO_INTERRUPT_STATUS)
        await self.port.write32(mmio.VIRTIO_MMIO_INTERRUPT_ACK, status)
        self.interrupts += 1
        if status & mmio.VIRTIO_MMIO_INT_CONFIG and await self.status() & mmio.VIRTIO_CONFIG_S_NEEDS_RESET:
            self.needs_reset = True
        if status & mmio.VIRTIO_MMIO_INT_VRING:
            for index, callback in reversed(list(self._callbacks.items())):
                if index in self.queues and self.queues[index].interrupted():
                    await callback()
        return status
