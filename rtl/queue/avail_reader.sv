// SPDX-License-Identifier: Apache-2.0
//
// avail_reader - follows the avail ring and hands out chain heads in ring order.
//
// Promise: every entry the driver published is delivered once, in order, without polling unless asked
// (poll_i). It looks once when the queue goes into service: drivers fill a queue before DRIVER_OK and do not
// always notify (Linux: the eventq). With EVENT_IDX it publishes avail_event when it has caught up and looks once more, so that
// an entry added meanwhile is not missed (virtio 1.4, 2.7.10). An index further ahead than the ring
// is long is a fault.
// The user must: keep cfg_i stable while enable_i is high.
module avail_reader
  import vsnd_pkg::*;
(
  input  logic           clk_i,
  input  logic           rst_ni,
  input  logic           clear_i,
  input  logic           enable_i,     // QueueReady and DRIVER_OK
  input  queue_cfg_t     cfg_i,
  input  ring_features_t features_i,

  input  logic           notify_i,
  input  logic [15:0]    notify_idx_i, // avail index carried by NOTIFICATION_DATA
  input  logic           poll_i,
  input  logic           drain_i,
  output logic           caught_up_o,  // avail.idx was read since drain_i rose, and everything up to it delivered

  output logic           head_valid_o,
  output logic [15:0]    head_o,
  input  logic           head_ready_i,

  output logic           rd_valid_o,
  output mem_req_t       rd_req_o,
  input  logic           rd_ready_i,
  input  logic           rsp_valid_i,
  input  mem_rsp_t       rsp_i,

  output logic           wr_valid_o,
  output logic [63:0]    wr_addr_o,
  output mem_beat_t      wr_beat_o,
  input  logic           wr_ready_i,
  input  logic           wr_done_i,
  input  logic           wr_err_i,

  output logic           fault_o,      // one cycle
  output logic           busy_o
);

  typedef enum logic [3:0] {
    Idle,       // nothing known to do
    AskIndex,   // asking for avail.idx
    GetIndex,   // waiting for it
    AskRing,    // asking for ring entries, up to two beats
    GetRing,    // waiting for them
    Deliver,    // handing out heads
    PutEvent,   // offering avail_event
    WaitEvent,  // until it is in memory
    Fault       // one cycle, then Idle
  } state_e;

  state_e      state_q, state_d;
  logic [15:0] last_q, last_d;            // next entry to deliver (free running)
  logic [15:0] avail_q, avail_d;          // entries known to be published, as avail.idx
  logic [15:0] published_q, published_d;  // avail_event in memory
  logic        look_q, look_d;            // avail.idx must be read
  logic        enable_q;
  logic        drain_q, asked_q, asked_d, fresh_q, fresh_d;
  logic [15:0] due_q, due_d;              // drain: entries to deliver, of those published when it began (once fresh_q)
  logic [1:0][63:0] beat_q;
  logic        second_q, second_d;        // the next beat to come is the second one
  logic [3:0]  left_q, left_d;            // entries in beat_q still to deliver
  logic [2:0]  lane_q, lane_d;            // where the next one stands

  // ---------------------------------------------------------------------------------------------
  // Addresses
  // ---------------------------------------------------------------------------------------------
  logic [63:0] idx_addr, entry_addr, event_addr;
  logic [15:0] slot, pending, to_wrap;
  logic [3:0]  in_beats;
  logic        two_beats;

  assign slot       = last_q & (cfg_i.size - 16'd1);
  assign pending    = avail_q - last_q;
  assign to_wrap    = cfg_i.size - slot;
  assign idx_addr   = cfg_i.driver + 64'd2;
  assign entry_addr = cfg_i.driver + 64'd4 + {47'd0, slot, 1'b0};
  assign event_addr = cfg_i.device + 64'd4 + {45'd0, cfg_i.size, 3'd0};
  // A second beat only if it is wanted and lies in the same 4 KiB page.
  assign two_beats  = pending > 16'(3'd4 - {1'b0, entry_addr[2:1]}) && entry_addr[11:3] != '1;
  assign in_beats   = (two_beats ? 4'd8 : 4'd4) - {2'd0, entry_addr[2:1]};

  assign rd_valid_o     = state_q inside {AskIndex, AskRing};
  assign rd_req_o.addr  = (state_q == AskIndex) ? {idx_addr[63:3], 3'd0} : {entry_addr[63:3], 3'd0};
  assign rd_req_o.beats = (state_q == AskRing && two_beats) ? 5'd2 : 5'd1;

  assign wr_valid_o     = state_q == PutEvent;
  assign wr_addr_o      = {event_addr[63:3], 3'd0};
  assign wr_beat_o.data = {4{last_q}};
  assign wr_beat_o.strb = 8'b11 << {event_addr[2:1], 1'b0};

  // ---------------------------------------------------------------------------------------------
  // Next state
  // ---------------------------------------------------------------------------------------------
  logic [15:0] idx_read, idx_ahead, notify_ahead;

  assign idx_read     = 16'(rsp_i.data >> {idx_addr[2:1], 4'd0});
  assign idx_ahead    = idx_read - last_q;
  assign notify_ahead = notify_idx_i - last_q;

  always_comb begin
    state_d     = state_q;
    last_d      = last_q;
    avail_d     = avail_q;
    published_d = published_q;
    look_d      = look_q;
    asked_d     = asked_q;
    fresh_d     = fresh_q;
    due_d       = due_q;
    second_d    = second_q;
    left_d      = left_q;
    lane_d      = lane_q;

    unique case (state_q)
      Idle: begin
        if (enable_i) begin
          if (look_q)                                            state_d = AskIndex;
          else if (pending != 0)                                 state_d = AskRing;
          else if (features_i.event_idx && published_q != last_q) state_d = PutEvent;
        end
      end

      AskIndex: begin
        if (rd_ready_i) begin
          state_d = GetIndex;
          look_d  = 1'b0;
          asked_d = drain_q;
        end
      end

      GetIndex: begin
        if (rsp_valid_i) begin
          state_d = Idle;
          fresh_d = fresh_q || asked_q;
          if (idx_ahead > cfg_i.size)    state_d = Fault;
          else if (idx_ahead >= pending) avail_d = idx_read;
          // What is published after this does not prolong the drain.
          if (asked_q && !fresh_q) due_d = avail_d - last_q;
        end
      end

      AskRing: begin
        if (rd_ready_i) begin
          state_d  = GetRing;
          second_d = 1'b0;
          lane_d   = {1'b0, entry_addr[2:1]};
          left_d   = in_beats;
          if (pending < 16'(left_d)) left_d = pending[3:0];
          if (to_wrap < 16'(left_d)) left_d = to_wrap[3:0];
        end
      end

      GetRing: begin
        if (rsp_valid_i) begin
          second_d = 1'b1;
          if (rsp_i.last) state_d = Deliver;
        end
      end

      Deliver: begin
        if (head_ready_i) begin
          last_d = last_q + 16'd1;
          lane_d = lane_q + 3'd1;
          left_d = left_q - 4'd1;
          if (due_q != 0) due_d = due_q - 16'd1;
          if (left_d == 0) state_d = Idle;
        end
      end

      PutEvent: if (wr_ready_i) state_d = WaitEvent;

      WaitEvent: begin
        if (wr_done_i) begin
          state_d     = Idle;
          published_d = last_q;
          look_d      = 1'b1;
        end
      end

      default: state_d = Idle;  // Fault
    endcase

    if (enable_i) begin
      if (notify_i) begin
        if (features_i.notification_data && notify_ahead <= cfg_i.size &&
            notify_ahead > 16'(avail_d - last_q)) begin
          avail_d = notify_idx_i;
        end else begin
          look_d = 1'b1;
        end
      end
      if (poll_i || !enable_q) look_d = 1'b1;
    end
    if (drain_i && !drain_q) begin
      look_d  = 1'b1;
      fresh_d = 1'b0;
      asked_d = 1'b0;
    end

    if ((rsp_valid_i && rsp_i.err) || (wr_done_i && wr_err_i)) state_d = Fault;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q     <= Idle;
      last_q      <= '0;
      avail_q     <= '0;
      published_q <= '0;
      look_q      <= 1'b0;
      enable_q    <= 1'b0;
      drain_q     <= 1'b0;
      asked_q     <= 1'b0;
      fresh_q     <= 1'b0;
      due_q       <= '0;
      beat_q      <= '0;
      second_q    <= 1'b0;
      left_q      <= '0;
      lane_q      <= '0;
    end else if (clear_i) begin
      state_q     <= Idle;
      last_q      <= '0;
      avail_q     <= '0;
      published_q <= '0;
      look_q      <= 1'b0;
      enable_q    <= 1'b0;
      drain_q     <= 1'b0;
      asked_q     <= 1'b0;
      fresh_q     <= 1'b0;
    end else begin
      state_q     <= state_d;
      last_q      <= last_d;
      avail_q     <= avail_d;
      published_q <= published_d;
      look_q      <= look_d;
      enable_q    <= enable_i;
      drain_q     <= drain_i;
      asked_q     <= asked_d;
      fresh_q     <= fresh_d;
      due_q       <= due_d;
      second_q    <= second_d;
      left_q      <= left_d;
      lane_q      <= lane_d;
      if (state_q == GetRing && rsp_valid_i) beat_q[second_q] <= rsp_i.data;
    end
  end

  // Alignment (virtio 1.4, 2.7) makes the lowest address bits zero; the rest of the set-up is others'.
  logic unused_ok;
  assign unused_ok = ^{cfg_i.ready, cfg_i.desc, features_i.indirect, idx_addr[0], entry_addr[0], event_addr[0]};

  assign head_valid_o = state_q == Deliver;
  assign head_o       = 16'(128'(beat_q) >> {lane_q, 4'd0});
  // A queue that is not in service has nothing to drain.
  assign caught_up_o  = drain_q && drain_i && (!enable_i || (fresh_q && due_q == 0));
  assign fault_o      = state_q == Fault;
  assign busy_o       = clear_i ? (state_q != Idle || drain_q || enable_q)
                                : (!(state_q inside {Idle, Deliver}) || (state_q == Deliver && head_ready_i) ||
                                   (state_q == Idle && state_d != Idle) || drain_i != drain_q || enable_i != enable_q);

endmodule
