// SPDX-License-Identifier: Apache-2.0
//
// control - serves the controlq: one request at a time, in order, each answered once.
//
// Promise: docs/device.md "Control requests" and "Lifecycle". A refused command changes nothing. stream_state_o and
// stream_params_o change together, before the answer; prepare_o is high in the first cycle of a PREPARED that was commanded.
// While flush_o is high the old state and parameters stay. The answer is out, used ring included, before the next request is read.
//
// The user must: raise flush_done_i only while flush_o is high, when every message of the stream is completed.
// clear_i (device reset) forgets everything. queue_clear_i (the controlq alone is reset) drops the request being served; a
// command that is already flushing still takes effect, without an answer.
//
//   stream_state_o  PREPARED .............X RELEASED
//   flush_o         ____/----------------\__________
//   flush_done_i    ____________________/\__________
//   reply_valid_o   ______________________/----
module control
  import vsnd_pkg::*;
(
  input  logic           clk_i,
  input  logic           rst_ni,
  input  logic           clear_i,
  input  logic           queue_clear_i,

  input  logic           msg_valid_i,
  input  logic [15:0]    msg_head_i,
  input  logic [63:0]    msg_data_i,
  input  logic [3:0]     msg_count_i,
  input  logic           msg_end_i,
  input  chain_t         msg_chain_i,
  output logic [3:0]     msg_take_o,
  output logic           msg_skip_o,
  output logic           msg_ready_o,

  output logic           reply_valid_o,
  output chain_t         reply_chain_o,
  input  logic           reply_ready_i,
  output logic [63:0]    reply_data_o,
  output logic [3:0]     reply_count_o,
  output logic           reply_last_o,
  output logic           reply_push_o,
  input  logic           reply_pop_i,
  input  logic           reply_done_i,

  output stream_state_e  stream_state_o,
  output stream_params_t stream_params_o,
  output logic           prepare_o,     // pulse
  output logic           flush_o,       // level
  input  logic           flush_done_i,

  output logic           idle_o,
  output logic           busy_o
);
  import virtio_snd_pkg::*;

  typedef enum logic [2:0] {
    Read,   // taking in a request, or waiting for one
    Decide, // what the table says
    Params, // SET_PARAMS: are the parameters possible?
    Flush,  // the stream completes its messages
    Begin,  // offering the chain to the reply port
    Header, // the status code
    Items,  // the items of an INFO answer
    Done    // until the answer is on the used ring
  } state_e;

  state_e         state_q, state_d;
  chain_t         chain_q;
  logic [31:0]    status_d, status_q;
  logic           dropped_q;  // the queue was reset: nobody waits for the answer
  logic           fresh_q;    // first cycle in a state: whoever watches our outputs has not reacted yet
  logic           commit;     // the command takes effect
  logic           prepare_q;
  stream_state_e  stream_q;
  stream_params_t params_q;

  // -------------------------------------------------------------------------------------------
  // The request
  // -------------------------------------------------------------------------------------------
  logic             request_end, reading, read_again;
  logic [5:0][31:0] words;
  logic [15:0]      length;
  logic [31:0]      code;

  assign read_again = state_q != Read && state_d == Read;

  request_reader #(
    .Words(VIRTIO_SND_PCM_SET_PARAMS_SIZE / 4)
  ) i_reader (
    .clk_i, .rst_ni,
    // A command that is flushing keeps its words: it takes effect when the flush has ended.
    .start_i   (read_again || clear_i || (queue_clear_i && state_q != Flush)),
    .read_i    (state_q == Read && !clear_i && !queue_clear_i),
    .msg_valid_i,
    .msg_byte_i(msg_data_i[7:0]),
    .msg_count_i, .msg_end_i, .msg_take_o, .msg_skip_o,
    .end_o     (request_end),
    .words_o   (words),
    .length_o  (length),
    .busy_o    (reading)
  );

  assign msg_ready_o = request_end;
  assign code        = words[VIRTIO_SND_HDR_CODE_OFS / 4];

  logic [31:0]     check_status, params_status;
  logic            is_pcm, params_done, params_start;
  logic            flush_first;
  stream_state_e   next;
  stream_params_t  params;

  request_check i_check (
    .words_i (words),
    .length_i(length),
    .state_i (stream_q),
    .status_o(check_status),
    .is_pcm_o(is_pcm),
    .flush_o (flush_first),
    .next_o  (next)
  );

  params_check i_params (
    .clk_i, .rst_ni,
    .clear_i (clear_i || queue_clear_i),
    .start_i (params_start),
    .words_i (words),
    .done_o  (params_done),
    .status_o(params_status),
    .params_o(params)
  );

  // -------------------------------------------------------------------------------------------
  // The items of an answer
  // -------------------------------------------------------------------------------------------
  logic        has_items, items_push, items_last, items_done;
  logic [63:0] items_data;
  logic [3:0]  items_count;

  assign has_items = !is_pcm && status_q == VIRTIO_SND_S_OK && words[VIRTIO_SND_QUERY_INFO_COUNT_OFS / 4] != '0;

  info_writer i_items (
    .clk_i, .rst_ni,
    .clear_i   (clear_i || queue_clear_i),
    .start_i   (state_q == Header && reply_pop_i && has_items),
    .start_id_i(words[VIRTIO_SND_QUERY_INFO_START_ID_OFS / 4]),
    .count_i   (words[VIRTIO_SND_QUERY_INFO_COUNT_OFS / 4]),
    .size_i    (words[VIRTIO_SND_QUERY_INFO_SIZE_OFS / 4][11:0]),
    .push_o    (items_push),
    .data_o    (items_data),
    .count_o   (items_count),
    .last_o    (items_last),
    .pop_i     (reply_pop_i),
    .done_o    (items_done)
  );

  // -------------------------------------------------------------------------------------------
  // One request after the other
  // -------------------------------------------------------------------------------------------
  always_comb begin
    state_d      = state_q;
    status_d     = status_q;
    commit       = 1'b0;
    params_start = 1'b0;
    unique case (state_q)
      Read: if (request_end) state_d = Decide;
      Decide: begin
        status_d = check_status;
        state_d  = Begin;
        if (is_pcm && check_status == VIRTIO_SND_S_OK) begin
          if (code == VIRTIO_SND_R_PCM_SET_PARAMS) begin
            params_start = 1'b1;
            state_d      = Params;
          end else if (flush_first) state_d = Flush;
          else commit = 1'b1;
        end
      end
      Params: begin
        if (params_done) begin
          status_d = params_status;
          state_d  = Begin;
          if (params_status == VIRTIO_SND_S_OK) begin
            if (flush_first) state_d = Flush;
            else commit = 1'b1;
          end
        end
      end
      Flush: begin
        if (flush_done_i) begin
          commit  = 1'b1;
          state_d = dropped_q ? Read : Begin;
        end
      end
      Begin:  if (reply_ready_i) state_d = Header;
      Header: if (reply_pop_i) state_d = has_items ? Items : Done;
      Items:  if (items_done) state_d = Done;
      Done:   if (reply_done_i) state_d = Read;
      default: state_d = Read;
    endcase
    // Only a flush outlasts a reset of the queue.
    if (queue_clear_i && state_q != Flush) begin
      state_d = Read;
      commit  = 1'b0;
    end
    if (queue_clear_i && state_q == Flush && flush_done_i) state_d = Read;
  end

  assign reply_valid_o = state_q == Begin;
  assign reply_chain_o = chain_q;
  assign reply_push_o  = state_q == Header || items_push;
  assign reply_data_o  = state_q == Header ? 64'(status_q) : items_data;
  assign reply_count_o = state_q == Header ? 4'(VIRTIO_SND_HDR_SIZE) : items_count;
  assign reply_last_o  = state_q == Header ? !has_items : items_last;

  assign flush_o         = state_q == Flush;
  assign stream_state_o  = stream_q;
  assign stream_params_o = params_q;
  assign prepare_o       = prepare_q;

  assign idle_o = state_q == Read && !prepare_q;
  assign busy_o = clear_i || queue_clear_i || reading || fresh_q || prepare_q || state_q inside {Decide, Params} || (state_d != state_q) ||
                  (items_push && reply_pop_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= Read;
      chain_q   <= '0;
      status_q  <= '0;
      dropped_q <= 1'b0;
      fresh_q   <= 1'b0;
      prepare_q <= 1'b0;
      stream_q  <= StInit;
      params_q  <= '0;
    end else if (clear_i) begin
      state_q   <= Read;
      dropped_q <= 1'b0;
      fresh_q   <= 1'b0;
      prepare_q <= 1'b0;
      stream_q  <= StInit;
      params_q  <= '0;
    end else begin
      state_q   <= state_d;
      status_q  <= status_d;
      fresh_q   <= state_d != state_q;
      dropped_q <= state_q == Flush && (dropped_q || queue_clear_i);
      prepare_q <= commit && code == VIRTIO_SND_R_PCM_PREPARE;
      if (request_end) chain_q <= msg_chain_i;
      if (commit) begin
        stream_q <= next;
        if (code == VIRTIO_SND_R_PCM_SET_PARAMS) params_q <= params;
      end
    end
  end

  // Answers go by chain, and bytes are taken one by one.
  logic unused;
  assign unused = ^{msg_head_i, msg_data_i[63:8]};
endmodule
