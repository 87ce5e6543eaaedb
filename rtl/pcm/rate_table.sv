// SPDX-License-Identifier: Apache-2.0
//
// rate_table - what a VIRTIO_SND_PCM_RATE_* code means for the clocks.
//
// Promise: combinational; every rate offered divides its master clock family exactly:
// rate = master clock / (2 x half) / 64 bit clocks per frame. speed_o is the converter's speed class:
// 0 up to 48 kHz, 1 up to 96 kHz, 2 up to 192 kHz. known_o is low for any other code (then: 48 kHz).
module rate_table
  import virtio_snd_pkg::*;
(
  input  logic [7:0] rate_i,
  output logic       known_o,
  output logic       family_o,  // 0: 24.576 MHz, 1: 22.5792 MHz
  output logic [5:0] half_o,    // master clock cycles in half a bit clock
  output logic [1:0] speed_o
);

  always_comb begin
    {known_o, family_o, half_o, speed_o} = {1'b1, 1'b0, 6'd4, 2'd0};
    unique case (32'(rate_i))
      // 24.576 MHz
      VIRTIO_SND_PCM_RATE_8000:   {family_o, half_o, speed_o} = {1'b0, 6'd24, 2'd0};
      VIRTIO_SND_PCM_RATE_12000:  {family_o, half_o, speed_o} = {1'b0, 6'd16, 2'd0};
      VIRTIO_SND_PCM_RATE_16000:  {family_o, half_o, speed_o} = {1'b0, 6'd12, 2'd0};
      VIRTIO_SND_PCM_RATE_24000:  {family_o, half_o, speed_o} = {1'b0, 6'd8, 2'd0};
      VIRTIO_SND_PCM_RATE_32000:  {family_o, half_o, speed_o} = {1'b0, 6'd6, 2'd0};
      VIRTIO_SND_PCM_RATE_48000:  {family_o, half_o, speed_o} = {1'b0, 6'd4, 2'd0};
      VIRTIO_SND_PCM_RATE_64000:  {family_o, half_o, speed_o} = {1'b0, 6'd3, 2'd1};
      VIRTIO_SND_PCM_RATE_96000:  {family_o, half_o, speed_o} = {1'b0, 6'd2, 2'd1};
      VIRTIO_SND_PCM_RATE_192000: {family_o, half_o, speed_o} = {1'b0, 6'd1, 2'd2};
      // 22.5792 MHz
      VIRTIO_SND_PCM_RATE_5512:   {family_o, half_o, speed_o} = {1'b1, 6'd32, 2'd0};
      VIRTIO_SND_PCM_RATE_11025:  {family_o, half_o, speed_o} = {1'b1, 6'd16, 2'd0};
      VIRTIO_SND_PCM_RATE_22050:  {family_o, half_o, speed_o} = {1'b1, 6'd8, 2'd0};
      VIRTIO_SND_PCM_RATE_44100:  {family_o, half_o, speed_o} = {1'b1, 6'd4, 2'd0};
      VIRTIO_SND_PCM_RATE_88200:  {family_o, half_o, speed_o} = {1'b1, 6'd2, 2'd1};
      VIRTIO_SND_PCM_RATE_176400: {family_o, half_o, speed_o} = {1'b1, 6'd1, 2'd2};
      default:                    known_o = 1'b0;
    endcase
  end

endmodule
