// SPDX-License-Identifier: Apache-2.0
//
// mmio_regs - the virtio-mmio v2 window, 0x000..0x1ff.
//
// Promise: the registers of virtio 1.4, 4.2.2, of a sound device of the profile; docs/device.md "Registers and
// status". Registers are written by whole words only (a write with fewer byte lanes is ignored), read by
// any width. Registers that do not exist, and the queue registers while QueueSel names no queue, read 0.
// The user must: give wr_i and rd_i never together; treat queue_clear_o and device_reset_o as "return
// to the reset state" and report idle only when nothing is outstanding any more; keep idle inputs truthful
// from the eighth cycle of a clear on.
// rdata_o is valid in the cycle after rd_i and holds until the next one.
module mmio_regs
  import vsnd_pkg::*;
(
  input  logic                        clk_i,
  input  logic                        rst_ni,

  input  logic                        wr_i,
  input  logic                        rd_i,
  input  logic       [8:0]            addr_i,
  input  logic       [31:0]           wdata_i,
  input  logic       [3:0]            wstrb_i,
  output logic       [31:0]           rdata_o,

  output queue_cfg_t [NumQueues-1:0]  queue_cfg_o,
  output ring_features_t              ring_features_o,
  output logic                        driver_ok_o,
  output logic       [NumQueues-1:0]  notify_o,        // pulse
  output logic       [15:0]           notify_idx_o,    // avail index carried by NOTIFICATION_DATA
  output logic       [31:0]           notify_value_o,  // as written

  output logic                        device_reset_o,  // level
  output logic                        hold_o,          // level: the user lets no access begin
  output logic       [NumQueues-1:0]  queue_clear_o,   // level, also high during device reset
  input  logic       [NumQueues-1:0]  queue_idle_i,
  input  logic                        core_idle_i,

  input  logic       [NumQueues-1:0]  used_irq_i,      // pulses
  input  logic       [NumQueues-1:0]  fault_i,         // pulses
  output logic       [1:0]            isr_o,
  output logic                        irq_o,

  output logic                        busy_o
);
  import virtio_mmio_pkg::*;
  import profile_pkg::*;

  localparam int unsigned QueueW = $clog2(NumQueues);

  // -------------------------------------------------------------------------------------------
  // Decode
  // -------------------------------------------------------------------------------------------
  logic [31:0] offset;
  logic        reg_wr;

  assign offset = 32'({addr_i[8:2], 2'b00});
  // The configuration space of a sound device is read-only.
  assign reg_wr = wr_i && wstrb_i == 4'hf && !addr_i[8];

  logic        queue_exists;
  logic [31:0] queue_sel_q;
  logic        reset_start;

  assign queue_exists = queue_sel_q < NumQueues;

  // -------------------------------------------------------------------------------------------
  // Features and status
  // -------------------------------------------------------------------------------------------
  logic [31:0] device_features;
  logic [63:0] accepted;
  logic        acceptable, features_ok, config_irq;
  logic [7:0]  status;

  feature_regs #(
    .Offered(DEVICE_FEATURES)
  ) i_features (
    .clk_i, .rst_ni,
    .reset_i          (reset_start),
    .device_sel_wr_i  (reg_wr && offset == VIRTIO_MMIO_DEVICE_FEATURES_SEL),
    .driver_sel_wr_i  (reg_wr && offset == VIRTIO_MMIO_DRIVER_FEATURES_SEL),
    .driver_wr_i      (reg_wr && offset == VIRTIO_MMIO_DRIVER_FEATURES),
    .wdata_i,
    .frozen_i         (features_ok),
    .device_features_o(device_features),
    .accepted_o       (accepted),
    .acceptable_o     (acceptable)
  );

  device_status i_status (
    .clk_i, .rst_ni,
    .wr_i                 (reg_wr && offset == VIRTIO_MMIO_STATUS),
    .wdata_i              (wdata_i[7:0]),
    .status_o             (status),
    .features_acceptable_i(acceptable),
    .features_ok_o        (features_ok),
    .driver_ok_o          (driver_ok_o),
    .fault_i              (|fault_i),
    .config_irq_o         (config_irq),
    .idle_i               (&queue_idle_i && core_idle_i),
    .reset_start_o        (reset_start),
    .reset_o              (device_reset_o)
  );

  assign ring_features_o = '{
    event_idx:         features_ok && accepted[VIRTIO_RING_F_EVENT_IDX],
    indirect:          features_ok && accepted[VIRTIO_RING_F_INDIRECT_DESC],
    notification_data: features_ok && accepted[VIRTIO_F_NOTIFICATION_DATA]
  };

  // -------------------------------------------------------------------------------------------
  // Queues
  // -------------------------------------------------------------------------------------------
  logic [NumQueues-1:0] ready, in_reset, clear, hold;

  for (genvar q = 0; q < NumQueues; q++) begin : gen_queue
    queue_regs #(
      .SizeMax(QUEUE_SIZE_MAX)
    ) i_regs (
      .clk_i, .rst_ni,
      .reset_i       (reset_start),
      .device_reset_i(device_reset_o),
      .wr_i          (reg_wr && queue_sel_q == q),
      .offset_i      (offset),
      .wdata_i,
      .ring_reset_i  (features_ok && accepted[VIRTIO_F_RING_RESET]),
      .ready_o       (ready[q]),
      .in_reset_o    (in_reset[q]),
      .cfg_o         (queue_cfg_o[q]),
      .clear_o       (clear[q]),
      .hold_o        (hold[q]),
      .idle_i        (queue_idle_i[q])
    );
  end

  assign queue_clear_o = clear;
  assign hold_o        = device_reset_o || (|hold);

  // -------------------------------------------------------------------------------------------
  // Notifications. A queue that is not ready is not notified.
  // -------------------------------------------------------------------------------------------
  logic [NumQueues-1:0] notify_d, notify_q;
  logic [31:0]          notify_value_q;
  logic [31:0]          notify_queue;

  assign notify_queue = ring_features_o.notification_data ? 32'(wdata_i[15:0]) : wdata_i;

  always_comb begin
    notify_d = '0;
    for (int unsigned q = 0; q < NumQueues; q++) begin
      notify_d[q] = reg_wr && offset == VIRTIO_MMIO_QUEUE_NOTIFY && notify_queue == q && queue_cfg_o[q].ready;
    end
  end

  assign notify_o       = notify_q;
  assign notify_idx_o   = notify_value_q[31:16];
  assign notify_value_o = notify_value_q;

  // -------------------------------------------------------------------------------------------
  // Interrupts. What happens during a reset is not announced.
  // -------------------------------------------------------------------------------------------
  interrupt i_interrupt (
    .clk_i, .rst_ni,
    .reset_i (reset_start || device_reset_o),
    .used_i  (|used_irq_i),
    .config_i(config_irq),
    .ack_wr_i(reg_wr && offset == VIRTIO_MMIO_INTERRUPT_ACK),
    .ack_i   (wdata_i[1:0]),
    .isr_o, .irq_o
  );

  // -------------------------------------------------------------------------------------------
  // Reads
  // -------------------------------------------------------------------------------------------
  logic [31:0]       config_word, rdata_d, rdata_q;
  logic [QueueW-1:0] sel;

  config_space i_config (
    .offset_i(addr_i[7:0]),
    .data_o  (config_word)
  );

  assign sel = queue_sel_q[QueueW-1:0];

  always_comb begin
    unique case (offset)
      VIRTIO_MMIO_MAGIC_VALUE:      rdata_d = VIRT_MAGIC;
      VIRTIO_MMIO_VERSION:          rdata_d = VIRT_VERSION;
      VIRTIO_MMIO_DEVICE_ID:        rdata_d = VIRTIO_ID_SOUND;
      VIRTIO_MMIO_VENDOR_ID:        rdata_d = VIRT_VENDOR;
      VIRTIO_MMIO_DEVICE_FEATURES:  rdata_d = device_features;
      VIRTIO_MMIO_QUEUE_NUM_MAX:    rdata_d = queue_exists ? QUEUE_SIZE_MAX : 32'd0;
      VIRTIO_MMIO_QUEUE_READY:      rdata_d = 32'(queue_exists && ready[sel]);
      VIRTIO_MMIO_QUEUE_RESET:      rdata_d = 32'(queue_exists && in_reset[sel]);
      VIRTIO_MMIO_INTERRUPT_STATUS: rdata_d = 32'(isr_o);
      VIRTIO_MMIO_STATUS:           rdata_d = 32'(status);
      // There is no shared memory region.
      VIRTIO_MMIO_SHM_LEN_LOW, VIRTIO_MMIO_SHM_LEN_HIGH,
      VIRTIO_MMIO_SHM_BASE_LOW, VIRTIO_MMIO_SHM_BASE_HIGH: rdata_d = '1;
      default:                      rdata_d = addr_i[8] ? config_word : '0;
    endcase
  end

  assign rdata_o = rdata_q;

  assign busy_o = device_reset_o || (|clear) || (|notify_q);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      queue_sel_q    <= '0;
      notify_q       <= '0;
      notify_value_q <= '0;
      rdata_q        <= '0;
    end else begin
      notify_q <= notify_d;
      if (|notify_d) notify_value_q <= wdata_i;
      if (rd_i) rdata_q <= rdata_d;
      if (reset_start) queue_sel_q <= '0;
      else if (reg_wr && offset == VIRTIO_MMIO_QUEUE_SEL) queue_sel_q <= wdata_i;
    end
  end
endmodule
