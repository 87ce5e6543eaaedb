# SPDX-License-Identifier: Apache-2.0
"""mmio_regs against MmioModel, cycle by cycle under random traffic, and the rules a random walk meets too seldom."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench
from cocotb_tests.mmio.mmio_model import NUM_QUEUES, OFFERED, MmioModel
from virtone.virtio import mmio

ALL = (1 << NUM_QUEUES) - 1
SETTLE_LIMIT = 12  # cycles after everything is idle within which a reset ends
REGISTERS = [int(register) for register in mmio.REGISTERS]
INPUTS = dict.fromkeys(("wr_i", "rd_i", "addr_i", "wdata_i", "wstrb_i", "used_irq_i", "fault_i"), 0)
INPUTS |= {"queue_idle_i": ALL, "core_idle_i": 1}


class Bench:
    """The registers and their model in lock step; every cycle compares every output."""

    def __init__(self, dut: Any) -> None:
        self.clock = Cycles(dut)
        self.model = MmioModel()
        self.idle = ALL
        self.core_idle = 1
        self.was_idle = (ALL, 1)
        self.clear_age = [0] * NUM_QUEUES
        self.reset_age = 0

    async def start(self) -> None:
        await self.clock.start(**INPUTS)

    async def cycle(
        self, wr: tuple[int, int, int] | None = None, rd: int | None = None, used: int = 0, fault: int = 0
    ) -> None:
        clock, model = self.clock, self.model
        clock.drive(
            wr_i=wr is not None,
            rd_i=rd is not None,
            addr_i=wr[0] if wr else rd if rd is not None else 0,
            wdata_i=wr[1] if wr else 0,
            wstrb_i=wr[2] if wr else 0,
            used_irq_i=used,
            fault_i=fault,
            queue_idle_i=self.idle,
            core_idle_i=self.core_idle,
        )
        await clock.look()
        self._observe_ends()
        self._compare()
        self.was_idle = (self.idle, self.core_idle)
        if wr is not None and wr[2] == 0xF:  # asked for again: its time begins again
            if wr[0] == mmio.VIRTIO_MMIO_STATUS and not wr[1] & 0xFF:
                self.reset_age = 0
            if wr[0] in (mmio.VIRTIO_MMIO_QUEUE_RESET, mmio.VIRTIO_MMIO_QUEUE_READY) and model.queue_sel < NUM_QUEUES:
                self.clear_age[model.queue_sel] = 0
        model.step(wr=wr, rd=rd, used=used, fault=fault)
        await clock.tick()

    def _observe_ends(self) -> None:
        """Resets may end only after idle was reported, and must end soon then."""
        model, clock = self.model, self.clock
        all_idle = self.was_idle == (ALL, 1)
        self.reset_age = self.reset_age + 1 if model.resetting and all_idle else 0
        if model.resetting and not clock.get("device_reset_o"):
            assert all_idle, "the reset ended while something was outstanding"
            model.end_reset()
        assert self.reset_age <= SETTLE_LIMIT, "the reset does not end"
        cleared = clock.get("queue_clear_o")
        for q, queue in enumerate(model.queues):
            idle = self.was_idle[0] >> q & 1
            self.clear_age[q] = self.clear_age[q] + 1 if queue.clearing and idle and not model.resetting else 0
            if queue.clearing and not model.resetting and not cleared >> q & 1:
                assert idle, f"the reset of queue {q} ended while it was busy"
                model.end_queue_clear(q)
            assert self.clear_age[q] <= SETTLE_LIMIT, f"the reset of queue {q} does not end"

    def _compare(self) -> None:
        model, get = self.model, self.clock.get
        expected = {
            "rdata_o": model.rdata,
            "ring_features_o": model.ring_features,
            "driver_ok_o": model.driver_ok,
            "notify_o": model.notify,
            "device_reset_o": model.resetting,
            "queue_clear_o": model.queue_clear,
            "isr_o": model.isr,
            "irq_o": model.isr != 0,
            "busy_o": bool(model.resetting or model.queue_clear or model.notify),
            "queue_cfg_o": sum(queue.config(model.resetting) << 209 * q for q, queue in enumerate(model.queues)),
        }
        if model.notify:
            expected |= {"notify_value_o": model.notify_value, "notify_idx_o": model.notify_value >> 16}
        for name, value in expected.items():
            assert get(name) == value, f"cycle {self.clock.count}: {name} is {get(name):#x}, model says {int(value):#x}"

    async def write(self, offset: int, value: int) -> None:
        await self.cycle(wr=(offset, value, 0xF))

    async def read(self, offset: int) -> int:
        await self.cycle(rd=offset)
        await self.cycle()
        return self.clock.get("rdata_o")

    async def negotiate(self, features: int = OFFERED) -> int:
        """Reset, accept `features`, FEATURES_OK; gives Status as it reads then."""
        await self.write(mmio.VIRTIO_MMIO_STATUS, 0)
        while await self.read(mmio.VIRTIO_MMIO_STATUS):
            pass
        await self.write(mmio.VIRTIO_MMIO_STATUS, 3)
        for bank in range((max(features.bit_length(), 64) + 31) // 32):
            await self.write(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, bank)
            await self.write(mmio.VIRTIO_MMIO_DRIVER_FEATURES, features >> 32 * bank & 0xFFFFFFFF)
        await self.write(mmio.VIRTIO_MMIO_STATUS, 11)
        return await self.read(mmio.VIRTIO_MMIO_STATUS)

    async def enable(self, queue: int, size: int = 64) -> int:
        """Set up a queue; gives QueueReady as it reads then."""
        await self.write(mmio.VIRTIO_MMIO_QUEUE_SEL, queue)
        await self.write(mmio.VIRTIO_MMIO_QUEUE_NUM, size)
        await self.write(mmio.VIRTIO_MMIO_QUEUE_READY, 1)
        return await self.read(mmio.VIRTIO_MMIO_QUEUE_READY)


async def started(dut: Any) -> Bench:
    bench = Bench(dut)
    await bench.start()
    return bench


def random_write(rng: random.Random, model: MmioModel) -> tuple[int, int, int]:
    """A write that is meaningful more often than not."""
    offset = rng.choice([*REGISTERS, rng.randrange(0, 0x200, 4)])
    value = rng.getrandbits(32)
    likely = {
        0x014: lambda: rng.choice([0, 1, 1, 2, value]),
        0x024: lambda: rng.choice([0, 1, 1, 0, 2]) if rng.random() < 0.98 else value,
        0x020: lambda: (
            OFFERED >> 32 * min(model.driver_sel, 1) & 0xFFFFFFFF & (value | (value << 1))
            if model.driver_sel < 2
            else 0
        ),
        0x030: lambda: rng.choice([0, 1, 2, 3, 3, 4, value]),
        0x038: lambda: rng.choice([0, 1, 2, 64, 1024, 2048, 3, 0x10000, 0x10040, value]),
        0x044: lambda: rng.choice([0, 1, 1, 1]),
        0x0C0: lambda: rng.choice([0, 0, 1]),
        0x050: lambda: value & 0xFFFF0000 | rng.randrange(6) if rng.random() < 0.5 else rng.randrange(6),
        0x070: lambda: rng.choice([1, 3, 11, 11, 15, 15, 15, 15, value & 0xFF]) if rng.random() < 0.9 else 0,
    }
    if offset in likely and rng.random() < 0.95:
        value = likely[offset]()
    return offset, value, 0xF if rng.random() < 0.95 else rng.getrandbits(4)


def bring_up(rng: random.Random) -> list[tuple[int, int, int]]:
    """The writes of a driver that starts, with mistakes now and then."""
    features = OFFERED & (rng.getrandbits(64) | 1 << 32)
    writes = [(0x070, 3), (0x024, 0), (0x020, features & 0xFFFFFFFF), (0x024, 1), (0x020, features >> 32), (0x070, 11)]
    for queue in range(NUM_QUEUES):
        writes += [
            (0x030, queue),
            (0x038, 1 << rng.randrange(12)),
            (0x080, rng.getrandbits(32)),
            (0x0A4, 7),
            (0x044, 1),
        ]
    return [(offset, value, 0xF) for offset, value in [*writes, (0x070, 15)] if rng.random() < 0.99]


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def random_traffic(dut: object) -> None:
    """Random writes, reads, events and idle inputs; every output compared in every cycle."""
    bench = await started(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    seen = {"reset": 0, "queue_reset": 0, "driver_ok": 0, "notify": 0, "ack_meets_event": 0, "needs_reset": 0}
    plan: list[tuple[int, int, int]] = []
    for _ in range(40_000):
        if bench.model.queue_clear:
            if rng.random() < 0.1:
                bench.idle, bench.core_idle = rng.choice([ALL, ALL, rng.getrandbits(4)]), rng.choice([1, 1, 0])
        else:
            bench.idle, bench.core_idle = rng.getrandbits(4) if rng.random() < 0.2 else ALL, int(rng.random() < 0.9)
        choice = rng.random()
        wr = random_write(rng, bench.model) if choice < 0.3 else None
        if choice < 0.6 and plan and not bench.model.resetting:
            wr = plan.pop(0)
        rd = rng.choice([*REGISTERS, rng.randrange(0, 0x200)]) if choice > 0.6 else None
        used = rng.getrandbits(4) if rng.random() < 0.2 else 0
        fault = 1 << rng.randrange(4) if rng.random() < 0.001 else 0
        seen["ack_meets_event"] += bool(wr and wr[0] == 0x64 and wr[2] == 0xF and used and bench.model.isr & wr[1] & 1)
        await bench.cycle(wr, rd, used, fault)
        model = bench.model
        if model.resetting and not plan:
            plan = bring_up(rng)
        seen["reset"] += model.resetting
        seen["queue_reset"] += any(queue.forget for queue in model.queues)
        seen["driver_ok"] += model.driver_ok
        seen["notify"] += bool(model.notify)
        seen["needs_reset"] += bool(model.status & 0x40)
    dut._log.info("cycles that met each case: %s", seen)  # type: ignore[attr-defined]
    assert min(seen.values()) > 20, seen


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def features(dut: object) -> None:
    """FEATURES_OK is refused without VERSION_1 and with each single bit that is not offered, and can be had afterwards."""
    bench = await started(dut)
    for bank, expected in enumerate((OFFERED & 0xFFFFFFFF, OFFERED >> 32, 0, 0)):
        await bench.write(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, bank)
        assert await bench.read(mmio.VIRTIO_MMIO_DEVICE_FEATURES) == expected
    assert await bench.negotiate() == 11
    assert await bench.negotiate(OFFERED & ~(1 << 32)) == 3
    assert await bench.negotiate(1 << 32) == 11
    for bit in range(72):
        granted = await bench.negotiate(OFFERED | 1 << bit) == 11
        assert granted == bool(OFFERED >> bit & 1), f"feature bit {bit}"
    # Once agreed they are frozen.
    assert await bench.negotiate() == 11
    await bench.write(mmio.VIRTIO_MMIO_DRIVER_FEATURES, 0)
    await bench.write(mmio.VIRTIO_MMIO_STATUS, 15)
    assert await bench.read(mmio.VIRTIO_MMIO_STATUS) == 15 and bench.clock.get("ring_features_o") == 7


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_waits_for_all(dut: object) -> None:
    """Status reads non-zero until each of the five has been idle, whoever is last; registers written meanwhile stay."""
    bench = await started(dut)
    for last in range(NUM_QUEUES + 1):
        await bench.negotiate()
        await bench.enable(last % NUM_QUEUES)
        await bench.write(mmio.VIRTIO_MMIO_STATUS, 15)
        bench.idle, bench.core_idle = (ALL & ~(1 << last), 1) if last < NUM_QUEUES else (ALL, 0)
        await bench.write(mmio.VIRTIO_MMIO_STATUS, 0)
        for _ in range(30):
            assert await bench.read(mmio.VIRTIO_MMIO_STATUS) == 1, "reads 0 too early, or something stale"
            assert await bench.read(mmio.VIRTIO_MMIO_QUEUE_READY) == 0
        # A driver that does not poll: what it writes now holds after the reset.
        await bench.write(mmio.VIRTIO_MMIO_STATUS, 1)
        await bench.write(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1)
        bench.idle, bench.core_idle = ALL, 1
        for _ in range(SETTLE_LIMIT):
            await bench.cycle()
        assert await bench.read(mmio.VIRTIO_MMIO_STATUS) == 1
        assert await bench.read(mmio.VIRTIO_MMIO_DEVICE_FEATURES) == OFFERED >> 32


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def idle_is_not_believed_at_once(dut: object) -> None:
    """A queue that looks idle in the first cycles of a clear, then turns out to be busy, is waited for."""
    bench = await started(dut)
    await bench.negotiate()
    for way in (mmio.VIRTIO_MMIO_QUEUE_RESET, mmio.VIRTIO_MMIO_QUEUE_READY):
        assert await bench.enable(2) == 1
        await bench.write(way, 1 if way == mmio.VIRTIO_MMIO_QUEUE_RESET else 0)
        for cycle in range(40):
            bench.idle = ALL if cycle < 3 or cycle >= 30 else ALL & ~4
            await bench.cycle()
            if 3 <= cycle < 30:
                assert bench.clock.get("queue_clear_o") == 4, f"{cycle} cycles after the write"
        assert await bench.read(mmio.VIRTIO_MMIO_QUEUE_READY) == 0
        assert await bench.read(mmio.VIRTIO_MMIO_QUEUE_RESET) == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def ready_reads_as_written(dut: object) -> None:
    """QueueReady = 0 reads 0 at once, whatever is outstanding; the queue can be set up again meanwhile, and serves afterwards."""
    bench = await started(dut)
    await bench.negotiate()
    await bench.write(mmio.VIRTIO_MMIO_STATUS, 15)
    assert await bench.enable(2) == 1
    bench.idle = ALL & ~4
    await bench.write(mmio.VIRTIO_MMIO_QUEUE_READY, 0)
    assert await bench.read(mmio.VIRTIO_MMIO_QUEUE_READY) == 0
    assert await bench.enable(2, 32) == 1
    for _ in range(30):
        await bench.cycle()
        assert bench.clock.get("queue_clear_o") == 4
    bench.idle = ALL
    for _ in range(SETTLE_LIMIT):
        await bench.cycle()
    assert bench.clock.get("queue_clear_o") == 0
    await bench.write(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 2)
    await bench.cycle()
    assert bench.model.queues[2].config(False) >> 192 == 1 << 16 | 32, "the new size, and ready"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def queue_sizes(dut: object) -> None:
    """QueueReady takes 1 for exactly the powers of two from 1 to 1024; registers are fixed while it is 1."""
    bench = await started(dut)
    await bench.negotiate()
    sizes = (
        {0, 3, 5, 1023, 1025, 0x10001, 0x10000, 0xFFFFFFFF}
        | {1 << n for n in range(32)}
        | {(1 << n) + 1 for n in range(1, 32)}
    )
    for size in sorted(sizes):
        good = 0 < size <= 1024 and not size & (size - 1)
        assert await bench.enable(1, size) == good, f"size {size}"
        if good:
            await bench.write(mmio.VIRTIO_MMIO_QUEUE_NUM, 3)
            await bench.write(mmio.VIRTIO_MMIO_QUEUE_DESC_LOW, 0x1234)
            await bench.write(mmio.VIRTIO_MMIO_QUEUE_RESET, 1)
            while await bench.read(mmio.VIRTIO_MMIO_QUEUE_RESET):
                pass
            await bench.write(mmio.VIRTIO_MMIO_QUEUE_READY, 1)
            assert await bench.read(mmio.VIRTIO_MMIO_QUEUE_READY) == 0, "QueueReset forgets the size"
    await bench.write(mmio.VIRTIO_MMIO_QUEUE_SEL, NUM_QUEUES)
    assert await bench.read(mmio.VIRTIO_MMIO_QUEUE_NUM_MAX) == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def faults(dut: object) -> None:
    """DEVICE_NEEDS_RESET survives what the driver writes; the configuration interrupt comes only with DRIVER_OK."""
    bench = await started(dut)
    for driver_ok in (False, True):
        await bench.negotiate()
        await bench.write(mmio.VIRTIO_MMIO_STATUS, 15 if driver_ok else 11)
        await bench.cycle(fault=8)
        await bench.cycle()
        assert bench.clock.get("irq_o") == driver_ok
        assert await bench.read(mmio.VIRTIO_MMIO_INTERRUPT_STATUS) == (2 if driver_ok else 0)
        await bench.write(mmio.VIRTIO_MMIO_STATUS, 0x80)
        assert await bench.read(mmio.VIRTIO_MMIO_STATUS) == 0xC0
        await bench.write(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 2)
        await bench.cycle()
        assert not bench.clock.get("irq_o")


def test_mmio_regs() -> None:
    run_bench("mmio_regs", __file__)
