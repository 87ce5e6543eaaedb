// SPDX-License-Identifier: Apache-2.0
//
// sync_2ff - brings levels into a clock domain through two flip-flops.
//
// Promise: q_o is d_i, two to three clk_i edges later, and is safe to use in the domain of clk_i.
// The user must: drive d_i from flip-flops, hold each level for more than one clk_i period, and treat
// the bits of a wide d_i as independent (for numbers use gray_counter_cdc or value_cdc).
module sync_2ff #(
  parameter int unsigned      Width      = 1,
  parameter logic [Width-1:0] ResetValue = '0
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [Width-1:0] d_i,
  output logic [Width-1:0] q_o
);

  (* async_reg = "true" *) logic [Width-1:0] meta_q, sync_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      meta_q <= ResetValue;
      sync_q <= ResetValue;
    end else begin
      meta_q <= d_i;
      sync_q <= meta_q;
    end
  end

  assign q_o = sync_q;

endmodule
