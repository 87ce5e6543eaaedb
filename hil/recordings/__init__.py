# SPDX-License-Identifier: Apache-2.0
"""What a driver does to the device, written down at the bus: recordings of Linux, and the reference driver held against them.

Reading order: `records` (what a recording consists of, and its text), `actions` (what the user did while it was made: on the board
and, the same, with the reference driver), `compare` (what must be equal). `linux_board.recorder` makes recordings. The files *.txt
are recordings of Linux kernels; `python -m hil.recordings` makes a new one.
"""
