// The only source list: simulation, lint, formal and synthesis read it, in this order.
rtl/pkg/virtio_mmio_pkg.sv
rtl/pkg/virtio_ring_pkg.sv
rtl/pkg/virtio_snd_pkg.sv
rtl/pkg/probe_pkg.sv
rtl/pkg/profile_pkg.sv
rtl/pkg/vsnd_pkg.sv
rtl/bus/read_arbiter.sv
rtl/bus/write_arbiter.sv
rtl/bus/axi_master.sv
rtl/queue/avail_reader.sv
rtl/queue/chain_walker.sv
rtl/queue/gather.sv
rtl/queue/scatter.sv
rtl/queue/used_writer.sv
rtl/queue/queue_channel.sv
