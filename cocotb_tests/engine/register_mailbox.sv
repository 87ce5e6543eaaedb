// SPDX-License-Identifier: Apache-2.0
//
// register_mailbox - turns one command at a time from the bench into one AXI4-Lite access.
//
// Promise: a command is pending while cmd_toggle_i differs from rsp_toggle_o. It becomes one read or write of 1, 2 or 4
// bytes (cmd_size_i 0, 1, 2; naturally aligned), with the byte lanes AXI asks for; then rsp_rdata_o (right-aligned) and
// rsp_resp_o are valid and rsp_toggle_o flips. Address and data of a write are offered in the same cycle.
// A command that meets a reset starts over after it.
// User's duty: hold cmd_* steady while a command is pending.
module register_mailbox (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic        cmd_toggle_i,
  input  logic        cmd_write_i,
  input  logic [1:0]  cmd_size_i,
  input  logic [12:0] cmd_addr_i,
  input  logic [31:0] cmd_wdata_i,
  output logic        rsp_toggle_o,
  output logic [31:0] rsp_rdata_o,
  output logic [1:0]  rsp_resp_o,

  output logic [12:0] m_axil_awaddr_o,
  output logic        m_axil_awvalid_o,
  input  logic        m_axil_awready_i,
  output logic [31:0] m_axil_wdata_o,
  output logic [3:0]  m_axil_wstrb_o,
  output logic        m_axil_wvalid_o,
  input  logic        m_axil_wready_i,
  input  logic [1:0]  m_axil_bresp_i,
  input  logic        m_axil_bvalid_i,
  output logic        m_axil_bready_o,
  output logic [12:0] m_axil_araddr_o,
  output logic        m_axil_arvalid_o,
  input  logic        m_axil_arready_i,
  input  logic [31:0] m_axil_rdata_i,
  input  logic [1:0]  m_axil_rresp_i,
  input  logic        m_axil_rvalid_i,
  output logic        m_axil_rready_o
);

  typedef enum logic [1:0] {
    Idle,      // wait for a command
    Request,   // address (and write data) offered, not all of it taken yet
    Response   // wait for B or R
  } state_e;

  state_e     state_q;
  logic       aw_q, w_q, ar_q;          // still to be taken by the slave
  logic       toggle_q = 1'b0;          // survives reset: the bench counts commands, not resets
  logic [4:0] shift;
  logic [3:0] lanes;

  assign shift = {cmd_addr_i[1:0], 3'b000};
  assign lanes = (cmd_size_i == 2'd0) ? 4'b0001 : (cmd_size_i == 2'd1) ? 4'b0011 : 4'b1111;

  assign m_axil_awaddr_o  = cmd_addr_i;
  assign m_axil_araddr_o  = cmd_addr_i;
  assign m_axil_wdata_o   = cmd_wdata_i << shift;
  assign m_axil_wstrb_o   = lanes << cmd_addr_i[1:0];
  assign m_axil_awvalid_o = aw_q;
  assign m_axil_wvalid_o  = w_q;
  assign m_axil_arvalid_o = ar_q;
  assign m_axil_bready_o  = (state_q == Response) && cmd_write_i;
  assign m_axil_rready_o  = (state_q == Response) && !cmd_write_i;
  assign rsp_toggle_o     = toggle_q;

  logic aw_left, w_left, ar_left;
  assign aw_left = aw_q && !m_axil_awready_i;
  assign w_left  = w_q && !m_axil_wready_i;
  assign ar_left = ar_q && !m_axil_arready_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      aw_q    <= 1'b0;
      w_q     <= 1'b0;
      ar_q    <= 1'b0;
    end else begin
      unique case (state_q)
        Idle: if (cmd_toggle_i != toggle_q) begin
          aw_q    <= cmd_write_i;
          w_q     <= cmd_write_i;
          ar_q    <= !cmd_write_i;
          state_q <= Request;
        end
        Request: begin
          aw_q <= aw_left;
          w_q  <= w_left;
          ar_q <= ar_left;
          if (!aw_left && !w_left && !ar_left) state_q <= Response;
        end
        default: if (m_axil_bvalid_i || m_axil_rvalid_i) state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni && (state_q == Response) && (m_axil_bvalid_i || m_axil_rvalid_i)) begin
      toggle_q    <= !toggle_q;
      rsp_rdata_o <= m_axil_rdata_i >> shift;
      rsp_resp_o  <= cmd_write_i ? m_axil_bresp_i : m_axil_rresp_i;
    end
  end

endmodule
