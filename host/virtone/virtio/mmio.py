# SPDX-License-Identifier: Apache-2.0
"""virtio-mmio, version 2: registers, device status, interrupt bits, feature bits.

Sources: virtio 1.4, 4.2.2 "MMIO Device Register Layout", 2.1 "Device Status Field", 6 "Reserved Feature
Bits"; names of linux/virtio_mmio.h, virtio_config.h, virtio_ring.h and virtio_ids.h. The registers of
the legacy interface (version 1) are left out. QUEUE_NUM_MAX, QUEUE_NUM, QUEUE_AVAIL_* and QUEUE_USED_*
are what the specification calls QueueSizeMax, QueueSize, QueueDriver* and QueueDevice*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtone.virtio.layout import Struct
from virtone.virtio.wire import Const, Group, publish

if TYPE_CHECKING:

    def __getattr__(name: str) -> Const: ...


MMIO_H, CONFIG_H = "linux/virtio_mmio.h", "linux/virtio_config.h"
RING_H, IDS_H = "linux/virtio_ring.h", "linux/virtio_ids.h"


class Register(Const):
    """Byte offset of a 32-bit register; `access` is R, W or RW as seen by the driver."""

    access: str


def _reg(name: str, offset: int, access: str, doc: str) -> Register:
    return Register(name, offset, doc, radix=16, access=access)  # type: ignore[return-value]


REGISTERS = Group(
    "virtio-mmio registers",
    "4.2.2 MMIO Device Register Layout",
    MMIO_H,
    [
        _reg("VIRTIO_MMIO_MAGIC_VALUE", 0x000, "R", "MagicValue: the bytes `virt`"),
        _reg("VIRTIO_MMIO_VERSION", 0x004, "R", "Version: 2"),
        _reg("VIRTIO_MMIO_DEVICE_ID", 0x008, "R", "DeviceID: 25, sound"),
        _reg("VIRTIO_MMIO_VENDOR_ID", 0x00C, "R", "VendorID"),
        _reg("VIRTIO_MMIO_DEVICE_FEATURES", 0x010, "R", "32 feature bits, chosen by DeviceFeaturesSel"),
        _reg("VIRTIO_MMIO_DEVICE_FEATURES_SEL", 0x014, "W", "0: bits 0..31, 1: bits 32..63"),
        _reg("VIRTIO_MMIO_DRIVER_FEATURES", 0x020, "W", "32 accepted feature bits, chosen by DriverFeaturesSel"),
        _reg("VIRTIO_MMIO_DRIVER_FEATURES_SEL", 0x024, "W", "0: bits 0..31, 1: bits 32..63"),
        _reg("VIRTIO_MMIO_QUEUE_SEL", 0x030, "W", "QueueSel: the queue that the queue registers speak of"),
        _reg("VIRTIO_MMIO_QUEUE_NUM_MAX", 0x034, "R", "QueueSizeMax: largest size, 0 if there is no such queue"),
        _reg("VIRTIO_MMIO_QUEUE_NUM", 0x038, "W", "QueueSize: number of descriptors"),
        _reg("VIRTIO_MMIO_QUEUE_READY", 0x044, "RW", "QueueReady: 1 lets the device use the queue"),
        _reg("VIRTIO_MMIO_QUEUE_NOTIFY", 0x050, "W", "QueueNotify: queue index, or notification data"),
        _reg("VIRTIO_MMIO_INTERRUPT_STATUS", 0x060, "R", "InterruptStatus: causes that are not acknowledged"),
        _reg("VIRTIO_MMIO_INTERRUPT_ACK", 0x064, "W", "InterruptACK: write 1 to clear"),
        _reg("VIRTIO_MMIO_STATUS", 0x070, "RW", "Status: device status bits; writing 0 resets the device"),
        _reg("VIRTIO_MMIO_QUEUE_DESC_LOW", 0x080, "W", "descriptor table, address bits 0..31"),
        _reg("VIRTIO_MMIO_QUEUE_DESC_HIGH", 0x084, "W", "descriptor table, address bits 32..63"),
        _reg("VIRTIO_MMIO_QUEUE_AVAIL_LOW", 0x090, "W", "QueueDriverLow: avail ring, address bits 0..31"),
        _reg("VIRTIO_MMIO_QUEUE_AVAIL_HIGH", 0x094, "W", "QueueDriverHigh: avail ring, address bits 32..63"),
        _reg("VIRTIO_MMIO_QUEUE_USED_LOW", 0x0A0, "W", "QueueDeviceLow: used ring, address bits 0..31"),
        _reg("VIRTIO_MMIO_QUEUE_USED_HIGH", 0x0A4, "W", "QueueDeviceHigh: used ring, address bits 32..63"),
        _reg("VIRTIO_MMIO_SHM_SEL", 0x0AC, "W", "SHMSel: shared memory region"),
        _reg("VIRTIO_MMIO_SHM_LEN_LOW", 0x0B0, "R", "its length, bits 0..31; all ones if there is none"),
        _reg("VIRTIO_MMIO_SHM_LEN_HIGH", 0x0B4, "R", "its length, bits 32..63"),
        _reg("VIRTIO_MMIO_SHM_BASE_LOW", 0x0B8, "R", "its address, bits 0..31; all ones if there is none"),
        _reg("VIRTIO_MMIO_SHM_BASE_HIGH", 0x0BC, "R", "its address, bits 32..63"),
        _reg("VIRTIO_MMIO_QUEUE_RESET", 0x0C0, "RW", "QueueReset: 1 resets the queue (VIRTIO_F_RING_RESET)"),
        _reg("VIRTIO_MMIO_CONFIG_GENERATION", 0x0FC, "R", "changes whenever the configuration space may have"),
        _reg("VIRTIO_MMIO_CONFIG", 0x100, "RW", "configuration space, accesses of 8, 16 and 32 bits"),
    ],
    prefix="VIRTIO_MMIO_",
)

IDENTITY = Group(
    "Identification values",
    "4.2.2 MMIO Device Register Layout",
    None,
    [
        Const("VIRT_MAGIC", 0x74726976, "MagicValue: the bytes `v`, `i`, `r`, `t`", radix=16),
        Const("VIRT_VERSION", 2, "Version: not the legacy interface"),
        Const("VIRT_VENDOR", 0x4E4F5456, "VendorID of this device: the bytes `V`, `T`, `O`, `N`", radix=16),
    ],
)

DEVICE_IDS = Group(
    "Device ID",
    "5 Device Types",
    IDS_H,
    [Const("VIRTIO_ID_SOUND", 25, "sound device")],
)

INTERRUPT_BITS = Group(
    "Interrupt bits (masks)",
    "4.2.2 MMIO Device Register Layout",
    MMIO_H,
    [
        Const("VIRTIO_MMIO_INT_VRING", 1, "used buffer notification"),
        Const("VIRTIO_MMIO_INT_CONFIG", 2, "configuration change notification"),
    ],
)

STATUS_BITS = Group(
    "Device status bits (masks)",
    "2.1 Device Status Field",
    CONFIG_H,
    [
        Const("VIRTIO_CONFIG_S_ACKNOWLEDGE", 0x01, "the guest has found the device", radix=16),
        Const("VIRTIO_CONFIG_S_DRIVER", 0x02, "the guest knows how to drive it", radix=16),
        Const("VIRTIO_CONFIG_S_DRIVER_OK", 0x04, "the driver is set up", radix=16),
        Const("VIRTIO_CONFIG_S_FEATURES_OK", 0x08, "the features are agreed upon", radix=16),
        Const("VIRTIO_CONFIG_S_SUSPEND", 0x10, "SUSPEND (virtio 1.4); not offered by this device", radix=16),
        Const("VIRTIO_CONFIG_S_NEEDS_RESET", 0x40, "DEVICE_NEEDS_RESET: an error only a reset cures", radix=16),
        Const("VIRTIO_CONFIG_S_FAILED", 0x80, "the guest has given up", radix=16),
    ],
)

FEATURES = Group(
    "Feature bits of every device (bit numbers)",
    "6 Reserved Feature Bits",
    CONFIG_H,
    [
        Const("VIRTIO_F_NOTIFY_ON_EMPTY", 24, "legacy: notify when the avail ring runs empty"),
        Const("VIRTIO_F_ANY_LAYOUT", 27, "legacy: any descriptor layout; version 1 implies it"),
        Const("VIRTIO_F_VERSION_1", 32, "not the legacy interface"),
        Const("VIRTIO_F_ACCESS_PLATFORM", 33, "addresses are those of the platform's bus"),
        Const("VIRTIO_F_RING_PACKED", 34, "packed virtqueue layout"),
        Const("VIRTIO_F_IN_ORDER", 35, "buffers are used in the order they were made available"),
        Const("VIRTIO_F_ORDER_PLATFORM", 36, "the platform orders memory accesses (real barriers needed)"),
        Const("VIRTIO_F_SR_IOV", 37, "single root I/O virtualization"),
        Const("VIRTIO_F_NOTIFICATION_DATA", 38, "QueueNotify carries the avail index"),
        Const("VIRTIO_F_NOTIF_CONFIG_DATA", 39, "the device chooses the queue's notification value"),
        Const("VIRTIO_F_RING_RESET", 40, "single queues can be reset"),
        Const("VIRTIO_F_ADMIN_VQ", 41, "administration virtqueues"),
        Const("VIRTIO_F_SUSPEND", 43, "the device can be suspended"),
    ],
)

RING_FEATURES = Group(
    "Feature bits of the rings (bit numbers)",
    "6 Reserved Feature Bits",
    RING_H,
    [
        Const("VIRTIO_RING_F_INDIRECT_DESC", 28, "indirect descriptor tables"),
        Const("VIRTIO_RING_F_EVENT_IDX", 29, "used_event and avail_event"),
    ],
)

NOTIFICATION = Group(
    "Notification data (bit positions in QueueNotify)",
    "4.2.3.3 Available Buffer Notifications",
    None,
    [
        Const("VIRTIO_MMIO_NOTIFY_VQ_INDEX_LSB", 0, "queue index, 16 bits"),
        Const("VIRTIO_MMIO_NOTIFY_NEXT_LSB", 16, "split ring: the avail index, 16 bits"),
    ],
    doc="Next offset (15 bits) and wrap counter together are the 16-bit avail index of a split ring.",
)

GROUPS = (REGISTERS, IDENTITY, DEVICE_IDS, INTERRUPT_BITS, STATUS_BITS, FEATURES, RING_FEATURES, NOTIFICATION)
STRUCTS: tuple[Struct, ...] = ()
publish(globals(), *GROUPS)


def notification(queue: int, avail_idx: int) -> int:
    """Value to write to QueueNotify with VIRTIO_F_NOTIFICATION_DATA (split ring; avail_idx modulo 2^16)."""
    return queue & 0xFFFF | (avail_idx & 0xFFFF) << 16
