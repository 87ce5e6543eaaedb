// SPDX-License-Identifier: Apache-2.0
//
// frame_unpacker - little-endian sample words into frames for the serializer.
//
// Promise: one frame per channels_i words, in the cycle of its last word; both samples left-justified in
// 32 bits: S16 << 16, S24 and S24_3 << 8 (the top byte of S24 is ignored), S32 as it is. One channel goes into
// both slots. size_o is the length of a word in bytes (2..4), frame_bytes_o that of a frame (2..8).
// partial_o: a left sample waits for its right one; clear_i drops it.
// The user must: offer only the formats S16, S24_3, S24, S32 and 1 or 2 channels, constant within a message,
// and take a frame at once.
module frame_unpacker
  import virtio_snd_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,

  input  logic [7:0]  format_i,  // VIRTIO_SND_PCM_FMT_*
  input  logic [3:0]  channels_i,
  output logic [2:0]  size_o,
  output logic [3:0]  frame_bytes_o,

  input  logic        word_valid_i,
  input  logic [31:0] word_i,

  output logic        frame_valid_o,
  output logic [63:0] frame_o,  // left in [63:32], right in [31:0]
  output logic        partial_o
);

  logic [31:0] sample, left_q;
  logic second_q;  // the left sample is held, the right one comes next
  logic mono;

  assign mono          = channels_i == 4'd1;
  assign frame_bytes_o = mono ? {1'b0, size_o} : {size_o, 1'b0};

  always_comb begin
    unique case (32'(format_i))
      VIRTIO_SND_PCM_FMT_S16: begin
        size_o = 3'd2;
        sample = {word_i[15:0], 16'd0};
      end
      VIRTIO_SND_PCM_FMT_S24_3: begin
        size_o = 3'd3;
        sample = {word_i[23:0], 8'd0};
      end
      VIRTIO_SND_PCM_FMT_S24: begin
        size_o = 3'd4;
        sample = {word_i[23:0], 8'd0};
      end
      default: begin  // VIRTIO_SND_PCM_FMT_S32
        size_o = 3'd4;
        sample = word_i;
      end
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      second_q <= 1'b0;
      left_q   <= '0;
    end else if (clear_i) begin
      second_q <= 1'b0;
    end else if (word_valid_i && !mono) begin
      second_q <= ~second_q;
      if (!second_q) left_q <= sample;
    end
  end

  assign frame_valid_o = word_valid_i && (mono || second_q);
  assign frame_o       = {mono ? sample : left_q, sample};
  assign partial_o     = second_q;

endmodule
