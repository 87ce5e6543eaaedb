// SPDX-License-Identifier: Apache-2.0
// virtio_ring_pkg - the split virtqueue (virtio 1.4).
//
// Generated from host/virtone/virtio/ring.py by `python -m virtone.virtio.emit`; do not edit.
package virtio_ring_pkg;

  // A design uses some of these constants, hardly ever all.
  /* verilator lint_off UNUSEDPARAM */

  // Descriptor flags (masks) (2.7.5 The Virtqueue Descriptor Table)
  localparam int unsigned VRING_DESC_F_NEXT     = 1;  // the chain goes on at `next`
  localparam int unsigned VRING_DESC_F_WRITE    = 2;  // device-writable (otherwise device-readable)
  localparam int unsigned VRING_DESC_F_INDIRECT = 4;  // the buffer is a table of descriptors

  // Avail ring flags (masks) (2.7.6 The Virtqueue Available Ring)
  localparam int unsigned VRING_AVAIL_F_NO_INTERRUPT = 1;  // the driver wants no interrupt (ignored with EVENT_IDX)

  // Used ring flags (masks) (2.7.8 The Virtqueue Used Ring)
  localparam int unsigned VRING_USED_F_NO_NOTIFY = 1;  // the device wants no notification (0 with EVENT_IDX)

  // Alignment of the ring's parts in bytes (2.7 Split Virtqueues)
  localparam int unsigned VRING_DESC_ALIGN_SIZE  = 16;  // descriptor table
  localparam int unsigned VRING_AVAIL_ALIGN_SIZE = 2;  // avail ring
  localparam int unsigned VRING_USED_ALIGN_SIZE  = 4;  // used ring

  // Limits (2.7 Split Virtqueues)
  localparam int unsigned VRING_NUM_MAX = 32768;  // largest queue size; sizes are powers of two

  // struct vring_desc (2.7.5 The Virtqueue Descriptor Table)
  localparam int unsigned VRING_DESC_SIZE      = 16;  // bytes
  localparam int unsigned VRING_DESC_ADDR_OFS  = 0;  // le64
  localparam int unsigned VRING_DESC_LEN_OFS   = 8;  // le32
  localparam int unsigned VRING_DESC_FLAGS_OFS = 12;  // le16
  localparam int unsigned VRING_DESC_NEXT_OFS  = 14;  // le16

  // struct vring_avail (2.7.6 The Virtqueue Available Ring)
  localparam int unsigned VRING_AVAIL_SIZE      = 4;  // bytes
  localparam int unsigned VRING_AVAIL_FLAGS_OFS = 0;  // le16
  localparam int unsigned VRING_AVAIL_IDX_OFS   = 2;  // le16
  localparam int unsigned VRING_AVAIL_RING_OFS  = 4;  // le16[]

  // struct vring_used_elem (2.7.8 The Virtqueue Used Ring)
  localparam int unsigned VRING_USED_ELEM_SIZE    = 8;  // bytes
  localparam int unsigned VRING_USED_ELEM_ID_OFS  = 0;  // le32
  localparam int unsigned VRING_USED_ELEM_LEN_OFS = 4;  // le32

  // struct vring_used (2.7.8 The Virtqueue Used Ring)
  localparam int unsigned VRING_USED_SIZE      = 4;  // bytes
  localparam int unsigned VRING_USED_FLAGS_OFS = 0;  // le16
  localparam int unsigned VRING_USED_IDX_OFS   = 2;  // le16
  localparam int unsigned VRING_USED_RING_OFS  = 4;  // struct vring_used_elem[]

  /* verilator lint_on UNUSEDPARAM */

endpackage
