// SPDX-License-Identifier: Apache-2.0
//
// axi_master - the device's one AXI4 master: turns the read port and the write port into AXI.
//
// Promise: an offered address or data beat never changes until it is taken (AXI4 A3.2.1); bursts
// are INCR, 8 bytes a beat; reads and writes are cacheable and coherent (AxCACHE 1111), which is
// what a guest that declares `dma-coherent` needs. Responses are always taken at once.
// The user must: keep bursts within a 4 KiB page and at most 16 beats (AXI3 ports take them too).
module axi_master
  import vsnd_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,

  // Read port (from read_arbiter)
  input  logic        rd_valid_i,
  input  mem_req_t    rd_req_i,
  output logic        rd_ready_o,
  output logic        rd_rsp_valid_o,
  output mem_rsp_t    rd_rsp_o,

  // Write port (from write_arbiter)
  input  logic        wr_valid_i,
  input  logic [63:0] wr_addr_i,
  input  mem_beat_t   wr_beat_i,
  output logic        wr_ready_o,
  output logic        wr_done_o,
  output logic        wr_err_o,

  // AXI4
  output logic [63:0] m_axi_araddr_o,
  output logic [7:0]  m_axi_arlen_o,
  output logic [2:0]  m_axi_arsize_o,
  output logic [1:0]  m_axi_arburst_o,
  output logic [3:0]  m_axi_arcache_o,
  output logic [2:0]  m_axi_arprot_o,
  output logic        m_axi_arvalid_o,
  input  logic        m_axi_arready_i,
  input  logic [63:0] m_axi_rdata_i,
  input  logic [1:0]  m_axi_rresp_i,
  input  logic        m_axi_rlast_i,
  input  logic        m_axi_rvalid_i,
  output logic        m_axi_rready_o,
  output logic [63:0] m_axi_awaddr_o,
  output logic [7:0]  m_axi_awlen_o,
  output logic [2:0]  m_axi_awsize_o,
  output logic [1:0]  m_axi_awburst_o,
  output logic [3:0]  m_axi_awcache_o,
  output logic [2:0]  m_axi_awprot_o,
  output logic        m_axi_awvalid_o,
  input  logic        m_axi_awready_i,
  output logic [63:0] m_axi_wdata_o,
  output logic [7:0]  m_axi_wstrb_o,
  output logic        m_axi_wlast_o,
  output logic        m_axi_wvalid_o,
  input  logic        m_axi_wready_i,
  input  logic [1:0]  m_axi_bresp_i,
  input  logic        m_axi_bvalid_i,
  output logic        m_axi_bready_o,

  output logic        error_o  // pulse: a transaction ended with SLVERR or DECERR
);

  // ---------------------------------------------------------------------------------------------
  // Reads
  // ---------------------------------------------------------------------------------------------
  mem_req_t ar_q;
  logic     ar_valid_q;

  assign rd_ready_o      = !ar_valid_q || m_axi_arready_i;
  assign m_axi_araddr_o  = ar_q.addr;
  assign m_axi_arlen_o   = 8'(ar_q.beats - 5'd1);
  assign m_axi_arsize_o  = 3'd3;
  assign m_axi_arburst_o = 2'b01;
  assign m_axi_arcache_o = 4'b1111;
  assign m_axi_arprot_o  = 3'b000;
  assign m_axi_arvalid_o = ar_valid_q;
  assign m_axi_rready_o  = 1'b1;
  assign rd_rsp_valid_o  = m_axi_rvalid_i;
  assign rd_rsp_o        = '{data: m_axi_rdata_i, last: m_axi_rlast_i, err: m_axi_rresp_i[1]};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ar_q       <= '0;
      ar_valid_q <= 1'b0;
    end else if (rd_ready_o) begin
      ar_q       <= rd_req_i;
      ar_valid_q <= rd_valid_i;
    end
  end

  // ---------------------------------------------------------------------------------------------
  // Writes: address and data leave side by side, each as soon as its channel takes it
  // ---------------------------------------------------------------------------------------------
  logic [63:0] aw_q;
  mem_beat_t   w_q;
  logic        aw_valid_q, w_valid_q;

  assign wr_ready_o      = (!aw_valid_q || m_axi_awready_i) && (!w_valid_q || m_axi_wready_i);
  assign m_axi_awaddr_o  = aw_q;
  assign m_axi_awlen_o   = 8'd0;
  assign m_axi_awsize_o  = 3'd3;
  assign m_axi_awburst_o = 2'b01;
  assign m_axi_awcache_o = 4'b1111;
  assign m_axi_awprot_o  = 3'b000;
  assign m_axi_awvalid_o = aw_valid_q;
  assign m_axi_wdata_o   = w_q.data;
  assign m_axi_wstrb_o   = w_q.strb;
  assign m_axi_wlast_o   = 1'b1;
  assign m_axi_wvalid_o  = w_valid_q;
  assign m_axi_bready_o  = 1'b1;
  assign wr_done_o       = m_axi_bvalid_i;
  assign wr_err_o        = m_axi_bresp_i[1];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_q       <= '0;
      w_q        <= '0;
      aw_valid_q <= 1'b0;
      w_valid_q  <= 1'b0;
    end else if (wr_ready_o) begin
      aw_q       <= wr_addr_i;
      w_q        <= wr_beat_i;
      aw_valid_q <= wr_valid_i;
      w_valid_q  <= wr_valid_i;
    end else begin
      if (m_axi_awready_i) aw_valid_q <= 1'b0;
      if (m_axi_wready_i)  w_valid_q  <= 1'b0;
    end
  end

  assign error_o = (m_axi_rvalid_i && m_axi_rresp_i[1]) || (m_axi_bvalid_i && m_axi_bresp_i[1]);

  // rresp/bresp bit 0 tells OKAY from EXOKAY (and SLVERR from DECERR): no difference to us.
  logic unused_ok;
  assign unused_ok = ^{m_axi_rresp_i[0], m_axi_bresp_i[0]};

endmodule
