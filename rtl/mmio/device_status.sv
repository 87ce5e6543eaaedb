// SPDX-License-Identifier: Apache-2.0
//
// device_status - the Status register and the device reset.
//
// Promise: writing 0 resets. reset_start_o is high in that cycle (all registers return to their reset
// values), reset_o from the next one until queues and core have reported idle. Meanwhile Status reads
// ACKNOWLEDGE together with whatever was written since: a driver that polls waits for 0, and one that
// does not (Linux) reads nothing stale back and loses no write.
// FEATURES_OK sticks only if features_acceptable_i. DEVICE_NEEDS_RESET belongs to the device: fault_i sets
// it, only a reset clears it. Bits that virtio-mmio does not define, and SUSPEND (not offered), read 0.
// driver_ok_o also requires FEATURES_OK: without agreed features no ring is touched.
module device_status (
  input  logic       clk_i,
  input  logic       rst_ni,

  input  logic       wr_i,
  input  logic [7:0] wdata_i,
  output logic [7:0] status_o,

  input  logic       features_acceptable_i,
  output logic       features_ok_o,
  output logic       driver_ok_o,

  input  logic       fault_i,       // pulse: a ring is malformed
  output logic       config_irq_o,  // pulse: DEVICE_NEEDS_RESET is to be announced

  input  logic       idle_i,        // queues and core have nothing outstanding
  output logic       reset_start_o, // pulse
  output logic       reset_o        // level
);
  import virtio_mmio_pkg::*;

  // Cycles before idle_i is believed: a block that started something when the reset came has shown it by then.
  localparam logic [2:0] Settle = 3'd7;
  localparam logic [7:0] DriverBits = 8'(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK
                                         | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED);

  localparam logic [7:0] FeaturesOk = 8'(VIRTIO_CONFIG_S_FEATURES_OK);
  localparam logic [7:0] DriverOk   = 8'(VIRTIO_CONFIG_S_DRIVER_OK);
  localparam logic [7:0] NeedsReset = 8'(VIRTIO_CONFIG_S_NEEDS_RESET);

  logic [7:0] status_d, status_q;
  logic       reset_q;
  logic [2:0] settle_q;
  logic       refused;

  assign reset_start_o = wr_i && wdata_i == '0;
  assign reset_o       = reset_q;
  assign status_o      = status_q | (reset_q ? 8'(VIRTIO_CONFIG_S_ACKNOWLEDGE) : 8'h0);
  assign features_ok_o = |(status_q & FeaturesOk);
  assign driver_ok_o   = features_ok_o && |(status_q & DriverOk) && !reset_q;

  // Features that are already agreed are not examined again.
  assign refused      = !features_ok_o && !features_acceptable_i;
  assign config_irq_o = fault_i && !reset_q && |(status_q & DriverOk);

  always_comb begin
    status_d = status_q;
    if (wr_i) status_d = (wdata_i & DriverBits & ~(refused ? FeaturesOk : 8'h0)) | (status_q & NeedsReset);
    if (fault_i && !reset_q) status_d |= NeedsReset;
    if (reset_start_o) status_d = '0;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      status_q <= '0;
      reset_q  <= 1'b0;
      settle_q <= '0;
    end else begin
      status_q <= status_d;
      if (reset_start_o) begin
        reset_q  <= 1'b1;
        settle_q <= '0;
      end else if (reset_q) begin
        if (settle_q != Settle) settle_q <= settle_q + 3'd1;
        else if (idle_i) reset_q <= 1'b0;
      end
    end
  end
endmodule
