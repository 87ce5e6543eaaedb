// SPDX-License-Identifier: Apache-2.0
//
// first_bit - announces the moment a message's first frame is on the wire.
//
// Promise: for each entry taken, one cycle of event_o with its head, in order, as soon as started_i has passed
// its first frame number (the entry itself takes one cycle). clear_i drops entries that have not been announced.
// Frame numbers count modulo 2^32.
module first_bit #(
  parameter int unsigned Entries = 16
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,

  input  logic        in_valid_i,
  input  logic [15:0] in_head_i,
  input  logic [31:0] in_first_i,
  output logic        in_ready_o,

  input  logic [31:0] started_i,  // number of the frame after the last whose first bit is on the wire

  output logic        event_o,
  output logic [15:0] event_head_o
);

  logic held;
  logic [31:0] first, past_first;

  sync_fifo #(
    .Width(48),
    .Depth(Entries)
  ) u_entries (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clear_i    (clear_i),
    .in_valid_i (in_valid_i),
    .in_data_i  ({in_head_i, in_first_i}),
    .in_ready_o (in_ready_o),
    .out_valid_o(held),
    .out_data_o ({event_head_o, first}),
    .out_ready_i(event_o)
  );

  assign past_first = started_i - first;
  assign event_o    = held && !clear_i && (past_first != '0) && !past_first[31];

endmodule
