# SPDX-License-Identifier: Apache-2.0
"""Names that supervisor and simulation agree on (the supervisor cannot import the simulation: that needs a simulator)."""

from __future__ import annotations

READY_FILE = "board.json"  # in the run directory, written by the board when it is at its prompt
FOLDER = "VIRTUAL_BENCH_DIR"  # environment: the run directory
OWN_FOLDER = "VIRTUAL_BENCH_OWN_DIR"  # environment: 1 if it is to be removed at the end
FACTS = "VIRTUAL_BENCH_FACTS"  # environment: JSON object that `sndprobe version` prints
