// SPDX-License-Identifier: Apache-2.0
//
// byte_gather - takes bytes from a message port as they come and gives little-endian words.
//
// Promise: while enable_i is high it takes what is there, at most up to the end of the current word; in the
// cycle in which the word is complete word_valid_o is high with word_o (first byte in [7:0], bytes beyond
// size_i zero). One word per cycle when the port has enough bytes; a word may also arrive byte by byte.
// partial_o: bytes of an incomplete word are held. clear_i drops them.
// The user must: keep size_i (2..4) constant within a word, and use the word at once.
module byte_gather (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,

  input  logic        enable_i,
  input  logic [2:0]  size_i,

  input  logic [63:0] msg_data_i,
  input  logic [3:0]  msg_count_i,
  output logic [3:0]  msg_take_o,

  output logic        word_valid_o,
  output logic [31:0] word_o,
  output logic        partial_o
);

  logic [2:0] have_q, need;   // bytes held, bytes missing
  logic [31:0] held_q, merged;

  assign need         = size_i - have_q;
  assign msg_take_o   = !enable_i ? 4'd0 : (msg_count_i < 4'(need)) ? msg_count_i : 4'(need);
  assign word_valid_o = enable_i && (msg_take_o == 4'(need));
  assign partial_o    = have_q != 3'd0;

  // The new bytes go above those held; bytes not taken are masked away.
  always_comb begin
    merged = held_q | (msg_data_i[31:0] << {have_q[1:0], 3'b000});
    for (int unsigned i = 0; i < 4; i++) begin
      if (4'(i) >= 4'(have_q) + msg_take_o) merged[8*i+:8] = 8'h00;
    end
  end

  assign word_o = merged;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      have_q <= '0;
      held_q <= '0;
    end else if (clear_i || word_valid_o) begin
      have_q <= '0;
      held_q <= '0;
    end else if (msg_take_o != 4'd0) begin
      have_q <= have_q + msg_take_o[2:0];
      held_q <= merged;
    end
  end

  logic unused_data;
  assign unused_data = ^msg_data_i[63:32];

endmodule
