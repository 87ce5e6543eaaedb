// SPDX-License-Identifier: Apache-2.0
//
// tx_message - reads txq messages: struct virtio_snd_pcm_xfer, then samples.
//
// Promise: every message leaves in exactly one of two ways. Good: its whole frames go to the frame port,
// then a record {chain, end frame number, ok, empty} to the in-flight table; ok is low when the payload was empty
// or no whole number of frames, empty is high when it gave no frame. Refused (shorter than its header, not for StreamId, or accept_i low when the
// header is complete): no frame, the rest unread, its chain to the refusal port.
// A message's bytes are taken only while the frame port has room, so nothing is fetched beyond the sample FIFO.
// While flush_i is high no frame is given out; messages of the stream become records, their payload unread.
// A message that its queue withdraws (msg_valid_i falls before its end: the ring was malformed) is forgotten; what was
// unpacked of it plays. While hold_i is high no message is begun. first_valid_o comes with a message's first frame, with its number.
//
// Frames are numbered modulo 2^32 from FirstFrameNumber on; renumber_i sets the number of the next one.
// The user must: keep format_i and channels_i constant from a message's header to its end, unless flush_i is high.
module tx_message
  import vsnd_pkg::*;
#(
  parameter logic [31:0] StreamId         = 32'd0,
  parameter logic [31:0] FirstFrameNumber = 32'd0
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic        accept_i,  // the stream's state allows messages
  input  logic        flush_i,
  input  logic        hold_i,
  input  logic        renumber_i,
  input  logic [31:0] renumber_to_i,

  input  logic [7:0]  format_i,
  input  logic [3:0]  channels_i,
  output logic [3:0]  frame_bytes_o,

  // Message port
  input  logic        msg_valid_i,
  input  logic [15:0] msg_head_i,
  input  logic [63:0] msg_data_i,
  input  logic [3:0]  msg_count_i,
  input  logic        msg_end_i,
  input  chain_t      msg_chain_i,
  output logic [3:0]  msg_take_o,
  output logic        msg_skip_o,
  output logic        msg_ready_o,

  // Frames to the sample FIFO
  output logic        frame_valid_o,
  output logic [63:0] frame_o,
  input  logic        frame_ready_i,

  // The message's first frame goes out in this cycle
  output logic        first_valid_o,
  output logic [15:0] first_head_o,
  output logic [31:0] first_number_o,
  input  logic        first_ready_i,

  // Messages read to their end
  output logic        record_valid_o,
  output chain_t      record_chain_o,
  output logic [31:0] record_end_o,
  output logic        record_ok_o,
  output logic        record_empty_o,
  input  logic        record_ready_i,

  // Messages refused
  output logic        refuse_valid_o,
  output chain_t      refuse_chain_o,
  input  logic        refuse_ready_i,

  output logic        ev_fetch_o,  // the first payload byte has arrived
  output logic [31:0] ev_fetch_head_o,

  output logic        idle_o,
  output logic        busy_o
);

  typedef enum logic [2:0] {
    StIdle,     // waiting for a message
    StHeader,   // gathering struct virtio_snd_pcm_xfer
    StPayload,  // unpacking samples
    StSkip,     // flush: dropping the payload, then a record
    StRefuse    // dropping the payload, then a refusal
  } state_e;

  state_e state_q, state_d;
  logic [31:0] number_q;  // of the next frame
  logic any_frame_q;      // this message has given out a frame
  logic fetched_q;        // ev_fetch_o has been given for this message

  logic in_header, in_payload, gather_enable;
  logic word_valid, word_partial, frame_partial;
  logic [31:0] word;
  logic [2:0] sample_size;

  assign in_header  = state_q == StHeader;
  assign in_payload = state_q == StPayload;

  // The first frame needs room for its announcement too.
  assign gather_enable = in_header
                      || (in_payload && !flush_i && frame_ready_i && (any_frame_q || first_ready_i));

  byte_gather u_gather (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clear_i     (clear_i || !(in_header || in_payload)),
    .enable_i    (gather_enable),
    .size_i      (in_header ? 3'd4 : sample_size),
    .msg_data_i  (msg_data_i),
    .msg_count_i (msg_count_i),
    .msg_take_o  (msg_take_o),
    .word_valid_o(word_valid),
    .word_o      (word),
    .partial_o   (word_partial)
  );

  frame_unpacker u_unpacker (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clear_i      (clear_i || !in_payload),
    .format_i     (format_i),
    .channels_i   (channels_i),
    .size_o       (sample_size),
    .frame_bytes_o(frame_bytes_o),
    .word_valid_i (word_valid && in_payload),
    .word_i       (word),
    .frame_valid_o(frame_valid_o),
    .frame_o      (frame_o),
    .partial_o    (frame_partial)
  );

  // Next state
  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle:  if (msg_valid_i && !hold_i) state_d = StHeader;
      StHeader: begin
        if (word_valid) begin
          if (word != StreamId) state_d = StRefuse;
          else if (flush_i) state_d = StSkip;
          else state_d = accept_i ? StPayload : StRefuse;
        end else if (msg_end_i) begin
          state_d = StRefuse;
        end
      end
      StPayload: begin
        if (flush_i) state_d = StSkip;
        else if (msg_end_i && record_ready_i) state_d = StIdle;
      end
      StSkip:   if (msg_end_i && record_ready_i) state_d = StIdle;
      StRefuse: if (msg_end_i && refuse_ready_i) state_d = StIdle;
      default:  state_d = StIdle;
    endcase
    if (clear_i || !msg_valid_i) state_d = StIdle;
  end

  // State, numbering
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q     <= StIdle;
      number_q    <= FirstFrameNumber;
      any_frame_q <= 1'b0;
      fetched_q   <= 1'b0;
    end else begin
      state_q <= state_d;
      if (renumber_i) number_q <= renumber_to_i;
      else if (frame_valid_o) number_q <= number_q + 32'd1;
      if (!in_payload) any_frame_q <= 1'b0;
      else if (frame_valid_o) any_frame_q <= 1'b1;
      if (!in_payload) fetched_q <= 1'b0;
      else if (ev_fetch_o) fetched_q <= 1'b1;
    end
  end

  // Outputs
  logic finish;  // the message ends here and now becomes a record
  assign finish         = msg_end_i && ((in_payload && !flush_i) || (state_q == StSkip));
  assign msg_skip_o     = (state_q == StSkip) || (state_q == StRefuse);
  assign record_valid_o = finish;
  assign record_chain_o = msg_chain_i;
  assign record_end_o   = number_q;
  assign record_ok_o    = any_frame_q && !word_partial && !frame_partial;
  assign record_empty_o = !any_frame_q;
  assign refuse_valid_o = (state_q == StRefuse) && msg_end_i;
  assign refuse_chain_o = msg_chain_i;
  assign msg_ready_o    = (finish && record_ready_i) || (refuse_valid_o && refuse_ready_i);

  assign first_valid_o  = frame_valid_o && !any_frame_q;
  assign first_head_o   = msg_head_i;
  assign first_number_o = number_q;

  assign ev_fetch_o      = in_payload && (msg_count_i != 4'd0) && !fetched_q;
  assign ev_fetch_head_o = 32'(msg_head_i);

  assign idle_o = state_q == StIdle;
  assign busy_o = (state_d != state_q) || (msg_take_o != 4'd0) || ev_fetch_o || msg_ready_o || renumber_i
               || (msg_skip_o && !msg_end_i);  // the queue has to drop bytes

endmodule
