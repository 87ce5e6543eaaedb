// SPDX-License-Identifier: Apache-2.0
//
// i2s_tx - serializer: frames out of the sample FIFO onto the wire, in the domain of the master clock.
//
// Promise: while run_i is high, each frame boundary takes the next frame from the FIFO; its 64 bits follow,
// left slot first, most significant bit first. sdata_o changes only with a falling bit clock. Without run_i,
// or with the FIFO empty, a frame of zeros goes out. A frame that has begun always ends.
//
// Strobes, each one mclk_i cycle, all at frame boundaries:
//   started_o   the first bit of a frame is on the wire from the next cycle on
//   left_o      the last bit period of a played frame ends with this cycle
//   silent_o    a frame of zeros goes out because the FIFO ran dry
//   underrun_o  the first such frame of an episode
// The FIFO runs dry when it is empty at a boundary while run_i is high and a frame has played since
// run_i rose. The next played frame ends the episode.
//
// discard_i: frames are dropped unplayed, one a cycle; discarded_o answers once the FIFO is seen empty.
// tick_o changes level at each frame boundary while tick_enable_i is high.
module i2s_tx (
  input  logic        mclk_i,
  input  logic        rst_ni,

  input  logic        run_i,
  input  logic        discard_i,
  output logic        discarded_o,
  input  logic        tick_enable_i,
  output logic        tick_o,

  input  logic        set_pending_i,
  input  logic        set_family_i,
  input  logic [5:0]  set_half_i,
  output logic        set_take_o,

  input  logic        frame_valid_i,
  input  logic [63:0] frame_i,  // left sample in [63:32], right sample in [31:0], left-justified
  output logic        frame_ready_o,

  output logic        started_o,
  output logic        left_o,
  output logic        silent_o,
  output logic        underrun_o,

  output logic        family_o,
  output logic        bclk_o,
  output logic        lrclk_o,
  output logic        sdata_o
);

  logic next_bit, boundary, play, dry;
  logic [63:0] shift_q;  // the bit on the wire is the top one
  logic playing_q;       // the frame on the wire came from the FIFO
  logic begun_q;         // a frame has played since run_i rose
  logic episode_q;       // an underrun is going on
  logic discarded_q, tick_q;

  i2s_clock u_clock (
    .mclk_i       (mclk_i),
    .rst_ni       (rst_ni),
    .set_pending_i(set_pending_i),
    .family_i     (set_family_i),
    .half_i       (set_half_i),
    .set_take_o   (set_take_o),
    .family_o     (family_o),
    .bclk_o       (bclk_o),
    .lrclk_o      (lrclk_o),
    .bit_o        (next_bit),
    .frame_o      (boundary)
  );

  assign play = boundary && run_i && !discard_i && frame_valid_i;
  assign dry  = boundary && run_i && !discard_i && !frame_valid_i && begun_q;

  assign frame_ready_o = play || discard_i;
  assign started_o     = play;
  assign left_o        = boundary && playing_q;
  assign silent_o      = dry;
  assign underrun_o    = dry && !episode_q;

  always_ff @(posedge mclk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      shift_q   <= '0;
      playing_q <= 1'b0;
      tick_q    <= 1'b0;
    end else if (next_bit) begin
      shift_q <= shift_q << 1;
      if (boundary) begin
        shift_q   <= play ? frame_i : '0;
        playing_q <= play;
        if (tick_enable_i) tick_q <= ~tick_q;
      end
    end
  end

  always_ff @(posedge mclk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      begun_q     <= 1'b0;
      episode_q   <= 1'b0;
      discarded_q <= 1'b0;
    end else begin
      discarded_q <= discard_i && !frame_valid_i;
      if (!run_i) begin
        begun_q   <= 1'b0;
        episode_q <= 1'b0;
      end else if (play) begin
        begun_q   <= 1'b1;
        episode_q <= 1'b0;
      end else if (dry) begin
        episode_q <= 1'b1;
      end
    end
  end

  assign sdata_o     = shift_q[63];
  assign discarded_o = discarded_q;
  assign tick_o      = tick_q;

endmodule
