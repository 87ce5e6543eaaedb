// SPDX-License-Identifier: Apache-2.0
//
// vsnd_top - the virtio-snd device: instances only, so that this file is the block diagram.
//
//   AXI4-Lite > axil_slave > mmio_regs, probe_page
//   controlq  > control        eventq > xrun_event        txq > pcm_out > I2S        rxq > refuse
//   queue_channel (one per virtqueue) > read_arbiter, write_arbiter > axi_master > AXI4
//
// Promise: docs/device.md. The user must: supply a bus clock above 4 x the frame rate x 64 and the audio
// master clock of the family that mclk_family_o asks for (switched without glitches), release both
// resets synchronously to their clocks, and connect the AXI4 master to a coherent port.
module vsnd_top
  import vsnd_pkg::*;
#(
  parameter int unsigned BusHz = 100_000_000,
  parameter logic [31:0] BuildId = 32'h0
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        mclk_i,         // 24.576 or 22.5792 MHz
  input  logic        mclk_rst_ni,

  // AXI4-Lite slave: registers
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
  output logic        irq_o,          // level

  // AXI4 master: rings and buffers
  output logic [63:0] m_axi_araddr_o,
  output logic [7:0]  m_axi_arlen_o,
  output logic [2:0]  m_axi_arsize_o,
  output logic [1:0]  m_axi_arburst_o,
  output logic [3:0]  m_axi_arcache_o,
  output logic [2:0]  m_axi_arprot_o,
  output logic        m_axi_arvalid_o,
  input  logic        m_axi_arready_i,
  input  logic [63:0] m_axi_rdata_i,
  input  logic [1:0]  m_axi_rresp_i,
  input  logic        m_axi_rlast_i,
  input  logic        m_axi_rvalid_i,
  output logic        m_axi_rready_o,
  output logic [63:0] m_axi_awaddr_o,
  output logic [7:0]  m_axi_awlen_o,
  output logic [2:0]  m_axi_awsize_o,
  output logic [1:0]  m_axi_awburst_o,
  output logic [3:0]  m_axi_awcache_o,
  output logic [2:0]  m_axi_awprot_o,
  output logic        m_axi_awvalid_o,
  input  logic        m_axi_awready_i,
  output logic [63:0] m_axi_wdata_o,
  output logic [7:0]  m_axi_wstrb_o,
  output logic        m_axi_wlast_o,
  output logic        m_axi_wvalid_o,
  input  logic        m_axi_wready_i,
  input  logic [1:0]  m_axi_bresp_i,
  input  logic        m_axi_bvalid_i,
  output logic        m_axi_bready_o,

  // Audio
  output logic        mclk_family_o,  // 0: 24.576 MHz, 1: 22.5792 MHz
  output logic        i2s_bclk_o,
  output logic        i2s_lrclk_o,
  output logic        i2s_sdata_o,
  input  logic [47:0] converter_delay_i,  // first bit to analog, frames x 16: up to 48, 96, 192 kHz

  // Bench
  output logic [1:0]  marker_o,
  input  logic [31:0] time_skip_i,    // bus cycles left out before this edge; 0 where the clock never stops
  output logic        wake_o          // the bus clock is needed
);

  localparam int unsigned QControl = 0, QEvent = 1, QTx = 2, QRx = 3;
  localparam int unsigned NumEvents = 6;

  // ---------------------------------------------------------------------------------------------
  // Registers
  // ---------------------------------------------------------------------------------------------
  logic        reg_wr, reg_rd, reg_probe, reg_probe_q;
  logic [12:0] reg_addr;
  logic [31:0] reg_wdata, mmio_rdata, probe_rdata;
  logic [3:0]  reg_wstrb;
  logic        axil_busy, mmio_busy, probe_busy, device_reset, reg_hold;

  assign reg_probe = reg_addr[12];

  // Read data comes one cycle after the strobe.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)     reg_probe_q <= 1'b0;
    else if (reg_rd) reg_probe_q <= reg_probe;
  end

  // A reset takes a few audio clock cycles, and so may QueueReady = 0. Drivers do not wait for them (Linux: vm_reset,
  // vm_del_vq), so the next access does: nothing is accepted from the bus while they last.
  logic awready, wready, arready;
  assign s_axil_awready_o = awready && !reg_hold;
  assign s_axil_wready_o  = wready && !reg_hold;
  assign s_axil_arready_o = arready && !reg_hold;

  axil_slave u_axil_slave (
    .clk_i, .rst_ni,
    .s_axil_awaddr_i, .s_axil_awvalid_i(s_axil_awvalid_i && !reg_hold), .s_axil_awready_o(awready),
    .s_axil_wdata_i, .s_axil_wstrb_i, .s_axil_wvalid_i(s_axil_wvalid_i && !reg_hold), .s_axil_wready_o(wready),
    .s_axil_bresp_o, .s_axil_bvalid_o, .s_axil_bready_i,
    .s_axil_araddr_i, .s_axil_arvalid_i(s_axil_arvalid_i && !reg_hold), .s_axil_arready_o(arready),
    .s_axil_rdata_o, .s_axil_rresp_o, .s_axil_rvalid_o, .s_axil_rready_i,
    .reg_wr_o(reg_wr), .reg_rd_o(reg_rd), .reg_addr_o(reg_addr), .reg_wdata_o(reg_wdata), .reg_wstrb_o(reg_wstrb),
    .reg_rdata_i(reg_probe_q ? probe_rdata : mmio_rdata), .busy_o(axil_busy)
  );

  queue_cfg_t [NumQueues-1:0] queue_cfg;
  ring_features_t             ring_features;
  logic                       driver_ok, core_idle;
  logic [NumQueues-1:0]       notify, queue_clear, queue_idle, used_irq, fault;
  logic [15:0]                notify_idx;
  logic [31:0]                notify_value;
  logic [1:0]                 isr;

  // The window is 4 KiB; only its first 512 bytes hold registers, the rest reads as 0.
  logic reg_mmio;
  assign reg_mmio = !reg_probe && reg_addr[11:9] == '0;

  logic [31:0] mmio_rdata_raw;
  logic        reg_mmio_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)     reg_mmio_q <= 1'b0;
    else if (reg_rd) reg_mmio_q <= reg_mmio;
  end
  assign mmio_rdata = reg_mmio_q ? mmio_rdata_raw : '0;

  mmio_regs u_mmio_regs (
    .clk_i, .rst_ni,
    .wr_i(reg_wr && reg_mmio), .rd_i(reg_rd && reg_mmio), .addr_i(reg_addr[8:0]), .wdata_i(reg_wdata),
    .wstrb_i(reg_wstrb), .rdata_o(mmio_rdata_raw),
    .queue_cfg_o(queue_cfg), .ring_features_o(ring_features), .driver_ok_o(driver_ok),
    .notify_o(notify), .notify_idx_o(notify_idx), .notify_value_o(notify_value),
    .device_reset_o(device_reset), .hold_o(reg_hold), .queue_clear_o(queue_clear), .queue_idle_i(queue_idle), .core_idle_i(core_idle),
    .used_irq_i(used_irq), .fault_i(fault), .irq_o, .isr_o(isr), .busy_o(mmio_busy)
  );

  // ---------------------------------------------------------------------------------------------
  // Queues
  // ---------------------------------------------------------------------------------------------
  logic      [NumQueues-1:0]       bus_idle;  // no transaction of this queue is outstanding
  logic      [NumQueues-1:0]       q_poll, q_drain, q_drained, q_busy, q_published;
  logic      [NumQueues-1:0][15:0] q_published_head;
  logic      [NumQueues-1:0]       msg_valid, msg_end, msg_skip, msg_ready;
  logic      [NumQueues-1:0][15:0] msg_head;
  logic      [NumQueues-1:0][63:0] msg_data;
  logic      [NumQueues-1:0][3:0]  msg_count, msg_take;
  chain_t    [NumQueues-1:0]       msg_chain;
  logic      [NumQueues-1:0]       reply_valid, reply_ready, reply_last, reply_push, reply_pop, reply_done;
  chain_t    [NumQueues-1:0]       reply_chain;
  logic      [NumQueues-1:0][63:0] reply_data;
  logic      [NumQueues-1:0][3:0]  reply_count;
  logic      [NumQueues-1:0]       rd_valid, rd_ready, rd_rsp, wr_valid, wr_ready, wr_done;
  mem_req_t  [NumQueues-1:0]       rd_req;
  mem_rsp_t                        rd_data;
  logic      [NumQueues-1:0][63:0] wr_addr;
  mem_beat_t [NumQueues-1:0]       wr_beat;
  logic                            wr_err;

  for (genvar q = 0; q < NumQueues; q++) begin : gen_queue
    queue_channel u_queue_channel (
      .clk_i, .rst_ni, .clear_i(queue_clear[q]), .idle_o(bus_idle[q]),
      .driver_ok_i(driver_ok), .cfg_i(queue_cfg[q]), .features_i(ring_features),
      .notify_i(notify[q]), .notify_idx_i(notify_idx), .poll_i(q_poll[q]),
      .drain_i(q_drain[q]), .drained_o(q_drained[q]),
      .msg_valid_o(msg_valid[q]), .msg_head_o(msg_head[q]), .msg_data_o(msg_data[q]), .msg_count_o(msg_count[q]),
      .msg_end_o(msg_end[q]), .msg_chain_o(msg_chain[q]),
      .msg_take_i(msg_take[q]), .msg_skip_i(msg_skip[q]), .msg_ready_i(msg_ready[q]),
      .reply_valid_i(reply_valid[q]), .reply_chain_i(reply_chain[q]), .reply_ready_o(reply_ready[q]),
      .reply_data_i(reply_data[q]), .reply_count_i(reply_count[q]), .reply_last_i(reply_last[q]),
      .reply_push_i(reply_push[q]), .reply_pop_o(reply_pop[q]), .reply_done_o(reply_done[q]),
      .used_irq_o(used_irq[q]), .published_o(q_published[q]), .published_head_o(q_published_head[q]),
      .fault_o(fault[q]),
      .rd_valid_o(rd_valid[q]), .rd_req_o(rd_req[q]), .rd_ready_i(rd_ready[q]),
      .rsp_valid_i(rd_rsp[q]), .rsp_i(rd_data),
      .wr_valid_o(wr_valid[q]), .wr_addr_o(wr_addr[q]), .wr_beat_o(wr_beat[q]),
      .wr_ready_i(wr_ready[q]), .wr_done_i(wr_done[q]), .wr_err_i(wr_err),
      .busy_o(q_busy[q])
    );
  end

  // ---------------------------------------------------------------------------------------------
  // Memory
  // ---------------------------------------------------------------------------------------------
  logic      mem_rd_valid, mem_rd_ready, mem_rsp_valid, mem_wr_valid, mem_wr_ready, mem_wr_done, mem_wr_err;
  mem_req_t  mem_rd_req;
  mem_rsp_t  mem_rsp;
  mem_beat_t mem_wr_beat;
  logic [63:0] mem_wr_addr;
  logic      rd_idle, wr_idle, bus_error;

  read_arbiter #(.Requesters(NumQueues)) u_read_arbiter (
    .clk_i, .rst_ni,
    .req_valid_i(rd_valid), .req_i(rd_req), .req_ready_o(rd_ready), .rsp_valid_o(rd_rsp), .rsp_o(rd_data),
    .out_valid_o(mem_rd_valid), .out_req_o(mem_rd_req), .out_ready_i(mem_rd_ready),
    .rsp_valid_i(mem_rsp_valid), .rsp_i(mem_rsp), .idle_o(rd_idle)
  );

  write_arbiter #(.Requesters(NumQueues)) u_write_arbiter (
    .clk_i, .rst_ni,
    .valid_i(wr_valid), .addr_i(wr_addr), .beat_i(wr_beat), .ready_o(wr_ready), .done_o(wr_done), .err_o(wr_err),
    .out_valid_o(mem_wr_valid), .out_addr_o(mem_wr_addr), .out_beat_o(mem_wr_beat), .out_ready_i(mem_wr_ready),
    .done_i(mem_wr_done), .err_i(mem_wr_err), .idle_o(wr_idle)
  );

  axi_master u_axi_master (
    .clk_i, .rst_ni,
    .rd_valid_i(mem_rd_valid), .rd_req_i(mem_rd_req), .rd_ready_o(mem_rd_ready),
    .rd_rsp_valid_o(mem_rsp_valid), .rd_rsp_o(mem_rsp),
    .wr_valid_i(mem_wr_valid), .wr_addr_i(mem_wr_addr), .wr_beat_i(mem_wr_beat), .wr_ready_o(mem_wr_ready),
    .wr_done_o(mem_wr_done), .wr_err_o(mem_wr_err),
    .m_axi_araddr_o, .m_axi_arlen_o, .m_axi_arsize_o, .m_axi_arburst_o, .m_axi_arcache_o, .m_axi_arprot_o,
    .m_axi_arvalid_o, .m_axi_arready_i,
    .m_axi_rdata_i, .m_axi_rresp_i, .m_axi_rlast_i, .m_axi_rvalid_i, .m_axi_rready_o,
    .m_axi_awaddr_o, .m_axi_awlen_o, .m_axi_awsize_o, .m_axi_awburst_o, .m_axi_awcache_o, .m_axi_awprot_o,
    .m_axi_awvalid_o, .m_axi_awready_i,
    .m_axi_wdata_o, .m_axi_wstrb_o, .m_axi_wlast_o, .m_axi_wvalid_o, .m_axi_wready_i,
    .m_axi_bresp_i, .m_axi_bvalid_i, .m_axi_bready_o,
    .error_o(bus_error)
  );

  // ---------------------------------------------------------------------------------------------
  // What stands behind each queue
  // ---------------------------------------------------------------------------------------------
  stream_state_e  stream_state;
  stream_params_t stream_params;
  logic           prepare, flush, flush_done, xrun;
  logic           control_idle, event_idle, pcm_idle, control_busy, event_busy, pcm_busy, refuse_idle, refuse_busy;
  logic           ev_fetch, ev_first_bit;
  logic [31:0]    ev_fetch_head, ev_first_bit_head;
  logic [31:0]    frames_played, underruns, silent_frames, late_messages;

  control u_control (
    .clk_i, .rst_ni, .clear_i(device_reset), .queue_clear_i(queue_clear[QControl]),
    .msg_valid_i(msg_valid[QControl]), .msg_head_i(msg_head[QControl]), .msg_data_i(msg_data[QControl]),
    .msg_count_i(msg_count[QControl]), .msg_end_i(msg_end[QControl]), .msg_chain_i(msg_chain[QControl]),
    .msg_take_o(msg_take[QControl]), .msg_skip_o(msg_skip[QControl]), .msg_ready_o(msg_ready[QControl]),
    .reply_valid_o(reply_valid[QControl]), .reply_chain_o(reply_chain[QControl]), .reply_ready_i(reply_ready[QControl]),
    .reply_data_o(reply_data[QControl]), .reply_count_o(reply_count[QControl]), .reply_last_o(reply_last[QControl]),
    .reply_push_o(reply_push[QControl]), .reply_pop_i(reply_pop[QControl]), .reply_done_i(reply_done[QControl]),
    .stream_state_o(stream_state), .stream_params_o(stream_params), .prepare_o(prepare),
    .flush_o(flush), .flush_done_i(flush_done), .idle_o(control_idle), .busy_o(control_busy)
  );

  xrun_event u_xrun_event (
    .clk_i, .rst_ni, .clear_i(queue_clear[QEvent]),
    .msg_valid_i(msg_valid[QEvent]), .msg_head_i(msg_head[QEvent]), .msg_data_i(msg_data[QEvent]),
    .msg_count_i(msg_count[QEvent]), .msg_end_i(msg_end[QEvent]), .msg_chain_i(msg_chain[QEvent]),
    .msg_take_o(msg_take[QEvent]), .msg_skip_o(msg_skip[QEvent]), .msg_ready_o(msg_ready[QEvent]),
    .reply_valid_o(reply_valid[QEvent]), .reply_chain_o(reply_chain[QEvent]), .reply_ready_i(reply_ready[QEvent]),
    .reply_data_o(reply_data[QEvent]), .reply_count_o(reply_count[QEvent]), .reply_last_o(reply_last[QEvent]),
    .reply_push_o(reply_push[QEvent]), .reply_pop_i(reply_pop[QEvent]), .reply_done_i(reply_done[QEvent]),
    .xrun_i(xrun), .enable_i(stream_params.evt_xruns), .stream_i(32'd0), .idle_o(event_idle), .busy_o(event_busy)
  );

  pcm_out u_pcm_out (
    .clk_i, .rst_ni, .clear_i(queue_clear[QTx]), .mclk_i, .mclk_rst_ni,
    .msg_valid_i(msg_valid[QTx]), .msg_head_i(msg_head[QTx]), .msg_data_i(msg_data[QTx]),
    .msg_count_i(msg_count[QTx]), .msg_end_i(msg_end[QTx]), .msg_chain_i(msg_chain[QTx]),
    .msg_take_o(msg_take[QTx]), .msg_skip_o(msg_skip[QTx]), .msg_ready_o(msg_ready[QTx]),
    .reply_valid_o(reply_valid[QTx]), .reply_chain_o(reply_chain[QTx]), .reply_ready_i(reply_ready[QTx]),
    .reply_data_o(reply_data[QTx]), .reply_count_o(reply_count[QTx]), .reply_last_o(reply_last[QTx]),
    .reply_push_o(reply_push[QTx]), .reply_pop_i(reply_pop[QTx]), .reply_done_i(reply_done[QTx]),
    .state_i(stream_state), .params_i(stream_params), .prepare_i(prepare), .flush_i(flush), .flush_done_o(flush_done),
    .drain_o(q_drain[QTx]), .drained_i(q_drained[QTx]), .poll_o(q_poll[QTx]),
    .converter_delay_i, .xrun_o(xrun),
    .ev_fetch_o(ev_fetch), .ev_fetch_head_o(ev_fetch_head),
    .ev_first_bit_o(ev_first_bit), .ev_first_bit_head_o(ev_first_bit_head),
    .frames_played_o(frames_played), .underruns_o(underruns), .silent_frames_o(silent_frames),
    .late_messages_o(late_messages),
    .mclk_family_o, .i2s_bclk_o, .i2s_lrclk_o, .i2s_sdata_o, .idle_o(pcm_idle), .busy_o(pcm_busy)
  );

  // No input stream yet: every rxq chain is returned with length 0.
  refuse u_refuse (
    .clk_i, .rst_ni, .clear_i(queue_clear[QRx]),
    .msg_valid_i(msg_valid[QRx]), .msg_end_i(msg_end[QRx]), .msg_chain_i(msg_chain[QRx]),
    .msg_take_o(msg_take[QRx]), .msg_skip_o(msg_skip[QRx]), .msg_ready_o(msg_ready[QRx]),
    .reply_valid_o(reply_valid[QRx]), .reply_chain_o(reply_chain[QRx]), .reply_ready_i(reply_ready[QRx]),
    .reply_data_o(reply_data[QRx]), .reply_count_o(reply_count[QRx]), .reply_last_o(reply_last[QRx]),
    .reply_push_o(reply_push[QRx]), .reply_pop_i(reply_pop[QRx]), .reply_done_i(reply_done[QRx]),
    .idle_o(refuse_idle), .busy_o(refuse_busy)
  );

  assign q_poll[QControl]  = 1'b0;
  assign q_poll[QEvent]    = 1'b0;
  assign q_poll[QRx]       = 1'b0;
  assign q_drain[QControl] = 1'b0;
  assign q_drain[QEvent]   = 1'b0;
  assign q_drain[QRx]      = 1'b0;
  // A queue is reset when its bus is quiet and what stands behind it has forgotten its chains.
  assign queue_idle[QControl] = bus_idle[QControl];
  assign queue_idle[QEvent]   = bus_idle[QEvent] && event_idle;
  assign queue_idle[QTx]      = bus_idle[QTx] && pcm_idle;
  assign queue_idle[QRx]      = bus_idle[QRx] && refuse_idle;
  assign core_idle         = control_idle && event_idle && pcm_idle && refuse_idle;

  // ---------------------------------------------------------------------------------------------
  // Probe
  // ---------------------------------------------------------------------------------------------
  logic        irq_q;
  logic [31:0] bus_errors_q, xrun_count_q;
  logic [NumEvents-1:0]       ev_valid;
  logic [NumEvents-1:0][31:0] ev_arg;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      irq_q        <= 1'b0;
      bus_errors_q <= '0;
      xrun_count_q <= '0;
    end else begin
      irq_q <= irq_o;
      if (bus_error) bus_errors_q <= bus_errors_q + 32'd1;
      if (xrun) xrun_count_q <= xrun_count_q + 32'd1;
    end
  end

  assign ev_valid = {irq_o && !irq_q, xrun, q_published[QTx], ev_first_bit, ev_fetch, |notify};
  assign ev_arg   = {{30'd0, isr}, xrun_count_q + 32'd1, {16'd0, q_published_head[QTx]}, ev_first_bit_head,
                     ev_fetch_head, notify_value};

  probe_page #(.ClockHz(BusHz), .BuildId(BuildId)) u_probe_page (
    .clk_i, .rst_ni, .mclk_i, .mclk_rst_ni,
    .wr_i(reg_wr && reg_probe), .rd_i(reg_rd && reg_probe), .addr_i(reg_addr[11:0]), .wdata_i(reg_wdata),
    .rdata_o(probe_rdata), .time_skip_i, .ev_valid_i(ev_valid), .ev_arg_i(ev_arg),
    .frames_played_i(frames_played), .underruns_i(underruns), .silent_frames_i(silent_frames),
    .late_messages_i(late_messages), .bus_errors_i(bus_errors_q),
    .marker_o, .busy_o(probe_busy)
  );

  assign wake_o = axil_busy || mmio_busy || probe_busy || (|q_busy) || !rd_idle || !wr_idle || control_busy ||
                  event_busy || pcm_busy || refuse_busy || (irq_o != irq_q);

  // Heads of the other queues' completions and messages go nowhere.
  logic unused_ok;
  assign unused_ok = ^{q_published, q_published_head, q_drained, msg_head[QRx], msg_data[QRx], msg_count[QRx]};

endmodule
