// SPDX-License-Identifier: Apache-2.0
//
// async_fifo - first-in first-out buffer between two clock domains, pointers crossing in gray code.
//
// Promise: every word written is read once, in order, at any ratio of the clocks. wr_ready_o may stay low
// and rd_valid_o may come late by the two to three clocks of a crossing, never the other way round.
// rd_data_o is the oldest word whenever rd_valid_o is high (first word falls through).
// wr_empty_o: everything written has been read, as far as the write side knows; it is never high too early.
// wr_differs_o: the write side's view of the read pointer still has to move; combinational from both domains,
// for the decision whether wr_clk_i has to run and nothing else.
// The user must: assert both resets together. Depth is a power of two, at least 2.
module async_fifo #(
  parameter int unsigned Width = 64,
  parameter int unsigned Depth = 32
) (
  input  logic             wr_clk_i,
  input  logic             wr_rst_ni,
  input  logic             wr_valid_i,
  input  logic [Width-1:0] wr_data_i,
  output logic             wr_ready_o,
  output logic             wr_empty_o,
  output logic             wr_differs_o,

  input  logic             rd_clk_i,
  input  logic             rd_rst_ni,
  output logic             rd_valid_o,
  output logic [Width-1:0] rd_data_o,
  input  logic             rd_ready_i
);

  localparam int unsigned AddrBits = $clog2(Depth);

  if (Depth < 2 || Depth != (1 << AddrBits)) begin : gen_depth_check
    $error("async_fifo: Depth %0d is no power of two of at least 2", Depth);
  end

  // A pointer has one bit more than an address: equal pointers mean empty, a distance of Depth means full.
  typedef logic [AddrBits:0] ptr_t;

  logic [Width-1:0] mem_q[Depth];
  ptr_t wr_ptr_q, wr_ptr_d, wr_gray_q, wr_gray_at_rd;
  ptr_t rd_ptr_q, rd_ptr_d, rd_gray_q, rd_gray_at_wr;
  logic wr_push, rd_pop;

  // Full in gray code: the two top bits are inverted, the rest is equal.
  localparam ptr_t FullMask = ptr_t'(3) << (AddrBits - 1);

  // ---- Write side ----
  assign wr_ready_o   = wr_gray_q != (rd_gray_at_wr ^ FullMask);
  assign wr_empty_o   = wr_gray_q == rd_gray_at_wr;
  assign wr_differs_o = rd_gray_q != rd_gray_at_wr;
  assign wr_push      = wr_valid_i && wr_ready_o;
  assign wr_ptr_d     = wr_ptr_q + ptr_t'(1);

  always_ff @(posedge wr_clk_i or negedge wr_rst_ni) begin
    if (!wr_rst_ni) begin
      wr_ptr_q  <= '0;
      wr_gray_q <= '0;
    end else if (wr_push) begin
      wr_ptr_q  <= wr_ptr_d;
      wr_gray_q <= wr_ptr_d ^ (wr_ptr_d >> 1);
    end
  end

  // A word is written before its pointer crosses, and not again before the read pointer has crossed back.
  always_ff @(posedge wr_clk_i) begin
    if (wr_push) mem_q[wr_ptr_q[AddrBits-1:0]] <= wr_data_i;
  end

  sync_2ff #(
    .Width(AddrBits + 1)
  ) u_rd_to_wr (
    .clk_i (wr_clk_i),
    .rst_ni(wr_rst_ni),
    .d_i   (rd_gray_q),
    .q_o   (rd_gray_at_wr)
  );

  // ---- Read side ----
  assign rd_valid_o = rd_gray_q != wr_gray_at_rd;
  assign rd_data_o  = mem_q[rd_ptr_q[AddrBits-1:0]];
  assign rd_pop     = rd_valid_o && rd_ready_i;
  assign rd_ptr_d   = rd_ptr_q + ptr_t'(1);

  always_ff @(posedge rd_clk_i or negedge rd_rst_ni) begin
    if (!rd_rst_ni) begin
      rd_ptr_q  <= '0;
      rd_gray_q <= '0;
    end else if (rd_pop) begin
      rd_ptr_q  <= rd_ptr_d;
      rd_gray_q <= rd_ptr_d ^ (rd_ptr_d >> 1);
    end
  end

  sync_2ff #(
    .Width(AddrBits + 1)
  ) u_wr_to_rd (
    .clk_i (rd_clk_i),
    .rst_ni(rd_rst_ni),
    .d_i   (wr_gray_q),
    .q_o   (wr_gray_at_rd)
  );

endmodule
