# SPDX-License-Identifier: Apache-2.0
"""axi_master against a random AXI slave: AMBA AXI4 A3.2 (handshakes), A3.4 (bursts), A4.4 (memory attributes)."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench

INPUTS = [
    "rd_valid_i",
    "rd_req_i",
    "wr_valid_i",
    "wr_addr_i",
    "wr_beat_i",
    "m_axi_arready_i",
    "m_axi_rdata_i",
    "m_axi_rresp_i",
    "m_axi_rlast_i",
    "m_axi_rvalid_i",
    "m_axi_awready_i",
    "m_axi_wready_i",
    "m_axi_bresp_i",
    "m_axi_bvalid_i",
]
CONSTANT = {
    **{f"m_axi_a{c}size_o": 3 for c in "rw"},  # 8 bytes a beat
    **{f"m_axi_a{c}burst_o": 1 for c in "rw"},  # INCR
    **{f"m_axi_a{c}cache_o": 0b1111 for c in "rw"},  # write-back, read and write allocate
    **{f"m_axi_a{c}prot_o": 0 for c in "rw"},
    "m_axi_awlen_o": 0,
    "m_axi_wlast_o": 1,
    "m_axi_rready_o": 1,
    "m_axi_bready_o": 1,
}
PAYLOAD = {
    "ar": ("m_axi_araddr_o", "m_axi_arlen_o"),
    "aw": ("m_axi_awaddr_o",),
    "w": ("m_axi_wdata_o", "m_axi_wstrb_o"),
}


class Bench:
    """Both ports asked at random; `expect` holds what each channel still has to show, `taken` how much it has shown."""

    def __init__(self, dut: Any) -> None:
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.expect: dict[str, deque[tuple[int, ...]]] = {"ar": deque(), "aw": deque(), "w": deque()}
        self.pending: dict[str, tuple[int, ...] | None] = dict.fromkeys(PAYLOAD)  # offered, not taken
        self.taken = dict.fromkeys(PAYLOAD, 0)
        self.read: tuple[int, int] | None = None
        self.write: tuple[int, int, int] | None = None

    async def start(self) -> Bench:
        await self.clock.start(**dict.fromkeys(INPUTS, 0))
        return self

    async def cycle(self, ask: float = 0.5, ready: dict[str, float] | None = None, answer: float = 0.5) -> None:
        clock, rng, chance = self.clock, self.rng, ready or {}
        if self.read is None and rng.random() < ask:
            beats = rng.randint(1, 16)
            self.read = (rng.getrandbits(52) << 12 | 8 * rng.randint(0, 512 - beats), beats)
        if self.write is None and rng.random() < ask:
            self.write = (rng.getrandbits(61) << 3, rng.getrandbits(64), rng.randint(1, 255))
        go = {channel: rng.random() < chance.get(channel, 0.5) for channel in PAYLOAD}
        rvalid, bvalid = rng.random() < answer, rng.random() < answer
        rdata, rresp, rlast, bresp = rng.getrandbits(64), rng.getrandbits(2), rng.getrandbits(1), rng.getrandbits(2)
        # Without valid there is nothing that may be looked at.
        addr, beats = self.read or (rng.getrandbits(64), rng.getrandbits(5))
        waddr, data, strb = self.write or (rng.getrandbits(64), rng.getrandbits(64), 0)
        clock.drive(
            rd_valid_i=self.read is not None, rd_req_i=addr << 5 | beats,
            wr_valid_i=self.write is not None, wr_addr_i=waddr, wr_beat_i=data << 8 | strb,
            **{f"m_axi_{channel}ready_i": go[channel] for channel in PAYLOAD},
            m_axi_rvalid_i=rvalid, m_axi_rdata_i=rdata, m_axi_rresp_i=rresp, m_axi_rlast_i=rlast,
            m_axi_bvalid_i=bvalid, m_axi_bresp_i=bresp,
        )  # fmt: skip
        await clock.look()
        self._answers(rvalid, rdata, rresp, rlast, bvalid, bresp)
        for channel, names in PAYLOAD.items():
            self._channel(channel, names, go[channel])
        for name, value in CONSTANT.items():
            assert clock.get(name) == value, f"{name} is {clock.get(name)}, must be {value}"
        if self.read and clock.get("rd_ready_o"):
            self.expect["ar"].append((addr, beats - 1))
            self.read = None
        if self.write and clock.get("wr_ready_o"):
            self.expect["aw"].append((waddr,))
            self.expect["w"].append((data, strb))
            self.write = None
        await clock.tick()

    def _answers(self, rvalid: bool, rdata: int, rresp: int, rlast: int, bvalid: bool, bresp: int) -> None:
        """Responses pass at once; SLVERR (2) and DECERR (3) are errors, OKAY and EXOKAY are not."""
        get = self.clock.get
        assert get("rd_rsp_valid_o") == rvalid and get("wr_done_o") == bvalid
        if rvalid:
            assert get("rd_rsp_o") == rdata << 2 | rlast << 1 | int(rresp >= 2)
        if bvalid:
            assert get("wr_err_o") == int(bresp >= 2)
        assert get("error_o") == int((rvalid and rresp >= 2) or (bvalid and bresp >= 2)), "error_o"

    def _channel(self, channel: str, names: tuple[str, ...], ready: bool) -> None:
        get = self.clock.get
        before = self.pending[channel]
        if not get(f"m_axi_{channel}valid_o"):
            assert before is None, f"{channel}valid fell before {channel}ready (A3.2.1)"
            return
        shown = tuple(get(name) for name in names)
        assert before in (None, shown), f"{channel} changed from {before} to {shown} while it waited (A3.2.1)"
        assert self.expect[channel], f"{channel} offers {shown}, which nobody asked for"
        assert shown == self.expect[channel][0], f"{channel} shows {shown}, asked was {self.expect[channel][0]}"
        if channel == "ar":
            addr, length = shown
            assert addr >> 12 == addr + 8 * length + 7 >> 12 and length < 16, f"burst {addr:#x} x {length + 1}"
        self.pending[channel] = None if ready else shown
        if ready:
            self.expect[channel].popleft()
            self.taken[channel] += 1

    async def drain(self) -> None:
        while any(self.expect.values()) or self.read or self.write:
            await self.cycle(ask=0.0)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def offers_are_stable_and_complete(dut: object) -> None:
    """Every request once, in order, unchanged while it waits; whichever of AW and W is taken first."""
    bench = await Bench(dut).start()
    for ar, aw, w in ((0.5, 0.5, 0.5), (1, 1, 1), (0.1, 0.1, 0.9), (0.9, 0.9, 0.1), (0.05, 0.05, 0.05)):
        for _ in range(500):
            await bench.cycle(bench.rng.choice([0.2, 1.0]), {"ar": ar, "aw": aw, "w": w})
    await bench.drain()
    assert min(bench.taken.values()) > 300, bench.taken


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def channels_do_not_wait_for_each_other(dut: object) -> None:
    """A slave may want W before AW or AW before W (A3.3.1), and answer nothing while it does."""
    for held, free in (("aw", "w"), ("w", "aw")):
        bench = await Bench(dut).start()
        for _ in range(20):
            await bench.cycle(1.0, {held: 0.0, free: 1.0, "ar": 0.0}, answer=0.0)
        assert bench.taken[free] == 1 and bench.pending[held] is not None, (held, bench.taken)
        await bench.drain()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_transfer_a_cycle(dut: object) -> None:
    """With a slave that is always ready nothing waits."""
    bench = await Bench(dut).start()
    for _ in range(101):
        await bench.cycle(1.0, {"ar": 1.0, "aw": 1.0, "w": 1.0})
    assert set(bench.taken.values()) == {100}


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def silent_in_reset(dut: object) -> None:
    """No valid in and after a reset (A3.1.2), whatever was on offer."""
    bench = await Bench(dut).start()
    for _ in range(10):
        await bench.cycle(1.0, dict.fromkeys(PAYLOAD, 0.0))
    assert all(bench.pending.values())
    bench = await Bench(dut).start()
    for _ in range(5):
        await bench.cycle(0.0)
    assert not any(bench.taken.values())


def test_axi_master() -> None:
    run_bench("axi_master", __file__)
