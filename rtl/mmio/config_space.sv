// SPDX-License-Identifier: Apache-2.0
//
// config_space - struct virtio_snd_config of the profile, as whole aligned words.
//
// Promise: combinational and constant, so ConfigGeneration never changes. Reads behind the structure are 0.
// The master picks bytes and halfwords out of the word by address.
module config_space (
  input  logic [7:0]  offset_i,
  output logic [31:0] data_o
);
  import virtio_snd_pkg::*;
  import profile_pkg::*;

  always_comb begin
    unique case (32'({offset_i[7:2], 2'b00}))
      VIRTIO_SND_CONFIG_JACKS_OFS:    data_o = 32'(NUM_JACKS);
      VIRTIO_SND_CONFIG_STREAMS_OFS:  data_o = 32'(NUM_STREAMS);
      VIRTIO_SND_CONFIG_CHMAPS_OFS:   data_o = 32'(NUM_CHMAPS);
      VIRTIO_SND_CONFIG_CONTROLS_OFS: data_o = 32'(NUM_CONTROLS);
      default:                        data_o = '0;
    endcase
  end

  logic unused;
  assign unused = ^offset_i[1:0];
endmodule
