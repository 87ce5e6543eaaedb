// SPDX-License-Identifier: Apache-2.0
//
// request_check - the answer to a request as far as it needs no arithmetic: docs/device.md "Control requests".
//
// Promise: combinational. status_o is what the first rule of the table that applies says; OK for a PCM command
// only means that stream and state allow it (SET_PARAMS has its parameters checked elsewhere).
// The user must: give length_i, the bytes that really came; words_i is 0 behind them.
module request_check
  import vsnd_pkg::*;
  import lifecycle_pkg::*;
(
  input  logic [5:0][31:0] words_i,
  input  logic [15:0]      length_i,
  input  stream_state_e    state_i,

  output logic [31:0]      status_o,
  output logic             is_pcm_o,   // a PCM command (not PCM_INFO)
  output logic             flush_o,    // the command completes every message first
  output stream_state_e    next_o      // the state after the command
);
  import virtio_snd_pkg::*;
  import profile_pkg::*;

  // Commands for jacks and controls are refused because there are none.
  if (NUM_JACKS != 0 || NUM_CHMAPS != 0 || NUM_CONTROLS != 0 || NUM_STREAMS != 1) begin : gen_profile
    $error("control serves profiles with one stream and neither jacks nor channel maps nor controls");
  end

  typedef enum logic [1:0] {
    Unknown,  // no such code
    Info,     // describes items
    NoItem,   // speaks of a jack or control, of which there is none
    Pcm       // commands a stream
  } kind_e;

  localparam logic [31:0] SizeMax = 32'd4095;

  kind_e       kind;
  logic [31:0] need;   // bytes of its structure
  logic [31:0] items;
  logic [31:0] code, start_id, count, size, stream_id;
  logic [32:0] last;
  lifecycle_step_t step;

  assign code      = words_i[VIRTIO_SND_HDR_CODE_OFS / 4];
  assign start_id  = words_i[VIRTIO_SND_QUERY_INFO_START_ID_OFS / 4];
  assign count     = words_i[VIRTIO_SND_QUERY_INFO_COUNT_OFS / 4];
  assign size      = words_i[VIRTIO_SND_QUERY_INFO_SIZE_OFS / 4];
  assign stream_id = words_i[VIRTIO_SND_PCM_HDR_STREAM_ID_OFS / 4];
  assign last      = {1'b0, start_id} + {1'b0, count};

  always_comb begin
    kind  = Unknown;
    need  = VIRTIO_SND_HDR_SIZE;
    items = '0;
    unique case (code)
      VIRTIO_SND_R_JACK_INFO:  begin kind = Info; need = VIRTIO_SND_QUERY_INFO_SIZE; items = NUM_JACKS;    end
      VIRTIO_SND_R_PCM_INFO:   begin kind = Info; need = VIRTIO_SND_QUERY_INFO_SIZE; items = NUM_STREAMS;  end
      VIRTIO_SND_R_CHMAP_INFO: begin kind = Info; need = VIRTIO_SND_QUERY_INFO_SIZE; items = NUM_CHMAPS;   end
      VIRTIO_SND_R_CTL_INFO:   begin kind = Info; need = VIRTIO_SND_QUERY_INFO_SIZE; items = NUM_CONTROLS; end

      VIRTIO_SND_R_JACK_REMAP: begin kind = NoItem; need = VIRTIO_SND_JACK_REMAP_SIZE; end
      VIRTIO_SND_R_CTL_ENUM_ITEMS, VIRTIO_SND_R_CTL_READ, VIRTIO_SND_R_CTL_WRITE, VIRTIO_SND_R_CTL_TLV_READ,
      VIRTIO_SND_R_CTL_TLV_WRITE, VIRTIO_SND_R_CTL_TLV_COMMAND: begin kind = NoItem; need = VIRTIO_SND_CTL_HDR_SIZE; end

      VIRTIO_SND_R_PCM_SET_PARAMS: begin kind = Pcm; need = VIRTIO_SND_PCM_SET_PARAMS_SIZE; end
      VIRTIO_SND_R_PCM_PREPARE, VIRTIO_SND_R_PCM_RELEASE,
      VIRTIO_SND_R_PCM_START, VIRTIO_SND_R_PCM_STOP: begin kind = Pcm; need = VIRTIO_SND_PCM_HDR_SIZE; end
      default: ;
    endcase
  end

  assign step     = lifecycle(code, state_i);
  assign flush_o  = step.flush;
  assign next_o   = step.next;
  assign is_pcm_o = kind == Pcm;

  always_comb begin
    status_o = VIRTIO_SND_S_OK;
    // A code is only known when all its bytes came.
    if (32'(length_i) < VIRTIO_SND_HDR_SIZE || 32'(length_i) < need) status_o = VIRTIO_SND_S_BAD_MSG;
    else begin
      unique case (kind)
        Unknown: status_o = VIRTIO_SND_S_NOT_SUPP;
        NoItem:  status_o = VIRTIO_SND_S_BAD_MSG;
        Info: begin
          if (last > {1'b0, items})                                    status_o = VIRTIO_SND_S_BAD_MSG;
          else if (count != '0 && (size == '0 || size > SizeMax)) status_o = VIRTIO_SND_S_BAD_MSG;
        end
        Pcm: begin
          if (stream_id >= NUM_STREAMS) status_o = VIRTIO_SND_S_BAD_MSG;
          else if (!step.allowed)     status_o = VIRTIO_SND_S_BAD_MSG;
        end
        default: ;
      endcase
    end
  end

  logic unused;
  assign unused = ^{words_i[5:4]};
endmodule
