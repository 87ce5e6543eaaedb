// SPDX-License-Identifier: Apache-2.0
//
// queue_regs - the registers of one virtqueue.
//
// Promise: size and addresses change only while QueueReady reads 0. QueueReady = 1 needs a size that is a
// power of two of 1..SizeMax. Taking a queue back, by QueueReset = 1 or by QueueReady = 0, asserts clear_o
// until idle_i. QueueReset reads 1 until then, all other writes are ignored, and in the end QueueReset and QueueReady
// read 0 and size and addresses are forgotten, as by a device reset. QueueReady reads what was written last,
// so after QueueReady = 0 the queue may be set up again at once; it serves when the clear is over. A driver that reads
// QueueReady back as 0 frees the ring (virtio 1.4, 4.2.2.2), so no register access may be answered while hold_o.
// The user must give reset_i for one cycle at a device reset and hold device_reset_i until it is over; the driver may
// already write the registers meanwhile, but cfg_o.ready stays low.
module queue_regs
  import vsnd_pkg::*;
#(
  parameter int unsigned SizeMax = 1024
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        reset_i,         // pulse
  input  logic        device_reset_i,  // level

  input  logic        wr_i,            // this queue is selected
  input  logic [31:0] offset_i,
  input  logic [31:0] wdata_i,
  input  logic        ring_reset_i,    // RING_RESET was negotiated
  output logic        ready_o,         // as QueueReady and QueueReset read
  output logic        in_reset_o,

  output queue_cfg_t  cfg_o,
  output logic        clear_o,
  output logic        hold_o,          // QueueReady = 0 was written and the queue is not at rest yet
  input  logic        idle_i
);
  import virtio_mmio_pkg::*;

  // Cycles before idle_i is believed, as in device_status.
  localparam logic [2:0] Settle = 3'd7;

  queue_cfg_t cfg_q;
  logic       size_ok_q;   // QueueSize as written is one that QueueReady = 1 may be given for
  logic       clearing_q;  // taking the queue back
  logic       forget_q;    // by QueueReset (only while clearing_q)
  logic [2:0] settle_q;

  assign ready_o    = cfg_q.ready;
  assign in_reset_o = forget_q;
  assign clear_o    = clearing_q || device_reset_i;
  assign hold_o     = clearing_q && !forget_q;

  always_comb begin
    cfg_o       = cfg_q;
    cfg_o.ready = cfg_q.ready && !clear_o;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cfg_q      <= '0;
      size_ok_q  <= 1'b0;
      clearing_q <= 1'b0;
      forget_q   <= 1'b0;
      settle_q   <= '0;
    end else begin
      if (clearing_q) begin
        if (settle_q != Settle) settle_q <= settle_q + 3'd1;
        else if (idle_i) begin
          clearing_q <= 1'b0;
          forget_q   <= 1'b0;
          if (forget_q) begin
            cfg_q     <= '0;
            size_ok_q <= 1'b0;
          end
        end
      end

      if (wr_i) begin
        unique case (offset_i)
          VIRTIO_MMIO_QUEUE_READY: begin
            if (!forget_q && !cfg_q.ready && wdata_i[0]) cfg_q.ready <= size_ok_q;
            if (!forget_q && cfg_q.ready && !wdata_i[0]) begin
              cfg_q.ready <= 1'b0;
              clearing_q  <= 1'b1;
              settle_q    <= '0;
            end
          end
          VIRTIO_MMIO_QUEUE_RESET: begin
            if (ring_reset_i && wdata_i[0]) begin
              clearing_q <= 1'b1;
              forget_q   <= 1'b1;
              settle_q   <= '0;
            end
          end
          default: begin
            if (!cfg_q.ready && !forget_q) begin
              unique case (offset_i)
                VIRTIO_MMIO_QUEUE_NUM: begin
                  cfg_q.size <= wdata_i[15:0];
                  size_ok_q  <= $countones(wdata_i) == 1 && wdata_i <= SizeMax;
                end
                VIRTIO_MMIO_QUEUE_DESC_LOW:   cfg_q.desc[31:0] <= wdata_i;
                VIRTIO_MMIO_QUEUE_DESC_HIGH:  cfg_q.desc[63:32] <= wdata_i;
                VIRTIO_MMIO_QUEUE_AVAIL_LOW:  cfg_q.driver[31:0] <= wdata_i;
                VIRTIO_MMIO_QUEUE_AVAIL_HIGH: cfg_q.driver[63:32] <= wdata_i;
                VIRTIO_MMIO_QUEUE_USED_LOW:   cfg_q.device[31:0] <= wdata_i;
                VIRTIO_MMIO_QUEUE_USED_HIGH:  cfg_q.device[63:32] <= wdata_i;
                default: ;  // not a register of a queue
              endcase
            end
          end
        endcase
      end

      // A device reset forgets everything and outlasts any queue reset.
      if (reset_i) begin
        cfg_q      <= '0;
        size_ok_q  <= 1'b0;
        clearing_q <= 1'b0;
        forget_q   <= 1'b0;
        settle_q   <= '0;
      end
    end
  end
endmodule
