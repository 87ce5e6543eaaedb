// SPDX-License-Identifier: Apache-2.0
//
// lifecycle_pkg - the lifecycle of a PCM stream as one table: docs/device.md "Lifecycle".
package lifecycle_pkg;
  import vsnd_pkg::*;
  import virtio_snd_pkg::*;

  typedef struct packed {
    logic          allowed;  // in this state
    logic          flush;    // complete every message of the stream first
    stream_state_e next;     // the state after it
  } lifecycle_step_t;

  localparam logic Yes = 1'b1, FlushFirst = 1'b1, NoFlush = 1'b0;

  // What a PCM command does in a state. Codes other than the five are never allowed.
  function automatic lifecycle_step_t lifecycle(input logic [31:0] code, input stream_state_e state);
    lifecycle_step_t refused;
    refused = '{allowed: 1'b0, flush: 1'b0, next: state};
    unique case (code)
      VIRTIO_SND_R_PCM_SET_PARAMS:
        unique case (state)
          StInit, StParams, StReleased: return '{Yes, NoFlush, StParams};
          StPrepared, StStopped:        return '{Yes, FlushFirst, StParams};
          default:                      return refused;
        endcase
      VIRTIO_SND_R_PCM_PREPARE:
        unique case (state)
          StParams, StPrepared, StReleased: return '{Yes, NoFlush, StPrepared};
          StStopped:                        return '{Yes, FlushFirst, StPrepared};
          default:                          return refused;
        endcase
      VIRTIO_SND_R_PCM_START:
        unique case (state)
          StPrepared, StStopped: return '{Yes, NoFlush, StRunning};
          default:               return refused;
        endcase
      VIRTIO_SND_R_PCM_STOP:
        unique case (state)
          StRunning: return '{Yes, NoFlush, StStopped};
          default:   return refused;
        endcase
      VIRTIO_SND_R_PCM_RELEASE:
        unique case (state)
          StPrepared, StStopped: return '{Yes, FlushFirst, StReleased};
          default:               return refused;
        endcase
      default: return refused;
    endcase
  endfunction
endpackage
