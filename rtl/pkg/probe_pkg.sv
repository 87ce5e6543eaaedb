// SPDX-License-Identifier: Apache-2.0
// probe_pkg - the probe page.
//
// Generated from host/virtone/virtio/probe.py by `python -m virtone.virtio.emit`; do not edit.
package probe_pkg;

  // A design uses some of these constants, hardly ever all.
  /* verilator lint_off UNUSEDPARAM */

  // Probe registers (Virtone probe page)
  localparam int unsigned PROBE_MAGIC           = 32'h00000000;  // the bytes `VTNP`
  localparam int unsigned PROBE_VERSION         = 32'h00000004;  // version of this page, 1
  localparam int unsigned PROBE_BUILD_ID        = 32'h00000008;  // build id of the bit stream or the simulation
  localparam int unsigned PROBE_CLOCK_HZ        = 32'h0000000c;  // frequency of the bus clock in Hz
  localparam int unsigned PROBE_TIME_LOW        = 32'h00000010;  // time in bus clock cycles, bits 0..31; reading it latches TIME_HIGH
  localparam int unsigned PROBE_TIME_HIGH       = 32'h00000014;  // time, bits 32..63, as latched by TIME_LOW
  localparam int unsigned PROBE_MARKER          = 32'h00000020;  // application marker: logs MARKER with this value, pulses its pins
  localparam int unsigned PROBE_MARKER_SEL      = 32'h00000024;  // event shown by each marker pin: [3:0] pin 0, [7:4] pin 1; 0 is off
  localparam int unsigned PROBE_EVENT_COUNT     = 32'h00000030;  // entries that wait in the event log
  localparam int unsigned PROBE_EVENT_KIND      = 32'h00000034;  // [3:0] event number of the oldest entry
  localparam int unsigned PROBE_EVENT_ARG       = 32'h00000038;  // argument of the oldest entry
  localparam int unsigned PROBE_EVENT_TIME_LOW  = 32'h0000003c;  // time of the oldest entry, bits 0..31
  localparam int unsigned PROBE_EVENT_TIME_HIGH = 32'h00000040;  // time of the oldest entry, bits 32..63; reading it removes the entry
  localparam int unsigned PROBE_EVENT_LOST      = 32'h00000044;  // entries dropped because the log was full
  localparam int unsigned PROBE_EVENT_MASK      = 32'h00000048;  // bit n: log event n; 0 after reset
  localparam int unsigned PROBE_FRAMES_PLAYED   = 32'h00000050;  // frames sent out on I2S
  localparam int unsigned PROBE_UNDERRUNS       = 32'h00000054;  // underrun episodes
  localparam int unsigned PROBE_SILENT_FRAMES   = 32'h00000058;  // frames of silence sent during underruns
  localparam int unsigned PROBE_LATE_MESSAGES   = 32'h0000005c;  // messages that came too late to follow without a gap
  localparam int unsigned PROBE_BUS_ERRORS      = 32'h00000060;  // bus transactions answered with an error

  // Event numbers (Virtone probe page)
  localparam int unsigned PROBE_EV_NONE      = 0;  // no event
  localparam int unsigned PROBE_EV_MARKER    = 1;  // application marker written; argument: the value
  localparam int unsigned PROBE_EV_NOTIFY    = 2;  // QueueNotify written; argument: the value
  localparam int unsigned PROBE_EV_FETCH     = 3;  // first payload beat of a tx message arrived; argument: head
  localparam int unsigned PROBE_EV_FIRST_BIT = 4;  // first bit of a message's first frame is on the wire; argument: head
  localparam int unsigned PROBE_EV_COMPLETE  = 5;  // used index of a tx message is in memory; argument: head
  localparam int unsigned PROBE_EV_XRUN      = 6;  // an underrun episode began; argument: its number
  localparam int unsigned PROBE_EV_INTERRUPT = 7;  // the interrupt line rose; argument: InterruptStatus

  // Values (Virtone probe page)
  localparam int unsigned PROBE_BASE                = 32'h00001000;  // address of the page in the device's register window
  localparam int unsigned PROBE_SIZE                = 32'h00001000;  // its size in bytes
  localparam int unsigned PROBE_MAGIC_WORD          = 32'h504e5456;  // what PROBE_MAGIC reads: the bytes `V`, `T`, `N`, `P`
  localparam int unsigned PROBE_VERSION_WORD        = 1;  // what PROBE_VERSION reads
  localparam int unsigned PROBE_MARKER_SEL_RESET    = 1;  // MARKER_SEL after reset: pin 0 shows MARKER, pin 1 is off
  localparam int unsigned PROBE_MARKER_SEL_PIN0_LSB = 0;  // MARKER_SEL: event of pin 0, 4 bits
  localparam int unsigned PROBE_MARKER_SEL_PIN1_LSB = 4;  // MARKER_SEL: event of pin 1, 4 bits
  localparam int unsigned PROBE_LOG_DEPTH           = 256;  // entries that the event log holds
  localparam int unsigned PROBE_MARKER_MCLK_CYCLES  = 256;  // length of a marker pulse in cycles of the audio master clock

  /* verilator lint_on UNUSEDPARAM */

endpackage
