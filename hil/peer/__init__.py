# SPDX-License-Identifier: Apache-2.0
"""Side by side: QEMU's own virtio-sound device and this one, under the same kernel, the same QEMU and the same program on the board.

`python -m hil.peer` measures both, prints the table and stores `peer.json`. `boards` starts either board; `guest` is what the program
on the board says; `trace` what QEMU logs about its bus; `sink` when frames really left; `figures` the arithmetic; `table` the outcome.
"""
