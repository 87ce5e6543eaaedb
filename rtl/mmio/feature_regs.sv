// SPDX-License-Identifier: Apache-2.0
//
// feature_regs - DeviceFeatures, DriverFeatures and their selectors.
//
// Promise: the offered bits never change. acceptable_o says whether what the driver has written so far
// may become FEATURES_OK: VERSION_1 is there and nothing that was not offered. A bit accepted in a bank
// above 63 counts as not offered until the next reset.
// The user must hold frozen_i while FEATURES_OK is set: writes are then ignored.
module feature_regs #(
  parameter logic [63:0] Offered = '0
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        reset_i,  // pulse: the device is being reset

  input  logic        device_sel_wr_i,
  input  logic        driver_sel_wr_i,
  input  logic        driver_wr_i,
  input  logic [31:0] wdata_i,
  input  logic        frozen_i,

  output logic [31:0] device_features_o,  // the selected bank
  output logic [63:0] accepted_o,
  output logic        acceptable_o
);
  import virtio_mmio_pkg::*;

  logic [31:0] device_sel_q, driver_sel_q;
  logic [63:0] accepted_q;
  logic        beyond_q;  // a bit above 63 was accepted

  always_comb begin
    unique case (device_sel_q)
      32'd0:   device_features_o = Offered[31:0];
      32'd1:   device_features_o = Offered[63:32];
      default: device_features_o = '0;
    endcase
  end

  assign accepted_o   = accepted_q;
  assign acceptable_o = accepted_q[VIRTIO_F_VERSION_1] && (accepted_q & ~Offered) == '0 && !beyond_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      device_sel_q <= '0;
      driver_sel_q <= '0;
      accepted_q   <= '0;
      beyond_q     <= 1'b0;
    end else if (reset_i) begin
      device_sel_q <= '0;
      driver_sel_q <= '0;
      accepted_q   <= '0;
      beyond_q     <= 1'b0;
    end else begin
      if (device_sel_wr_i) device_sel_q <= wdata_i;
      if (driver_sel_wr_i) driver_sel_q <= wdata_i;
      if (driver_wr_i && !frozen_i) begin
        unique case (driver_sel_q)
          32'd0:   accepted_q[31:0] <= wdata_i;
          32'd1:   accepted_q[63:32] <= wdata_i;
          default: if (wdata_i != '0) beyond_q <= 1'b1;
        endcase
      end
    end
  end
endmodule
