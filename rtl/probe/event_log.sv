// SPDX-License-Identifier: Apache-2.0
//
// event_log - events with the time of the cycle in which they came, oldest first.
//
// Promise: entries are in the order of time, within one cycle in the order of the sources. Events of one cycle are kept
// together until each has its entry, one a cycle, so that none of them is lost to another; up to Bursts such cycles
// may wait. What finds no room, there or in the log, is counted in lost_o. The oldest entry is shown
// while count_o is above 0 (otherwise zeros) and removed by pop_i. Source s is event number s + 1 of event_e.
// The user must: pop only while count_o is above 0.
module event_log #(
  parameter int unsigned Sources = 7,
  parameter int unsigned Depth   = 256,  // entries, power of two
  parameter int unsigned Bursts  = 8     // power of two
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,

  input  logic [63:0]               now_i,
  input  logic [Sources-1:0]        valid_i,
  input  logic [Sources-1:0][31:0]  arg_i,

  output logic [$clog2(Depth):0]    count_o,
  output logic [3:0]                kind_o,
  output logic [31:0]               arg_o,
  output logic [63:0]               time_o,
  input  logic                      pop_i,
  output logic [31:0]               lost_o,

  output logic                      busy_o
);
  localparam int unsigned BurstW = $clog2(Bursts);
  localparam int unsigned PtrW   = $clog2(Depth);

  typedef struct packed {
    logic [Sources-1:0]       valid;
    logic [63:0]              stamp;
    logic [Sources-1:0][31:0] arg;
  } burst_t;

  typedef struct packed {
    logic [3:0]  kind;
    logic [31:0] arg;
    logic [63:0] stamp;
  } entry_t;

  // -------------------------------------------------------------------------------------------
  // Cycles that had events
  // -------------------------------------------------------------------------------------------
  burst_t             burst_mem [Bursts];
  burst_t             burst;
  logic [BurstW:0]    burst_wr_q, burst_rd_q;
  logic               burst_full, burst_any, burst_last;
  logic [Sources-1:0] out_q;   // events of the oldest burst that have their entry
  logic [Sources-1:0] waits, rest;

  assign burst_any  = burst_wr_q != burst_rd_q;
  assign burst_full = (burst_wr_q - burst_rd_q) == (BurstW + 1)'(Bursts);
  assign burst      = burst_mem[burst_rd_q[BurstW-1:0]];
  assign waits      = burst_any ? burst.valid & ~out_q : '0;
  assign rest       = waits & (waits - 1'b1);  // all but the first
  assign burst_last = rest == '0;

  // -------------------------------------------------------------------------------------------
  // The log. Its read port is registered: an entry is shown one cycle after it was written.
  // -------------------------------------------------------------------------------------------
  entry_t          log_mem [Depth];
  entry_t          entry, oldest_q;
  logic [PtrW:0]   wr_q, shown_q, rd_d, rd_q;
  logic            full, write;
  logic [31:0]     lost_q;
  logic [4:0]      lost_now;

  always_comb begin
    entry = '{kind: '0, arg: '0, stamp: burst.stamp};
    for (int unsigned s = Sources; s > 0; s--) begin
      if (waits[s-1]) begin
        entry.kind = 4'(s);
        entry.arg  = burst.arg[s-1];
      end
    end
  end

  assign full  = (wr_q - rd_q) == (PtrW + 1)'(Depth);
  assign write = burst_any && !full;
  assign rd_d  = rd_q + (PtrW + 1)'(pop_i);

  always_comb begin
    lost_now = 5'(burst_any && full);
    if (burst_full) begin
      for (int unsigned s = 0; s < Sources; s++) lost_now += 5'(valid_i[s]);
    end
  end

  assign count_o = shown_q - rd_q;
  assign kind_o  = count_o == '0 ? '0 : oldest_q.kind;
  assign arg_o   = count_o == '0 ? '0 : oldest_q.arg;
  assign time_o  = count_o == '0 ? '0 : oldest_q.stamp;
  assign lost_o  = lost_q;
  assign busy_o  = (|valid_i) || burst_any || shown_q != wr_q;

  always_ff @(posedge clk_i) begin
    if (|valid_i && !burst_full) burst_mem[burst_wr_q[BurstW-1:0]] <= '{valid: valid_i, stamp: now_i, arg: arg_i};
    if (write) log_mem[wr_q[PtrW-1:0]] <= entry;
    oldest_q <= log_mem[rd_d[PtrW-1:0]];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      burst_wr_q <= '0;
      burst_rd_q <= '0;
      out_q      <= '0;
      wr_q       <= '0;
      shown_q    <= '0;
      rd_q       <= '0;
      lost_q     <= '0;
    end else begin
      if (|valid_i && !burst_full) burst_wr_q <= burst_wr_q + 1'b1;
      if (burst_any) begin
        out_q <= burst_last ? '0 : out_q | (waits & ~rest);
        if (burst_last) burst_rd_q <= burst_rd_q + 1'b1;
      end
      if (write) wr_q <= wr_q + 1'b1;
      shown_q <= wr_q;
      rd_q    <= rd_d;
      lost_q  <= lost_q + 32'(lost_now);
    end
  end
endmodule
