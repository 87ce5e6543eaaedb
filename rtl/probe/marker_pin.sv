// SPDX-License-Identifier: Apache-2.0
//
// marker_pin - one pulse per event, to trigger an instrument on.
//
// Promise: the pin rises with the bus clock, in the cycle after event_i, and falls with the audio master clock, MclkCycles
// to MclkCycles + 1 of its cycles later. An event while the pin is high makes that time begin again (up to 12 mclk cycles
// late if the events are less than 12 mclk cycles apart). The pin never glitches: it is the OR of a level of each clock,
// of which one is high while the other changes. The bus clock may stop while busy_o is low, also with the pin high.
// The user must: keep mclk_i running; MclkCycles at least 32, and longer than 16 bus clock cycles.
//
//   event_i   __/\______________________________
//   level_q   ____/----------\__________________   bus clock: until the other side has taken over
//   pulse_q   __________/--------------------\__   audio clock
//   marker_o  ____/--------------------------\__
module marker_pin #(
  parameter int unsigned MclkCycles = 256
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic event_i,  // pulse
  output logic busy_o,

  input  logic mclk_i,
  input  logic mclk_rst_ni,

  output logic marker_o
);
  // Two to three audio clock edges pass before pulse_q rises; it makes up the rest.
  localparam int unsigned PulseCycles = MclkCycles - 2;
  localparam int unsigned CountW      = $clog2(PulseCycles);

  // Bus clock: each change of kick_q asks for a pulse, ack follows when it has begun.
  logic kick_q, ack, again_q, level_q;
  // Audio clock.
  logic              kick, ack_q, pulse_q;
  logic [CountW-1:0] left_q;

  sync_2ff i_kick (
    .clk_i(mclk_i), .rst_ni(mclk_rst_ni), .d_i(kick_q), .q_o(kick)
  );

  sync_2ff i_ack (
    .clk_i, .rst_ni, .d_i(ack_q), .q_o(ack)
  );

  assign marker_o = level_q || pulse_q;
  assign busy_o   = event_i || level_q || kick_q != ack;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      kick_q  <= 1'b0;
      again_q <= 1'b0;
      level_q <= 1'b0;
    end else begin
      if (event_i) level_q <= 1'b1;
      if (kick_q == ack) begin
        if (event_i || again_q) kick_q <= !kick_q;
        else level_q <= 1'b0;
        again_q <= 1'b0;
      end else if (event_i) begin
        again_q <= 1'b1;
      end
    end
  end

  always_ff @(posedge mclk_i or negedge mclk_rst_ni) begin
    if (!mclk_rst_ni) begin
      ack_q   <= 1'b0;
      pulse_q <= 1'b0;
      left_q  <= '0;
    end else if (kick != ack_q) begin
      ack_q   <= kick;
      pulse_q <= 1'b1;
      left_q  <= CountW'(PulseCycles - 1);
    end else if (pulse_q) begin
      left_q <= left_q - 1'b1;
      if (left_q == '0) pulse_q <= 1'b0;
    end
  end
endmodule
