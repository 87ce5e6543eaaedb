# SPDX-License-Identifier: Apache-2.0
"""What the rest of `hil` needs of the simulation engine: the capture ring as a file, and children that are bounded in time.

Promise: the only door from `hil` (outside this package) to `cocotb_tests.engine`; nothing behind it imports cocotb.
"""

from __future__ import annotations

from cocotb_tests.engine.capture_ring import FRAME, HEADER_BYTES, MAGIC, CaptureRing, Overrun
from cocotb_tests.engine.process import TimeLimit, die_with_parent, run_bounded

__all__ = ["FRAME", "HEADER_BYTES", "MAGIC", "CaptureRing", "Overrun", "TimeLimit", "die_with_parent", "run_bounded"]
