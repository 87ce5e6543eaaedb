# SPDX-License-Identifier: Apache-2.0
"""A queue_channel between a guest's ring and a consumer: what the queue benches share."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly

from cocotb_tests.queue.guest_ring import GuestRing
from cocotb_tests.queue.memory_port import MemoryPort

EVENT_IDX, INDIRECT_DESC, NOTIFICATION_DATA = 4, 2, 1

_NAMES = (
    "clear_i driver_ok_i cfg_i features_i notify_i notify_idx_i poll_i drain_i msg_take_i msg_skip_i msg_ready_i "
    "reply_valid_i reply_chain_i reply_data_i reply_count_i reply_last_i reply_push_i"
)
_INPUTS = _NAMES.split()


@dataclass
class Message:
    head: int
    data: bytes
    chain: int


@dataclass
class Consumer:
    """Takes messages at random speed and answers them, when told, in any order.

    `skip(message bytes so far) -> bool` decides whether the rest is dropped.
    """

    dut: object
    rng: random.Random
    messages: deque[Message] = field(default_factory=deque)
    hold: bool = False
    skip_after: int | None = None
    replies: deque[tuple[int, bytes]] = field(default_factory=deque)
    done: int = 0
    irqs: int = 0
    faults: int = 0
    published: list[int] = field(default_factory=list)

    def start(self) -> None:
        cocotb.start_soon(self._take())
        cocotb.start_soon(self._answer())
        cocotb.start_soon(self._watch())

    async def _take(self) -> None:
        dut, rng, data = self.dut, self.rng, b""
        while True:
            await FallingEdge(dut.clk_i)
            dut.msg_take_i.value = 0
            dut.msg_ready_i.value = 0
            if not int(dut.msg_valid_o.value):
                data = b""
            count = int(dut.msg_count_o.value)
            skipping = self.skip_after is not None and len(data) >= self.skip_after and bool(dut.msg_valid_o.value)
            dut.msg_skip_i.value = int(skipping)
            take = 0 if self.hold or skipping else rng.randint(0, count)
            dut.msg_take_i.value = take
            data += (int(dut.msg_data_o.value) & ((1 << 8 * take) - 1)).to_bytes(8, "little")[:take]
            if int(dut.msg_end_o.value) and not self.hold and rng.random() < 0.5:
                dut.msg_ready_i.value = 1
                self.messages.append(Message(int(dut.msg_head_o.value), data, int(dut.msg_chain_o.value)))
                data = b""

    async def _answer(self) -> None:
        dut, rng = self.dut, self.rng
        while True:
            await FallingEdge(dut.clk_i)
            dut.reply_valid_i.value = 0
            if not self.replies:
                continue
            chain, response = self.replies.popleft()
            dut.reply_valid_i.value = 1
            dut.reply_chain_i.value = chain
            await self._handshake(dut.reply_ready_o)
            dut.reply_valid_i.value = 0
            while True:
                size = rng.randint(1, 8)
                part, response = response[:size], response[size:]
                dut.reply_data_i.value = int.from_bytes(part.ljust(8, b"\xee"), "little")
                dut.reply_count_i.value = len(part)
                dut.reply_last_i.value = int(not response)
                dut.reply_push_i.value = 1
                await self._handshake(dut.reply_pop_o)
                dut.reply_push_i.value = 0
                if not response:
                    break
            target = self.done + 1
            while self.done < target:
                await FallingEdge(dut.clk_i)

    async def _handshake(self, ready: object) -> None:
        while True:
            await ReadOnly()
            taken = bool(ready.value)
            await FallingEdge(self.dut.clk_i)
            if taken:
                return

    async def _watch(self) -> None:
        dut = self.dut
        while True:
            await FallingEdge(dut.clk_i)
            await ReadOnly()
            self.done += int(dut.reply_done_o.value)
            self.irqs += int(dut.used_irq_o.value)
            self.faults += int(dut.fault_o.value)
            if int(dut.published_o.value):
                self.published.append(int(dut.published_head_o.value))


@dataclass
class ChannelBench:
    dut: object
    rng: random.Random
    memory: MemoryPort
    ring: GuestRing
    consumer: Consumer
    features: int

    async def notify(self) -> None:
        await FallingEdge(self.dut.clk_i)
        self.dut.notify_idx_i.value = self.ring.avail_idx
        self.dut.notify_i.value = 1
        await FallingEdge(self.dut.clk_i)
        self.dut.notify_i.value = 0

    async def until(self, condition, what: str, cycles: int = 20_000) -> None:
        """Waits for condition(); a bench that stands still fails by name."""
        for _ in range(cycles):
            if condition():
                return
            await FallingEdge(self.dut.clk_i)
        raise AssertionError(f"{what}: not within {cycles} cycles")

    async def clear(self) -> None:
        """Queue reset: held until the channel is idle; the guest starts a new ring."""
        await FallingEdge(self.dut.clk_i)
        self.dut.clear_i.value = 1
        await ClockCycles(self.dut.clk_i, 2)
        await self.until(lambda: bool(self.dut.idle_o.value), "idle after clear")
        await FallingEdge(self.dut.clk_i)
        self.dut.clear_i.value = 0


async def begin(dut, *, features: int, size: int = 16, latency: tuple[int, int] = (1, 12), **ring) -> ChannelBench:
    """Clock, reset, and a configured queue."""
    rng = random.Random(cocotb.RANDOM_SEED)
    for name in _INPUTS:
        getattr(dut, name).value = 0
    memory = MemoryPort(dut, rng, latency)
    guest = GuestRing(memory, rng, size=size, **ring)
    consumer = Consumer(dut, rng)
    dut.rst_ni.value = 0
    cocotb.start_soon(Clock(dut.clk_i, 10, unit="ns").start())
    memory.start()
    await ClockCycles(dut.clk_i, 4)
    await FallingEdge(dut.clk_i)
    dut.rst_ni.value = 1
    dut.cfg_i.value = guest.config
    dut.features_i.value = features
    dut.driver_ok_i.value = 1
    consumer.start()
    await ClockCycles(dut.clk_i, 150)  # the look at the avail ring on going into service
    return ChannelBench(dut, rng, memory, guest, consumer, features)
