// SPDX-License-Identifier: Apache-2.0
//
// value_cdc - carries a setting (many bits that belong together) into another clock domain.
//
// Promise: whenever src_value_i differs from what was sent last, it is sent; the other side sees
// dst_pending_o with dst_value_o steady until it takes it with dst_take_i, at a moment of its own choice.
// Values that change while one is on its way are not queued: the last one is sent afterwards.
// src_pending_o is high from the cycle in which src_value_i differs until the other side has taken it.
// src_differs_o: the source side will move by itself; combinational from both domains, for the decision
// whether src_clk_i has to run and nothing else.
// The user must: assert both resets together; after reset the other side holds ResetValue by itself.
//
//   src_value_i    A ><B
//   src_pending_o  ____/----------------------\___
//   dst_pending_o  __________/------\_____________
//   dst_take_i     _______________/-\_____________
module value_cdc #(
  parameter int unsigned      Width      = 8,
  parameter logic [Width-1:0] ResetValue = '0
) (
  input  logic             src_clk_i,
  input  logic             src_rst_ni,
  input  logic [Width-1:0] src_value_i,
  output logic             src_pending_o,
  output logic             src_differs_o,

  input  logic             dst_clk_i,
  input  logic             dst_rst_ni,
  output logic             dst_pending_o,
  output logic [Width-1:0] dst_value_o,
  input  logic             dst_take_i
);

  logic [Width-1:0] sent_q;
  logic req_q, ack_q, req_at_dst, ack_at_src, send;

  // A request and its acknowledgement are changes of level; equal levels mean nothing is on its way.
  assign send          = (req_q == ack_at_src) && (src_value_i != sent_q);
  assign src_pending_o = (req_q != ack_at_src) || (src_value_i != sent_q);
  assign src_differs_o = send || (ack_q != ack_at_src);

  always_ff @(posedge src_clk_i or negedge src_rst_ni) begin
    if (!src_rst_ni) begin
      sent_q <= ResetValue;
      req_q  <= 1'b0;
    end else if (send) begin
      sent_q <= src_value_i;
      req_q  <= ~req_q;
    end
  end

  sync_2ff u_req (
    .clk_i (dst_clk_i),
    .rst_ni(dst_rst_ni),
    .d_i   (req_q),
    .q_o   (req_at_dst)
  );

  assign dst_pending_o = req_at_dst != ack_q;
  assign dst_value_o   = sent_q;  // steady while pending: the source waits for the acknowledgement

  always_ff @(posedge dst_clk_i or negedge dst_rst_ni) begin
    if (!dst_rst_ni) ack_q <= 1'b0;
    else if (dst_pending_o && dst_take_i) ack_q <= req_at_dst;
  end

  sync_2ff u_ack (
    .clk_i (src_clk_i),
    .rst_ni(src_rst_ni),
    .d_i   (ack_q),
    .q_o   (ack_at_src)
  );

endmodule
