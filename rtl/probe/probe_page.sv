// SPDX-License-Identifier: Apache-2.0
//
// probe_page - the registers at 0x1000: build id, time, event log, marker pins, counters (host/virtone/virtio/probe.py).
//
// Promise: time is the number of bus clock cycles since reset, those left out while the clock stood still included, so a
// gated and an ungated run read and log the same times. An event is stamped with the time of its own cycle; a marker write with
// that of wr_i. Marker pins show events whether they are logged or not. A device reset changes nothing here.
// The user must: give wr_i and rd_i never together; state in time_skip_i how many cycles were left out before the coming clock
// edge (0 where the clock never stops). rdata_o is valid in the cycle after rd_i and holds until the next one.
module probe_page
  import vsnd_pkg::*;
#(
  parameter int unsigned ClockHz   = 100_000_000,
  parameter logic [31:0] BuildId   = 32'h0,
  parameter int unsigned NumEvents = 6   // sources: events 2 (notify) to 7 (interrupt) of event_e
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,

  input  logic                       wr_i,
  input  logic                       rd_i,
  input  logic [11:0]                addr_i,
  input  logic [31:0]                wdata_i,
  output logic [31:0]                rdata_o,

  input  logic [31:0]                time_skip_i,

  input  logic [NumEvents-1:0]       ev_valid_i,
  input  logic [NumEvents-1:0][31:0] ev_arg_i,

  input  logic [31:0]                frames_played_i,
  input  logic [31:0]                underruns_i,
  input  logic [31:0]                silent_frames_i,
  input  logic [31:0]                late_messages_i,
  input  logic [31:0]                bus_errors_i,

  input  logic                       mclk_i,
  input  logic                       mclk_rst_ni,
  output logic [1:0]                 marker_o,

  output logic                       busy_o
);
  import probe_pkg::*;

  if (NumEvents != PROBE_EV_INTERRUPT - 1) begin : gen_events
    $error("NumEvents must be the number of events after the marker");
  end

  // -------------------------------------------------------------------------------------------
  // Registers
  // -------------------------------------------------------------------------------------------
  logic [31:0] offset;
  logic        marker_wr;
  logic [7:0]  marker_sel_q, mask_q;
  logic [63:0] now, time_q;
  logic [31:0] time_high_q;

  assign offset    = 32'({addr_i[11:2], 2'b00});
  assign marker_wr = wr_i && offset == PROBE_MARKER;
  // The coming edge ends the cycle that we are in: what was left out lies before it.
  assign now       = time_q + 64'(time_skip_i);

  // -------------------------------------------------------------------------------------------
  // Events, by number
  // -------------------------------------------------------------------------------------------
  logic [15:0] event_now;

  always_comb begin
    event_now                            = '0;
    event_now[EvMarker]                  = marker_wr;
    event_now[4'(EvNotify) +: NumEvents] = ev_valid_i;
  end

  logic [$clog2(PROBE_LOG_DEPTH):0] count;
  logic [3:0]                       kind;
  logic [31:0]                      arg, lost;
  logic [63:0]                      stamp;
  logic                             log_busy;

  event_log #(
    .Sources(NumEvents + 1),
    .Depth  (PROBE_LOG_DEPTH)
  ) i_log (
    .clk_i, .rst_ni,
    .now_i  (now),
    .valid_i({ev_valid_i, marker_wr} & mask_q[NumEvents+1:1]),
    .arg_i  ({ev_arg_i, wdata_i}),
    .count_o(count),
    .kind_o (kind),
    .arg_o  (arg),
    .time_o (stamp),
    .pop_i  (rd_i && offset == PROBE_EVENT_TIME_HIGH && count != '0),
    .lost_o (lost),
    .busy_o (log_busy)
  );

  // -------------------------------------------------------------------------------------------
  // Marker pins
  // -------------------------------------------------------------------------------------------
  logic [1:0] pin_busy;

  for (genvar p = 0; p < 2; p++) begin : gen_pin
    marker_pin #(
      .MclkCycles(PROBE_MARKER_MCLK_CYCLES)
    ) i_pin (
      .clk_i, .rst_ni,
      .event_i (event_now[marker_sel_q[4*p +: 4]]),
      .busy_o  (pin_busy[p]),
      .mclk_i, .mclk_rst_ni,
      .marker_o(marker_o[p])
    );
  end

  // -------------------------------------------------------------------------------------------
  // Reads
  // -------------------------------------------------------------------------------------------
  logic [31:0] rdata_d, rdata_q;

  always_comb begin
    unique case (offset)
      PROBE_MAGIC:           rdata_d = PROBE_MAGIC_WORD;
      PROBE_VERSION:         rdata_d = PROBE_VERSION_WORD;
      PROBE_BUILD_ID:        rdata_d = BuildId;
      PROBE_CLOCK_HZ:        rdata_d = ClockHz;
      PROBE_TIME_LOW:        rdata_d = now[31:0];
      PROBE_TIME_HIGH:       rdata_d = time_high_q;
      PROBE_MARKER_SEL:      rdata_d = 32'(marker_sel_q);
      PROBE_EVENT_COUNT:     rdata_d = 32'(count);
      PROBE_EVENT_KIND:      rdata_d = 32'(kind);
      PROBE_EVENT_ARG:       rdata_d = arg;
      PROBE_EVENT_TIME_LOW:  rdata_d = stamp[31:0];
      PROBE_EVENT_TIME_HIGH: rdata_d = stamp[63:32];
      PROBE_EVENT_LOST:      rdata_d = lost;
      PROBE_EVENT_MASK:      rdata_d = 32'(mask_q);
      PROBE_FRAMES_PLAYED:   rdata_d = frames_played_i;
      PROBE_UNDERRUNS:       rdata_d = underruns_i;
      PROBE_SILENT_FRAMES:   rdata_d = silent_frames_i;
      PROBE_LATE_MESSAGES:   rdata_d = late_messages_i;
      PROBE_BUS_ERRORS:      rdata_d = bus_errors_i;
      default:               rdata_d = '0;
    endcase
  end

  assign rdata_o = rdata_q;
  assign busy_o  = log_busy || (|pin_busy);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      time_q       <= '0;
      time_high_q  <= '0;
      marker_sel_q <= 8'(PROBE_MARKER_SEL_RESET);
      mask_q       <= '0;
      rdata_q      <= '0;
    end else begin
      time_q <= now + 64'd1;
      if (rd_i) rdata_q <= rdata_d;
      if (rd_i && offset == PROBE_TIME_LOW) time_high_q <= now[63:32];
      if (wr_i && offset == PROBE_MARKER_SEL) marker_sel_q <= wdata_i[7:0];
      // There is no event 0.
      if (wr_i && offset == PROBE_EVENT_MASK) mask_q <= {wdata_i[7:1], 1'b0};
    end
  end

  logic unused;
  assign unused = ^addr_i[1:0];
endmodule
