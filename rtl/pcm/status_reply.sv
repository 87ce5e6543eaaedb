// SPDX-License-Identifier: Apache-2.0
//
// status_reply - writes struct virtio_snd_pcm_status through a reply port, one message at a time.
//
// Promise: each request taken (valid and ready) becomes one reply of 8 bytes, {status, latency_bytes}.
// Completions go before refusals: those in flight are finite and no message is read while a refusal waits, so neither
// can keep the other from its turn. idle_o is high when the last reply_done_i has come.
// clear_i drops what is under way; the reply port is cleared with it.
module status_reply
  import vsnd_pkg::*;
  import virtio_snd_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,

  // Refused messages: IO_ERR, latency 0
  input  logic        refuse_valid_i,
  input  chain_t      refuse_chain_i,
  output logic        refuse_ready_o,

  // Completed messages
  input  logic        complete_valid_i,
  input  chain_t      complete_chain_i,
  input  logic        complete_ok_i,
  input  logic [31:0] complete_latency_i,
  output logic        complete_ready_o,

  // Reply port
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
    StIdle,   // waiting for a request
    StOffer,  // the chain is offered to the reply port
    StPush,   // the status bytes are offered
    StWait    // the used ring is being written
  } state_e;

  state_e state_q, state_d;
  chain_t chain_q;
  logic [31:0] status_q, latency_q;
  logic grant;

  assign complete_ready_o = state_q == StIdle;
  assign refuse_ready_o   = (state_q == StIdle) && !complete_valid_i;
  assign grant            = (state_q == StIdle) && (refuse_valid_i || complete_valid_i);

  // Next state
  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle:  if (grant) state_d = StOffer;
      StOffer: if (reply_ready_i) state_d = StPush;
      StPush:  if (reply_pop_i) state_d = StWait;
      StWait:  if (reply_done_i) state_d = StIdle;
    endcase
    if (clear_i) state_d = StIdle;
  end

  // State and the request being answered
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= StIdle;
      chain_q   <= '0;
      status_q  <= '0;
      latency_q <= '0;
    end else begin
      state_q <= state_d;
      if (grant) begin
        chain_q   <= complete_valid_i ? complete_chain_i : refuse_chain_i;
        status_q  <= (complete_valid_i && complete_ok_i) ? 32'(VIRTIO_SND_S_OK) : 32'(VIRTIO_SND_S_IO_ERR);
        latency_q <= complete_valid_i ? complete_latency_i : '0;
      end
    end
  end

  // Outputs
  assign reply_valid_o = state_q == StOffer;
  assign reply_chain_o = chain_q;
  assign reply_push_o  = state_q == StPush;
  assign reply_data_o  = {latency_q, status_q};
  assign reply_count_o = 4'd8;
  assign reply_last_o  = 1'b1;
  assign idle_o        = state_q == StIdle;
  assign busy_o        = (state_q == StOffer) || (state_q == StPush) || reply_done_i
                      || (clear_i && !idle_o);

endmodule
