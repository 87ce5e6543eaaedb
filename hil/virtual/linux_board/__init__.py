# SPDX-License-Identifier: Apache-2.0
"""The Linux board: an unmodified arm64 Debian kernel in QEMU, whose virtio-mmio window another program answers.

`packages.obtain` brings QEMU, kernel and user space into the user's cache; `qemu.Board` starts and ends the board;
`vfio_user.Server` is its register window, guest memory and interrupt line; `time` stretches the guest's clock.
"""
