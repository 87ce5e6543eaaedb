// vsnd_pkg - the types that cross module borders inside the device.
//
// Everything a guest can see (register offsets, structures, codes) is generated from
// host/virtone/virtio into virtio_mmio_pkg, virtio_ring_pkg, virtio_snd_pkg and probe_pkg; the
// device profile is generated into profile_pkg. This package holds only what is ours to choose.
package vsnd_pkg;

  localparam int unsigned NumQueues = 4;  // controlq, eventq, txq, rxq

  // ---------------------------------------------------------------------------------------------
  // Memory port: what every requester inside the device speaks. bus/read_arbiter and
  // bus/write_arbiter turn many of these into the one AXI4 master.
  //
  // A request is one burst: addr is a multiple of 8, beats is 1..16, and the burst stays within
  // one 4 KiB page. A reader must have room for everything it asked for: responses cannot wait.
  // ---------------------------------------------------------------------------------------------
  typedef struct packed {
    logic [63:0] addr;
    logic [4:0]  beats;
  } mem_req_t;

  typedef struct packed {
    logic [63:0] data;
    logic        last;  // last beat of the burst
    logic        err;   // SLVERR or DECERR
  } mem_rsp_t;

  typedef struct packed {
    logic [63:0] data;
    logic [7:0]  strb;
  } mem_beat_t;

  // ---------------------------------------------------------------------------------------------
  // Queues
  // ---------------------------------------------------------------------------------------------
  // One virtqueue as the driver set it up (virtio-mmio queue registers).
  typedef struct packed {
    logic        ready;
    logic [15:0] size;    // entries, power of two
    logic [63:0] desc;    // descriptor table
    logic [63:0] driver;  // avail ring
    logic [63:0] device;  // used ring
  } queue_cfg_t;

  // The negotiated features that change how a ring is served.
  typedef struct packed {
    logic event_idx;
    logic indirect;
    logic notification_data;
  } ring_features_t;

  // A place in a descriptor chain: the next descriptor to read, and how many may still follow.
  typedef struct packed {
    logic        valid;     // there is a next descriptor
    logic        indirect;  // index counts within an indirect table
    logic [63:0] table_addr;
    logic [15:0] entries;   // entries of that table
    logic [15:0] index;
    logic [15:0] budget;    // descriptors the chain may still have
  } cursor_t;

  // A chain whose readable part has been consumed: what is needed to answer it.
  typedef struct packed {
    logic [15:0] head;      // used.id
    cursor_t     writable;  // first device-writable descriptor
  } chain_t;

  // ---------------------------------------------------------------------------------------------
  // PCM
  // ---------------------------------------------------------------------------------------------
  typedef enum logic [2:0] {
    StInit     = 3'd0,
    StParams   = 3'd1,
    StPrepared = 3'd2,
    StRunning  = 3'd3,
    StStopped  = 3'd4,
    StReleased = 3'd5
  } stream_state_e;

  // What SET_PARAMS fixed, already checked against the profile.
  typedef struct packed {
    logic [31:0] buffer_bytes;
    logic [31:0] period_bytes;
    logic        msg_polling;
    logic        evt_xruns;
    logic [3:0]  channels;
    logic [7:0]  format;  // VIRTIO_SND_PCM_FMT_*
    logic [7:0]  rate;    // VIRTIO_SND_PCM_RATE_*
  } stream_params_t;

  // ---------------------------------------------------------------------------------------------
  // Probe: one event of the log, stamped by probe/event_log with the time of the cycle it arrives.
  // ---------------------------------------------------------------------------------------------
  typedef enum logic [3:0] {
    EvNone      = 4'd0,
    EvMarker    = 4'd1,  // application marker written; arg = value
    EvNotify    = 4'd2,  // QueueNotify written; arg = value written
    EvFetch     = 4'd3,  // first payload beat of a tx message arrived; arg = head
    EvFirstBit  = 4'd4,  // first bit of a message's first frame is on the wire; arg = head
    EvComplete  = 4'd5,  // used index of a tx message is in memory; arg = head
    EvXrun      = 4'd6,  // underrun episode began; arg = episode number
    EvInterrupt = 4'd7   // irq rose; arg = InterruptStatus
  } event_e;

endpackage
