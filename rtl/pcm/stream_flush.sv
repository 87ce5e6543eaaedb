// SPDX-License-Identifier: Apache-2.0
//
// stream_flush - the order of things when a stream is released or the device is reset.
//
// Promise: flush_i (RELEASE and the implied flush): messages are completed instead of played, everything the
// driver has made available up to now is fetched (drain), the FIFO is discarded, frame numbers start afresh, and
// flush_done_o rises when the last completion is in memory; it falls with flush_i.
// clear_i (device reset, level): the same for the FIFO and the numbers only; cleared_o is high from then on until
// clear_i falls. clear_i goes before flush_i.
// The user must: hold flush_i until flush_done_o.
//
//   flush_i       __/------------------------------\____
//   flushing_o    ____/---------------------\___________   (also the request to discard)
//   drain_o       ____/--------\________________________
//   renumber_o    ____________________________/-\_______
//   flush_done_o  ______________________________/--\____
module stream_flush (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic clear_i,
  input  logic flush_i,
  output logic flush_done_o,
  output logic cleared_o,

  output logic drain_o,
  input  logic drained_i,

  output logic flushing_o,   // messages complete at once, nothing is played, the FIFO is discarded
  output logic hold_o,       // no message may begin
  output logic normal_o,     // no flush or clear is under way
  output logic renumber_o,   // pulse: nothing is queued; frame numbers go on from the frames started

  input  logic settled_i,    // no message is being read, in flight or being answered
  input  logic fifo_empty_i,
  input  logic discarded_i,

  output logic busy_o
);

  typedef enum logic [2:0] {
    StNormal,   // messages are played
    StDrain,    // everything made available is being fetched and completed
    StSettle,   // waiting for the last completion and an empty FIFO
    StResume,   // waiting for the transmitter to leave discarding
    StDone,     // flushed; waiting for flush_i to fall
    StCleared   // waiting for clear_i to fall
  } state_e;

  state_e state_q, state_d;

  // Next state
  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StNormal: begin
        if (clear_i) state_d = StSettle;
        else if (flush_i) state_d = StDrain;
      end
      StDrain:   if (clear_i || drained_i) state_d = StSettle;
      StSettle:  if (settled_i && fifo_empty_i && discarded_i) state_d = StResume;
      StResume:  if (!discarded_i) state_d = clear_i ? StCleared : StDone;
      StDone: begin
        if (clear_i) state_d = StCleared;
        else if (!flush_i) state_d = StNormal;
      end
      StCleared: if (!clear_i) state_d = StNormal;
      default:   state_d = StNormal;
    endcase
  end

  // State
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) state_q <= StNormal;
    else state_q <= state_d;
  end

  // Outputs
  assign drain_o      = state_q == StDrain;
  assign flushing_o   = (state_q == StDrain) || (state_q == StSettle);
  assign hold_o       = (state_q != StNormal) && (state_q != StDrain);
  assign normal_o     = (state_q == StNormal) && !clear_i && !flush_i;
  assign renumber_o   = (state_q == StResume) && !discarded_i;
  assign flush_done_o = (state_q == StDone) && flush_i;
  assign cleared_o    = state_q == StCleared;
  assign busy_o       = state_d != state_q;

endmodule
