// SPDX-License-Identifier: Apache-2.0
//
// write_arbiter - lets Requesters writers share one write port.
//
// Promise: single-beat writes are served round robin and acknowledged to whoever asked, in order.
// Nests like read_arbiter.
// The user must: hold valid, address, data and strobes until ready; wait for done before it relies
// on the write being in memory; ignore done while it is being cleared, until idle_o is high again.
module write_arbiter
  import vsnd_pkg::*;
#(
  parameter int unsigned Requesters = 2,
  parameter int unsigned Depth = 4  // writes outstanding at most, power of two
) (
  input  logic                           clk_i,
  input  logic                           rst_ni,

  input  logic      [Requesters-1:0]       valid_i,
  input  logic      [Requesters-1:0][63:0] addr_i,  // multiple of 8
  input  mem_beat_t [Requesters-1:0]       beat_i,
  output logic      [Requesters-1:0]       ready_o,
  output logic      [Requesters-1:0]       done_o,
  output logic                             err_o,  // qualifies done_o

  output logic                             out_valid_o,
  output logic      [63:0]                 out_addr_o,
  output mem_beat_t                        out_beat_o,
  input  logic                             out_ready_i,
  input  logic                             done_i,
  input  logic                             err_i,

  output logic                             idle_o  // no write outstanding
);

  localparam int unsigned IdW = (Requesters > 1) ? $clog2(Requesters) : 1;
  localparam int unsigned PtrW = $clog2(Depth);
  typedef logic [IdW-1:0] id_t;

  id_t [Depth-1:0] order_q;
  logic [PtrW:0]   head_q, tail_q;
  logic            full;
  id_t             grant, last_q;

  assign full   = (tail_q - head_q) == (PtrW + 1)'(Depth);
  assign idle_o = tail_q == head_q;

  always_comb begin
    grant = last_q;
    for (int unsigned k = Requesters; k > 0; k--) begin
      // last_q + k modulo Requesters, without a divider.
      automatic logic [IdW:0] place = (IdW + 1)'(last_q) + (IdW + 1)'(k);
      automatic id_t candidate = id_t'((32'(place) >= Requesters) ? 32'(place) - Requesters : 32'(place));
      if (valid_i[candidate]) grant = candidate;
    end
  end

  assign out_valid_o = valid_i[grant] && !full;
  assign out_addr_o  = addr_i[grant];
  assign out_beat_o  = beat_i[grant];
  assign err_o       = err_i;

  always_comb begin
    ready_o        = '0;
    ready_o[grant] = out_ready_i && out_valid_o;
    done_o         = '0;
    done_o[order_q[head_q[PtrW-1:0]]] = done_i;
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
      if (done_i) head_q <= head_q + 1'b1;
    end
  end

endmodule
