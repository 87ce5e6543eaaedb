// SPDX-License-Identifier: Apache-2.0
//
// i2s_out - the bus domain's face of the I2S transmitter: sample FIFO and every crossing to the master clock.
//
// Promise: frames pushed here are played in order while run_i is high (i2s_tx), at the rate last set.
// A change of rate_* is taken at a frame boundary, and no frame plays before it is.
// started_o and left_o count the frames whose first bit is on the wire and whose last bit period has ended;
// both are seen here at most four clk_i cycles late. A frame counted in started_o and not in left_o is playing.
// discard_i empties the FIFO unplayed: hold it until discarded_o, then drop it and wait for discarded_o to fall;
// push nothing meanwhile. A frame on the wire is not cut short.
// busy_o (architecture section 3) covers every crossing that has yet to arrive in this domain.
// The user must: keep mclk_i running, and assert both resets together.
module i2s_out #(
  parameter int unsigned FifoFrames       = 32,
  parameter logic [31:0] FirstFrameNumber = 32'd0  // where started_o and left_o begin after power-up
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic        frame_valid_i,
  input  logic [63:0] frame_i,
  output logic        frame_ready_o,
  output logic        fifo_empty_o,  // as known in this domain: never high too early

  input  logic        run_i,
  input  logic        discard_i,
  output logic        discarded_o,

  input  logic        rate_family_i,
  input  logic [5:0]  rate_half_i,

  input  logic        tick_enable_i,
  output logic        tick_o,  // pulse per frame period

  output logic [31:0] started_o,
  output logic [31:0] left_o,
  output logic [31:0] silent_o,
  output logic [31:0] underruns_o,
  output logic        busy_o,

  input  logic        mclk_i,
  input  logic        mclk_rst_ni,
  output logic        mclk_family_o,
  output logic        bclk_o,
  output logic        lrclk_o,
  output logic        sdata_o
);

  // ---- Levels towards the master clock ----
  logic run_d, run_q, discard_q, tick_enable_q;
  logic run_at_tx, discard_at_tx, tick_enable_at_tx;
  logic rate_pending, rate_differs;

  // A frame must not start at the old rate: running waits until the setting has been taken.
  assign run_d = run_i && !rate_pending;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q         <= 1'b0;
      discard_q     <= 1'b0;
      tick_enable_q <= 1'b0;
    end else begin
      run_q         <= run_d;
      discard_q     <= discard_i;
      tick_enable_q <= tick_enable_i;
    end
  end

  sync_2ff #(
    .Width(3)
  ) u_levels (
    .clk_i (mclk_i),
    .rst_ni(mclk_rst_ni),
    .d_i   ({run_q, discard_q, tick_enable_q}),
    .q_o   ({run_at_tx, discard_at_tx, tick_enable_at_tx})
  );

  // ---- Rate ----
  localparam logic [6:0] ResetRate = {1'b0, 6'd4};  // 48 kHz, as i2s_clock wakes up

  logic set_pending, set_take, set_family;
  logic [5:0] set_half;

  value_cdc #(
    .Width     (7),
    .ResetValue(ResetRate)
  ) u_rate (
    .src_clk_i    (clk_i),
    .src_rst_ni   (rst_ni),
    .src_value_i  ({rate_family_i, rate_half_i}),
    .src_pending_o(rate_pending),
    .src_differs_o(rate_differs),
    .dst_clk_i    (mclk_i),
    .dst_rst_ni   (mclk_rst_ni),
    .dst_pending_o(set_pending),
    .dst_value_o  ({set_family, set_half}),
    .dst_take_i   (set_take)
  );

  // ---- Frames ----
  logic tx_valid, tx_ready, fifo_differs;
  logic [63:0] tx_frame;

  async_fifo #(
    .Width(64),
    .Depth(FifoFrames)
  ) u_fifo (
    .wr_clk_i    (clk_i),
    .wr_rst_ni   (rst_ni),
    .wr_valid_i  (frame_valid_i),
    .wr_data_i   (frame_i),
    .wr_ready_o  (frame_ready_o),
    .wr_empty_o  (fifo_empty_o),
    .wr_differs_o(fifo_differs),
    .rd_clk_i    (mclk_i),
    .rd_rst_ni   (mclk_rst_ni),
    .rd_valid_o  (tx_valid),
    .rd_data_o   (tx_frame),
    .rd_ready_i  (tx_ready)
  );

  // ---- Transmitter ----
  logic started, left, silent, underrun, tx_discarded, tx_tick;

  i2s_tx u_tx (
    .mclk_i       (mclk_i),
    .rst_ni       (mclk_rst_ni),
    .run_i        (run_at_tx),
    .discard_i    (discard_at_tx),
    .discarded_o  (tx_discarded),
    .tick_enable_i(tick_enable_at_tx),
    .tick_o       (tx_tick),
    .set_pending_i(set_pending),
    .set_family_i (set_family),
    .set_half_i   (set_half),
    .set_take_o   (set_take),
    .frame_valid_i(tx_valid),
    .frame_i      (tx_frame),
    .frame_ready_o(tx_ready),
    .started_o    (started),
    .left_o       (left),
    .silent_o     (silent),
    .underrun_o   (underrun),
    .family_o     (mclk_family_o),
    .bclk_o       (bclk_o),
    .lrclk_o      (lrclk_o),
    .sdata_o      (sdata_o)
  );

  // ---- Counters and levels back into the bus domain ----
  logic [3:0] inc, count_differs;
  logic [3:0][31:0] count;
  assign inc = {underrun, silent, left, started};

  for (genvar i = 0; i < 4; i++) begin : gen_count
    gray_counter_cdc #(
      .Width     (32),
      .ResetValue((i < 2) ? FirstFrameNumber : 32'd0)
    ) u_count (
      .src_clk_i  (mclk_i),
      .src_rst_ni (mclk_rst_ni),
      .src_inc_i  (inc[i]),
      .dst_clk_i  (clk_i),
      .dst_rst_ni (rst_ni),
      .dst_count_o(count[i]),
      .differs_o  (count_differs[i])
    );
  end

  assign {underruns_o, silent_o, left_o, started_o} = count;

  logic discarded, tick, tick_seen_q;

  sync_2ff #(
    .Width(2)
  ) u_answers (
    .clk_i (clk_i),
    .rst_ni(rst_ni),
    .d_i   ({tx_discarded, tx_tick}),
    .q_o   ({discarded, tick})
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) tick_seen_q <= 1'b0;
    else tick_seen_q <= tick;
  end

  assign discarded_o = discarded;
  assign tick_o      = tick ^ tick_seen_q;

  assign busy_o = rate_differs || fifo_differs || (|count_differs)
               || (run_q != run_d) || (discard_q != discard_i) || (tick_enable_q != tick_enable_i)
               || (tx_discarded != discarded) || (tx_tick != tick) || tick_o;

endmodule
