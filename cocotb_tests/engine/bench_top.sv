// SPDX-License-Identifier: Apache-2.0
//
// bench_top - vsnd_top with everything round it that the system benches share.
//
// Promise: clocks, reset and register commands come from the C++ main as ports; memory answers over DPI; everything the
// main has to look at after each time step is one word, observe_o. Bits of observe_o: 0 i2s_sdata, 1 i2s_lrclk, 2 i2s_bclk,
// 3 mclk_family, [5:4] marker pins, 6 irq, 7 command answered (toggles), 8 wake.
// Resets assert at once and are released in step with their clock.
// What Python may await is what public.vlt names: answered_o, irq_o, doorbell_i; nothing else is visible to it.
module bench_top #(
  parameter int unsigned BusHz   = 100_000_000,
  parameter logic [31:0] BuildId = 32'h0
) (
  input  logic        clk_i,
  input  logic        mclk_i,
  input  logic        rst_ni,

  input  logic        cmd_toggle_i,
  input  logic        cmd_write_i,
  input  logic [1:0]  cmd_size_i,
  input  logic [12:0] cmd_addr_i,
  input  logic [31:0] cmd_wdata_i,
  output logic        answered_o,
  output logic [31:0] rsp_rdata_o,
  output logic [1:0]  rsp_resp_o,

  input  logic [47:0] converter_delay_i,
  input  logic [31:0] time_skip_i,
  input  logic        doorbell_i,
  output logic        irq_o,
  output logic [31:0] bus_hz_o,
  output logic [15:0] observe_o
);

  import "DPI-C" function void bench_notified();

  localparam logic [12:0] QueueNotify = 13'h050;  // VIRTIO_MMIO_QUEUE_NOTIFY

  // -------------------------------------------------------------------------------------------
  // Resets
  // -------------------------------------------------------------------------------------------
  logic [1:0] bus_rst_q, mclk_rst_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) bus_rst_q <= '0;
    else         bus_rst_q <= {bus_rst_q[0], 1'b1};
  end

  always_ff @(posedge mclk_i or negedge rst_ni) begin
    if (!rst_ni) mclk_rst_q <= '0;
    else         mclk_rst_q <= {mclk_rst_q[0], 1'b1};
  end

  // -------------------------------------------------------------------------------------------
  // Registers
  // -------------------------------------------------------------------------------------------
  logic [12:0] awaddr, araddr;
  logic [31:0] wdata, rdata;
  logic [3:0]  wstrb;
  logic [1:0]  bresp, rresp;
  logic        awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;

  register_mailbox u_mailbox (
    .clk_i,
    .rst_ni           (bus_rst_q[1]),
    .cmd_toggle_i,
    .cmd_write_i,
    .cmd_size_i,
    .cmd_addr_i,
    .cmd_wdata_i,
    .rsp_toggle_o     (answered_o),
    .rsp_rdata_o,
    .rsp_resp_o,
    .m_axil_awaddr_o  (awaddr),
    .m_axil_awvalid_o (awvalid),
    .m_axil_awready_i (awready),
    .m_axil_wdata_o   (wdata),
    .m_axil_wstrb_o   (wstrb),
    .m_axil_wvalid_o  (wvalid),
    .m_axil_wready_i  (wready),
    .m_axil_bresp_i   (bresp),
    .m_axil_bvalid_i  (bvalid),
    .m_axil_bready_o  (bready),
    .m_axil_araddr_o  (araddr),
    .m_axil_arvalid_o (arvalid),
    .m_axil_arready_i (arready),
    .m_axil_rdata_i   (rdata),
    .m_axil_rresp_i   (rresp),
    .m_axil_rvalid_i  (rvalid),
    .m_axil_rready_o  (rready)
  );

  // The moment of a notify is the cycle in which its data is taken.
  always_ff @(posedge clk_i) begin
    if (wvalid && wready && (cmd_addr_i == QueueNotify)) bench_notified();
  end

  // -------------------------------------------------------------------------------------------
  // Device and memory
  // -------------------------------------------------------------------------------------------
  logic [63:0] m_araddr, m_awaddr, m_rdata, m_wdata;
  logic [7:0]  m_arlen, m_awlen, m_wstrb;
  logic [2:0]  m_arsize, m_awsize;
  logic [1:0]  m_arburst, m_awburst, m_rresp, m_bresp;
  logic        m_arvalid, m_arready, m_rlast, m_rvalid, m_rready;
  logic        m_awvalid, m_awready, m_wlast, m_wvalid, m_wready, m_bvalid, m_bready;
  logic        mclk_family, bclk, lrclk, sdata, wake;
  logic [1:0]  marker;

  vsnd_top #(
    .BusHz  (BusHz),
    .BuildId(BuildId)
  ) u_dut (
    .clk_i,
    .rst_ni            (bus_rst_q[1]),
    .mclk_i,
    .mclk_rst_ni       (mclk_rst_q[1]),
    .s_axil_awaddr_i   (awaddr),
    .s_axil_awvalid_i  (awvalid),
    .s_axil_awready_o  (awready),
    .s_axil_wdata_i    (wdata),
    .s_axil_wstrb_i    (wstrb),
    .s_axil_wvalid_i   (wvalid),
    .s_axil_wready_o   (wready),
    .s_axil_bresp_o    (bresp),
    .s_axil_bvalid_o   (bvalid),
    .s_axil_bready_i   (bready),
    .s_axil_araddr_i   (araddr),
    .s_axil_arvalid_i  (arvalid),
    .s_axil_arready_o  (arready),
    .s_axil_rdata_o    (rdata),
    .s_axil_rresp_o    (rresp),
    .s_axil_rvalid_o   (rvalid),
    .s_axil_rready_i   (rready),
    .m_axi_araddr_o    (m_araddr),
    .m_axi_arlen_o     (m_arlen),
    .m_axi_arsize_o    (m_arsize),
    .m_axi_arburst_o   (m_arburst),
    .m_axi_arcache_o   (),
    .m_axi_arprot_o    (),
    .m_axi_arvalid_o   (m_arvalid),
    .m_axi_arready_i   (m_arready),
    .m_axi_rdata_i     (m_rdata),
    .m_axi_rresp_i     (m_rresp),
    .m_axi_rlast_i     (m_rlast),
    .m_axi_rvalid_i    (m_rvalid),
    .m_axi_rready_o    (m_rready),
    .m_axi_awaddr_o    (m_awaddr),
    .m_axi_awlen_o     (m_awlen),
    .m_axi_awsize_o    (m_awsize),
    .m_axi_awburst_o   (m_awburst),
    .m_axi_awcache_o   (),
    .m_axi_awprot_o    (),
    .m_axi_awvalid_o   (m_awvalid),
    .m_axi_awready_i   (m_awready),
    .m_axi_wdata_o     (m_wdata),
    .m_axi_wstrb_o     (m_wstrb),
    .m_axi_wlast_o     (m_wlast),
    .m_axi_wvalid_o    (m_wvalid),
    .m_axi_wready_i    (m_wready),
    .m_axi_bresp_i     (m_bresp),
    .m_axi_bvalid_i    (m_bvalid),
    .m_axi_bready_o    (m_bready),
    .irq_o,
    .mclk_family_o     (mclk_family),
    .i2s_bclk_o        (bclk),
    .i2s_lrclk_o       (lrclk),
    .i2s_sdata_o       (sdata),
    .converter_delay_i,
    .marker_o          (marker),
    .time_skip_i,
    .wake_o            (wake)
  );

  axi_ram u_memory (
    .clk_i,
    .rst_ni          (bus_rst_q[1]),
    .s_axi_araddr_i  (m_araddr),
    .s_axi_arlen_i   (m_arlen),
    .s_axi_arsize_i  (m_arsize),
    .s_axi_arburst_i (m_arburst),
    .s_axi_arvalid_i (m_arvalid),
    .s_axi_arready_o (m_arready),
    .s_axi_rdata_o   (m_rdata),
    .s_axi_rresp_o   (m_rresp),
    .s_axi_rlast_o   (m_rlast),
    .s_axi_rvalid_o  (m_rvalid),
    .s_axi_rready_i  (m_rready),
    .s_axi_awaddr_i  (m_awaddr),
    .s_axi_awlen_i   (m_awlen),
    .s_axi_awsize_i  (m_awsize),
    .s_axi_awburst_i (m_awburst),
    .s_axi_awvalid_i (m_awvalid),
    .s_axi_awready_o (m_awready),
    .s_axi_wdata_i   (m_wdata),
    .s_axi_wstrb_i   (m_wstrb),
    .s_axi_wlast_i   (m_wlast),
    .s_axi_wvalid_i  (m_wvalid),
    .s_axi_wready_o  (m_wready),
    .s_axi_bresp_o   (m_bresp),
    .s_axi_bvalid_o  (m_bvalid),
    .s_axi_bready_i  (m_bready)
  );

  // -------------------------------------------------------------------------------------------
  // What the main looks at
  // -------------------------------------------------------------------------------------------
  assign bus_hz_o  = BusHz;
  assign observe_o = {7'd0, wake, answered_o, irq_o, marker, mclk_family, bclk, lrclk, sdata};

  logic unused_doorbell;
  assign unused_doorbell = doorbell_i;

endmodule
