// SPDX-License-Identifier: Apache-2.0
//
// request_reader - the readable part of one control chain, up to the longest request we look at.
//
// Promise: while read_i, takes one byte a cycle from the message port into words_o; what is longer than
// Words words is skipped. end_o is high when nothing is left; words_o and length_o then hold the request,
// bytes that did not come are 0. The chain itself is the user's to take over (msg_ready). A request that
// breaks off (msg_valid falls before the end: its queue was reset or has failed) is forgotten.
// The user must: pulse start_i before each request.
module request_reader #(
  parameter int unsigned Words = 6
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    start_i,  // forget the last request
  input  logic                    read_i,

  input  logic                    msg_valid_i,
  input  logic [7:0]              msg_byte_i,
  input  logic [3:0]              msg_count_i,
  input  logic                    msg_end_i,
  output logic [3:0]              msg_take_o,
  output logic                    msg_skip_o,

  output logic                    end_o,
  output logic [Words-1:0][31:0]  words_o,
  output logic [15:0]             length_o,  // bytes received, at most 4 * Words
  output logic                    busy_o
);
  localparam int unsigned Bytes  = 4 * Words;
  localparam int unsigned IndexW = $clog2(Bytes);

  logic [Bytes-1:0][7:0] bytes_q;
  logic [IndexW:0]       length_q;
  logic                  full, take;

  assign full = length_q == (IndexW + 1)'(Bytes);
  assign take = read_i && msg_valid_i && msg_count_i != '0 && !full;

  assign msg_take_o = take ? 4'd1 : 4'd0;
  assign msg_skip_o = read_i && msg_valid_i && full && !msg_end_i;
  assign end_o      = read_i && msg_valid_i && msg_end_i;
  assign words_o    = bytes_q;
  assign length_o   = 16'(length_q);
  assign busy_o     = take || msg_skip_o || end_o || (read_i && !msg_valid_i && length_q != '0);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      bytes_q  <= '0;
      length_q <= '0;
    end else if (start_i || (read_i && !msg_valid_i)) begin
      bytes_q  <= '0;
      length_q <= '0;
    end else if (take) begin
      bytes_q[length_q[IndexW-1:0]] <= msg_byte_i;
      length_q                      <= length_q + 1'b1;
    end
  end
endmodule
