// SPDX-License-Identifier: Apache-2.0
//
// axi_ram - guest memory behind an AXI4 slave port of 64 bits; the bytes live in dpi_memory.cpp.
//
// Promise: one ordered stream each way. A burst taken at bus clock edge c has its first read beat taken at the earliest at
// edge c + read latency, the next beats one per cycle; a write burst whose last beat was taken at edge c has its response
// at the earliest at c + write latency, and only then do its bytes change (the last moment AXI allows, so that a
// master that does not wait for its responses is found out). Up to 8 bursts of each kind may be outstanding, so latencies
// overlap. Latencies are asked per burst and are at least 2. Addresses that no memory answers, or that lie in the
// error window, get DECERR or SLVERR from DPI.
// The port checks its master: 1..16 beats of 8 bytes, INCR, aligned, within 4 KiB, WLAST on the last beat; an offence is
// an $error, which ends the simulation.
module axi_ram (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic [63:0] s_axi_araddr_i,
  input  logic [7:0]  s_axi_arlen_i,
  input  logic [2:0]  s_axi_arsize_i,
  input  logic [1:0]  s_axi_arburst_i,
  input  logic        s_axi_arvalid_i,
  output logic        s_axi_arready_o,
  output logic [63:0] s_axi_rdata_o,
  output logic [1:0]  s_axi_rresp_o,
  output logic        s_axi_rlast_o,
  output logic        s_axi_rvalid_o,
  input  logic        s_axi_rready_i,

  input  logic [63:0] s_axi_awaddr_i,
  input  logic [7:0]  s_axi_awlen_i,
  input  logic [2:0]  s_axi_awsize_i,
  input  logic [1:0]  s_axi_awburst_i,
  input  logic        s_axi_awvalid_i,
  output logic        s_axi_awready_o,
  input  logic [63:0] s_axi_wdata_i,
  input  logic [7:0]  s_axi_wstrb_i,
  input  logic        s_axi_wlast_i,
  input  logic        s_axi_wvalid_i,
  output logic        s_axi_wready_o,
  output logic [1:0]  s_axi_bresp_o,
  output logic        s_axi_bvalid_o,
  input  logic        s_axi_bready_i
);

  import "DPI-C" function int ram_read(input longint unsigned addr, output longint unsigned data);
  import "DPI-C" function int ram_write(input longint unsigned addr, input longint unsigned data, input int unsigned strb);
  import "DPI-C" function int unsigned ram_read_latency();
  import "DPI-C" function int unsigned ram_write_latency();
  import "DPI-C" function void ram_read_taken(input longint unsigned addr);

  localparam int unsigned Depth = 8;      // outstanding bursts each way
  localparam int unsigned Beats = 16 * Depth;

  typedef struct packed {
    logic [63:0] addr;
    logic [4:0]  beats;
    logic [31:0] due;                     // cycle in which the answer may be put on the bus
  } burst_t;

  logic [31:0] cycle_q;

  function automatic void check_burst(string kind, logic [63:0] addr, logic [7:0] len, logic [2:0] size, logic [1:0] burst);
    if (len > 8'd15 || size != 3'd3 || burst != 2'd1 || addr[2:0] != 3'd0 || 32'(addr[11:0]) + (32'(len) + 1) * 8 > 4096)
      $error("axi_ram: %s burst addr=%x len=%0d size=%0d burst=%0d; must be 1..16 aligned beats of 8 bytes, INCR, within 4 KiB",
             kind, addr, len, size, burst);
  endfunction

  // -------------------------------------------------------------------------------------------
  // Read: a queue of bursts, the oldest delivers
  // -------------------------------------------------------------------------------------------
  burst_t      rd_queue [Depth];
  logic [2:0]  rd_in_q, rd_out_q;
  logic [3:0]  rd_count_q;
  logic [4:0]  rd_beat_q;
  logic [63:0] rd_addr_q;                 // of the beat on the bus
  logic        rd_take, rd_give, rd_pop;
  burst_t      rd_head;

  assign rd_head         = rd_queue[rd_out_q];
  assign s_axi_arready_o = (rd_count_q != Depth[3:0]);
  assign rd_take         = s_axi_arvalid_i && s_axi_arready_o;
  assign rd_give         = (rd_count_q != 0) && (!s_axi_rvalid_o || s_axi_rready_i) && ($signed(cycle_q - rd_head.due) >= 0);
  assign rd_pop          = rd_give && (rd_beat_q + 5'd1 == rd_head.beats);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cycle_q        <= '0;
      rd_in_q        <= '0;
      rd_out_q       <= '0;
      rd_count_q     <= '0;
      rd_beat_q      <= '0;
      s_axi_rvalid_o <= 1'b0;
    end else begin
      cycle_q    <= cycle_q + 1;
      rd_count_q <= rd_count_q + 4'(rd_take) - 4'(rd_pop);
      if (rd_take) begin
        check_burst("read", s_axi_araddr_i, s_axi_arlen_i, s_axi_arsize_i, s_axi_arburst_i);
        rd_queue[rd_in_q] <= '{addr: s_axi_araddr_i, beats: s_axi_arlen_i[4:0] + 5'd1, due: cycle_q + ram_read_latency() - 1};
        rd_in_q           <= rd_in_q + 1;
      end
      if (s_axi_rvalid_o && s_axi_rready_i) ram_read_taken(rd_addr_q);
      if (rd_give) begin
        automatic longint unsigned data;
        s_axi_rresp_o  <= 2'(ram_read(rd_head.addr + 64'(rd_beat_q) * 8, data));
        s_axi_rdata_o  <= data;
        s_axi_rlast_o  <= rd_pop;
        s_axi_rvalid_o <= 1'b1;
        rd_addr_q      <= rd_head.addr + 64'(rd_beat_q) * 8;
        rd_beat_q      <= rd_pop ? '0 : rd_beat_q + 5'd1;
        if (rd_pop) rd_out_q <= rd_out_q + 1;
      end else if (s_axi_rready_i) begin
        s_axi_rvalid_o <= 1'b0;
      end
    end
  end

  // -------------------------------------------------------------------------------------------
  // Write: addresses first, then data into a store, into memory with the response
  // -------------------------------------------------------------------------------------------
  burst_t      aw_queue [Depth];          // addresses whose data is not complete
  logic [2:0]  aw_in_q, aw_out_q;
  logic [3:0]  aw_count_q;
  logic [4:0]  wr_beat_q;
  burst_t      b_queue [Depth];           // bursts whose response is due
  logic [2:0]  b_in_q, b_out_q;
  logic [3:0]  b_count_q;
  logic [71:0] store [Beats];             // {strobes, data} of all beats not yet in memory
  logic [6:0]  store_in_q, store_out_q;
  logic        aw_take, w_take, w_end, b_give;
  burst_t      aw_head, b_head;

  assign aw_head         = aw_queue[aw_out_q];
  assign b_head          = b_queue[b_out_q];
  assign s_axi_awready_o = (aw_count_q + b_count_q < Depth[3:0]);
  assign s_axi_wready_o  = (aw_count_q != 0);
  assign aw_take         = s_axi_awvalid_i && s_axi_awready_o;
  assign w_take          = s_axi_wvalid_i && s_axi_wready_o;
  assign w_end           = w_take && (wr_beat_q + 5'd1 == aw_head.beats);
  assign b_give          = (b_count_q != 0) && (!s_axi_bvalid_o || s_axi_bready_i) && ($signed(cycle_q - b_head.due) >= 0);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_in_q        <= '0;
      aw_out_q       <= '0;
      aw_count_q     <= '0;
      wr_beat_q      <= '0;
      b_in_q         <= '0;
      b_out_q        <= '0;
      b_count_q      <= '0;
      store_in_q     <= '0;
      store_out_q    <= '0;
      s_axi_bvalid_o <= 1'b0;
    end else begin
      aw_count_q <= aw_count_q + 4'(aw_take) - 4'(w_end);
      b_count_q  <= b_count_q + 4'(w_end) - 4'(b_give);
      if (aw_take) begin
        check_burst("write", s_axi_awaddr_i, s_axi_awlen_i, s_axi_awsize_i, s_axi_awburst_i);
        aw_queue[aw_in_q] <= '{addr: s_axi_awaddr_i, beats: s_axi_awlen_i[4:0] + 5'd1, due: '0};
        aw_in_q           <= aw_in_q + 1;
      end
      if (w_take) begin
        if (s_axi_wlast_i != w_end) $error("axi_ram: WLAST on beat %0d of a burst of %0d", wr_beat_q + 1, aw_head.beats);
        store[store_in_q] <= {s_axi_wstrb_i, s_axi_wdata_i};
        store_in_q        <= store_in_q + 1;
        wr_beat_q         <= w_end ? '0 : wr_beat_q + 5'd1;
      end
      if (w_end) begin
        aw_out_q        <= aw_out_q + 1;
        b_queue[b_in_q] <= '{addr: aw_head.addr, beats: aw_head.beats, due: cycle_q + ram_write_latency() - 1};
        b_in_q          <= b_in_q + 1;
      end
      if (b_give) begin
        automatic int unsigned resp = 0;
        automatic int unsigned one;
        for (int unsigned i = 0; i < 16; i++) if (i < 32'(b_head.beats)) begin
          one = ram_write(b_head.addr + 64'(i) * 8, store[7'(32'(store_out_q) + i)][63:0],
                          32'(store[7'(32'(store_out_q) + i)][71:64]));
          if (one > resp) resp = one;     // the worst answer of the burst
        end
        s_axi_bresp_o  <= resp[1:0];
        s_axi_bvalid_o <= 1'b1;
        b_out_q        <= b_out_q + 1;
        store_out_q    <= store_out_q + 7'(b_head.beats);
      end else if (s_axi_bready_i) begin
        s_axi_bvalid_o <= 1'b0;
      end
    end
  end

endmodule
