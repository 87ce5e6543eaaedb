// SPDX-License-Identifier: Apache-2.0
// virtio_mmio_pkg - virtio-mmio registers, status, interrupt and feature bits (virtio 1.4).
//
// Generated from host/virtone/virtio/mmio.py by `python -m virtone.virtio.emit`; do not edit.
package virtio_mmio_pkg;

  // A design uses some of these constants, hardly ever all.
  /* verilator lint_off UNUSEDPARAM */

  // virtio-mmio registers (4.2.2 MMIO Device Register Layout)
  localparam int unsigned VIRTIO_MMIO_MAGIC_VALUE         = 32'h00000000;  // MagicValue: the bytes `virt`
  localparam int unsigned VIRTIO_MMIO_VERSION             = 32'h00000004;  // Version: 2
  localparam int unsigned VIRTIO_MMIO_DEVICE_ID           = 32'h00000008;  // DeviceID: 25, sound
  localparam int unsigned VIRTIO_MMIO_VENDOR_ID           = 32'h0000000c;  // VendorID
  localparam int unsigned VIRTIO_MMIO_DEVICE_FEATURES     = 32'h00000010;  // 32 feature bits, chosen by DeviceFeaturesSel
  localparam int unsigned VIRTIO_MMIO_DEVICE_FEATURES_SEL = 32'h00000014;  // 0: bits 0..31, 1: bits 32..63
  localparam int unsigned VIRTIO_MMIO_DRIVER_FEATURES     = 32'h00000020;  // 32 accepted feature bits, chosen by DriverFeaturesSel
  localparam int unsigned VIRTIO_MMIO_DRIVER_FEATURES_SEL = 32'h00000024;  // 0: bits 0..31, 1: bits 32..63
  localparam int unsigned VIRTIO_MMIO_QUEUE_SEL           = 32'h00000030;  // QueueSel: the queue that the queue registers speak of
  localparam int unsigned VIRTIO_MMIO_QUEUE_NUM_MAX       = 32'h00000034;  // QueueSizeMax: largest size, 0 if there is no such queue
  localparam int unsigned VIRTIO_MMIO_QUEUE_NUM           = 32'h00000038;  // QueueSize: number of descriptors
  localparam int unsigned VIRTIO_MMIO_QUEUE_READY         = 32'h00000044;  // QueueReady: 1 lets the device use the queue
  localparam int unsigned VIRTIO_MMIO_QUEUE_NOTIFY        = 32'h00000050;  // QueueNotify: queue index, or notification data
  localparam int unsigned VIRTIO_MMIO_INTERRUPT_STATUS    = 32'h00000060;  // InterruptStatus: causes that are not acknowledged
  localparam int unsigned VIRTIO_MMIO_INTERRUPT_ACK       = 32'h00000064;  // InterruptACK: write 1 to clear
  localparam int unsigned VIRTIO_MMIO_STATUS              = 32'h00000070;  // Status: device status bits; writing 0 resets the device
  localparam int unsigned VIRTIO_MMIO_QUEUE_DESC_LOW      = 32'h00000080;  // descriptor table, address bits 0..31
  localparam int unsigned VIRTIO_MMIO_QUEUE_DESC_HIGH     = 32'h00000084;  // descriptor table, address bits 32..63
  localparam int unsigned VIRTIO_MMIO_QUEUE_AVAIL_LOW     = 32'h00000090;  // QueueDriverLow: avail ring, address bits 0..31
  localparam int unsigned VIRTIO_MMIO_QUEUE_AVAIL_HIGH    = 32'h00000094;  // QueueDriverHigh: avail ring, address bits 32..63
  localparam int unsigned VIRTIO_MMIO_QUEUE_USED_LOW      = 32'h000000a0;  // QueueDeviceLow: used ring, address bits 0..31
  localparam int unsigned VIRTIO_MMIO_QUEUE_USED_HIGH     = 32'h000000a4;  // QueueDeviceHigh: used ring, address bits 32..63
  localparam int unsigned VIRTIO_MMIO_SHM_SEL             = 32'h000000ac;  // SHMSel: shared memory region
  localparam int unsigned VIRTIO_MMIO_SHM_LEN_LOW         = 32'h000000b0;  // its length, bits 0..31; all ones if there is none
  localparam int unsigned VIRTIO_MMIO_SHM_LEN_HIGH        = 32'h000000b4;  // its length, bits 32..63
  localparam int unsigned VIRTIO_MMIO_SHM_BASE_LOW        = 32'h000000b8;  // its address, bits 0..31; all ones if there is none
  localparam int unsigned VIRTIO_MMIO_SHM_BASE_HIGH       = 32'h000000bc;  // its address, bits 32..63
  localparam int unsigned VIRTIO_MMIO_QUEUE_RESET         = 32'h000000c0;  // QueueReset: 1 resets the queue (VIRTIO_F_RING_RESET)
  localparam int unsigned VIRTIO_MMIO_CONFIG_GENERATION   = 32'h000000fc;  // changes whenever the configuration space may have
  localparam int unsigned VIRTIO_MMIO_CONFIG              = 32'h00000100;  // configuration space, accesses of 8, 16 and 32 bits

  // Identification values (4.2.2 MMIO Device Register Layout)
  localparam int unsigned VIRT_MAGIC   = 32'h74726976;  // MagicValue: the bytes `v`, `i`, `r`, `t`
  localparam int unsigned VIRT_VERSION = 2;  // Version: not the legacy interface
  localparam int unsigned VIRT_VENDOR  = 32'h4e4f5456;  // VendorID of this device: the bytes `V`, `T`, `O`, `N`

  // Device ID (5 Device Types)
  localparam int unsigned VIRTIO_ID_SOUND = 25;  // sound device

  // Interrupt bits (masks) (4.2.2 MMIO Device Register Layout)
  localparam int unsigned VIRTIO_MMIO_INT_VRING  = 1;  // used buffer notification
  localparam int unsigned VIRTIO_MMIO_INT_CONFIG = 2;  // configuration change notification

  // Device status bits (masks) (2.1 Device Status Field)
  localparam int unsigned VIRTIO_CONFIG_S_ACKNOWLEDGE = 32'h00000001;  // the guest has found the device
  localparam int unsigned VIRTIO_CONFIG_S_DRIVER      = 32'h00000002;  // the guest knows how to drive it
  localparam int unsigned VIRTIO_CONFIG_S_DRIVER_OK   = 32'h00000004;  // the driver is set up
  localparam int unsigned VIRTIO_CONFIG_S_FEATURES_OK = 32'h00000008;  // the features are agreed upon
  localparam int unsigned VIRTIO_CONFIG_S_SUSPEND     = 32'h00000010;  // SUSPEND (virtio 1.4); not offered by this device
  localparam int unsigned VIRTIO_CONFIG_S_NEEDS_RESET = 32'h00000040;  // DEVICE_NEEDS_RESET: an error only a reset cures
  localparam int unsigned VIRTIO_CONFIG_S_FAILED      = 32'h00000080;  // the guest has given up

  // Feature bits of every device (bit numbers) (6 Reserved Feature Bits)
  localparam int unsigned VIRTIO_F_NOTIFY_ON_EMPTY   = 24;  // legacy: notify when the avail ring runs empty
  localparam int unsigned VIRTIO_F_ANY_LAYOUT        = 27;  // legacy: any descriptor layout; version 1 implies it
  localparam int unsigned VIRTIO_F_VERSION_1         = 32;  // not the legacy interface
  localparam int unsigned VIRTIO_F_ACCESS_PLATFORM   = 33;  // addresses are those of the platform's bus
  localparam int unsigned VIRTIO_F_RING_PACKED       = 34;  // packed virtqueue layout
  localparam int unsigned VIRTIO_F_IN_ORDER          = 35;  // buffers are used in the order they were made available
  localparam int unsigned VIRTIO_F_ORDER_PLATFORM    = 36;  // the platform orders memory accesses (real barriers needed)
  localparam int unsigned VIRTIO_F_SR_IOV            = 37;  // single root I/O virtualization
  localparam int unsigned VIRTIO_F_NOTIFICATION_DATA = 38;  // QueueNotify carries the avail index
  localparam int unsigned VIRTIO_F_NOTIF_CONFIG_DATA = 39;  // the device chooses the queue's notification value
  localparam int unsigned VIRTIO_F_RING_RESET        = 40;  // single queues can be reset
  localparam int unsigned VIRTIO_F_ADMIN_VQ          = 41;  // administration virtqueues
  localparam int unsigned VIRTIO_F_SUSPEND           = 43;  // the device can be suspended

  // Feature bits of the rings (bit numbers) (6 Reserved Feature Bits)
  localparam int unsigned VIRTIO_RING_F_INDIRECT_DESC = 28;  // indirect descriptor tables
  localparam int unsigned VIRTIO_RING_F_EVENT_IDX     = 29;  // used_event and avail_event

  // Notification data (bit positions in QueueNotify) (4.2.3.3 Available Buffer Notifications)
  localparam int unsigned VIRTIO_MMIO_NOTIFY_VQ_INDEX_LSB = 0;  // queue index, 16 bits
  localparam int unsigned VIRTIO_MMIO_NOTIFY_NEXT_LSB     = 16;  // split ring: the avail index, 16 bits

  /* verilator lint_on UNUSEDPARAM */

endpackage
