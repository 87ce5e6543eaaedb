# SPDX-License-Identifier: Apache-2.0
"""Guest memory behind a block's memory port (`mem_req_t`, `mem_rsp_t`, `mem_beat_t` of vsnd_pkg), for module benches.

Drives on the falling clock edge and samples just before the rising one, so a transfer is seen exactly when the
block sees it. Latencies are drawn per transaction from the given random source.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly


@dataclass
class Write:
    """One write as it reached memory: byte address of the first strobed byte, its bytes, clock cycle."""

    addr: int
    data: bytes
    cycle: int


@dataclass
class MemoryPort:
    """Answers `rd_*`/`rsp_*` and `wr_*` of `dut` from a sparse byte store; a block may have only one of the two.

    `error_range` (first, last address) answers reads and writes with a bus error. `requests` holds (address, beats) of
    every read, `accepted` counts transfers that were begun, `open` those that have not been answered in full.
    """

    dut: object
    rng: random.Random
    latency: tuple[int, int] = (1, 12)
    store: dict[int, int] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    requests: list[tuple[int, int]] = field(default_factory=list)
    error_range: tuple[int, int] | None = None
    cycle: int = 0
    reads: int = 0
    beats: int = 0
    accepted: int = 0
    open: int = 0

    def start(self) -> None:
        for name in ("rd_ready_i", "rsp_valid_i", "wr_ready_i", "wr_done_i", "wr_err_i"):
            if hasattr(self.dut, name):
                getattr(self.dut, name).value = 0
        cocotb.start_soon(self._run())

    def write(self, addr: int, data: bytes) -> None:
        self.store.update({addr + i: byte for i, byte in enumerate(data)})

    def read(self, addr: int, count: int) -> bytes:
        return bytes(self.store.get(addr + i, 0) for i in range(count))

    def read16(self, addr: int) -> int:
        return int.from_bytes(self.read(addr, 2), "little")

    def write16(self, addr: int, value: int) -> None:
        self.write(addr, (value & 0xFFFF).to_bytes(2, "little"))

    def _bad(self, addr: int) -> bool:
        return self.error_range is not None and self.error_range[0] <= addr <= self.error_range[1]

    async def _run(self) -> None:
        reads: deque[tuple[int, int, int]] = deque()  # due cycle, address, beats left
        writes: deque[tuple[int, int, int, int]] = deque()  # due cycle, address, data, strobes
        dut, rng = self.dut, self.rng
        has_reads, has_writes = hasattr(dut, "rd_valid_o"), hasattr(dut, "wr_valid_o")
        while True:
            await FallingEdge(dut.clk_i)
            self.cycle += 1
            self.open = len(reads) + len(writes)
            if has_reads:
                dut.rd_ready_i.value = int(rng.random() < 0.8)
                dut.rsp_valid_i.value = 0
            if has_writes:
                dut.wr_ready_i.value = int(rng.random() < 0.8)
                dut.wr_done_i.value = 0
            if reads and reads[0][0] <= self.cycle and rng.random() < 0.9:
                due, addr, left = reads.popleft()
                data = int.from_bytes(self.read(addr, 8), "little")
                dut.rsp_valid_i.value = 1
                dut.rsp_i.value = data << 2 | int(left == 1) << 1 | int(self._bad(addr))
                self.beats += 1
                if left > 1:
                    reads.appendleft((due, addr + 8, left - 1))
            if writes and writes[0][0] <= self.cycle:
                _, addr, data, strb = writes.popleft()
                dut.wr_done_i.value = 1
                dut.wr_err_i.value = int(self._bad(addr))
            await ReadOnly()
            if has_reads and int(dut.rd_valid_o.value) and int(dut.rd_ready_i.value):
                request = int(dut.rd_req_o.value)
                addr, beats = request >> 5, request & 31
                assert addr % 8 == 0, f"read at {addr:#x} is not on an 8-byte word"
                assert 1 <= beats <= 16, f"burst of {beats} beats"
                assert addr >> 12 == (addr + 8 * beats - 1) >> 12, f"burst at {addr:#x} x {beats} crosses a 4 KiB page"
                after = reads[-1][0] if reads else 0
                reads.append((max(after, self.cycle + rng.randint(*self.latency)), addr, beats))
                self.reads += 1
                self.requests.append((addr, beats))
                self.accepted += 1
            if has_writes and int(dut.wr_valid_o.value) and int(dut.wr_ready_i.value):
                addr, beat = int(dut.wr_addr_o.value), int(dut.wr_beat_o.value)
                data, strb = beat >> 8, beat & 0xFF
                assert addr % 8 == 0 and strb, f"write at {addr:#x} with strobes {strb:#x}"
                lanes = [lane for lane in range(8) if strb >> lane & 1]
                chunk = bytes(data >> 8 * lane & 0xFF for lane in lanes)
                assert lanes == list(range(lanes[0], lanes[-1] + 1)), f"strobes {strb:#010b} have a hole"
                if not self._bad(addr):
                    self.write(addr + lanes[0], chunk)
                self.writes.append(Write(addr + lanes[0], chunk, self.cycle))
                due = max(writes[-1][0] if writes else 0, self.cycle + rng.randint(*self.latency))
                writes.append((due, addr, data, strb))
                self.accepted += 1
