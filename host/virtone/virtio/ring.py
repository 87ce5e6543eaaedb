# SPDX-License-Identifier: Apache-2.0
"""The split virtqueue: descriptors, avail ring, used ring.

Source: virtio 1.4, 2.7 "Split Virtqueues"; names of linux/virtio_ring.h. `num` is the queue size, a power
of two up to `VRING_NUM_MAX`; offsets and sizes are in bytes. The feature bits are in `mmio`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtone.virtio.layout import Array, Struct, le16, le32, le64
from virtone.virtio.wire import Const, Group, WireError, publish

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


RING_H = "linux/virtio_ring.h"

DESC_FLAGS = Group(
    "Descriptor flags (masks)",
    "2.7.5 The Virtqueue Descriptor Table",
    RING_H,
    [
        Const("VRING_DESC_F_NEXT", 1, "the chain goes on at `next`"),
        Const("VRING_DESC_F_WRITE", 2, "device-writable (otherwise device-readable)"),
        Const("VRING_DESC_F_INDIRECT", 4, "the buffer is a table of descriptors"),
    ],
)

AVAIL_FLAGS = Group(
    "Avail ring flags (masks)",
    "2.7.6 The Virtqueue Available Ring",
    RING_H,
    [Const("VRING_AVAIL_F_NO_INTERRUPT", 1, "the driver wants no interrupt (ignored with EVENT_IDX)")],
)

USED_FLAGS = Group(
    "Used ring flags (masks)",
    "2.7.8 The Virtqueue Used Ring",
    RING_H,
    [Const("VRING_USED_F_NO_NOTIFY", 1, "the device wants no notification (0 with EVENT_IDX)")],
)

ALIGNMENTS = Group(
    "Alignment of the ring's parts in bytes",
    "2.7 Split Virtqueues",
    RING_H,
    [
        Const("VRING_DESC_ALIGN_SIZE", 16, "descriptor table"),
        Const("VRING_AVAIL_ALIGN_SIZE", 2, "avail ring"),
        Const("VRING_USED_ALIGN_SIZE", 4, "used ring"),
    ],
)

LIMITS = Group(
    "Limits",
    "2.7 Split Virtqueues",
    None,
    [Const("VRING_NUM_MAX", 32768, "largest queue size; sizes are powers of two")],
)

GROUPS = (DESC_FLAGS, AVAIL_FLAGS, USED_FLAGS, ALIGNMENTS, LIMITS)

vring_desc = Struct(
    "vring_desc",
    "2.7.5 The Virtqueue Descriptor Table",
    RING_H,
    [
        ("addr", le64, "guest-physical address of the buffer"),
        ("len", le32, "its length in bytes"),
        ("flags", le16, "VRING_DESC_F_*"),
        ("next", le16, "index of the next descriptor, if NEXT is set"),
    ],
)

vring_avail = Struct(
    "vring_avail",
    "2.7.6 The Virtqueue Available Ring",
    RING_H,
    [
        ("flags", le16, "VRING_AVAIL_F_*"),
        ("idx", le16, "where the driver will put the next entry, modulo 2^16"),
        ("ring", Array(le16, None), "heads of chains; `used_event` (le16) follows the last"),
    ],
)

vring_used_elem = Struct(
    "vring_used_elem",
    "2.7.8 The Virtqueue Used Ring",
    RING_H,
    [
        ("id", le32, "head of the chain that was used"),
        ("len", le32, "bytes written to its device-writable part"),
    ],
)

vring_used = Struct(
    "vring_used",
    "2.7.8 The Virtqueue Used Ring",
    RING_H,
    [
        ("flags", le16, "VRING_USED_F_*"),
        ("idx", le16, "where the device will put the next element, modulo 2^16"),
        ("ring", Array(vring_used_elem, None), "elements; `avail_event` (le16) follows the last"),
    ],
)

STRUCTS = (vring_desc, vring_avail, vring_used_elem, vring_used)
publish(globals(), *GROUPS)


def check_num(num: int) -> int:
    """`num` itself if it is a queue size, else `WireError`."""
    if not 0 < num <= 32768 or num & (num - 1):
        raise WireError(f"queue size {num}: it must be a power of two, 1..32768")
    return num


def desc_table_size(num: int) -> int:
    """Bytes of a descriptor table."""
    return vring_desc.size * check_num(num)


def avail_ring_size(num: int) -> int:
    """Bytes of an avail ring, `used_event` included."""
    return used_event_offset(num) + le16.size


def used_ring_size(num: int) -> int:
    """Bytes of a used ring, `avail_event` included."""
    return avail_event_offset(num) + le16.size


def avail_entry_offset(num: int, index: int) -> int:
    """Offset in the avail ring of the entry for a (free-running) index."""
    return vring_avail.offset("ring") + le16.size * (index % check_num(num))


def used_elem_offset(num: int, index: int) -> int:
    """Offset in the used ring of the element for a (free-running) index."""
    return vring_used.offset("ring") + vring_used_elem.size * (index % check_num(num))


def used_event_offset(num: int) -> int:
    """Offset of `used_event` in the avail ring."""
    return vring_avail.offset("ring") + le16.size * check_num(num)


def avail_event_offset(num: int) -> int:
    """Offset of `avail_event` in the used ring."""
    return vring_used.offset("ring") + vring_used_elem.size * check_num(num)


def vring_need_event(event_idx: int, new_idx: int, old_idx: int) -> bool:
    """Whether moving an index from old to new passes the event index (all modulo 2^16; 2.7.7, 2.7.10)."""
    return (new_idx - event_idx - 1) & 0xFFFF < (new_idx - old_idx) & 0xFFFF
