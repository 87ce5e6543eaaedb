// SPDX-License-Identifier: Apache-2.0
//
// queue_channel - one virtqueue: avail ring to bytes, bytes to used ring.
//
// Promise: delivers each chain's readable part as bytes (message port) and answers chains in whatever
// order and however late the consumer likes (reply port). A malformed ring or a bus error raises
// fault_o once and stops the queue until clear_i: from then on nothing is fetched or written, and
// replies are swallowed, so that no consumer hangs.
// The user must: hold clear_i until idle_o; follow the port rules of docs/architecture.md, section 2.
module queue_channel
  import vsnd_pkg::*;
(
  input  logic           clk_i,
  input  logic           rst_ni,
  input  logic           clear_i,
  output logic           idle_o,       // no bus transaction of this queue is outstanding
  input  logic           driver_ok_i,
  input  queue_cfg_t     cfg_i,
  input  ring_features_t features_i,

  // Service
  input  logic           notify_i,
  input  logic [15:0]    notify_idx_i,
  input  logic           poll_i,
  input  logic           drain_i,
  output logic           drained_o,

  // Message port
  output logic           msg_valid_o,
  output logic [15:0]    msg_head_o,
  output logic [63:0]    msg_data_o,
  output logic [3:0]     msg_count_o,
  output logic           msg_end_o,
  output chain_t         msg_chain_o,
  input  logic [3:0]     msg_take_i,
  input  logic           msg_skip_i,
  input  logic           msg_ready_i,

  // Reply port
  input  logic           reply_valid_i,
  input  chain_t         reply_chain_i,
  output logic           reply_ready_o,
  input  logic [63:0]    reply_data_i,
  input  logic [3:0]     reply_count_i,
  input  logic           reply_last_i,
  input  logic           reply_push_i,
  output logic           reply_pop_o,
  output logic           reply_done_o,

  output logic           used_irq_o,   // one cycle: used buffer notification
  output logic           published_o,  // one cycle: used.idx is in memory
  output logic [15:0]    published_head_o,
  output logic           fault_o,      // one cycle

  // Memory
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

  output logic           busy_o
);

  // Readers and writers of the local arbiters.
  localparam int unsigned RdAvail = 0, RdWalk = 1, RdGather = 2, RdReply = 3, RdUsed = 4, NumRd = 5;
  localparam int unsigned WrAvail = 0, WrScatter = 1, WrUsed = 2, NumWr = 3;

  logic     [NumRd-1:0]       rd_valid, rd_ready, rd_rsp;
  mem_req_t [NumRd-1:0]       rd_req;
  mem_rsp_t                   rd_data;
  logic     [NumWr-1:0]       wr_valid, wr_ready, wr_done;
  logic     [NumWr-1:0][63:0] wr_addr;
  mem_beat_t [NumWr-1:0]      wr_beat;
  logic                       wr_err, rd_idle, wr_idle;

  // ---------------------------------------------------------------------------------------------
  // Faults stop the queue
  // ---------------------------------------------------------------------------------------------
  logic       halted_q, stop;
  logic [5:0] fault;

  assign stop    = clear_i || halted_q;
  assign fault_o = (|fault) && !stop;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      halted_q <= 1'b0;
    else if (clear_i) halted_q <= 1'b0;
    else if (|fault)  halted_q <= 1'b1;
  end

  // ---------------------------------------------------------------------------------------------
  // Delivering: avail ring > chain walker > bytes
  // ---------------------------------------------------------------------------------------------
  logic        head_valid, head_ready, caught_up, active_q;
  logic [15:0] head, head_q;
  cursor_t     head_cursor, seg_cursor;
  logic        seg_valid, seg_write, seg_next, chain_end, gather_end;
  logic [63:0] seg_addr;
  logic [31:0] seg_len;
  logic [3:0]  gather_count;
  logic [4:0]  busy;

  assign head_ready  = !active_q && !stop;  // msg_end leaves the walker at rest
  assign head_cursor = '{valid: 1'b1, indirect: 1'b0, table_addr: cfg_i.desc, entries: cfg_i.size,
                         index: head, budget: cfg_i.size};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      head_q   <= '0;
    end else if (stop) begin
      active_q <= 1'b0;
    end else if (head_ready && head_valid) begin
      active_q <= 1'b1;
      head_q   <= head;
    end else if (msg_end_o && msg_ready_i) begin
      active_q <= 1'b0;
    end
  end

  avail_reader u_avail_reader (
    .clk_i, .rst_ni, .clear_i(stop),
    .enable_i(cfg_i.ready && driver_ok_i), .cfg_i, .features_i,
    .notify_i, .notify_idx_i, .poll_i, .drain_i, .caught_up_o(caught_up),
    .head_valid_o(head_valid), .head_o(head), .head_ready_i(head_ready),
    .rd_valid_o(rd_valid[RdAvail]), .rd_req_o(rd_req[RdAvail]), .rd_ready_i(rd_ready[RdAvail]),
    .rsp_valid_i(rd_rsp[RdAvail]), .rsp_i(rd_data),
    .wr_valid_o(wr_valid[WrAvail]), .wr_addr_o(wr_addr[WrAvail]), .wr_beat_o(wr_beat[WrAvail]),
    .wr_ready_i(wr_ready[WrAvail]), .wr_done_i(wr_done[WrAvail]), .wr_err_i(wr_err),
    .fault_o(fault[0]), .busy_o(busy[0])
  );

  chain_walker u_chain_walker (
    .clk_i, .rst_ni, .clear_i(stop), .indirect_ok_i(features_i.indirect),
    .start_i(head_valid && head_ready), .start_cursor_i(head_cursor), .writable_only_i(1'b0),
    .seg_valid_o(seg_valid), .seg_addr_o(seg_addr), .seg_len_o(seg_len), .seg_write_o(seg_write),
    .seg_cursor_o(seg_cursor), .next_i(seg_next), .end_o(chain_end), .fault_o(fault[1]),
    .rd_valid_o(rd_valid[RdWalk]), .rd_req_o(rd_req[RdWalk]), .rd_ready_i(rd_ready[RdWalk]),
    .rsp_valid_i(rd_rsp[RdWalk]), .rsp_i(rd_data), .busy_o(busy[1])
  );

  gather u_gather (
    .clk_i, .rst_ni, .clear_i(stop), .active_i(active_q),
    .seg_valid_i(seg_valid), .seg_addr_i(seg_addr), .seg_len_i(seg_len), .seg_write_i(seg_write),
    .seg_next_o(seg_next), .chain_end_i(chain_end),
    .data_o(msg_data_o), .count_o(gather_count), .take_i(msg_take_i), .skip_i(msg_skip_i && active_q),
    .end_o(gather_end),
    .rd_valid_o(rd_valid[RdGather]), .rd_req_o(rd_req[RdGather]), .rd_ready_i(rd_ready[RdGather]),
    .rsp_valid_i(rd_rsp[RdGather]), .rsp_i(rd_data),
    .fault_o(fault[2]), .busy_o(busy[2])
  );

  assign msg_valid_o = active_q;
  assign msg_head_o  = head_q;
  assign msg_count_o = active_q ? gather_count : 4'd0;
  assign msg_end_o   = active_q && gather_end;
  assign msg_chain_o = '{head: head_q, writable: seg_cursor};
  assign drained_o   = drain_i && (halted_q || (caught_up && !active_q));

  // ---------------------------------------------------------------------------------------------
  // Answering: bytes > writable buffers > used ring
  // ---------------------------------------------------------------------------------------------
  typedef enum logic [2:0] {
    Ready,    // no chain is being answered
    Scatter,  // writing the response
    Used,     // writing the used ring
    Swallow,  // stopped: taking bytes to nowhere
    Swallowed // stopped: one cycle, done
  } reply_e;

  reply_e      reply_q, reply_d;
  logic        reply_last_q;  // the whole response has been pushed
  logic [15:0] reply_head_q;
  logic        last_pushed;   // in this cycle
  logic        begin_reply, scatter_done, scatter_pop, begin_used, used_done, used_irq;
  logic        wseg_valid, wseg_next, wchain_end;
  logic [63:0] wseg_addr;
  logic [31:0] wseg_len, written;
  logic        wseg_write, wwalk_busy;
  cursor_t     wseg_cursor;

  assign begin_reply   = reply_valid_i && reply_q == Ready && !stop;
  // The walker may still be reading ahead: it must come to rest before the next chain.
  assign begin_used    = reply_q == Scatter && scatter_done && !wwalk_busy;
  assign reply_ready_o = reply_valid_i && reply_q == Ready && !clear_i;
  assign reply_pop_o   = (reply_q == Scatter) ? scatter_pop : reply_q == Swallow;
  assign reply_done_o  = used_done || reply_q == Swallowed;
  assign last_pushed   = reply_push_i && reply_pop_o && reply_last_i;

  always_comb begin
    reply_d = reply_q;
    unique case (reply_q)
      Ready:     if (reply_ready_o) reply_d = halted_q ? Swallow : Scatter;
      Scatter:   if (begin_used) reply_d = Used;
      Used:      if (used_done) reply_d = Ready;
      Swallow:   if (reply_push_i && reply_last_i) reply_d = Swallowed;
      default:   reply_d = Ready;
    endcase
    // A fault while answering: what was not pushed yet is swallowed, what was is done.
    if (halted_q && reply_q == Scatter) reply_d = (reply_last_q || last_pushed) ? Swallowed : Swallow;
    if (halted_q && reply_q == Used)    reply_d = used_done ? Ready : Swallowed;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reply_q      <= Ready;
      reply_head_q <= '0;
      reply_last_q <= 1'b0;
    end else if (clear_i) begin
      reply_q      <= Ready;
      reply_last_q <= 1'b0;
    end else begin
      reply_q <= reply_d;
      if (begin_reply) reply_head_q <= reply_chain_i.head;
      if (reply_q == Ready) reply_last_q <= 1'b0;
      else if (last_pushed) reply_last_q <= 1'b1;
    end
  end

  chain_walker u_reply_walker (
    .clk_i, .rst_ni, .clear_i(stop), .indirect_ok_i(features_i.indirect),
    .start_i(begin_reply), .start_cursor_i(reply_chain_i.writable), .writable_only_i(1'b1),
    .seg_valid_o(wseg_valid), .seg_addr_o(wseg_addr), .seg_len_o(wseg_len), .seg_write_o(wseg_write),
    .seg_cursor_o(wseg_cursor), .next_i(wseg_next), .end_o(wchain_end), .fault_o(fault[3]),
    .rd_valid_o(rd_valid[RdReply]), .rd_req_o(rd_req[RdReply]), .rd_ready_i(rd_ready[RdReply]),
    .rsp_valid_i(rd_rsp[RdReply]), .rsp_i(rd_data), .busy_o(wwalk_busy)
  );

  scatter u_scatter (
    .clk_i, .rst_ni, .clear_i(stop), .start_i(begin_reply),
    .data_i(reply_data_i), .count_i(reply_count_i), .last_i(reply_last_i),
    .push_i(reply_push_i && reply_q == Scatter), .pop_o(scatter_pop),
    .seg_valid_i(wseg_valid), .seg_addr_i(wseg_addr), .seg_len_i(wseg_len), .seg_next_o(wseg_next),
    .chain_end_i(wchain_end), .written_o(written), .done_o(scatter_done),
    .wr_valid_o(wr_valid[WrScatter]), .wr_addr_o(wr_addr[WrScatter]), .wr_beat_o(wr_beat[WrScatter]),
    .wr_ready_i(wr_ready[WrScatter]), .wr_done_i(wr_done[WrScatter]), .wr_err_i(wr_err),
    .fault_o(fault[4]), .busy_o(busy[3])
  );

  used_writer u_used_writer (
    .clk_i, .rst_ni, .clear_i(stop), .cfg_i, .features_i,
    .start_i(begin_used), .head_i(reply_head_q), .len_i(written),
    .published_o, .done_o(used_done), .irq_o(used_irq),
    .wr_valid_o(wr_valid[WrUsed]), .wr_addr_o(wr_addr[WrUsed]), .wr_beat_o(wr_beat[WrUsed]),
    .wr_ready_i(wr_ready[WrUsed]), .wr_done_i(wr_done[WrUsed]), .wr_err_i(wr_err),
    .rd_valid_o(rd_valid[RdUsed]), .rd_req_o(rd_req[RdUsed]), .rd_ready_i(rd_ready[RdUsed]),
    .rsp_valid_i(rd_rsp[RdUsed]), .rsp_i(rd_data),
    .fault_o(fault[5]), .busy_o(busy[4])
  );

  assign used_irq_o       = used_irq;
  assign published_head_o = reply_head_q;

  // ---------------------------------------------------------------------------------------------
  // Memory: a stopped queue offers nothing more
  // ---------------------------------------------------------------------------------------------
  read_arbiter #(.Requesters(NumRd)) u_read_arbiter (
    .clk_i, .rst_ni,
    .req_valid_i(rd_valid & {NumRd{!stop}}), .req_i(rd_req), .req_ready_o(rd_ready),
    .rsp_valid_o(rd_rsp), .rsp_o(rd_data),
    .out_valid_o(rd_valid_o), .out_req_o(rd_req_o), .out_ready_i(rd_ready_i),
    .rsp_valid_i, .rsp_i, .idle_o(rd_idle)
  );

  write_arbiter #(.Requesters(NumWr)) u_write_arbiter (
    .clk_i, .rst_ni,
    .valid_i(wr_valid & {NumWr{!stop}}), .addr_i(wr_addr), .beat_i(wr_beat), .ready_o(wr_ready), .done_o(wr_done),
    .err_o(wr_err),
    .out_valid_o(wr_valid_o), .out_addr_o(wr_addr_o), .out_beat_o(wr_beat_o), .out_ready_i(wr_ready_i),
    .done_i(wr_done_i), .err_i(wr_err_i), .idle_o(wr_idle)
  );

  // The reply walk shows writable buffers only, and nobody comes back to one.
  logic unused_ok;
  assign unused_ok = ^{wseg_write, wseg_cursor};

  assign idle_o = rd_idle && wr_idle;
  assign busy_o = (|busy) || wwalk_busy || !idle_o || (head_valid && head_ready) || (msg_end_o && msg_ready_i) ||
                  reply_d != reply_q || (reply_q == Ready && reply_valid_i);

endmodule
