// SPDX-License-Identifier: Apache-2.0
//
// xrun_event - sends VIRTIO_SND_EVT_PCM_XRUN when a buffer is there, docs/device.md "Output stream".
//
// Promise: while enable_i (EVT_XRUNS was agreed), each xrun_i becomes one event, in a chain of its own. One may wait for a
// buffer or for the answer before it; what comes while one waits is dropped (the older is kept). An event that waits
// is dropped when enable_i falls. Readable bytes in a chain of the eventq are skipped. Without an event no chain is taken.
// The user must: give clear_i while the device or the eventq is being reset; whatever waits is then dropped.
module xrun_event
  import vsnd_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,

  input  logic        xrun_i,    // pulse
  input  logic        enable_i,
  input  logic [31:0] stream_i,  // of the xrun

  input  logic        msg_valid_i,
  input  logic [15:0] msg_head_i,
  input  logic [63:0] msg_data_i,
  input  logic [3:0]  msg_count_i,
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
  import virtio_snd_pkg::*;

  typedef enum logic [1:0] {
    Wait,   // for an event and a chain
    Begin,  // offering the chain to the reply port
    Push,   // the event
    Done    // until it is on the used ring
  } state_e;

  state_e      state_q, state_d;
  logic        pending_q;        // an event waits
  logic [31:0] pending_stream_q; // of which stream
  logic [31:0] stream_q;         // of the event being sent
  chain_t      chain_q;
  logic        take;             // the event that waits gets the chain that is there
  logic        skip_q;           // skipping: goes on to the end, also if the event is dropped meanwhile
  logic        fresh_q;          // first cycle in a state: whoever watches our outputs has not reacted yet

  assign take        = state_q == Wait && pending_q && enable_i && msg_valid_i && msg_end_i && !clear_i;
  assign msg_take_o  = '0;
  assign msg_skip_o  = msg_valid_i && !msg_end_i && state_q == Wait && (skip_q || (pending_q && enable_i)) && !clear_i;
  assign msg_ready_o = take;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      Wait:    if (take) state_d = Begin;
      Begin:   if (reply_ready_i) state_d = Push;
      Push:    if (reply_pop_i) state_d = Done;
      Done:    if (reply_done_i) state_d = Wait;
      default: state_d = Wait;
    endcase
  end

  assign reply_valid_o = state_q == Begin;
  assign reply_chain_o = chain_q;
  assign reply_push_o  = state_q == Push;
  assign reply_data_o  = {stream_q, VIRTIO_SND_EVT_PCM_XRUN};
  assign reply_count_o = 4'(VIRTIO_SND_EVENT_SIZE);
  assign reply_last_o  = 1'b1;

  assign idle_o = state_q == Wait;
  assign busy_o = clear_i || (xrun_i && enable_i) || (pending_q && !enable_i) || msg_skip_o || fresh_q || state_d != state_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q          <= Wait;
      pending_q        <= 1'b0;
      pending_stream_q <= '0;
      stream_q         <= '0;
      chain_q          <= '0;
      fresh_q          <= 1'b0;
      skip_q           <= 1'b0;
    end else if (clear_i) begin
      state_q   <= Wait;
      pending_q <= 1'b0;
      fresh_q   <= 1'b0;
      skip_q    <= 1'b0;
    end else begin
      state_q <= state_d;
      fresh_q <= state_d != state_q;
      skip_q  <= msg_skip_o;
      if (take) begin
        chain_q   <= msg_chain_i;
        stream_q  <= pending_stream_q;
        pending_q <= 1'b0;
      end
      // An xrun in the cycle in which the one before gets its chain has room again.
      if (xrun_i && enable_i && (!pending_q || take)) begin
        pending_q        <= 1'b1;
        pending_stream_q <= stream_i;
      end
      if (!enable_i) pending_q <= 1'b0;
    end
  end

  // Chains are answered whole, and nothing readable in them matters.
  logic unused;
  assign unused = ^{msg_head_i, msg_data_i, msg_count_i};
endmodule
