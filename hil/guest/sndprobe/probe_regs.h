// SPDX-License-Identifier: Apache-2.0
// Made by `python -m hil.guest.gen_header` from host/virtone/virtio/probe.py; not to be edited.
#ifndef PROBE_REGS_H
#define PROBE_REGS_H

// Probe registers: Virtone probe page.
#define PROBE_MAGIC           0x0u       // the bytes `VTNP`
#define PROBE_VERSION         0x4u       // version of this page, 1
#define PROBE_BUILD_ID        0x8u       // build id of the bit stream or the simulation
#define PROBE_CLOCK_HZ        0xcu       // frequency of the bus clock in Hz
#define PROBE_TIME_LOW        0x10u      // time in bus clock cycles, bits 0..31; reading it latches TIME_HIGH
#define PROBE_TIME_HIGH       0x14u      // time, bits 32..63, as latched by TIME_LOW
#define PROBE_MARKER          0x20u      // application marker: logs MARKER with this value, pulses its pins
#define PROBE_MARKER_SEL      0x24u      // event shown by each marker pin: [3:0] pin 0, [7:4] pin 1; 0 is off
#define PROBE_EVENT_COUNT     0x30u      // entries that wait in the event log
#define PROBE_EVENT_KIND      0x34u      // [3:0] event number of the oldest entry
#define PROBE_EVENT_ARG       0x38u      // argument of the oldest entry
#define PROBE_EVENT_TIME_LOW  0x3cu      // time of the oldest entry, bits 0..31
#define PROBE_EVENT_TIME_HIGH 0x40u      // time of the oldest entry, bits 32..63; reading it removes the entry
#define PROBE_EVENT_LOST      0x44u      // entries dropped because the log was full
#define PROBE_EVENT_MASK      0x48u      // bit n: log event n; 0 after reset
#define PROBE_FRAMES_PLAYED   0x50u      // frames sent out on I2S
#define PROBE_UNDERRUNS       0x54u      // underrun episodes
#define PROBE_SILENT_FRAMES   0x58u      // frames of silence sent during underruns
#define PROBE_LATE_MESSAGES   0x5cu      // messages that came too late to follow without a gap
#define PROBE_BUS_ERRORS      0x60u      // bus transactions answered with an error

// Event numbers: Virtone probe page.
#define PROBE_EV_NONE      0u         // no event
#define PROBE_EV_MARKER    1u         // application marker written; argument: the value
#define PROBE_EV_NOTIFY    2u         // QueueNotify written; argument: the value
#define PROBE_EV_FETCH     3u         // first payload beat of a tx message arrived; argument: head
#define PROBE_EV_FIRST_BIT 4u         // first bit of a message's first frame is on the wire; argument: head
#define PROBE_EV_COMPLETE  5u         // used index of a tx message is in memory; argument: head
#define PROBE_EV_XRUN      6u         // an underrun episode began; argument: its number
#define PROBE_EV_INTERRUPT 7u         // the interrupt line rose; argument: InterruptStatus

// Values: Virtone probe page.
#define PROBE_BASE                0x1000u    // address of the page in the device's register window
#define PROBE_SIZE                0x1000u    // its size in bytes
#define PROBE_MAGIC_WORD          0x504e5456u // what PROBE_MAGIC reads: the bytes `V`, `T`, `N`, `P`
#define PROBE_VERSION_WORD        1u         // what PROBE_VERSION reads
#define PROBE_MARKER_SEL_RESET    1u         // MARKER_SEL after reset: pin 0 shows MARKER, pin 1 is off
#define PROBE_MARKER_SEL_PIN0_LSB 0u         // MARKER_SEL: event of pin 0, 4 bits
#define PROBE_MARKER_SEL_PIN1_LSB 4u         // MARKER_SEL: event of pin 1, 4 bits
#define PROBE_LOG_DEPTH           256u       // entries that the event log holds
#define PROBE_MARKER_MCLK_CYCLES  256u       // length of a marker pulse in cycles of the audio master clock

#endif
