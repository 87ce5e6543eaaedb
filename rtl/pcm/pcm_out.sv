// SPDX-License-Identifier: Apache-2.0
//
// pcm_out - one output stream: txq messages in, I2S out, completions when played.
//
// Promise: docs/device.md, "Output stream". Messages are unpacked into the sample FIFO as far as it has room;
// each completes when the last bit period of its last frame has ended, in order; refused ones complete at once
// and may overtake. flush_i (RELEASE) completes everything, see stream_flush. clear_i returns to the reset state,
// the audio clocks and the counters excepted.
//
// The user must: keep mclk_i running; change params_i only while no message is in flight (flush first);
// pulse prepare_i with params_i valid; hold flush_i until flush_done_o, clear_i until idle_o.
// late_messages_o: messages whose first frame arrived while the wire was silent for want of frames.
// silent_frames_o: frames of silence sent in underruns. frames_played_o counts from FirstFrameNumber.
module pcm_out
  import vsnd_pkg::*;
#(
  parameter int unsigned FifoFrames       = 32,
  parameter int unsigned Records          = 16,  // messages fetched and not yet completed
  parameter logic [31:0] StreamId         = 32'd0,
  parameter logic [31:0] FirstFrameNumber = 32'd0
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             mclk_i,
  input  logic             mclk_rst_ni,
  input  logic             clear_i,

  // From control
  input  stream_state_e    state_i,
  input  stream_params_t   params_i,
  input  logic             prepare_i,
  input  logic             flush_i,
  output logic             flush_done_o,

  // txq service
  output logic             drain_o,
  input  logic             drained_i,
  output logic             poll_o,

  // txq message port
  input  logic             msg_valid_i,
  input  logic [15:0]      msg_head_i,
  input  logic [63:0]      msg_data_i,
  input  logic [3:0]       msg_count_i,
  input  logic             msg_end_i,
  input  chain_t           msg_chain_i,
  output logic [3:0]       msg_take_o,
  output logic             msg_skip_o,
  output logic             msg_ready_o,

  // txq reply port
  output logic             reply_valid_o,
  output chain_t           reply_chain_o,
  input  logic             reply_ready_i,
  output logic [63:0]      reply_data_o,
  output logic [3:0]       reply_count_o,
  output logic             reply_last_o,
  output logic             reply_push_o,
  input  logic             reply_pop_i,
  input  logic             reply_done_i,

  // Frames x 16 from the first bit on the wire to the analog output, by speed class (rate_table)
  input  logic [2:0][15:0] converter_delay_i,

  // Events and counters
  output logic             xrun_o,
  output logic             ev_fetch_o,
  output logic [31:0]      ev_fetch_head_o,
  output logic             ev_first_bit_o,
  output logic [31:0]      ev_first_bit_head_o,
  output logic [31:0]      frames_played_o,
  output logic [31:0]      underruns_o,
  output logic [31:0]      silent_frames_o,
  output logic [31:0]      late_messages_o,

  // Audio
  output logic             mclk_family_o,
  output logic             i2s_bclk_o,
  output logic             i2s_lrclk_o,
  output logic             i2s_sdata_o,

  output logic             idle_o,
  output logic             busy_o
);

  logic flushing, hold, normal, cleared, renumber, settled, discarded;
  logic [31:0] started, left;
  logic run;
  assign run = (state_i == StRunning) && normal;

  // ---- Rate and latency ----
  logic rate_family, rate_family_q, rate_known;
  logic [5:0] rate_half, rate_half_q;
  logic [1:0] speed;
  logic [15:0] delay;
  logic [12:0] delay_frames;
  logic [3:0] frame_bytes;
  logic [31:0] latency;

  rate_table u_rate_table (
    .rate_i  (params_i.rate),
    .known_o (rate_known),
    .family_o(rate_family),
    .half_o  (rate_half),
    .speed_o (speed)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rate_family_q <= 1'b0;
      rate_half_q   <= 6'd4;  // 48 kHz from power-up
    end else if (prepare_i && rate_known) begin
      rate_family_q <= rate_family;
      rate_half_q   <= rate_half;
    end
  end

  // Sixteenths of a frame to whole frames, to nearest.
  assign delay        = converter_delay_i[speed];
  assign delay_frames = 13'((17'(delay) + 17'd8) >> 4);
  assign latency      = 32'(delay_frames) * 32'(frame_bytes);

  // ---- Messages ----
  logic frame_valid, frame_ready, fifo_empty;
  logic [63:0] frame;
  logic first_valid, first_ready;
  logic [15:0] first_head, first_bit_head;
  logic [31:0] first_number;
  logic record_valid, record_ok, record_empty, record_ready, refuse_valid, refuse_ready;
  chain_t record_chain, refuse_chain;
  logic [31:0] record_end;
  logic tx_idle, tx_busy, accept;

  assign accept = (state_i == StPrepared) || (state_i == StRunning) || (state_i == StStopped);

  tx_message #(.StreamId(StreamId), .FirstFrameNumber(FirstFrameNumber)) u_message (
    .clk_i, .rst_ni, .clear_i,
    .accept_i       (accept),
    .flush_i        (flushing),
    .hold_i         (hold),
    .renumber_i     (renumber),
    .renumber_to_i  (started),
    .format_i       (params_i.format),
    .channels_i     (params_i.channels),
    .frame_bytes_o  (frame_bytes),
    .msg_valid_i, .msg_head_i, .msg_data_i, .msg_count_i, .msg_end_i, .msg_chain_i,
    .msg_take_o, .msg_skip_o, .msg_ready_o,
    .frame_valid_o  (frame_valid),
    .frame_o        (frame),
    .frame_ready_i  (frame_ready),
    .first_valid_o  (first_valid),
    .first_head_o   (first_head),
    .first_number_o (first_number),
    .first_ready_i  (first_ready),
    .record_valid_o (record_valid),
    .record_chain_o (record_chain),
    .record_end_o   (record_end),
    .record_ok_o    (record_ok),
    .record_empty_o (record_empty),
    .record_ready_i (record_ready),
    .refuse_valid_o (refuse_valid),
    .refuse_chain_o (refuse_chain),
    .refuse_ready_i (refuse_ready),
    .ev_fetch_o, .ev_fetch_head_o,
    .idle_o         (tx_idle),
    .busy_o         (tx_busy)
  );

  first_bit u_first_bit (
    .clk_i, .rst_ni,
    .clear_i     (clear_i || flushing),
    .in_valid_i  (first_valid),
    .in_head_i   (first_head),
    .in_first_i  (first_number),
    .in_ready_o  (first_ready),
    .started_i   (started),
    .event_o     (ev_first_bit_o),
    .event_head_o(first_bit_head)
  );

  assign ev_first_bit_head_o = 32'(first_bit_head);

  // ---- Completions ----
  logic complete_valid, complete_ok, complete_ready, in_flight_idle, in_flight_busy, reply_idle, reply_busy;
  chain_t complete_chain;
  logic [31:0] complete_latency;

  in_flight #(.Records(Records)) u_in_flight (
    .clk_i, .rst_ni, .clear_i,
    .flush_i      (flushing),
    .run_i        (run),
    .in_valid_i   (record_valid),
    .in_chain_i   (record_chain),
    .in_end_i     (record_end),
    .in_ok_i      (record_ok),
    .in_empty_i   (record_empty),
    .in_ready_o   (record_ready),
    .left_i       (left),
    .latency_i    (latency),
    .out_valid_o  (complete_valid),
    .out_chain_o  (complete_chain),
    .out_ok_o     (complete_ok),
    .out_latency_o(complete_latency),
    .out_ready_i  (complete_ready),
    .idle_o       (in_flight_idle),
    .busy_o       (in_flight_busy)
  );

  status_reply u_reply (
    .clk_i, .rst_ni, .clear_i,
    .refuse_valid_i    (refuse_valid),
    .refuse_chain_i    (refuse_chain),
    .refuse_ready_o    (refuse_ready),
    .complete_valid_i  (complete_valid),
    .complete_chain_i  (complete_chain),
    .complete_ok_i     (complete_ok),
    .complete_latency_i(complete_latency),
    .complete_ready_o  (complete_ready),
    .reply_valid_o, .reply_chain_o, .reply_ready_i, .reply_data_o, .reply_count_o, .reply_last_o,
    .reply_push_o, .reply_pop_i, .reply_done_i,
    .idle_o            (reply_idle),
    .busy_o            (reply_busy)
  );

  // ---- Release and reset ----
  logic flush_busy;
  assign settled = tx_idle && in_flight_idle && reply_idle;

  stream_flush u_flush (
    .clk_i, .rst_ni, .clear_i, .flush_i, .flush_done_o,
    .cleared_o   (cleared),
    .drain_o, .drained_i,
    .flushing_o  (flushing),
    .hold_o      (hold),
    .normal_o    (normal),
    .renumber_o  (renumber),
    .settled_i   (settled),
    .fifo_empty_i(fifo_empty),
    .discarded_i (discarded),
    .busy_o      (flush_busy)
  );

  assign idle_o = clear_i ? cleared : (normal && settled && fifo_empty);

  // ---- Transmitter ----
  logic poll_enable, tick, out_busy;
  assign poll_enable = params_i.msg_polling && ((state_i == StPrepared) || (state_i == StRunning)) && !clear_i;
  assign poll_o      = tick && poll_enable;

  i2s_out #(.FifoFrames(FifoFrames), .FirstFrameNumber(FirstFrameNumber)) u_i2s (
    .clk_i, .rst_ni,
    .frame_valid_i(frame_valid),
    .frame_i      (frame),
    .frame_ready_o(frame_ready),
    .fifo_empty_o (fifo_empty),
    .run_i        (run),
    .discard_i    (flushing),
    .discarded_o  (discarded),
    .rate_family_i(rate_family_q),
    .rate_half_i  (rate_half_q),
    .tick_enable_i(poll_enable),
    .tick_o       (tick),
    .started_o    (started),
    .left_o       (left),
    .silent_o     (silent_frames_o),
    .underruns_o,
    .busy_o       (out_busy),
    .mclk_i, .mclk_rst_ni, .mclk_family_o,
    .bclk_o       (i2s_bclk_o),
    .lrclk_o      (i2s_lrclk_o),
    .sdata_o      (i2s_sdata_o)
  );

  // ---- Events and counters ----
  logic [31:0] started_q, late_q;
  logic begun_q;             // a frame has started since the stream runs
  logic [7:0] xrun_seen_q;   // episodes announced, modulo 256
  logic dry;                 // nothing is queued and nothing is on the wire, though the stream has begun

  assign xrun_o = (underruns_o[7:0] != xrun_seen_q) && !clear_i;
  assign dry    = begun_q && fifo_empty && (started == left);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      started_q   <= FirstFrameNumber;
      begun_q     <= 1'b0;
      xrun_seen_q <= '0;
      late_q      <= '0;
    end else begin
      started_q <= started;
      if (!run) begun_q <= 1'b0;
      else if (started != started_q) begun_q <= 1'b1;
      if (clear_i) xrun_seen_q <= underruns_o[7:0];
      else if (xrun_o) xrun_seen_q <= xrun_seen_q + 8'd1;
      if (first_valid && run && dry) late_q <= late_q + 32'd1;
    end
  end

  assign frames_played_o = left;
  assign late_messages_o = late_q;

  assign busy_o = tx_busy || in_flight_busy || reply_busy || flush_busy || out_busy || prepare_i
               || ev_first_bit_o || xrun_o || (started != started_q);

  logic unused_params;
  assign unused_params = ^{params_i.buffer_bytes, params_i.period_bytes, params_i.evt_xruns};

endmodule
