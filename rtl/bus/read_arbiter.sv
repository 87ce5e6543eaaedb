// SPDX-License-Identifier: Apache-2.0
//
// read_arbiter - lets Requesters readers share one read port.
//
// Promise: requests are served round robin; responses come back in request order and are handed to
// whoever asked. Several bursts may be outstanding (up to Depth). Nests: the output port is a
// requester of the next arbiter, or of axi_read_master.
// The user must: have room for every beat asked for (responses cannot wait), and ignore responses
// while it is being cleared, until idle_o is high again.
module read_arbiter
  import vsnd_pkg::*;
#(
  parameter int unsigned Requesters = 2,
  parameter int unsigned Depth = 8  // bursts outstanding at most, power of two
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,

  input  logic     [Requesters-1:0] req_valid_i,
  input  mem_req_t [Requesters-1:0] req_i,
  output logic     [Requesters-1:0] req_ready_o,
  output logic     [Requesters-1:0] rsp_valid_o,
  output mem_rsp_t                  rsp_o,

  output logic                      out_valid_o,
  output mem_req_t                  out_req_o,
  input  logic                      out_ready_i,
  input  logic                      rsp_valid_i,
  input  mem_rsp_t                  rsp_i,

  output logic                      idle_o  // no burst outstanding
);

  localparam int unsigned IdW = (Requesters > 1) ? $clog2(Requesters) : 1;
  localparam int unsigned PtrW = $clog2(Depth);
  typedef logic [IdW-1:0] id_t;

  // Order of the outstanding bursts: who asked.
  id_t [Depth-1:0] order_q;
  logic [PtrW:0]   head_q, tail_q;
  logic            full;
  id_t             grant, last_q;

  assign full   = (tail_q - head_q) == (PtrW + 1)'(Depth);
  assign idle_o = tail_q == head_q;

  // Round robin: the first requester after the one served last.
  always_comb begin
    grant = last_q;
    for (int unsigned k = Requesters; k > 0; k--) begin
      // last_q + k modulo Requesters, without a divider.
      automatic logic [IdW:0] place = (IdW + 1)'(last_q) + (IdW + 1)'(k);
      automatic id_t candidate = id_t'((32'(place) >= Requesters) ? 32'(place) - Requesters : 32'(place));
      if (req_valid_i[candidate]) grant = candidate;
    end
  end

  assign out_valid_o = req_valid_i[grant] && !full;
  assign out_req_o   = req_i[grant];

  always_comb begin
    req_ready_o        = '0;
    req_ready_o[grant] = out_ready_i && out_valid_o;
    rsp_valid_o        = '0;
    rsp_valid_o[order_q[head_q[PtrW-1:0]]] = rsp_valid_i;
    rsp_o              = rsp_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      order_q <= '0;
      head_q  <= '0;
      tail_q  <= '0;
      last_q  <= '0;
    end else begin
      if (out_valid_o && out_ready_i) begin
        order_q[tail_q[PtrW-1:0]] <= grant;
        tail_q                    <= tail_q + 1'b1;
        last_q                    <= grant;
      end
      if (rsp_valid_i && rsp_i.last) head_q <= head_q + 1'b1;
    end
  end

endmodule
