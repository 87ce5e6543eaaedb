// SPDX-License-Identifier: Apache-2.0
//
// chain_walker - walks one descriptor chain and shows its buffers one after the other.
//
// Promise: from any place in a chain (start_cursor_i) it follows NEXT and INDIRECT, checks every
// descriptor before it shows it (virtio 1.4, 2.7.5 and 2.7.5.3), and ends: a chain has at most
// start_cursor_i.budget buffers, so a loop is a fault, not a hang. Tables may lie at any address.
// Up to Fetch descriptors are read in one burst; only those of the chain's own walk are used.
// The user must: raise start_i for one cycle while busy_o is low (a walk may be given up on a shown
// buffer); take a shown buffer with next_i.
module chain_walker
  import vsnd_pkg::*;
  import virtio_ring_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic        indirect_ok_i,   // VIRTIO_RING_F_INDIRECT_DESC negotiated

  input  logic        start_i,
  input  cursor_t     start_cursor_i,
  input  logic        writable_only_i, // with start_i: a readable buffer from here on is a fault

  output logic        seg_valid_o,
  output logic [63:0] seg_addr_o,
  output logic [31:0] seg_len_o,
  output logic        seg_write_o,
  output cursor_t     seg_cursor_o,    // where this buffer's descriptor stands
  input  logic        next_i,
  output logic        end_o,           // no further buffer
  output logic        fault_o,         // one cycle: malformed chain or bus error

  output logic        rd_valid_o,
  output mem_req_t    rd_req_o,
  input  logic        rd_ready_i,
  input  logic        rsp_valid_i,
  input  mem_rsp_t    rsp_i,

  output logic        busy_o
);

  localparam int unsigned Fetch = 4;               // descriptors read ahead
  localparam int unsigned Beats = 2 * Fetch + 1;   // one more when the table is not 8-byte aligned

  typedef enum logic [2:0] {
    Idle,     // nothing to walk
    Request,  // asking for descriptors
    Receive,  // all asked for, beats still coming in
    Look,     // picking the descriptor out of the beats
    Check,    // judging it
    Show,     // a buffer is on display
    Finished, // the chain has ended
    Fault     // one cycle, then Idle
  } state_e;

  state_e                  state_q, state_d;
  cursor_t                 cur_q, cur_d;
  logic                    seen_write_q, seen_write_d;

  // Beats of the last fetch: descriptors base_q .. base_q + count_q - 1 of the current table.
  logic [Beats-1:0][63:0]  beat_q;
  logic [15:0]             base_q, base_d;
  logic [2:0]              count_q, count_d;
  logic [2:0]              skew_q, skew_d;      // byte offset of the table within a beat
  logic [63:0]             addr_q, addr_d;      // next beat to ask for
  logic [3:0]              ask_q, ask_d;        // beats still to ask for
  logic [3:0]              due_q, due_d;        // beats still to come
  logic [3:0]              got_q, got_d;        // beats received

  // The descriptor under examination.
  logic [63:0]             d_addr_q;
  logic [31:0]             d_len_q;
  logic [15:0]             d_flags_q, d_next_q;

  // ---------------------------------------------------------------------------------------------
  // Picking a descriptor out of the beats, at any byte offset
  // ---------------------------------------------------------------------------------------------
  logic [1:0]   lane;
  logic [191:0] window;
  logic [127:0] desc;

  assign lane   = 2'(cur_q.index - base_q);
  assign window = {beat_q[{1'b0, lane, 1'b0} + 4'd2], beat_q[{1'b0, lane, 1'b0} + 4'd1],
                   beat_q[{1'b0, lane, 1'b0}]};
  assign desc   = 128'(window >> {skew_q, 3'b000});

  // ---------------------------------------------------------------------------------------------
  // Fetching
  // ---------------------------------------------------------------------------------------------
  logic [15:0] fetch_left;
  logic [9:0]  page_beats;
  logic [4:0]  burst;

  // A burst ends with its 4 KiB page.
  assign page_beats  = 10'd512 - {1'b0, addr_q[11:3]};
  assign burst       = (10'(ask_q) > page_beats) ? page_beats[4:0] : {1'b0, ask_q};

  assign rd_valid_o     = state_q == Request;
  assign rd_req_o.addr  = {addr_q[63:3], 3'b000};
  assign rd_req_o.beats = burst;

  // ---------------------------------------------------------------------------------------------
  // Next state
  // ---------------------------------------------------------------------------------------------
  logic has_next, is_write, is_indirect, fetch, in_buffer;

  assign has_next    = (d_flags_q & 16'(VRING_DESC_F_NEXT)) != 0;
  assign is_write    = (d_flags_q & 16'(VRING_DESC_F_WRITE)) != 0;
  assign is_indirect = (d_flags_q & 16'(VRING_DESC_F_INDIRECT)) != 0;
  assign in_buffer   = (d_next_q - base_q) < 16'(count_q);

  always_comb begin
    state_d      = state_q;
    cur_d        = cur_q;
    seen_write_d = seen_write_q;
    base_d       = base_q;
    count_d      = count_q;
    skew_d       = skew_q;
    addr_d       = addr_q;
    ask_d        = ask_q;
    due_d        = due_q;
    got_d        = got_q;
    fetch        = 1'b0;
    fetch_left   = '0;

    unique case (state_q)
      Idle, Finished: ;

      Request: begin
        if (rd_ready_i) begin
          addr_d = {addr_q[63:3] + 61'(burst), 3'b000};
          ask_d  = ask_q - burst[3:0];
          if (ask_d == 0) state_d = Receive;
        end
      end

      Receive: if (due_q == 0) state_d = Look;

      Look: state_d = Check;

      Check: begin
        if (d_len_q == 0) begin
          state_d = Fault;
        end else if (is_indirect) begin
          // An indirect table ends the main chain, is not nested, and holds whole descriptors.
          if (!indirect_ok_i || cur_q.indirect || has_next || d_len_q[3:0] != 0) begin
            state_d = Fault;
          end else begin
            cur_d.indirect   = 1'b1;
            cur_d.table_addr = d_addr_q;
            cur_d.entries    = (d_len_q[31:20] != 0) ? 16'hffff : d_len_q[19:4];
            cur_d.index      = 16'd0;
            fetch            = 1'b1;
          end
        end else if (cur_q.budget == 0 || (seen_write_q && !is_write)) begin
          state_d = Fault;
        end else begin
          seen_write_d = is_write;
          state_d      = Show;
        end
      end

      Show: begin
        if (next_i) begin
          if (!has_next) begin
            state_d     = Finished;
            cur_d.valid = 1'b0;
          end else if (d_next_q >= cur_q.entries) begin
            state_d = Fault;
          end else begin
            cur_d.index  = d_next_q;
            cur_d.budget = cur_q.budget - 16'd1;
            if (in_buffer) state_d = Look;
            else           fetch   = 1'b1;
          end
        end
      end

      default: state_d = Idle;  // Fault
    endcase

    if (start_i && !busy_o) begin
      cur_d        = start_cursor_i;
      seen_write_d = writable_only_i;
      if (!start_cursor_i.valid)                               state_d = Finished;
      else if (start_cursor_i.index >= start_cursor_i.entries) state_d = Fault;
      else                                                     fetch   = 1'b1;
    end

    if (fetch) begin
      state_d    = Request;
      fetch_left = cur_d.entries - cur_d.index;
      base_d     = cur_d.index;
      count_d    = (fetch_left > 16'(Fetch)) ? 3'(Fetch) : fetch_left[2:0];
      addr_d     = cur_d.table_addr + {44'd0, cur_d.index, 4'd0};
      skew_d     = addr_d[2:0];
      ask_d      = {count_d, 1'b0} + 4'(skew_d != 0);
      due_d      = ask_d;
      got_d      = 4'd0;
    end

    if (rsp_valid_i) begin
      due_d = due_q - 4'd1;
      got_d = got_q + 4'd1;
      if (rsp_i.err) state_d = Fault;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q      <= Idle;
      cur_q        <= '0;
      seen_write_q <= 1'b0;
      base_q       <= '0;
      count_q      <= '0;
      skew_q       <= '0;
      addr_q       <= '0;
      ask_q        <= '0;
      due_q        <= '0;
      got_q        <= '0;
      beat_q       <= '0;
      d_addr_q     <= '0;
      d_len_q      <= '0;
      d_flags_q    <= '0;
      d_next_q     <= '0;
    end else if (clear_i) begin
      state_q <= Idle;
    end else begin
      state_q      <= state_d;
      cur_q        <= cur_d;
      seen_write_q <= seen_write_d;
      base_q       <= base_d;
      count_q      <= count_d;
      skew_q       <= skew_d;
      addr_q       <= addr_d;
      ask_q        <= ask_d;
      due_q        <= due_d;
      got_q        <= got_d;
      if (rsp_valid_i && got_q < 4'(Beats)) beat_q[got_q] <= rsp_i.data;
      if (state_q == Look) {d_next_q, d_flags_q, d_len_q, d_addr_q} <= desc;
    end
  end

  assign seg_valid_o  = state_q == Show;
  assign seg_addr_o   = d_addr_q;
  assign seg_len_o    = d_len_q;
  assign seg_write_o  = is_write;
  assign seg_cursor_o = cur_q;
  assign end_o        = state_q == Finished;
  assign fault_o      = state_q == Fault;
  assign busy_o       = state_q inside {Request, Receive, Look, Check, Fault};

  // Responses are counted, so the end-of-burst mark is not needed; flags above INDIRECT are reserved.
  logic unused_ok;
  assign unused_ok = ^{rsp_i.last, d_flags_q[15:3]};

endmodule
