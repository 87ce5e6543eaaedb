// SPDX-License-Identifier: Apache-2.0
//
// interrupt - InterruptStatus, InterruptACK and the interrupt line.
//
// Promise: a bit is 1 from its event until it is acknowledged; an event that arrives in the cycle of the
// acknowledgement wins. The line is high while any bit is 1. While reset_i, bits are 0 and events are dropped.
module interrupt (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       reset_i,

  input  logic       used_i,    // pulse: a used buffer is to be announced
  input  logic       config_i,  // pulse: a configuration change is to be announced
  input  logic       ack_wr_i,
  input  logic [1:0] ack_i,     // bits to acknowledge

  output logic [1:0] isr_o,
  output logic       irq_o
);
  logic [1:0] isr_q;

  assign isr_o = isr_q;
  assign irq_o = |isr_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) isr_q <= '0;
    else if (reset_i) isr_q <= '0;
    else isr_q <= (isr_q & ~(ack_wr_i ? ack_i : 2'b00)) | {config_i, used_i};
  end
endmodule
