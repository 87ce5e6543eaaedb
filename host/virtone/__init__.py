# SPDX-License-Identifier: Apache-2.0
"""Virtone: a virtio sound device in SystemVerilog, and the rig that certifies its latency."""

__version__ = "0.1.0"
