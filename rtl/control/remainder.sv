// SPDX-License-Identifier: Apache-2.0
//
// remainder - whether one 32-bit number divides another, in 32 cycles.
//
// Promise: done_o is high for one cycle, 33 cycles after start_i; divides_o is valid then.
// The user must: hold dividend_i and divisor_i from start_i to done_o, keep divisor_i above 0, and not start
// again before done_o. clear_i ends it without done_o.
//
// Restoring division, one bit of the dividend a cycle, most significant first; the quotient is not kept.
module remainder (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,

  input  logic        start_i,
  input  logic [31:0] dividend_i,
  input  logic [31:0] divisor_i,
  output logic        done_o,
  output logic        divides_o
);
  logic        run_q;
  logic [4:0]  bit_q;   // the bit of the dividend to bring down
  logic [31:0] rest_q;  // below the divisor
  logic [32:0] trial;
  logic        last_q;

  assign trial = {rest_q, dividend_i[bit_q]};

  assign done_o    = last_q;
  assign divides_o = rest_q == '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q  <= 1'b0;
      last_q <= 1'b0;
      bit_q  <= '0;
      rest_q <= '0;
    end else if (clear_i) begin
      run_q  <= 1'b0;
      last_q <= 1'b0;
    end else begin
      last_q <= run_q && bit_q == '0;
      if (start_i) begin
        run_q  <= 1'b1;
        bit_q  <= '1;
        rest_q <= '0;
      end else if (run_q) begin
        rest_q <= (trial >= {1'b0, divisor_i}) ? 32'(trial - {1'b0, divisor_i}) : trial[31:0];
        bit_q  <= bit_q - 5'd1;
        run_q  <= bit_q != '0;
      end
    end
  end
endmodule
