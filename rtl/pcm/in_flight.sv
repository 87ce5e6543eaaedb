// SPDX-License-Identifier: Apache-2.0
//
// in_flight - messages that have been fetched and wait for their last frame to leave the serializer.
//
// Promise: messages complete in the order they came in, each as soon as left_i has reached its end frame
// number (one without frames: and run_i is high), with the latency given; while flush_i is high each completes
// at once, OK with latency 0.
// Frame numbers count modulo 2^32; at most 2^31 frames may lie between a message's end and left_i.
// clear_i forgets all messages.
module in_flight
  import vsnd_pkg::*;
#(
  parameter int unsigned Records = 16
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic        flush_i,
  input  logic        run_i,

  // A message fetched
  input  logic        in_valid_i,
  input  chain_t      in_chain_i,
  input  logic [31:0] in_end_i,  // number of the frame after its last
  input  logic        in_ok_i,   // its payload was whole frames, at least one
  input  logic        in_empty_i,  // it had no frame
  output logic        in_ready_o,

  input  logic [31:0] left_i,     // number of the frame after the last that has left the serializer
  input  logic [31:0] latency_i,  // bytes

  // A message completed
  output logic        out_valid_o,
  output chain_t      out_chain_o,
  output logic        out_ok_o,
  output logic [31:0] out_latency_o,
  input  logic        out_ready_i,

  output logic        idle_o,
  output logic        busy_o
);

  typedef struct packed {
    chain_t      chain;
    logic [31:0] end_frame;
    logic        ok;
    logic        empty;
  } record_t;

  record_t in_record, oldest;
  logic held;
  logic [31:0] past_end;  // frames that left since the oldest message's end, modulo 2^32

  assign in_record = '{chain: in_chain_i, end_frame: in_end_i, ok: in_ok_i, empty: in_empty_i};

  sync_fifo #(
    .Width($bits(record_t)),
    .Depth(Records)
  ) u_records (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clear_i    (clear_i),
    .in_valid_i (in_valid_i),
    .in_data_i  (in_record),
    .in_ready_o (in_ready_o),
    .out_valid_o(held),
    .out_data_o (oldest),
    .out_ready_i(out_valid_o && out_ready_i)
  );

  assign past_end = left_i - oldest.end_frame;

  assign out_valid_o   = held && (flush_i || (!past_end[31] && (run_i || !oldest.empty)));
  assign out_chain_o   = oldest.chain;
  assign out_ok_o      = flush_i || oldest.ok;
  assign out_latency_o = flush_i ? '0 : latency_i;
  assign idle_o        = !held;
  assign busy_o        = (out_valid_o && out_ready_i) || (clear_i && held);

  logic unused_past_end;
  assign unused_past_end = ^past_end[30:0];

endmodule
