// SPDX-License-Identifier: Apache-2.0
//
// i2s_clock - bit clock and word clock out of the audio master clock.
//
// Promise: bclk_o is mclk_i divided by 2 x half with 50 % duty, and never stops; 64 bit clocks make a
// frame. lrclk_o is low for the left slot and changes with a falling bclk_o, one bit clock before the most
// significant bit of a slot. A new setting is taken only at a frame boundary, so every frame has 64 equal
// bit clocks. After reset: 48 kHz out of 24.576 MHz.
//
// bit_o:   in the next mclk_i cycle bclk_o is low and a new data bit is on the wire.
// frame_o: the same for the first bit (left slot, most significant bit); implies bit_o.
//
// The user must: keep half_i within 1..32. family_o goes to the oscillator switch; frames after a change
// of family_o count in the new clock.
module i2s_clock (
  input  logic       mclk_i,
  input  logic       rst_ni,

  input  logic       set_pending_i,  // family_i and half_i are waiting (value_cdc)
  input  logic       family_i,       // 0: 24.576 MHz, 1: 22.5792 MHz
  input  logic [5:0] half_i,         // mclk_i cycles in half a bit clock
  output logic       set_take_o,

  output logic       family_o,
  output logic       bclk_o,
  output logic       lrclk_o,
  output logic       bit_o,
  output logic       frame_o
);

  localparam logic [5:0] ResetHalf = 6'd4;  // 24.576 MHz / (64 x 48 kHz) / 2

  logic [5:0] half_q, count_q;  // count_q: mclk_i cycles still to pass in this half
  logic [5:0] bit_q;            // data bit on the wire: 0 = left slot, most significant bit
  logic family_q, bclk_q, lrclk_q, toggle;

  assign toggle     = count_q == '0;
  assign bit_o      = toggle && bclk_q;
  assign frame_o    = bit_o && (bit_q == 6'd63);
  assign set_take_o = frame_o && set_pending_i;

  // Written with enables, not with next-state signals: most edges only count down.
  always_ff @(posedge mclk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      half_q   <= ResetHalf;
      count_q  <= ResetHalf - 6'd1;
      bit_q    <= 6'd62;  // so that the first frame has its word clock edge
      family_q <= 1'b0;
      bclk_q   <= 1'b0;
      lrclk_q  <= 1'b1;
    end else if (!toggle) begin
      count_q <= count_q - 6'd1;
    end else begin
      bclk_q  <= ~bclk_q;
      count_q <= half_q - 6'd1;
      if (bclk_q) begin
        bit_q <= bit_q + 6'd1;
        if (bit_q == 6'd30) lrclk_q <= 1'b1;  // with the last bit of the left slot
        if (bit_q == 6'd62) lrclk_q <= 1'b0;  // with the last bit of the right slot
      end
      if (set_take_o) begin
        family_q <= family_i;
        half_q   <= half_i;
        count_q  <= half_i - 6'd1;
      end
    end
  end

  assign family_o = family_q;
  assign bclk_o   = bclk_q;
  assign lrclk_o  = lrclk_q;

`ifndef SYNTHESIS
  always_ff @(posedge mclk_i) begin
    if (set_take_o) HalfInRange : assert (half_i >= 6'd1 && half_i <= 6'd32);
  end
`endif

endmodule
