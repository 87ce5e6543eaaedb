// SPDX-License-Identifier: Apache-2.0
//
// info_writer - the items of an *_INFO answer, as reply port beats.
//
// Promise: after start_i, count_i items from start_id_i on, each zero-filled or truncated to size_i bytes; up to 8 bytes a beat,
// an item begins with a beat of its own. last_o marks the last beat. done_o: in the cycle in which that is taken.
// The user must: start only with items that exist, count_i and size_i above 0, and hold them to the end.
// Only streams are described (struct virtio_snd_pcm_info): the profile has no other items.
module info_writer (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,

  input  logic        start_i,
  input  logic [31:0] start_id_i,
  input  logic [31:0] count_i,
  input  logic [11:0] size_i,

  output logic        push_o,
  output logic [63:0] data_o,
  output logic [3:0]  count_o,
  output logic        last_o,
  input  logic        pop_i,
  output logic        done_o
);
  import virtio_snd_pkg::*;
  import profile_pkg::*;

  localparam int unsigned ItemWords = VIRTIO_SND_PCM_INFO_SIZE / 8;
  localparam int unsigned ItemW     = NUM_STREAMS > 1 ? $clog2(NUM_STREAMS) : 1;
  typedef logic [ItemW-1:0] item_t;

  logic                       run_q;
  item_t                      item_q, stop_q;  // stop_q: the last item
  logic [11:0]                offset_q;        // bytes of the item that are out, a multiple of 8
  logic [11:0]                left;            // bytes of the item that are not
  logic                       item_ends;
  logic [ItemWords-1:0][63:0] image;

  assign image     = STREAM_INFO[item_q];
  assign left      = size_i - offset_q;
  assign item_ends = left <= 12'd8;

  assign push_o  = run_q;
  assign data_o  = offset_q < 12'(VIRTIO_SND_PCM_INFO_SIZE) ? image[offset_q[$clog2(ItemWords)+2:3]] : '0;
  assign count_o = item_ends ? left[3:0] : 4'd8;
  assign last_o  = item_ends && item_q == stop_q;
  assign done_o  = push_o && pop_i && last_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q    <= 1'b0;
      item_q   <= '0;
      stop_q   <= '0;
      offset_q <= '0;
    end else if (clear_i) begin
      run_q <= 1'b0;
    end else if (start_i) begin
      run_q    <= 1'b1;
      item_q   <= item_t'(start_id_i);
      stop_q   <= item_t'(start_id_i + count_i - 32'd1);
      offset_q <= '0;
    end else if (run_q && pop_i) begin
      offset_q <= item_ends ? '0 : offset_q + 12'd8;
      if (item_ends) item_q <= item_q + 1'b1;
      if (last_o) run_q <= 1'b0;
    end
  end
endmodule
