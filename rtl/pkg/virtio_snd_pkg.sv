// SPDX-License-Identifier: Apache-2.0
// virtio_snd_pkg - the virtio sound device (virtio 1.4).
//
// Generated from host/virtone/virtio/snd.py by `python -m virtone.virtio.emit`; do not edit.
package virtio_snd_pkg;

  // A design uses some of these constants, hardly ever all.
  /* verilator lint_off UNUSEDPARAM */

  // Feature bits of the sound device (bit numbers) (5.14.3 Feature Bits)
  localparam int unsigned VIRTIO_SND_F_CTLS = 0;  // control elements

  // Virtqueues (5.14.2 Virtqueues)
  localparam int unsigned VIRTIO_SND_VQ_CONTROL = 0;  // control requests
  localparam int unsigned VIRTIO_SND_VQ_EVENT   = 1;  // notifications
  localparam int unsigned VIRTIO_SND_VQ_TX      = 2;  // output streams
  localparam int unsigned VIRTIO_SND_VQ_RX      = 3;  // input streams
  localparam int unsigned VIRTIO_SND_VQ_MAX     = 4;  // number of queues

  // Data flow directions (5.14.6 Device Operation)
  localparam int unsigned VIRTIO_SND_D_OUTPUT = 0;  // playback
  localparam int unsigned VIRTIO_SND_D_INPUT  = 1;  // capture

  // Control request codes (5.14.6 Device Operation)
  localparam int unsigned VIRTIO_SND_R_JACK_INFO       = 32'h00000001;  // describe jacks
  localparam int unsigned VIRTIO_SND_R_JACK_REMAP      = 32'h00000002;  // change a jack's association and sequence
  localparam int unsigned VIRTIO_SND_R_PCM_INFO        = 32'h00000100;  // describe streams
  localparam int unsigned VIRTIO_SND_R_PCM_SET_PARAMS  = 32'h00000101;  // choose a stream's parameters
  localparam int unsigned VIRTIO_SND_R_PCM_PREPARE     = 32'h00000102;  // prepare a stream
  localparam int unsigned VIRTIO_SND_R_PCM_RELEASE     = 32'h00000103;  // release a stream: all its messages complete first
  localparam int unsigned VIRTIO_SND_R_PCM_START       = 32'h00000104;  // start a stream
  localparam int unsigned VIRTIO_SND_R_PCM_STOP        = 32'h00000105;  // stop a stream
  localparam int unsigned VIRTIO_SND_R_CHMAP_INFO      = 32'h00000200;  // describe channel maps
  localparam int unsigned VIRTIO_SND_R_CTL_INFO        = 32'h00000300;  // describe control elements
  localparam int unsigned VIRTIO_SND_R_CTL_ENUM_ITEMS  = 32'h00000301;  // list the options of an enumerated element
  localparam int unsigned VIRTIO_SND_R_CTL_READ        = 32'h00000302;  // read an element's value
  localparam int unsigned VIRTIO_SND_R_CTL_WRITE       = 32'h00000303;  // write an element's value
  localparam int unsigned VIRTIO_SND_R_CTL_TLV_READ    = 32'h00000304;  // read an element's metadata
  localparam int unsigned VIRTIO_SND_R_CTL_TLV_WRITE   = 32'h00000305;  // write an element's metadata
  localparam int unsigned VIRTIO_SND_R_CTL_TLV_COMMAND = 32'h00000306;  // execute a command on an element's metadata

  // Event codes (5.14.6 Device Operation)
  localparam int unsigned VIRTIO_SND_EVT_JACK_CONNECTED     = 32'h00001000;  // data: jack id
  localparam int unsigned VIRTIO_SND_EVT_JACK_DISCONNECTED  = 32'h00001001;  // data: jack id
  localparam int unsigned VIRTIO_SND_EVT_PCM_PERIOD_ELAPSED = 32'h00001100;  // data: stream id
  localparam int unsigned VIRTIO_SND_EVT_PCM_XRUN           = 32'h00001101;  // data: stream id
  localparam int unsigned VIRTIO_SND_EVT_CTL_NOTIFY         = 32'h00001200;  // struct virtio_snd_ctl_event

  // Status codes (5.14.6 Device Operation)
  localparam int unsigned VIRTIO_SND_S_OK       = 32'h00008000;  // success
  localparam int unsigned VIRTIO_SND_S_BAD_MSG  = 32'h00008001;  // malformed request or invalid parameter
  localparam int unsigned VIRTIO_SND_S_NOT_SUPP = 32'h00008002;  // not supported
  localparam int unsigned VIRTIO_SND_S_IO_ERR   = 32'h00008003;  // input/output error

  // Jack features (bit numbers) (5.14.6.4 Jack Control Messages)
  localparam int unsigned VIRTIO_SND_JACK_F_REMAP = 0;  // the jack can be remapped

  // PCM stream features (bit numbers) (5.14.6.6 PCM Control Messages)
  localparam int unsigned VIRTIO_SND_PCM_F_SHMEM_HOST        = 0;  // placeholder, must not be selected
  localparam int unsigned VIRTIO_SND_PCM_F_SHMEM_GUEST       = 1;  // placeholder, must not be selected
  localparam int unsigned VIRTIO_SND_PCM_F_MSG_POLLING       = 2;  // no notifications on txq and rxq: the device polls
  localparam int unsigned VIRTIO_SND_PCM_F_EVT_SHMEM_PERIODS = 3;  // period events for shared memory
  localparam int unsigned VIRTIO_SND_PCM_F_EVT_XRUNS         = 4;  // underrun and overrun events

  // PCM sample formats (bit numbers in `formats`) (5.14.6.6 PCM Control Messages)
  localparam int unsigned VIRTIO_SND_PCM_FMT_IMA_ADPCM       = 0;  // 4 bits in 4
  localparam int unsigned VIRTIO_SND_PCM_FMT_MU_LAW          = 1;  // 8 bits in 8
  localparam int unsigned VIRTIO_SND_PCM_FMT_A_LAW           = 2;  // 8 bits in 8
  localparam int unsigned VIRTIO_SND_PCM_FMT_S8              = 3;  // 8 bits in 8
  localparam int unsigned VIRTIO_SND_PCM_FMT_U8              = 4;  // 8 bits in 8
  localparam int unsigned VIRTIO_SND_PCM_FMT_S16             = 5;  // 16 bits in 16
  localparam int unsigned VIRTIO_SND_PCM_FMT_U16             = 6;  // 16 bits in 16
  localparam int unsigned VIRTIO_SND_PCM_FMT_S18_3           = 7;  // 18 bits in 24
  localparam int unsigned VIRTIO_SND_PCM_FMT_U18_3           = 8;  // 18 bits in 24
  localparam int unsigned VIRTIO_SND_PCM_FMT_S20_3           = 9;  // 20 bits in 24
  localparam int unsigned VIRTIO_SND_PCM_FMT_U20_3           = 10;  // 20 bits in 24
  localparam int unsigned VIRTIO_SND_PCM_FMT_S24_3           = 11;  // 24 bits in 24
  localparam int unsigned VIRTIO_SND_PCM_FMT_U24_3           = 12;  // 24 bits in 24
  localparam int unsigned VIRTIO_SND_PCM_FMT_S20             = 13;  // 20 bits in 32
  localparam int unsigned VIRTIO_SND_PCM_FMT_U20             = 14;  // 20 bits in 32
  localparam int unsigned VIRTIO_SND_PCM_FMT_S24             = 15;  // 24 bits in 32
  localparam int unsigned VIRTIO_SND_PCM_FMT_U24             = 16;  // 24 bits in 32
  localparam int unsigned VIRTIO_SND_PCM_FMT_S32             = 17;  // 32 bits in 32
  localparam int unsigned VIRTIO_SND_PCM_FMT_U32             = 18;  // 32 bits in 32
  localparam int unsigned VIRTIO_SND_PCM_FMT_FLOAT           = 19;  // 32 bits in 32
  localparam int unsigned VIRTIO_SND_PCM_FMT_FLOAT64         = 20;  // 64 bits in 64
  localparam int unsigned VIRTIO_SND_PCM_FMT_DSD_U8          = 21;  // 8 bits in 8
  localparam int unsigned VIRTIO_SND_PCM_FMT_DSD_U16         = 22;  // 16 bits in 16
  localparam int unsigned VIRTIO_SND_PCM_FMT_DSD_U32         = 23;  // 32 bits in 32
  localparam int unsigned VIRTIO_SND_PCM_FMT_IEC958_SUBFRAME = 24;  // 32 bits in 32

  // PCM frame rates (bit numbers in `rates`) (5.14.6.6 PCM Control Messages)
  localparam int unsigned VIRTIO_SND_PCM_RATE_5512   = 0;  // 5512.5 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_8000   = 1;  // 8000 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_11025  = 2;  // 11025 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_16000  = 3;  // 16000 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_22050  = 4;  // 22050 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_32000  = 5;  // 32000 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_44100  = 6;  // 44100 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_48000  = 7;  // 48000 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_64000  = 8;  // 64000 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_88200  = 9;  // 88200 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_96000  = 10;  // 96000 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_176400 = 11;  // 176400 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_192000 = 12;  // 192000 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_384000 = 13;  // 384000 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_12000  = 14;  // 12000 Hz
  localparam int unsigned VIRTIO_SND_PCM_RATE_24000  = 15;  // 24000 Hz

  // Channel positions (5.14.6.9 Channel Map Control Messages)
  localparam int unsigned VIRTIO_SND_CHMAP_NONE = 0;  // undefined
  localparam int unsigned VIRTIO_SND_CHMAP_NA   = 1;  // silent
  localparam int unsigned VIRTIO_SND_CHMAP_MONO = 2;  // mono stream
  localparam int unsigned VIRTIO_SND_CHMAP_FL   = 3;  // front left
  localparam int unsigned VIRTIO_SND_CHMAP_FR   = 4;  // front right
  localparam int unsigned VIRTIO_SND_CHMAP_RL   = 5;  // rear left
  localparam int unsigned VIRTIO_SND_CHMAP_RR   = 6;  // rear right
  localparam int unsigned VIRTIO_SND_CHMAP_FC   = 7;  // front center
  localparam int unsigned VIRTIO_SND_CHMAP_LFE  = 8;  // low frequency
  localparam int unsigned VIRTIO_SND_CHMAP_SL   = 9;  // side left
  localparam int unsigned VIRTIO_SND_CHMAP_SR   = 10;  // side right
  localparam int unsigned VIRTIO_SND_CHMAP_RC   = 11;  // rear center
  localparam int unsigned VIRTIO_SND_CHMAP_FLC  = 12;  // front left center
  localparam int unsigned VIRTIO_SND_CHMAP_FRC  = 13;  // front right center
  localparam int unsigned VIRTIO_SND_CHMAP_RLC  = 14;  // rear left center
  localparam int unsigned VIRTIO_SND_CHMAP_RRC  = 15;  // rear right center
  localparam int unsigned VIRTIO_SND_CHMAP_FLW  = 16;  // front left wide
  localparam int unsigned VIRTIO_SND_CHMAP_FRW  = 17;  // front right wide
  localparam int unsigned VIRTIO_SND_CHMAP_FLH  = 18;  // front left high
  localparam int unsigned VIRTIO_SND_CHMAP_FCH  = 19;  // front center high
  localparam int unsigned VIRTIO_SND_CHMAP_FRH  = 20;  // front right high
  localparam int unsigned VIRTIO_SND_CHMAP_TC   = 21;  // top center
  localparam int unsigned VIRTIO_SND_CHMAP_TFL  = 22;  // top front left
  localparam int unsigned VIRTIO_SND_CHMAP_TFR  = 23;  // top front right
  localparam int unsigned VIRTIO_SND_CHMAP_TFC  = 24;  // top front center
  localparam int unsigned VIRTIO_SND_CHMAP_TRL  = 25;  // top rear left
  localparam int unsigned VIRTIO_SND_CHMAP_TRR  = 26;  // top rear right
  localparam int unsigned VIRTIO_SND_CHMAP_TRC  = 27;  // top rear center
  localparam int unsigned VIRTIO_SND_CHMAP_TFLC = 28;  // top front left center
  localparam int unsigned VIRTIO_SND_CHMAP_TFRC = 29;  // top front right center
  localparam int unsigned VIRTIO_SND_CHMAP_TSL  = 30;  // top side left
  localparam int unsigned VIRTIO_SND_CHMAP_TSR  = 31;  // top side right
  localparam int unsigned VIRTIO_SND_CHMAP_LLFE = 32;  // left low frequency
  localparam int unsigned VIRTIO_SND_CHMAP_RLFE = 33;  // right low frequency
  localparam int unsigned VIRTIO_SND_CHMAP_BC   = 34;  // bottom center
  localparam int unsigned VIRTIO_SND_CHMAP_BLC  = 35;  // bottom left center
  localparam int unsigned VIRTIO_SND_CHMAP_BRC  = 36;  // bottom right center

  // Channel map limit (5.14.6.9 Channel Map Control Messages)
  localparam int unsigned VIRTIO_SND_CHMAP_MAX_SIZE = 18;  // most channels in a map

  // Control roles (5.14.6.10 Control Elements)
  localparam int unsigned VIRTIO_SND_CTL_ROLE_UNDEFINED = 0;  // no role
  localparam int unsigned VIRTIO_SND_CTL_ROLE_VOLUME    = 1;  // volume
  localparam int unsigned VIRTIO_SND_CTL_ROLE_MUTE      = 2;  // mute switch
  localparam int unsigned VIRTIO_SND_CTL_ROLE_GAIN      = 3;  // gain

  // Control value types (5.14.6.10 Control Elements)
  localparam int unsigned VIRTIO_SND_CTL_TYPE_BOOLEAN    = 0;  // at most 128 members
  localparam int unsigned VIRTIO_SND_CTL_TYPE_INTEGER    = 1;  // at most 128 members
  localparam int unsigned VIRTIO_SND_CTL_TYPE_INTEGER64  = 2;  // at most 64 members
  localparam int unsigned VIRTIO_SND_CTL_TYPE_ENUMERATED = 3;  // at most 128 members
  localparam int unsigned VIRTIO_SND_CTL_TYPE_BYTES      = 4;  // at most 512 members
  localparam int unsigned VIRTIO_SND_CTL_TYPE_IEC958     = 5;  // at most 1 members

  // Control access rights (bit numbers) (5.14.6.10 Control Elements)
  localparam int unsigned VIRTIO_SND_CTL_ACCESS_READ        = 0;  // the value can be read
  localparam int unsigned VIRTIO_SND_CTL_ACCESS_WRITE       = 1;  // the value can be written
  localparam int unsigned VIRTIO_SND_CTL_ACCESS_VOLATILE    = 2;  // the value may change without an event
  localparam int unsigned VIRTIO_SND_CTL_ACCESS_INACTIVE    = 3;  // the element has no effect
  localparam int unsigned VIRTIO_SND_CTL_ACCESS_TLV_READ    = 4;  // metadata can be read
  localparam int unsigned VIRTIO_SND_CTL_ACCESS_TLV_WRITE   = 5;  // metadata can be written
  localparam int unsigned VIRTIO_SND_CTL_ACCESS_TLV_COMMAND = 6;  // metadata commands can be executed

  // Control event reasons (bit numbers) (5.14.6.10 Control Elements)
  localparam int unsigned VIRTIO_SND_CTL_EVT_MASK_VALUE = 0;  // value
  localparam int unsigned VIRTIO_SND_CTL_EVT_MASK_INFO  = 1;  // information
  localparam int unsigned VIRTIO_SND_CTL_EVT_MASK_TLV   = 2;  // metadata

  // struct virtio_snd_config (5.14.4 Device Configuration Layout)
  localparam int unsigned VIRTIO_SND_CONFIG_SIZE         = 16;  // bytes
  localparam int unsigned VIRTIO_SND_CONFIG_JACKS_OFS    = 0;  // le32
  localparam int unsigned VIRTIO_SND_CONFIG_STREAMS_OFS  = 4;  // le32
  localparam int unsigned VIRTIO_SND_CONFIG_CHMAPS_OFS   = 8;  // le32
  localparam int unsigned VIRTIO_SND_CONFIG_CONTROLS_OFS = 12;  // le32

  // struct virtio_snd_hdr (5.14.6 Device Operation)
  localparam int unsigned VIRTIO_SND_HDR_SIZE     = 4;  // bytes
  localparam int unsigned VIRTIO_SND_HDR_CODE_OFS = 0;  // le32

  // struct virtio_snd_event (5.14.6 Device Operation)
  localparam int unsigned VIRTIO_SND_EVENT_SIZE         = 8;  // bytes
  localparam int unsigned VIRTIO_SND_EVENT_HDR_OFS      = 0;  // struct virtio_snd_hdr
  localparam int unsigned VIRTIO_SND_EVENT_HDR_CODE_OFS = 0;  // le32
  localparam int unsigned VIRTIO_SND_EVENT_DATA_OFS     = 4;  // le32

  // struct virtio_snd_query_info (5.14.6.1 Item Information Request)
  localparam int unsigned VIRTIO_SND_QUERY_INFO_SIZE         = 16;  // bytes
  localparam int unsigned VIRTIO_SND_QUERY_INFO_HDR_OFS      = 0;  // struct virtio_snd_hdr
  localparam int unsigned VIRTIO_SND_QUERY_INFO_HDR_CODE_OFS = 0;  // le32
  localparam int unsigned VIRTIO_SND_QUERY_INFO_START_ID_OFS = 4;  // le32
  localparam int unsigned VIRTIO_SND_QUERY_INFO_COUNT_OFS    = 8;  // le32
  localparam int unsigned VIRTIO_SND_QUERY_INFO_SIZE_OFS     = 12;  // le32

  // struct virtio_snd_info (5.14.6.1 Item Information Request)
  localparam int unsigned VIRTIO_SND_INFO_SIZE           = 4;  // bytes
  localparam int unsigned VIRTIO_SND_INFO_HDA_FN_NID_OFS = 0;  // le32

  // struct virtio_snd_jack_hdr (5.14.6.4 Jack Control Messages)
  localparam int unsigned VIRTIO_SND_JACK_HDR_SIZE         = 8;  // bytes
  localparam int unsigned VIRTIO_SND_JACK_HDR_HDR_OFS      = 0;  // struct virtio_snd_hdr
  localparam int unsigned VIRTIO_SND_JACK_HDR_HDR_CODE_OFS = 0;  // le32
  localparam int unsigned VIRTIO_SND_JACK_HDR_JACK_ID_OFS  = 4;  // le32

  // struct virtio_snd_jack_info (5.14.6.4 Jack Control Messages)
  localparam int unsigned VIRTIO_SND_JACK_INFO_SIZE                = 24;  // bytes
  localparam int unsigned VIRTIO_SND_JACK_INFO_HDR_OFS             = 0;  // struct virtio_snd_info
  localparam int unsigned VIRTIO_SND_JACK_INFO_HDR_HDA_FN_NID_OFS  = 0;  // le32
  localparam int unsigned VIRTIO_SND_JACK_INFO_FEATURES_OFS        = 4;  // le32
  localparam int unsigned VIRTIO_SND_JACK_INFO_HDA_REG_DEFCONF_OFS = 8;  // le32
  localparam int unsigned VIRTIO_SND_JACK_INFO_HDA_REG_CAPS_OFS    = 12;  // le32
  localparam int unsigned VIRTIO_SND_JACK_INFO_CONNECTED_OFS       = 16;  // u8
  localparam int unsigned VIRTIO_SND_JACK_INFO_PADDING_OFS         = 17;  // u8[7]

  // struct virtio_snd_jack_remap (5.14.6.4 Jack Control Messages)
  localparam int unsigned VIRTIO_SND_JACK_REMAP_SIZE             = 16;  // bytes
  localparam int unsigned VIRTIO_SND_JACK_REMAP_HDR_OFS          = 0;  // struct virtio_snd_jack_hdr
  localparam int unsigned VIRTIO_SND_JACK_REMAP_HDR_HDR_OFS      = 0;  // struct virtio_snd_hdr
  localparam int unsigned VIRTIO_SND_JACK_REMAP_HDR_HDR_CODE_OFS = 0;  // le32
  localparam int unsigned VIRTIO_SND_JACK_REMAP_HDR_JACK_ID_OFS  = 4;  // le32
  localparam int unsigned VIRTIO_SND_JACK_REMAP_ASSOCIATION_OFS  = 8;  // le32
  localparam int unsigned VIRTIO_SND_JACK_REMAP_SEQUENCE_OFS     = 12;  // le32

  // struct virtio_snd_pcm_hdr (5.14.6.6 PCM Control Messages)
  localparam int unsigned VIRTIO_SND_PCM_HDR_SIZE          = 8;  // bytes
  localparam int unsigned VIRTIO_SND_PCM_HDR_HDR_OFS       = 0;  // struct virtio_snd_hdr
  localparam int unsigned VIRTIO_SND_PCM_HDR_HDR_CODE_OFS  = 0;  // le32
  localparam int unsigned VIRTIO_SND_PCM_HDR_STREAM_ID_OFS = 4;  // le32

  // struct virtio_snd_pcm_info (5.14.6.6 PCM Control Messages)
  localparam int unsigned VIRTIO_SND_PCM_INFO_SIZE               = 32;  // bytes
  localparam int unsigned VIRTIO_SND_PCM_INFO_HDR_OFS            = 0;  // struct virtio_snd_info
  localparam int unsigned VIRTIO_SND_PCM_INFO_HDR_HDA_FN_NID_OFS = 0;  // le32
  localparam int unsigned VIRTIO_SND_PCM_INFO_FEATURES_OFS       = 4;  // le32
  localparam int unsigned VIRTIO_SND_PCM_INFO_FORMATS_OFS        = 8;  // le64
  localparam int unsigned VIRTIO_SND_PCM_INFO_RATES_OFS          = 16;  // le64
  localparam int unsigned VIRTIO_SND_PCM_INFO_DIRECTION_OFS      = 24;  // u8
  localparam int unsigned VIRTIO_SND_PCM_INFO_CHANNELS_MIN_OFS   = 25;  // u8
  localparam int unsigned VIRTIO_SND_PCM_INFO_CHANNELS_MAX_OFS   = 26;  // u8
  localparam int unsigned VIRTIO_SND_PCM_INFO_PADDING_OFS        = 27;  // u8[5]

  // struct virtio_snd_pcm_set_params (5.14.6.6 PCM Control Messages)
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_SIZE              = 24;  // bytes
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_HDR_OFS           = 0;  // struct virtio_snd_pcm_hdr
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_HDR_HDR_OFS       = 0;  // struct virtio_snd_hdr
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_HDR_HDR_CODE_OFS  = 0;  // le32
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_HDR_STREAM_ID_OFS = 4;  // le32
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_BUFFER_BYTES_OFS  = 8;  // le32
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_PERIOD_BYTES_OFS  = 12;  // le32
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_FEATURES_OFS      = 16;  // le32
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_CHANNELS_OFS      = 20;  // u8
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_FORMAT_OFS        = 21;  // u8
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_RATE_OFS          = 22;  // u8
  localparam int unsigned VIRTIO_SND_PCM_SET_PARAMS_PADDING_OFS       = 23;  // u8

  // struct virtio_snd_pcm_xfer (5.14.6.8 PCM I/O Messages)
  localparam int unsigned VIRTIO_SND_PCM_XFER_SIZE          = 4;  // bytes
  localparam int unsigned VIRTIO_SND_PCM_XFER_STREAM_ID_OFS = 0;  // le32

  // struct virtio_snd_pcm_status (5.14.6.8 PCM I/O Messages)
  localparam int unsigned VIRTIO_SND_PCM_STATUS_SIZE              = 8;  // bytes
  localparam int unsigned VIRTIO_SND_PCM_STATUS_STATUS_OFS        = 0;  // le32
  localparam int unsigned VIRTIO_SND_PCM_STATUS_LATENCY_BYTES_OFS = 4;  // le32

  // struct virtio_snd_chmap_hdr (5.14.6.9 Channel Map Control Messages)
  localparam int unsigned VIRTIO_SND_CHMAP_HDR_SIZE         = 8;  // bytes
  localparam int unsigned VIRTIO_SND_CHMAP_HDR_HDR_OFS      = 0;  // struct virtio_snd_hdr
  localparam int unsigned VIRTIO_SND_CHMAP_HDR_HDR_CODE_OFS = 0;  // le32
  localparam int unsigned VIRTIO_SND_CHMAP_HDR_CHMAP_ID_OFS = 4;  // le32

  // struct virtio_snd_chmap_info (5.14.6.9 Channel Map Control Messages)
  localparam int unsigned VIRTIO_SND_CHMAP_INFO_SIZE               = 24;  // bytes
  localparam int unsigned VIRTIO_SND_CHMAP_INFO_HDR_OFS            = 0;  // struct virtio_snd_info
  localparam int unsigned VIRTIO_SND_CHMAP_INFO_HDR_HDA_FN_NID_OFS = 0;  // le32
  localparam int unsigned VIRTIO_SND_CHMAP_INFO_DIRECTION_OFS      = 4;  // u8
  localparam int unsigned VIRTIO_SND_CHMAP_INFO_CHANNELS_OFS       = 5;  // u8
  localparam int unsigned VIRTIO_SND_CHMAP_INFO_POSITIONS_OFS      = 6;  // u8[18]

  // struct virtio_snd_ctl_hdr (5.14.6.10 Control Elements)
  localparam int unsigned VIRTIO_SND_CTL_HDR_SIZE           = 8;  // bytes
  localparam int unsigned VIRTIO_SND_CTL_HDR_HDR_OFS        = 0;  // struct virtio_snd_hdr
  localparam int unsigned VIRTIO_SND_CTL_HDR_HDR_CODE_OFS   = 0;  // le32
  localparam int unsigned VIRTIO_SND_CTL_HDR_CONTROL_ID_OFS = 4;  // le32

  // struct virtio_snd_ctl_info (5.14.6.10 Control Elements)
  localparam int unsigned VIRTIO_SND_CTL_INFO_SIZE                       = 96;  // bytes
  localparam int unsigned VIRTIO_SND_CTL_INFO_HDR_OFS                    = 0;  // struct virtio_snd_info
  localparam int unsigned VIRTIO_SND_CTL_INFO_HDR_HDA_FN_NID_OFS         = 0;  // le32
  localparam int unsigned VIRTIO_SND_CTL_INFO_ROLE_OFS                   = 4;  // le32
  localparam int unsigned VIRTIO_SND_CTL_INFO_TYPE_OFS                   = 8;  // le32
  localparam int unsigned VIRTIO_SND_CTL_INFO_ACCESS_OFS                 = 12;  // le32
  localparam int unsigned VIRTIO_SND_CTL_INFO_COUNT_OFS                  = 16;  // le32
  localparam int unsigned VIRTIO_SND_CTL_INFO_INDEX_OFS                  = 20;  // le32
  localparam int unsigned VIRTIO_SND_CTL_INFO_NAME_OFS                   = 24;  // u8[44]
  localparam int unsigned VIRTIO_SND_CTL_INFO_VALUE_OFS                  = 72;  // (value of virtio_snd_ctl_info)
  localparam int unsigned VIRTIO_SND_CTL_INFO_VALUE_INTEGER_OFS          = 72;  // (integer range)
  localparam int unsigned VIRTIO_SND_CTL_INFO_VALUE_INTEGER_MIN_OFS      = 72;  // le32
  localparam int unsigned VIRTIO_SND_CTL_INFO_VALUE_INTEGER_MAX_OFS      = 76;  // le32
  localparam int unsigned VIRTIO_SND_CTL_INFO_VALUE_INTEGER_STEP_OFS     = 80;  // le32
  localparam int unsigned VIRTIO_SND_CTL_INFO_VALUE_INTEGER64_OFS        = 72;  // (integer64 range)
  localparam int unsigned VIRTIO_SND_CTL_INFO_VALUE_INTEGER64_MIN_OFS    = 72;  // le64
  localparam int unsigned VIRTIO_SND_CTL_INFO_VALUE_INTEGER64_MAX_OFS    = 80;  // le64
  localparam int unsigned VIRTIO_SND_CTL_INFO_VALUE_INTEGER64_STEP_OFS   = 88;  // le64
  localparam int unsigned VIRTIO_SND_CTL_INFO_VALUE_ENUMERATED_OFS       = 72;  // (options)
  localparam int unsigned VIRTIO_SND_CTL_INFO_VALUE_ENUMERATED_ITEMS_OFS = 72;  // le32

  // struct virtio_snd_ctl_enum_item (5.14.6.10 Control Elements)
  localparam int unsigned VIRTIO_SND_CTL_ENUM_ITEM_SIZE     = 64;  // bytes
  localparam int unsigned VIRTIO_SND_CTL_ENUM_ITEM_ITEM_OFS = 0;  // u8[64]

  // struct virtio_snd_ctl_iec958 (5.14.6.10 Control Elements)
  localparam int unsigned VIRTIO_SND_CTL_IEC958_SIZE             = 176;  // bytes
  localparam int unsigned VIRTIO_SND_CTL_IEC958_STATUS_OFS       = 0;  // u8[24]
  localparam int unsigned VIRTIO_SND_CTL_IEC958_SUBCODE_OFS      = 24;  // u8[147]
  localparam int unsigned VIRTIO_SND_CTL_IEC958_PAD_OFS          = 171;  // u8
  localparam int unsigned VIRTIO_SND_CTL_IEC958_DIG_SUBFRAME_OFS = 172;  // u8[4]

  // struct virtio_snd_ctl_value (5.14.6.10 Control Elements)
  localparam int unsigned VIRTIO_SND_CTL_VALUE_SIZE                          = 512;  // bytes
  localparam int unsigned VIRTIO_SND_CTL_VALUE_VALUE_OFS                     = 0;  // (value of virtio_snd_ctl_value)
  localparam int unsigned VIRTIO_SND_CTL_VALUE_VALUE_INTEGER_OFS             = 0;  // le32[128]
  localparam int unsigned VIRTIO_SND_CTL_VALUE_VALUE_INTEGER64_OFS           = 0;  // le64[64]
  localparam int unsigned VIRTIO_SND_CTL_VALUE_VALUE_ENUMERATED_OFS          = 0;  // le32[128]
  localparam int unsigned VIRTIO_SND_CTL_VALUE_VALUE_BYTES_OFS               = 0;  // u8[512]
  localparam int unsigned VIRTIO_SND_CTL_VALUE_VALUE_IEC958_OFS              = 0;  // struct virtio_snd_ctl_iec958
  localparam int unsigned VIRTIO_SND_CTL_VALUE_VALUE_IEC958_STATUS_OFS       = 0;  // u8[24]
  localparam int unsigned VIRTIO_SND_CTL_VALUE_VALUE_IEC958_SUBCODE_OFS      = 24;  // u8[147]
  localparam int unsigned VIRTIO_SND_CTL_VALUE_VALUE_IEC958_PAD_OFS          = 171;  // u8
  localparam int unsigned VIRTIO_SND_CTL_VALUE_VALUE_IEC958_DIG_SUBFRAME_OFS = 172;  // u8[4]

  // struct virtio_snd_ctl_tlv (5.14.6.10 Control Elements)
  localparam int unsigned VIRTIO_SND_CTL_TLV_SIZE       = 8;  // bytes
  localparam int unsigned VIRTIO_SND_CTL_TLV_TYPE_OFS   = 0;  // le32
  localparam int unsigned VIRTIO_SND_CTL_TLV_LENGTH_OFS = 4;  // le32
  localparam int unsigned VIRTIO_SND_CTL_TLV_VALUE_OFS  = 8;  // le32[]

  // struct virtio_snd_ctl_event (5.14.6.10 Control Elements)
  localparam int unsigned VIRTIO_SND_CTL_EVENT_SIZE           = 8;  // bytes
  localparam int unsigned VIRTIO_SND_CTL_EVENT_HDR_OFS        = 0;  // struct virtio_snd_hdr
  localparam int unsigned VIRTIO_SND_CTL_EVENT_HDR_CODE_OFS   = 0;  // le32
  localparam int unsigned VIRTIO_SND_CTL_EVENT_CONTROL_ID_OFS = 4;  // le16
  localparam int unsigned VIRTIO_SND_CTL_EVENT_MASK_OFS       = 6;  // le16

  /* verilator lint_on UNUSEDPARAM */

endpackage
