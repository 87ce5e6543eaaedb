// SPDX-License-Identifier: Apache-2.0
//
// used_writer - puts one chain on the used ring and decides about the interrupt.
//
// Promise: the element is in memory before the index, the index before the interrupt is decided
// (virtio 1.4, 2.7.8); with EVENT_IDX the interrupt follows used_event, without it avail.flags (2.7.7).
// The user must: start only when done, with everything the chain's buffers shall hold in memory.
module used_writer
  import vsnd_pkg::*;
  import virtio_ring_pkg::*;
(
  input  logic           clk_i,
  input  logic           rst_ni,
  input  logic           clear_i,
  input  queue_cfg_t     cfg_i,
  input  ring_features_t features_i,

  input  logic           start_i,
  input  logic [15:0]    head_i,
  input  logic [31:0]    len_i,
  output logic           published_o,  // one cycle: the index is in memory
  output logic           done_o,       // one cycle: the interrupt is decided
  output logic           irq_o,        // one cycle, with done_o: the driver asked for it

  output logic           wr_valid_o,
  output logic [63:0]    wr_addr_o,
  output mem_beat_t      wr_beat_o,
  input  logic           wr_ready_i,
  input  logic           wr_done_i,
  input  logic           wr_err_i,

  output logic           rd_valid_o,
  output mem_req_t       rd_req_o,
  input  logic           rd_ready_i,
  input  logic           rsp_valid_i,
  input  mem_rsp_t       rsp_i,

  output logic           fault_o,      // one cycle: bus error
  output logic           busy_o
);

  typedef enum logic [2:0] {
    Idle,
    Element,     // the used element, or its part in the first 8-byte word
    ElementHigh, // its part in the second word
    Index,       // used.idx
    Event,       // used_event or avail.flags
    Decide       // one cycle
  } state_e;

  state_e      state_q, state_d;
  logic        sent_q, sent_d;  // the write or read of this state is on its way
  logic [15:0] idx_q;           // used.idx in memory
  logic [15:0] head_q;
  logic [31:0] len_q;
  logic [15:0] event_q;

  logic [63:0] element_addr, index_addr, event_addr;
  logic [63:0] element;
  logic        straddles;
  logic [15:0] idx_next;

  assign element_addr = cfg_i.device + 64'd4 + {45'd0, idx_q & (cfg_i.size - 16'd1), 3'd0};
  assign index_addr   = cfg_i.device + 64'd2;
  assign event_addr   = features_i.event_idx ? cfg_i.driver + 64'd4 + {47'd0, cfg_i.size, 1'b0} : cfg_i.driver;
  assign element      = {len_q, 16'd0, head_q};
  assign straddles    = element_addr[2];  // the used ring is aligned to 4 bytes
  assign idx_next     = idx_q + 16'd1;

  always_comb begin
    wr_valid_o = (state_q inside {Element, ElementHigh, Index}) && !sent_q;
    unique case (state_q)
      Element: begin
        wr_addr_o      = {element_addr[63:3], 3'd0};
        wr_beat_o.data = straddles ? element << 32 : element;
        wr_beat_o.strb = straddles ? 8'hf0 : 8'hff;
      end
      ElementHigh: begin
        wr_addr_o      = {element_addr[63:3] + 61'd1, 3'd0};
        wr_beat_o.data = element >> 32;
        wr_beat_o.strb = 8'h0f;
      end
      default: begin
        wr_addr_o      = {index_addr[63:3], 3'd0};
        wr_beat_o.data = {4{idx_next}};
        wr_beat_o.strb = 8'b11 << {index_addr[2:1], 1'b0};
      end
    endcase
  end

  assign rd_valid_o     = state_q == Event && !sent_q;
  assign rd_req_o.addr  = {event_addr[63:3], 3'd0};
  assign rd_req_o.beats = 5'd1;

  always_comb begin
    state_d = state_q;
    sent_d  = sent_q || (wr_valid_o && wr_ready_i) || (rd_valid_o && rd_ready_i);
    unique case (state_q)
      Idle:        if (start_i) state_d = Element;
      Element:     if (wr_done_i) state_d = straddles ? ElementHigh : Index;
      ElementHigh: if (wr_done_i) state_d = Index;
      Index:       if (wr_done_i) state_d = Event;
      Event:       if (rsp_valid_i) state_d = Decide;
      default:     state_d = Idle;
    endcase
    if (state_d != state_q) sent_d = 1'b0;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      sent_q  <= 1'b0;
      idx_q   <= '0;
      head_q  <= '0;
      len_q   <= '0;
      event_q <= '0;
    end else if (clear_i) begin
      state_q <= Idle;
      sent_q  <= 1'b0;
      idx_q   <= '0;
    end else begin
      state_q <= state_d;
      sent_q  <= sent_d;
      if (start_i) begin
        head_q <= head_i;
        len_q  <= len_i;
      end
      if (published_o) idx_q <= idx_next;
      if (state_q == Event && rsp_valid_i) event_q <= 16'(rsp_i.data >> {event_addr[2:1], 4'd0});
    end
  end

  assign published_o = state_q == Index && wr_done_i && !wr_err_i;
  assign done_o      = state_q == Decide;
  // vring_need_event(event, new, old) with new = old + 1: only the entry just written counts.
  assign irq_o       = done_o && (features_i.event_idx ? event_q == (idx_q - 16'd1)
                                                       : (event_q & 16'(VRING_AVAIL_F_NO_INTERRUPT)) == 0);
  assign fault_o     = (wr_done_i && wr_err_i) || (rsp_valid_i && rsp_i.err);
  assign busy_o      = state_q != Idle || start_i;

  // Alignment (virtio 1.4, 2.7) makes the lowest address bits zero; the rest of the set-up is others'.
  logic unused_ok;
  assign unused_ok = ^{rsp_i.last, cfg_i.ready, cfg_i.desc, features_i.indirect, features_i.notification_data,
                       element_addr[1:0], index_addr[0], event_addr[0]};

endmodule
