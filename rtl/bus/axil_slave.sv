// SPDX-License-Identifier: Apache-2.0
//
// axil_slave - AXI4-Lite in, register port out.
//
// Promise: every write and every read ends with OKAY. Each becomes exactly one strobe, reg_wr_o or
// reg_rd_o, never both in one cycle; when a write and a read are both waiting, they take turns.
// No path leads from an input to an output without a flip-flop in between.
// A write takes 1 cycle from the later of address and data to its strobe, a read 1 cycle from its address.
//
// The user of the register port must accept a strobe at once, and must hold the read word on
// reg_rdata_i in the cycle after reg_rd_o. Reads return the whole aligned word: the master picks
// its bytes by address. Writes carry their byte lanes in reg_wstrb_o.
module axil_slave (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic [12:0] s_axil_awaddr_i,
  input  logic        s_axil_awvalid_i,
  output logic        s_axil_awready_o,
  input  logic [31:0] s_axil_wdata_i,
  input  logic [3:0]  s_axil_wstrb_i,
  input  logic        s_axil_wvalid_i,
  output logic        s_axil_wready_o,
  output logic [1:0]  s_axil_bresp_o,
  output logic        s_axil_bvalid_o,
  input  logic        s_axil_bready_i,
  input  logic [12:0] s_axil_araddr_i,
  input  logic        s_axil_arvalid_i,
  output logic        s_axil_arready_o,
  output logic [31:0] s_axil_rdata_o,
  output logic [1:0]  s_axil_rresp_o,
  output logic        s_axil_rvalid_o,
  input  logic        s_axil_rready_i,

  output logic        reg_wr_o,
  output logic        reg_rd_o,
  output logic [12:0] reg_addr_o,
  output logic [31:0] reg_wdata_o,
  output logic [3:0]  reg_wstrb_o,
  input  logic [31:0] reg_rdata_i,

  output logic        busy_o
);
  // Nothing is accepted in the first cycle after reset, so that a master which leaves reset earlier loses nothing.
  logic awake_q;

  // One transaction of each kind is held: address and data of a write arrive independently.
  logic        aw_full_q, w_full_q, ar_full_q;
  logic [12:0] awaddr_q, araddr_q;
  logic [31:0] wdata_q;
  logic [3:0]  wstrb_q;
  logic        b_valid_q;
  logic        fetch_q;    // the cycle after reg_rd_o: the word is on reg_rdata_i
  logic        r_valid_q;
  logic [31:0] rdata_q;
  logic        read_turn_q;

  logic wr_want, rd_want;

  // A strobe is given only when its response has a place to go. (In the cycle of fetch_q no address is held yet.)
  assign wr_want = aw_full_q && w_full_q && !b_valid_q;
  assign rd_want = ar_full_q && !r_valid_q;

  assign reg_wr_o    = wr_want && !(rd_want && read_turn_q);
  assign reg_rd_o    = rd_want && !reg_wr_o;
  assign reg_addr_o  = reg_wr_o ? awaddr_q : araddr_q;
  assign reg_wdata_o = wdata_q;
  assign reg_wstrb_o = wstrb_q;

  assign s_axil_awready_o = awake_q && !aw_full_q;
  assign s_axil_wready_o  = awake_q && !w_full_q;
  assign s_axil_arready_o = awake_q && !ar_full_q;
  assign s_axil_bvalid_o  = b_valid_q;
  assign s_axil_bresp_o   = 2'b00;
  assign s_axil_rvalid_o  = r_valid_q;
  assign s_axil_rdata_o   = rdata_q;
  assign s_axil_rresp_o   = 2'b00;

  assign busy_o = !awake_q || aw_full_q || w_full_q || ar_full_q || b_valid_q || fetch_q || r_valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      awake_q     <= 1'b0;
      aw_full_q   <= 1'b0;
      w_full_q    <= 1'b0;
      ar_full_q   <= 1'b0;
      awaddr_q    <= '0;
      araddr_q    <= '0;
      wdata_q     <= '0;
      wstrb_q     <= '0;
      b_valid_q   <= 1'b0;
      fetch_q     <= 1'b0;
      r_valid_q   <= 1'b0;
      rdata_q     <= '0;
      read_turn_q <= 1'b0;
    end else begin
      awake_q <= 1'b1;

      if (s_axil_awvalid_i && s_axil_awready_o) begin
        aw_full_q <= 1'b1;
        awaddr_q  <= s_axil_awaddr_i;
      end
      if (s_axil_wvalid_i && s_axil_wready_o) begin
        w_full_q <= 1'b1;
        wdata_q  <= s_axil_wdata_i;
        wstrb_q  <= s_axil_wstrb_i;
      end
      if (s_axil_arvalid_i && s_axil_arready_o) begin
        ar_full_q <= 1'b1;
        araddr_q  <= s_axil_araddr_i;
      end

      if (b_valid_q && s_axil_bready_i) b_valid_q <= 1'b0;
      if (reg_wr_o) begin
        aw_full_q   <= 1'b0;
        w_full_q    <= 1'b0;
        b_valid_q   <= 1'b1;
        read_turn_q <= 1'b1;
      end

      if (r_valid_q && s_axil_rready_i) r_valid_q <= 1'b0;
      fetch_q <= reg_rd_o;
      if (reg_rd_o) begin
        ar_full_q   <= 1'b0;
        read_turn_q <= 1'b0;
      end
      if (fetch_q) begin
        rdata_q   <= reg_rdata_i;
        r_valid_q <= 1'b1;
      end
    end
  end
endmodule
