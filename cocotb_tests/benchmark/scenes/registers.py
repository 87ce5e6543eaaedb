# SPDX-License-Identifier: Apache-2.0
"""Scene: register reads back to back, and probes as Linux does them.

Case: {reads, probes}. Findings: {reads, read_wall_s, read_cpu_s, read_sim_ns, probe_accesses, probe_sim_ns: [...],
probe_wall_s: [...], probe_cpu_s: [...]}. A probe is from the first register access to the last stream's description; the
first one, which warms caches up, is not in the lists.
"""

from __future__ import annotations

import time
from typing import Any

import cocotb

from cocotb_tests.benchmark.scenes.stage import Stage, case, found
from virtone.virtio import mmio


@cocotb.test(timeout_time=20, timeout_unit="sec")
async def registers(dut: Any) -> None:
    given = case()
    stage = Stage(dut)
    port = stage.port
    await port.reset()
    read, offset = port.read32, int(mmio.VIRTIO_MMIO_MAGIC_VALUE)
    for _ in range(100):
        await read(offset)
    wall, cpu, now = time.perf_counter(), time.process_time(), port.now_ns()
    for _ in range(given["reads"]):
        if await read(offset) != mmio.VIRT_MAGIC:
            raise AssertionError("MagicValue reads wrong")
    what: dict[str, Any] = {
        "reads": given["reads"],
        "read_wall_s": time.perf_counter() - wall,
        "read_cpu_s": time.process_time() - cpu,
        "read_sim_ns": port.now_ns() - now,
    }
    probes = []
    for _ in range(given["probes"] + 1):
        await stage.leave()
        wall, cpu, now, accesses = time.perf_counter(), time.process_time(), port.now_ns(), port.page.command_seq
        await stage.probe()
        probes.append((port.now_ns() - now, time.perf_counter() - wall, time.process_time() - cpu))
        what["probe_accesses"] = port.page.command_seq - accesses
    for name, column in zip(
        ("probe_sim_ns", "probe_wall_s", "probe_cpu_s"), zip(*probes[1:], strict=True), strict=True
    ):
        what[name] = list(column)
    found(what)
