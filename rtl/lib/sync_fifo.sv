// SPDX-License-Identifier: Apache-2.0
//
// sync_fifo - small first-in first-out buffer within one clock domain.
//
// Promise: every word taken (in_valid_i and in_ready_o) is given out once, in order; it is on out_data_o one
// cycle after it was taken at the earliest. in_ready_o does not depend on out_ready_i.
// clear_i empties it; a word offered in the same cycle is not taken.
// Depth is a power of two, at least 2.
module sync_fifo #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 16
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,

  input  logic             in_valid_i,
  input  logic [Width-1:0] in_data_i,
  output logic             in_ready_o,

  output logic             out_valid_o,
  output logic [Width-1:0] out_data_o,
  input  logic             out_ready_i
);

  localparam int unsigned AddrBits = $clog2(Depth);

  if (Depth < 2 || Depth != (1 << AddrBits)) begin : gen_depth_check
    $error("sync_fifo: Depth %0d is no power of two of at least 2", Depth);
  end

  typedef logic [AddrBits:0] ptr_t;

  logic [Width-1:0] mem_q[Depth];
  ptr_t in_ptr_q, out_ptr_q;

  assign in_ready_o  = (in_ptr_q - out_ptr_q) != ptr_t'(Depth);
  assign out_valid_o = in_ptr_q != out_ptr_q;
  assign out_data_o  = mem_q[out_ptr_q[AddrBits-1:0]];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      in_ptr_q  <= '0;
      out_ptr_q <= '0;
    end else if (clear_i) begin
      in_ptr_q  <= '0;
      out_ptr_q <= '0;
    end else begin
      if (in_valid_i && in_ready_o) in_ptr_q <= in_ptr_q + ptr_t'(1);
      if (out_valid_o && out_ready_i) out_ptr_q <= out_ptr_q + ptr_t'(1);
    end
  end

  always_ff @(posedge clk_i) begin
    if (in_valid_i && in_ready_o) mem_q[in_ptr_q[AddrBits-1:0]] <= in_data_i;
  end

endmodule
