// SPDX-License-Identifier: Apache-2.0
//
// gather - the byte gearbox: turns the device-readable buffers of a chain into one stream of bytes.
//
// Promise: whatever the framing and alignment of the buffers, the bytes come out in order, packed,
// up to 8 at a time. Bursts are at most 64 bytes, within one 64-byte line, and are asked for only when
// the buffer has room for them; header and payload are fetched back to back.
// The user must: take no more bytes than are shown; to drop the rest hold skip_i until end_o.
module gather
  import vsnd_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic        active_i,     // a chain is being delivered

  // Buffers, from chain_walker
  input  logic        seg_valid_i,
  input  logic [63:0] seg_addr_i,
  input  logic [31:0] seg_len_i,
  input  logic        seg_write_i,
  output logic        seg_next_o,
  input  logic        chain_end_i,

  // Bytes
  output logic [63:0] data_o,
  output logic [3:0]  count_o,
  input  logic [3:0]  take_i,
  input  logic        skip_i,
  output logic        end_o,

  output logic        rd_valid_o,
  output mem_req_t    rd_req_o,
  input  logic        rd_ready_i,
  input  logic        rsp_valid_i,
  input  mem_rsp_t    rsp_i,

  output logic        fault_o,      // one cycle: bus error
  output logic        busy_o
);

  localparam int unsigned BeatDepth = 16;  // beats buffered; with the gearbox this is the fetch part
                                           // of the prefetch window
  localparam int unsigned BurstDepth = 4;  // bursts outstanding

  typedef struct packed {
    logic [2:0] skew;   // bytes to drop at the front
    logic [6:0] bytes;  // 1..64
  } burst_t;

  typedef struct packed {
    logic [63:0] data;   // first byte in [7:0]
    logic [3:0]  bytes;  // 1..8
  } piece_t;

  // ---------------------------------------------------------------------------------------------
  // Asking: cut the buffer into bursts that end on 64-byte lines
  // ---------------------------------------------------------------------------------------------
  logic [63:0] addr_q;
  logic [31:0] left_q;
  logic        load, ask, ask_go;
  logic [6:0]  line_bytes, burst_bytes;
  logic [3:0]  burst_beats;

  // Beats asked for or held, against the room there is.
  logic [4:0]  reserved_q;
  burst_t [BurstDepth-1:0] burst_q;
  logic [2:0]  burst_head_q, burst_tail_q;
  logic        bursts_full, bursts_empty;

  assign load        = active_i && left_q == 0 && seg_valid_i && !seg_write_i;
  assign seg_next_o  = load;
  assign line_bytes  = 7'd64 - {1'b0, addr_q[5:0]};
  assign burst_bytes = (left_q < 32'(line_bytes)) ? left_q[6:0] : line_bytes;
  assign burst_beats = 4'((8'(addr_q[2:0]) + 8'(burst_bytes) + 8'd7) >> 3);

  assign bursts_full  = (burst_tail_q - burst_head_q) == 3'(BurstDepth);
  assign bursts_empty = burst_tail_q == burst_head_q;

  assign ask    = left_q != 0 && !skip_i && !bursts_full && (reserved_q + 5'(burst_beats)) <= 5'(BeatDepth);
  assign ask_go = ask && rd_ready_i;

  assign rd_valid_o     = ask;
  assign rd_req_o.addr  = {addr_q[63:3], 3'b000};
  assign rd_req_o.beats = {1'b0, burst_beats};

  // ---------------------------------------------------------------------------------------------
  // Receiving: trim each beat to the bytes that belong to the buffer
  // ---------------------------------------------------------------------------------------------
  logic        first_q;
  logic [6:0]  rest_q, rest;      // bytes of the current burst still to come
  logic [2:0]  skew;
  logic [3:0]  beat_bytes;
  piece_t      piece;
  burst_t      burst;
  piece_t      piece_mem [BeatDepth];
  logic [4:0]  piece_head_q, piece_tail_q;
  logic        pieces_empty;

  assign burst      = burst_q[burst_head_q[1:0]];
  assign skew       = first_q ? burst.skew : 3'd0;
  assign rest       = first_q ? burst.bytes : rest_q;
  assign beat_bytes = (rest < 7'(4'd8 - {1'b0, skew})) ? rest[3:0] : (4'd8 - {1'b0, skew});
  assign piece      = '{data: rsp_i.data >> {skew, 3'b000}, bytes: beat_bytes};

  assign pieces_empty = piece_tail_q == piece_head_q;

  // ---------------------------------------------------------------------------------------------
  // Gearbox: 16 bytes, taken from below, filled from above
  // ---------------------------------------------------------------------------------------------
  logic [127:0] box_q, kept, added;
  logic [4:0]   fill_q, after;
  piece_t       oldest;
  logic         shift_in;
  logic [63:0]  mask;

  assign oldest   = piece_mem[piece_head_q[3:0]];
  assign after    = fill_q - 5'(take_i);
  assign shift_in = !pieces_empty && (after + 5'(oldest.bytes)) <= 5'd16;
  assign mask     = (oldest.bytes[3]) ? '1 : ((64'd1 << {oldest.bytes[2:0], 3'b000}) - 64'd1);
  assign kept     = box_q >> {take_i, 3'b000};
  assign added    = 128'(oldest.data & mask) << {after[3:0], 3'b000};

  assign data_o  = box_q[63:0];
  assign count_o = (fill_q > 5'd8) ? 4'd8 : fill_q[3:0];

  assign end_o = active_i && left_q == 0 && bursts_empty && pieces_empty && fill_q == 0 &&
                 (chain_end_i || (seg_valid_i && seg_write_i));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      addr_q       <= '0;
      left_q       <= '0;
      reserved_q   <= '0;
      burst_q      <= '0;
      burst_head_q <= '0;
      burst_tail_q <= '0;
      first_q      <= 1'b1;
      rest_q       <= '0;
      piece_head_q <= '0;
      piece_tail_q <= '0;
      box_q        <= '0;
      fill_q       <= '0;
    end else if (clear_i) begin
      left_q       <= '0;
      reserved_q   <= '0;
      burst_head_q <= '0;
      burst_tail_q <= '0;
      first_q      <= 1'b1;
      piece_head_q <= '0;
      piece_tail_q <= '0;
      box_q        <= '0;
      fill_q       <= '0;
    end else begin
      if (load) begin
        addr_q <= seg_addr_i;
        left_q <= skip_i ? '0 : seg_len_i;
      end else if (skip_i) begin
        left_q <= '0;
      end else if (ask_go) begin
        addr_q <= addr_q + 64'(burst_bytes);
        left_q <= left_q - 32'(burst_bytes);
      end

      if (ask_go) begin
        burst_q[burst_tail_q[1:0]] <= '{skew: addr_q[2:0], bytes: burst_bytes};
        burst_tail_q               <= burst_tail_q + 3'd1;
      end

      if (rsp_valid_i) begin
        piece_tail_q <= piece_tail_q + 5'd1;
        first_q      <= rsp_i.last;
        rest_q       <= rest - 7'(beat_bytes);
        if (rsp_i.last) burst_head_q <= burst_head_q + 3'd1;
      end

      if (skip_i) begin
        // Bytes already fetched fall on the floor.
        if (!pieces_empty) piece_head_q <= piece_head_q + 5'd1;
        fill_q <= '0;
        box_q  <= '0;
      end else begin
        box_q  <= shift_in ? (kept | added) : kept;
        fill_q <= shift_in ? (after + 5'(oldest.bytes)) : after;
        if (shift_in) piece_head_q <= piece_head_q + 5'd1;
      end

      reserved_q <= reserved_q + (ask_go ? 5'(burst_beats) : 5'd0)
                    - 5'((skip_i && !pieces_empty) || (!skip_i && shift_in));
    end
  end

  // Without reset, so that it becomes a memory.
  always_ff @(posedge clk_i) begin
    if (rsp_valid_i) piece_mem[piece_tail_q[3:0]] <= piece;
  end

  assign fault_o = rsp_valid_i && rsp_i.err;
  assign busy_o  = load || ask || !bursts_empty || (skip_i && (!pieces_empty || fill_q != 0 || left_q != 0)) ||
                   (!skip_i && shift_in) || take_i != 0;

endmodule
