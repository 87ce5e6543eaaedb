// SPDX-License-Identifier: Apache-2.0
// profile_pkg - what this device offers: profile stereo_out.
//
// Generated from rtl/profiles/stereo_out.toml by `python -m virtone.virtio.emit`; do not edit.
package profile_pkg;

  // A design uses some of these constants, hardly ever all.
  /* verilator lint_off UNUSEDPARAM */

  localparam int unsigned QUEUE_SIZE_MAX = 1024;  // of every queue

  // Configuration space: struct virtio_snd_config.
  localparam int unsigned NUM_JACKS    = 0;
  localparam int unsigned NUM_STREAMS  = 1;
  localparam int unsigned NUM_CHMAPS   = 0;
  localparam int unsigned NUM_CONTROLS = 0;

  // Device feature bits offered:
  //    0 VIRTIO_SND_F_CTLS
  //   28 VIRTIO_RING_F_INDIRECT_DESC
  //   29 VIRTIO_RING_F_EVENT_IDX
  //   32 VIRTIO_F_VERSION_1
  //   33 VIRTIO_F_ACCESS_PLATFORM
  //   36 VIRTIO_F_ORDER_PLATFORM
  //   38 VIRTIO_F_NOTIFICATION_DATA
  //   40 VIRTIO_F_RING_RESET
  localparam logic [63:0] DEVICE_FEATURES = 64'h00000153_30000001;

  // Streams: element s describes stream s.
  localparam logic [NUM_STREAMS-1:0][31:0] STREAM_NID = {32'h00000000};  // hda_fn_nid
  localparam logic [NUM_STREAMS-1:0][31:0] STREAM_FEATURES = {32'h00000014};  // bit map of VIRTIO_SND_PCM_F_*
  localparam logic [NUM_STREAMS-1:0][63:0] STREAM_FORMATS = {64'h00000000_00028820};  // bit map of VIRTIO_SND_PCM_FMT_*
  localparam logic [NUM_STREAMS-1:0][63:0] STREAM_RATES = {64'h00000000_0000dfff};  // bit map of VIRTIO_SND_PCM_RATE_*
  localparam logic [NUM_STREAMS-1:0][7:0] STREAM_DIRECTION = {8'h00};  // VIRTIO_SND_D_*
  localparam logic [NUM_STREAMS-1:0][7:0] STREAM_CHANNELS_MIN = {8'h01};
  localparam logic [NUM_STREAMS-1:0][7:0] STREAM_CHANNELS_MAX = {8'h02};

  // What the *_INFO requests answer for each item, as a little-endian image: first byte in [7:0].
  // A kind of which there is none has one element of zeros.
  localparam logic [NUM_STREAMS-1:0][255:0] STREAM_INFO = {256'h00000000_00020100_00000000_0000dfff_00000000_00028820_00000014_00000000};  // struct virtio_snd_pcm_info
  localparam logic [0:0][191:0] JACK_INFO = {192'h00000000_00000000_00000000_00000000_00000000_00000000};  // struct virtio_snd_jack_info
  localparam logic [0:0][191:0] CHMAP_INFO = {192'h00000000_00000000_00000000_00000000_00000000_00000000};  // struct virtio_snd_chmap_info

  /* verilator lint_on UNUSEDPARAM */

endpackage
