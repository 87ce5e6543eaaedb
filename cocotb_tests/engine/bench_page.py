# SPDX-License-Identifier: Apache-2.0
"""The words that the simulation shares with Python (`bench_page.h`, same names, same order; a test compares them).

A page is 4 KiB of 64-bit little-endian words in shared memory. The simulation's own Python finds it by the environment
variable BENCH_PAGE; any other process may map the same path. This module imports no cocotb.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

MAGIC = int.from_bytes(b"VTNPAGE1", "little")
PAGE_BYTES = 4096
WORDS = (
    "magic",
    # register mailbox
    "command_seq",
    "command",
    "write_data",
    "response_seq",
    "read_data",
    "response_code",
    # lines
    "reset",
    "irq",
    "wake",
    "converter_delay",
    # time
    "bus_period_ps",
    "now_ps",
    "bus_cycle",
    "bus_cycles_run",
    "vpi_steps",
    "hold",
    "doorbell",
    # guest memory
    "memory_base",
    "memory_size",
    "read_latency",
    "write_latency",
    "error_base",
    "error_size",
    "watch_base",
    "watch_size",
    # counters
    "beats_read",
    "beats_written",
    "notify_cycle",
    "first_beat_cycle",
    "i2s_faults",
)
INDEX = {name: index for index, name in enumerate(WORDS)}


def map_file(path: str | Path, writable: bool = True) -> mmap.mmap:
    """The whole of a file as shared memory. Raises OSError when it cannot be opened, ValueError when it is empty."""
    access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
    descriptor = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
    try:
        return mmap.mmap(descriptor, 0, access=access)
    finally:
        os.close(descriptor)


class BenchPage:
    """Words by name: `page.now_ps`, `page.read_latency = 100`. `words` is the raw view, for code that counts nanoseconds."""

    def __init__(self, path: str | Path | None = None) -> None:
        path = path or os.environ.get("BENCH_PAGE", "")
        if not path:
            raise ValueError("no bench page: BENCH_PAGE is not set, so this is not a system bench of this engine")
        object.__setattr__(self, "words", memoryview(map_file(path)).cast("Q"))
        if self.magic != MAGIC:
            raise ValueError(f"{path} is no bench page: it begins with {self.magic:#x}, not {MAGIC:#x}")

    def __getattr__(self, name: str) -> int:
        try:
            return self.words[INDEX[name]]
        except KeyError:
            raise AttributeError(f"the bench page has no word {name!r}; its words: {', '.join(WORDS)}") from None

    def __setattr__(self, name: str, value: int) -> None:
        try:
            self.words[INDEX[name]] = value
        except KeyError:
            raise AttributeError(f"the bench page has no word {name!r}; its words: {', '.join(WORDS)}") from None
