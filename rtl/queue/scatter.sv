// SPDX-License-Identifier: Apache-2.0
//
// scatter - writes a response into the device-writable buffers of a chain.
//
// Promise: response bytes go to memory in order, whatever the framing and alignment of the buffers,
// each write acknowledged before the next; bytes that find no room are dropped; written_o counts what
// is in memory. done_o stays high from then on until the next start_i.
// The user must: start the chain_walker at the chain's first writable descriptor together with start_i.
module scatter
  import vsnd_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic        start_i,

  // Response bytes
  input  logic [63:0] data_i,
  input  logic [3:0]  count_i,
  input  logic        last_i,
  input  logic        push_i,
  output logic        pop_o,

  // Buffers, from chain_walker
  input  logic        seg_valid_i,
  input  logic [63:0] seg_addr_i,
  input  logic [31:0] seg_len_i,
  output logic        seg_next_o,
  input  logic        chain_end_i,

  output logic [31:0] written_o,
  output logic        done_o,

  output logic        wr_valid_o,
  output logic [63:0] wr_addr_o,
  output mem_beat_t   wr_beat_o,
  input  logic        wr_ready_i,
  input  logic        wr_done_i,
  input  logic        wr_err_i,

  output logic        fault_o,  // one cycle: bus error
  output logic        busy_o
);

  typedef enum logic [1:0] {
    Done,   // nothing to do
    Gather, // collecting bytes for the next beat
    Offer,  // offering a beat
    Wait    // until it is in memory
  } state_e;

  state_e       state_q, state_d;
  logic [127:0] box_q;     // bytes waiting, oldest in [7:0]
  logic [4:0]   fill_q;
  logic         last_q;    // no byte follows those in the box
  logic [63:0]  addr_q;
  logic [31:0]  room_q;    // bytes left in the current buffer
  logic [31:0]  written_q;
  logic [3:0]   size_q;    // bytes of the beat on its way

  logic         load, drop, ready;
  logic [3:0]   lane_room, want, size;

  // A beat ends with its 8-byte word and with the buffer; a short one is only sent when no byte follows.
  assign lane_room = 4'd8 - {1'b0, addr_q[2:0]};
  assign want      = (room_q < 32'(lane_room)) ? room_q[3:0] : lane_room;
  assign size      = (fill_q < 5'(want)) ? fill_q[3:0] : want;
  assign ready     = room_q != 0 && fill_q != 0 && (size == want || last_q);

  assign load       = state_q == Gather && room_q == 0 && fill_q != 0 && seg_valid_i;
  assign seg_next_o = load;
  assign drop       = state_q == Gather && room_q == 0 && chain_end_i;
  assign pop_o      = state_q == Gather && !last_q && !ready && fill_q <= 5'd8;

  assign wr_valid_o     = state_q == Offer;
  assign wr_addr_o      = {addr_q[63:3], 3'd0};
  assign wr_beat_o.data = box_q[63:0] << {addr_q[2:0], 3'd0};
  assign wr_beat_o.strb = 8'((9'd1 << size_q) - 9'd1) << addr_q[2:0];

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      Done:   if (start_i) state_d = Gather;
      Gather: begin
        if (ready)                      state_d = Offer;
        else if (last_q && fill_q == 0) state_d = Done;
      end
      Offer:  if (wr_ready_i) state_d = Wait;
      Wait:   if (wr_done_i)  state_d = Gather;
      default: state_d = Done;
    endcase
  end

  logic [63:0]  mask;
  logic [127:0] incoming;
  assign mask     = count_i[3] ? '1 : ((64'd1 << {count_i[2:0], 3'd0}) - 64'd1);
  assign incoming = 128'(data_i & mask) << {fill_q[3:0], 3'd0};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= Done;
      box_q     <= '0;
      fill_q    <= '0;
      last_q    <= 1'b0;
      addr_q    <= '0;
      room_q    <= '0;
      written_q <= '0;
      size_q    <= '0;
    end else if (clear_i) begin
      state_q <= Done;
    end else begin
      state_q <= state_d;
      if (start_i) begin
        box_q     <= '0;
        fill_q    <= '0;
        last_q    <= 1'b0;
        room_q    <= '0;
        written_q <= '0;
      end else if (state_q == Gather) begin
        size_q <= size;
        if (drop) begin
          fill_q <= '0;
          box_q  <= '0;
          if (push_i && pop_o) last_q <= last_i;
        end else if (push_i && pop_o) begin
          box_q  <= box_q | incoming;
          fill_q <= fill_q + 5'(count_i);
          last_q <= last_i;
        end
        if (load) begin
          addr_q <= seg_addr_i;
          room_q <= seg_len_i;
        end
      end else if (state_q == Wait && wr_done_i) begin
        box_q     <= box_q >> {size_q, 3'd0};
        fill_q    <= fill_q - 5'(size_q);
        addr_q    <= addr_q + 64'(size_q);
        room_q    <= room_q - 32'(size_q);
        written_q <= written_q + 32'(size_q);
      end
    end
  end

  assign written_o = written_q;
  assign done_o    = state_q == Done;
  assign fault_o   = state_q == Wait && wr_done_i && wr_err_i;
  assign busy_o    = start_i || state_d != state_q || load || (drop && fill_q != 0) || (push_i && pop_o) ||
                     state_q inside {Offer, Wait};

endmodule
