# SPDX-License-Identifier: Apache-2.0
"""axil_slave: random AXI4-Lite traffic with stalls everywhere, each access exactly one strobe, every word its own."""

from __future__ import annotations

import random
from collections import deque

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench

IDLE = {
    f"s_axil_{name}_i": 0
    for name in ("awaddr", "awvalid", "wdata", "wstrb", "wvalid", "bready", "araddr", "arvalid", "rready")
} | {"reg_rdata_i": 0}


def register_word(addr: int, nonce: int) -> int:
    """What the register side answers: tells address and order apart."""
    return (addr * 0x9E3779B1 ^ nonce * 0x85EBCA6B) & 0xFFFFFFFF


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def random_traffic(dut: object) -> None:
    """Stalls on all five channels in proportions that change; compares strobes and responses with queues of what was sent."""
    rng = random.Random(cocotb.RANDOM_SEED)
    clock = Cycles(dut)
    await clock.start(**IDLE)
    aw: deque = deque()  # accepted by the slave, not yet strobed
    w: deque = deque()
    ar: deque = deque()
    owed_b = owed_r = 0
    words: deque[int] = deque()  # read words handed over, not yet seen on the R channel
    nonce = writes = reads = 0
    offered: dict[str, tuple | None] = {"aw": None, "w": None, "ar": None}
    pending_word: int | None = None
    both = 0
    for cycle in range(6000):
        if cycle % 200 == 0:
            p_valid, p_ready = rng.choice([0.1, 0.5, 1.0]), rng.choice([0.1, 0.5, 1.0])
        for channel in offered:
            if offered[channel] is None and rng.random() < p_valid:
                offered[channel] = (rng.getrandbits(13), rng.getrandbits(32), rng.getrandbits(4))
        bready, rready = rng.random() < p_ready, rng.random() < p_ready
        word = pending_word if pending_word is not None else rng.getrandbits(32)
        pending_word = None
        clock.drive(
            s_axil_awvalid_i=offered["aw"] is not None,
            s_axil_awaddr_i=offered["aw"][0] if offered["aw"] else rng.getrandbits(13),
            s_axil_wvalid_i=offered["w"] is not None,
            s_axil_wdata_i=offered["w"][1] if offered["w"] else rng.getrandbits(32),
            s_axil_wstrb_i=offered["w"][2] if offered["w"] else rng.getrandbits(4),
            s_axil_arvalid_i=offered["ar"] is not None,
            s_axil_araddr_i=offered["ar"][0] if offered["ar"] else rng.getrandbits(13),
            s_axil_bready_i=bready,
            s_axil_rready_i=rready,
            reg_rdata_i=word,
        )
        await clock.look()
        wr, rd = clock.get("reg_wr_o"), clock.get("reg_rd_o")
        assert not (wr and rd), "both strobes in one cycle"
        open_now = bool(aw or w or ar or owed_b or owed_r)
        assert clock.get("busy_o") == open_now or cycle == 0, f"busy_o with {open_now=}"
        both += bool(aw and w and ar)
        if clock.get("s_axil_bvalid_o"):
            assert owed_b, "a write response nobody is owed"
            assert clock.get("s_axil_bresp_o") == 0
            owed_b -= bready
        if clock.get("s_axil_rvalid_o"):
            assert words, "a read response nobody is owed"
            assert clock.get("s_axil_rresp_o") == 0 and clock.get("s_axil_rdata_o") == words[0]
            if rready:
                words.popleft()
                owed_r -= 1
        if wr:
            addr, (_, data, strb) = aw.popleft()[0], w.popleft()
            got = clock.get("reg_addr_o"), clock.get("reg_wdata_o"), clock.get("reg_wstrb_o")
            assert got == (addr, data, strb), f"write {got}, sent {(addr, data, strb)}"
            owed_b += 1
            writes += 1
        if rd:
            addr = ar.popleft()[0]
            assert clock.get("reg_addr_o") == addr
            pending_word = register_word(addr, nonce)
            nonce += 1
            words.append(pending_word)
            owed_r += 1
            reads += 1
        for channel, accepted in (("aw", aw), ("w", w), ("ar", ar)):
            if offered[channel] is not None and clock.get(f"s_axil_{channel}ready_o"):
                accepted.append(offered[channel])
                offered[channel] = None
        await clock.tick()
    assert writes > 300 and reads > 300 and both > 50, (writes, reads, both)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def latency(dut: object) -> None:
    """An access that meets no other: strobe one cycle after its address, B one and R two cycles after the strobe."""
    clock = Cycles(dut)
    await clock.start(**IDLE)
    await clock.tick(2)
    for kind, response, distance in (("w", "s_axil_bvalid_o", 2), ("r", "s_axil_rvalid_o", 3)):
        channels = ("aw", "w") if kind == "w" else ("ar",)
        clock.drive(**{f"s_axil_{c}valid_i": 1 for c in channels}, s_axil_bready_i=1, s_axil_rready_i=1)
        await clock.tick()
        clock.drive(**{f"s_axil_{c}valid_i": 0 for c in channels})
        for cycle in range(1, 6):
            await clock.look()
            assert clock.get("reg_wr_o" if kind == "w" else "reg_rd_o") == (cycle == 1)
            assert clock.get(response) == (cycle == distance)
            assert clock.get("busy_o") == (cycle <= distance)
            await clock.tick()


def test_axil_slave() -> None:
    run_bench("axil_slave", __file__)
