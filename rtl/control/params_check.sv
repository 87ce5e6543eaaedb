// SPDX-License-Identifier: Apache-2.0
//
// params_check - whether the parameters of SET_PARAMS can be had: docs/device.md "Control requests".
//
// Promise: done_o is high for one cycle, at most 70 cycles after start_i, with status_o: NOT_SUPP for what the stream
// does not offer, then BAD_MSG for sizes that do not fit together, else OK. params_o are the parameters as the stream takes them.
// The user must: hold words_i (a whole SET_PARAMS request) from start_i to done_o. clear_i ends it without done_o.
module params_check
  import vsnd_pkg::*;
(
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,

  input  logic             start_i,
  input  logic [5:0][31:0] words_i,
  output logic             done_o,
  output logic [31:0]      status_o,
  output stream_params_t   params_o
);
  import virtio_snd_pkg::*;
  import profile_pkg::*;

  localparam logic [63:0] Formats = 64'd1 << VIRTIO_SND_PCM_FMT_S16 | 64'd1 << VIRTIO_SND_PCM_FMT_S24_3 |
                                    64'd1 << VIRTIO_SND_PCM_FMT_S24 | 64'd1 << VIRTIO_SND_PCM_FMT_S32;
  if ((STREAM_FORMATS[0] & ~Formats) != '0 || STREAM_CHANNELS_MAX[0] > 8'd15) begin : gen_profile
    $error("params_check knows the frames of S16, S24_3, S24 and S32, of up to 15 channels");
  end

  typedef enum logic [1:0] {
    Idle,    // nothing to do
    Offer,   // is everything offered, and is nothing 0?
    Periods, // dividing: a whole number of periods in the buffer?
    Frames   // dividing: a whole number of frames in a period?
  } state_e;

  state_e      state_q, state_d;
  logic [7:0]  channels, format, rate;
  logic [31:0] features, frame_bytes;
  logic [2:0]  sample_bytes;
  logic        offered, divide, divided, divides;
  logic [23:0] last_word;

  assign last_word = words_i[VIRTIO_SND_PCM_SET_PARAMS_CHANNELS_OFS / 4][23:0];
  assign channels  = last_word[8 * (VIRTIO_SND_PCM_SET_PARAMS_CHANNELS_OFS % 4) +: 8];
  assign format    = last_word[8 * (VIRTIO_SND_PCM_SET_PARAMS_FORMAT_OFS % 4) +: 8];
  assign rate      = last_word[8 * (VIRTIO_SND_PCM_SET_PARAMS_RATE_OFS % 4) +: 8];
  assign features  = words_i[VIRTIO_SND_PCM_SET_PARAMS_FEATURES_OFS / 4];

  assign params_o = '{
    buffer_bytes: words_i[VIRTIO_SND_PCM_SET_PARAMS_BUFFER_BYTES_OFS / 4],
    period_bytes: words_i[VIRTIO_SND_PCM_SET_PARAMS_PERIOD_BYTES_OFS / 4],
    msg_polling:  features[VIRTIO_SND_PCM_F_MSG_POLLING],
    evt_xruns:    features[VIRTIO_SND_PCM_F_EVT_XRUNS],
    channels:     channels[3:0],
    format:       format,
    rate:         rate
  };

  assign offered = format < 8'd64 && STREAM_FORMATS[0][format[5:0]] && rate < 8'd64 && STREAM_RATES[0][rate[5:0]] &&
                   channels >= STREAM_CHANNELS_MIN[0] && channels <= STREAM_CHANNELS_MAX[0] && channels != '0 &&
                   (features & ~STREAM_FEATURES[0]) == '0;

  always_comb begin
    unique case (32'(format))
      VIRTIO_SND_PCM_FMT_S16:   sample_bytes = 3'd2;
      VIRTIO_SND_PCM_FMT_S24_3: sample_bytes = 3'd3;
      default:                  sample_bytes = 3'd4;
    endcase
  end

  assign frame_bytes = 32'(sample_bytes) * 32'(channels[3:0]);

  remainder i_remainder (
    .clk_i, .rst_ni, .clear_i,
    .start_i   (divide),
    .dividend_i(state_q == Frames ? params_o.period_bytes : params_o.buffer_bytes),
    .divisor_i (state_q == Frames ? frame_bytes : params_o.period_bytes),
    .done_o    (divided),
    .divides_o (divides)
  );

  always_comb begin
    state_d  = state_q;
    done_o   = 1'b0;
    divide   = 1'b0;
    status_o = VIRTIO_SND_S_OK;
    unique case (state_q)
      Idle: if (start_i) state_d = Offer;
      Offer: begin
        if (!offered) begin
          done_o   = 1'b1;
          status_o = VIRTIO_SND_S_NOT_SUPP;
          state_d  = Idle;
        end else if (params_o.period_bytes == '0 || params_o.buffer_bytes == '0) begin
          done_o   = 1'b1;
          status_o = VIRTIO_SND_S_BAD_MSG;
          state_d  = Idle;
        end else begin
          divide  = 1'b1;
          state_d = Periods;
        end
      end
      Periods: begin
        if (divided && divides) begin
          divide  = 1'b1;
          state_d = Frames;
        end else if (divided) begin
          done_o   = 1'b1;
          status_o = VIRTIO_SND_S_BAD_MSG;
          state_d  = Idle;
        end
      end
      Frames: begin
        if (divided) begin
          done_o   = 1'b1;
          status_o = divides ? VIRTIO_SND_S_OK : VIRTIO_SND_S_BAD_MSG;
          state_d  = Idle;
        end
      end
      default: state_d = Idle;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) state_q <= Idle;
    else if (clear_i) state_q <= Idle;
    else state_q <= state_d;
  end

  // Code and stream were looked at before; the padding byte is ignored.
  logic unused;
  assign unused = ^{words_i[1:0], words_i[5][31:24]};
endmodule
