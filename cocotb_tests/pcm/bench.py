# SPDX-License-Identifier: Apache-2.0
"""A stage for pcm_out: the txq's two ports, the stream's commands, a bus clock that may rest, the I2S wire.

With `gated` the bus clock runs only while `busy_o` is high or the bench's own half would change by itself: a missing
term in `busy_o` then shows as a hang or as a late event.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.simtime import get_sim_time
from cocotb.triggers import Event, First, RisingEdge, Timer

from cocotb_tests.i2s.wire import I2sReceiver, MasterClock
from virtone.virtio import snd

BUS_PS = 10_000
INIT, PARAMS, PREPARED, RUNNING, STOPPED, RELEASED = range(6)
OK, IO_ERR = int(snd.VIRTIO_SND_S_OK), int(snd.VIRTIO_SND_S_IO_ERR)
_CHAIN_HEAD_LSB = 114  # chain_t: head above a cursor_t of 114 bits
SAMPLE_BYTES = {
    int(snd.VIRTIO_SND_PCM_FMT_S16): 2,
    int(snd.VIRTIO_SND_PCM_FMT_S24_3): 3,
    int(snd.VIRTIO_SND_PCM_FMT_S24): 4,
    int(snd.VIRTIO_SND_PCM_FMT_S32): 4,
}


@dataclass(frozen=True)
class Reply:
    """One completion: when it was offered and when it was in memory, and the status structure."""

    head: int
    offered_ps: int
    done_ps: int
    status: int
    latency: int


@dataclass
class Chain:
    """One message in the avail ring."""

    head: int
    data: bytes
    tag: int
    position: int = 0
    count: int = 0  # bytes offered


@dataclass
class Pace:
    """How fast the queue is: chances per cycle that a beat arrives, a handshake is answered, and cycles until done."""

    beat: float = 1.0
    answer: float = 1.0
    done_cycles: tuple[int, int] = (4, 4)


@dataclass
class Log:
    replies: list[Reply] = field(default_factory=list)
    first_bits: list[tuple[int, int]] = field(default_factory=list)  # (time_ps, head)
    fetches: list[tuple[int, int]] = field(default_factory=list)
    xruns: list[int] = field(default_factory=list)
    polls: list[int] = field(default_factory=list)


class Stage:
    """Owns every input of `dut` (a pcm_out)."""

    def __init__(self, dut: Any, *, gated: bool = True, seed: int = 1) -> None:
        self.dut = dut
        self.gated = gated
        self.rng = random.Random(seed)  # for the test; the ports have their own, drawn from once a cycle
        self._port_rng = random.Random(seed + 1)
        self.pace = Pace()
        self.log = Log()
        self.avail: list[Chain] = []
        self.now: Chain | None = None  # the chain on the message port
        self.edges = 0
        self.taken = 0  # payload and header bytes
        self._inputs: dict[str, int] = {}
        self._wake = Event()
        self._reply: dict[str, int] | None = None
        self._serial = 0
        self.receiver = I2sReceiver(dut.i2s_bclk_o, dut.i2s_lrclk_o, dut.i2s_sdata_o)

    async def start(self, delays: tuple[int, int, int] = (0, 0, 0)) -> None:
        dut = self.dut
        for name in (
            "clear_i",
            "prepare_i",
            "flush_i",
            "drained_i",
            "state_i",
            "params_i",
            "msg_valid_i",
            "msg_head_i",
        ):
            getattr(dut, name).value = 0
        for name in ("msg_data_i", "msg_count_i", "msg_end_i", "msg_chain_i", "reply_ready_i", "reply_pop_i", "clk_i"):
            getattr(dut, name).value = 0
        dut.reply_done_i.value = 0
        dut.converter_delay_i.value = delays[0] | delays[1] << 16 | delays[2] << 32
        dut.rst_ni.value = dut.mclk_rst_ni.value = 1
        await Timer(1, "ns")
        dut.rst_ni.value = dut.mclk_rst_ni.value = 0
        MasterClock(dut.mclk_i, dut.mclk_family_o).start()
        await Timer(199, "ns")
        dut.rst_ni.value = dut.mclk_rst_ni.value = 1
        self.receiver.start()
        cocotb.start_soon(self._bus_clock())
        await Timer(101, "ns")

    # ---- Bus clock and ports ----

    def _active(self) -> bool:
        chain = self.now
        return bool(
            self._inputs
            or self._reply
            or (chain and chain.count < min(8, len(chain.data) - chain.position))
            or (chain is None and self.avail)
            or int(self.dut.drain_o.value)
        )

    async def _bus_clock(self) -> None:
        dut, half = self.dut, BUS_PS // 2
        busy_rises = RisingEdge(dut.busy_o)
        while True:
            if self.gated and not int(dut.busy_o.value) and not self._active():
                self._wake.clear()
                await First(busy_rises, self._wake.wait())
                await Timer(BUS_PS - get_sim_time("step") % BUS_PS, "step")  # the next edge of the grid
            inputs = self._cycle()
            dut.clk_i.value = 1
            self.edges += 1
            await Timer(half, "step")
            dut.clk_i.value = 0
            for name, value in inputs.items():
                getattr(dut, name).value = value
            await Timer(half, "step")

    def _cycle(self) -> dict[str, int]:
        """What the queue and the bench do at this edge: inputs from the next half cycle on."""
        dut, now_ps = self.dut, get_sim_time("step")
        for event, log in ((dut.ev_first_bit_o, self.log.first_bits), (dut.ev_fetch_o, self.log.fetches)):
            if int(event.value):
                head = dut.ev_first_bit_head_o if log is self.log.first_bits else dut.ev_fetch_head_o
                log.append((now_ps, int(head.value)))
        for event, times in ((dut.xrun_o, self.log.xruns), (dut.poll_o, self.log.polls)):
            if int(event.value):
                times.append(now_ps)
        inputs, self._inputs = self._inputs, {}
        if inputs.get("prepare_i"):
            self._inputs = {"prepare_i": 0}
        if int(dut.clear_i.value):
            self.avail, self.now, self._reply = [], None, None
            return inputs | {"msg_valid_i": 0, "msg_count_i": 0, "msg_end_i": 0, "reply_done_i": 0}
        return inputs | self._message_port() | self._reply_port(now_ps) | {"drained_i": self._drained()}

    def _drained(self) -> int:
        return int(bool(int(self.dut.drain_o.value)) and not self.avail and self.now is None)

    def _message_port(self) -> dict[str, int]:
        dut, chain = self.dut, self.now
        if chain is not None:
            take = int(dut.msg_take_o.value)
            assert take <= chain.count, f"took {take} of {chain.count} bytes"
            chain.position += take
            chain.count -= take
            self.taken += take
            if int(dut.msg_ready_o.value) and int(dut.msg_end_i.value):
                chain = self.now = None
            elif int(dut.msg_skip_o.value):
                assert take == 0, "take and skip together"
                chain.position, chain.count = len(chain.data), 0
        elif self.avail:
            chain = self.now = self.avail.pop(0)
        if chain is None:
            return {"msg_valid_i": 0, "msg_count_i": 0, "msg_end_i": 0}
        rest = len(chain.data) - chain.position
        if chain.count < min(8, rest) and self._port_rng.random() <= self.pace.beat:
            most = min(8, rest)
            chain.count = most if self.pace.beat == 1.0 else self._port_rng.randint(chain.count, most)
        window = chain.data[chain.position : chain.position + chain.count]
        return {
            "msg_valid_i": 1,
            "msg_head_i": chain.head,
            "msg_data_i": int.from_bytes(window + self._port_rng.randbytes(8 - len(window)), "little"),
            "msg_count_i": chain.count,
            "msg_end_i": int(rest == 0),
            "msg_chain_i": chain.head << _CHAIN_HEAD_LSB | chain.tag if rest == 0 else 0,
        }

    def _reply_port(self, now_ps: int) -> dict[str, int]:
        dut, reply = self.dut, self._reply
        inputs = {"reply_ready_i": 0, "reply_pop_i": 0, "reply_done_i": 0}
        if int(dut.reply_valid_o.value) and reply is None:
            self._reply = reply = {"offered": now_ps, "wait": -1, "push": 0}
        if reply is None:
            return inputs
        if int(dut.reply_ready_i.value) and int(dut.reply_valid_o.value):
            reply["chain"] = int(dut.reply_chain_o.value)
        elif "chain" not in reply:
            inputs["reply_ready_i"] = int(self._port_rng.random() <= self.pace.answer)
            return inputs
        if int(dut.reply_pop_i.value) and int(dut.reply_push_o.value):
            assert int(dut.reply_count_o.value) == 8 and int(dut.reply_last_o.value) == 1
            reply["data"] = int(dut.reply_data_o.value)
            reply["wait"] = self._port_rng.randint(*self.pace.done_cycles)
        elif "data" not in reply:
            inputs["reply_pop_i"] = int(self._port_rng.random() <= self.pace.answer)
            return inputs
        if reply["wait"] > 0:
            reply["wait"] -= 1
            return inputs
        if not int(dut.reply_done_i.value):
            inputs["reply_done_i"] = 1
            return inputs
        head, tag = reply["chain"] >> _CHAIN_HEAD_LSB, reply["chain"] & (1 << _CHAIN_HEAD_LSB) - 1
        assert tag == self._tag(head), "the chain came back changed"
        data = reply["data"]
        self.log.replies.append(Reply(head, reply["offered"], now_ps, data & 0xFFFFFFFF, data >> 32))
        self._reply = None
        return inputs

    # ---- Commands ----

    def drive(self, **inputs: int) -> None:
        """Set inputs with the next falling bus clock; wakes the bus clock as the block that drives them would."""
        self._inputs.update(inputs)
        self._wake.set()

    @staticmethod
    def _tag(head: int) -> int:
        return (head * 0x9E3779B97F4A7C15F39CC0605CEDC835) & (1 << _CHAIN_HEAD_LSB) - 1

    def send(self, payload: bytes, stream_id: int = 0) -> int:
        """Make a message available; returns its head index."""
        return self.send_raw(stream_id.to_bytes(4, "little") + payload)

    def send_raw(self, data: bytes) -> int:
        head = self._serial
        self._serial += 1
        self.avail.append(Chain(head, data, self._tag(head)))
        self._wake.set()
        return head

    def set_params(self, fmt: int, channels: int, rate: int, msg_polling: bool = False) -> None:
        value = (int(msg_polling) << 21) | (1 << 20) | channels << 16 | fmt << 8 | rate
        self.drive(params_i=(4096 << 54) | (1024 << 22) | value, state_i=PARAMS)

    async def prepare(self) -> None:
        self.drive(prepare_i=1, state_i=PREPARED)
        await self.cycles(3)

    def state(self, state: int) -> None:
        self.drive(state_i=state)

    async def release(self, then: int = RELEASED) -> None:
        """RELEASE as control does it: flush, then the new state."""
        self.drive(flush_i=1)
        await self.until(lambda: int(self.dut.flush_done_o.value), 400_000)
        self.drive(flush_i=0, state_i=then)
        await self.cycles(3)

    async def cycles(self, count: int) -> None:
        """Time of `count` bus cycles, whether the bus clock runs or not."""
        await Timer(max(1, count * BUS_PS), "step")

    async def until(self, condition: Any, ns: int = 2_000_000) -> None:
        """Wait until `condition()` holds, looked at each 200 ns; an error after `ns`."""
        end = get_sim_time("step") + ns * 1000
        while not condition():
            assert get_sim_time("step") < end, f"nothing came of it within {ns} ns"
            await Timer(200, "ns")

    async def replies(self, count: int, ns: int = 2_000_000) -> list[Reply]:
        await self.until(lambda: len(self.log.replies) >= count, ns)
        return self.log.replies


def random_frames(rng: random.Random, fmt: int, channels: int, count: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Payload of `count` random frames and what the wire must show of it; no frame is silence."""
    size = SAMPLE_BYTES[fmt]
    payload, slots = bytearray(), []
    while len(slots) < count:
        samples = [rng.randbytes(size) for _ in range(channels)]
        wire = []
        for raw in samples:
            value = int.from_bytes(raw, "little")
            shift = {2: 16, 3: 8, 4: 8 if fmt == int(snd.VIRTIO_SND_PCM_FMT_S24) else 0}[size]
            wire.append(value << shift & 0xFFFFFFFF)
        left, right = wire[0], wire[-1]
        if left or right:
            payload += b"".join(samples)
            slots.append((left, right))
    return bytes(payload), slots
