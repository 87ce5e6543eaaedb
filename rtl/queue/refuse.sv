// SPDX-License-Identifier: Apache-2.0
//
// refuse - the consumer of a queue that nothing stands behind: returns every chain with length 0.
//
// Promise: no byte of a refused chain's buffers is read or written.
// The user must: connect it to a queue_channel as docs/architecture.md, section 2 says.
module refuse
  import vsnd_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,

  input  logic        msg_valid_i,
  input  logic        msg_end_i,
  input  chain_t      msg_chain_i,
  output logic [3:0]  msg_take_o,
  output logic        msg_skip_o,
  output logic        msg_ready_o,

  output logic        reply_valid_o,
  output chain_t      reply_chain_o,
  input  logic        reply_ready_i,
  output logic [63:0] reply_data_o,
  output logic [3:0]  reply_count_o,
  output logic        reply_last_o,
  output logic        reply_push_o,
  input  logic        reply_pop_i,
  input  logic        reply_done_i,

  output logic        idle_o,
  output logic        busy_o
);

  typedef enum logic [1:0] {
    Take,   // waiting for a chain
    Offer,  // offering it back
    Push,   // an empty response
    Wait    // until it is on the used ring
  } state_e;

  state_e state_q, state_d;
  chain_t chain_q;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      Take:    if (msg_end_i) state_d = Offer;
      Offer:   if (reply_ready_i) state_d = Push;
      Push:    if (reply_pop_i) state_d = Wait;
      default: if (reply_done_i) state_d = Take;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Take;
      chain_q <= '0;
    end else if (clear_i) begin
      state_q <= Take;
    end else begin
      state_q <= state_d;
      if (msg_ready_o) chain_q <= msg_chain_i;
    end
  end

  assign msg_take_o    = 4'd0;
  assign msg_skip_o    = msg_valid_i && state_q == Take;
  assign msg_ready_o   = msg_end_i && state_q == Take;
  assign reply_valid_o = state_q == Offer;
  assign reply_chain_o = chain_q;
  assign reply_data_o  = '0;
  assign reply_count_o = 4'd0;
  assign reply_last_o  = 1'b1;
  assign reply_push_o  = state_q == Push;
  assign idle_o        = state_q == Take;
  assign busy_o        = state_d != state_q;

endmodule
