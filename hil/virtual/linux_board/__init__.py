# SPDX-License-Identifier: Apache-2.0
"""The Linux board: an unmodified arm64 Debian kernel in QEMU, whose virtio-mmio window a simulated device answers.

Reading order: `packages` (with `apt`, `deb`, pins.toml) brings QEMU, kernel and user space into the user's cache. `qemu.Board` starts and
ends the machine, with its `device_tree` and `initramfs` (hil/guest/init). `vfio_user.Server` is the register window, guest memory and
interrupt line on a socket (`message_socket`, `pci_config`, `shared_memory`, `intx`). `bridge.Bridge` carries them into any
`virtone.model.port.Port`, in step with the guest's clock (`time`); `control` asks it how that went. `rtl_simulation` (with
`rtl_world`, its cocotb side) puts the simulated RTL behind it, `model_world` the modelled device. Errors: `errors`.
"""
