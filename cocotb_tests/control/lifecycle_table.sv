// SPDX-License-Identifier: Apache-2.0
//
// lifecycle_table - the function of lifecycle_pkg as a module, for its bench.
module lifecycle_table
  import vsnd_pkg::*;
(
  input  logic [31:0]   code_i,
  input  logic [2:0]    state_i,
  output logic          allowed_o,
  output logic          flush_o,
  output stream_state_e next_o
);
  lifecycle_pkg::lifecycle_step_t step;

  assign step      = lifecycle_pkg::lifecycle(code_i, stream_state_e'(state_i));
  assign allowed_o = step.allowed;
  assign flush_o   = step.flush;
  assign next_o    = step.next;
endmodule
