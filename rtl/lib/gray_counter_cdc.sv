// SPDX-License-Identifier: Apache-2.0
//
// gray_counter_cdc - an event counter whose value is read in another clock domain.
//
// Promise: dst_count_o is a value src_count really had, at most three dst_clk_i edges old; it counts
// modulo 2^Width and never runs backwards, whatever the ratio of the clocks and however long dst_clk_i
// rests. differs_o is high while dst_count_o still has to move; it is combinational from both domains and
// may only decide whether dst_clk_i has to run.
// The user must: assert both resets together.
module gray_counter_cdc #(
  parameter int unsigned      Width      = 32,
  parameter logic [Width-1:0] ResetValue = '0
) (
  input  logic             src_clk_i,
  input  logic             src_rst_ni,
  input  logic             src_inc_i,

  input  logic             dst_clk_i,
  input  logic             dst_rst_ni,
  output logic [Width-1:0] dst_count_o,
  output logic             differs_o
);

  localparam logic [Width-1:0] ResetGray = ResetValue ^ (ResetValue >> 1);

  logic [Width-1:0] bin_q, bin_d, gray_q, gray_sync, bin_sync, count_q;

  assign bin_d = bin_q + Width'(1);

  always_ff @(posedge src_clk_i or negedge src_rst_ni) begin
    if (!src_rst_ni) begin
      bin_q  <= ResetValue;
      gray_q <= ResetGray;
    end else if (src_inc_i) begin
      bin_q  <= bin_d;
      gray_q <= bin_d ^ (bin_d >> 1);  // one bit changes per step, so a late bit is only a late step
    end
  end

  sync_2ff #(
    .Width     (Width),
    .ResetValue(ResetGray)
  ) u_sync (
    .clk_i (dst_clk_i),
    .rst_ni(dst_rst_ni),
    .d_i   (gray_q),
    .q_o   (gray_sync)
  );

  // Gray to binary: each bit is the parity of the gray bits at and above it.
  always_comb begin
    bin_sync = gray_sync;
    for (int unsigned shift = 1; shift < Width; shift *= 2) bin_sync = bin_sync ^ (bin_sync >> shift);
  end

  always_ff @(posedge dst_clk_i or negedge dst_rst_ni) begin
    if (!dst_rst_ni) count_q <= ResetValue;
    else count_q <= bin_sync;
  end

  assign dst_count_o = count_q;
  assign differs_o   = (gray_q != gray_sync) || (bin_sync != count_q);

endmodule
