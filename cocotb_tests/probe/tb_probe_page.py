# SPDX-License-Identifier: Apache-2.0
"""probe_page: registers, time across a stopped clock, the log through its registers, which pin shows what."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.clock import Clock

from cocotb_tests.bfm.cycle import Cycles
from cocotb_tests.engine.runner import run_bench
from virtone.virtio import probe

BUILD_ID = 0xC0FFEE42
CLOCK_HZ = 123_456_789
EVENTS = 6  # sources: event numbers 2..7
COUNTERS = {
    "frames_played_i": probe.PROBE_FRAMES_PLAYED,
    "underruns_i": probe.PROBE_UNDERRUNS,
    "silent_frames_i": probe.PROBE_SILENT_FRAMES,
    "late_messages_i": probe.PROBE_LATE_MESSAGES,
    "bus_errors_i": probe.PROBE_BUS_ERRORS,
}
INPUTS = dict.fromkeys(("wr_i", "rd_i", "addr_i", "wdata_i", "time_skip_i", "ev_valid_i", "ev_arg_i"), 0)


class Bench:
    """Register accesses and events. `now` is the time in bus cycles since the reset was released."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = Cycles(dut)
        self.now = 0

    async def start(self) -> Bench:
        self.mclk = Clock(self.dut.mclk_i, 40_690, "ps")
        self.mclk.start()
        self.dut.mclk_rst_ni.value = 0
        await self.clock.start(**INPUTS, **dict.fromkeys(COUNTERS, 0))
        self.dut.mclk_rst_ni.value = 1
        self.now = 0
        return self

    async def cycle(self, events: dict[int, int] | None = None, skip: int = 0, **access: int) -> None:
        """One bus cycle with events {number: argument}, before whose edge `skip` others were left out."""
        events = events or {}
        drive = {"wr_i": 0, "rd_i": 0} | access
        self.clock.drive(
            ev_valid_i=sum(1 << number - 2 for number in events),
            ev_arg_i=sum(arg << 32 * (number - 2) for number, arg in events.items()),
            time_skip_i=skip,
            **drive,
        )
        await self.clock.tick()
        self.now += 1 + skip

    async def write(self, offset: int, value: int, **more: Any) -> None:
        await self.cycle(wr_i=1, addr_i=offset, wdata_i=value, **more)

    async def read(self, offset: int) -> int:
        await self.cycle(rd_i=1, addr_i=offset)
        return self.clock.get("rdata_o")

    async def log(self) -> list[tuple[int, int, int]]:
        """Everything in the log as (number, argument, time)."""
        while self.clock.get("busy_o"):
            await self.cycle()
        entries = []
        while await self.read(probe.PROBE_EVENT_COUNT):
            kind, arg, low, high = [
                await self.read(offset)
                for offset in (
                    probe.PROBE_EVENT_KIND,
                    probe.PROBE_EVENT_ARG,
                    probe.PROBE_EVENT_TIME_LOW,
                    probe.PROBE_EVENT_TIME_HIGH,
                )
            ]
            entries.append((kind, arg, high << 32 | low))
        return entries


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def registers(dut: object) -> None:
    """Fixed values, counters, read-back; registers that do not exist read 0, and writes to read-only ones change nothing."""
    bench = await Bench(dut).start()
    inputs = {name: bench.rng.getrandbits(32) for name in COUNTERS}
    bench.clock.drive(**inputs)
    expected = {
        probe.PROBE_MAGIC: int.from_bytes(b"VTNP", "little"),
        probe.PROBE_VERSION: 1,
        probe.PROBE_BUILD_ID: BUILD_ID,
        probe.PROBE_CLOCK_HZ: CLOCK_HZ,
        probe.PROBE_MARKER_SEL: 1,
        **{COUNTERS[name]: value for name, value in inputs.items()},
    }
    for sweep in range(2):
        for offset in range(0, 0x1000, 4):
            if offset not in (probe.PROBE_TIME_LOW, probe.PROBE_TIME_HIGH):
                assert await bench.read(offset) == expected.get(offset, 0), f"offset {offset:#x}"
            if sweep == 0 and offset not in (probe.PROBE_MARKER, probe.PROBE_MARKER_SEL, probe.PROBE_EVENT_MASK):
                await bench.write(offset, 0xFFFFFFFF)
    await bench.write(probe.PROBE_EVENT_MASK, 0xFFFFFFFF)
    assert await bench.read(probe.PROBE_EVENT_MASK) == 0xFE
    await bench.write(probe.PROBE_MARKER_SEL, 0xFFFFFF74)
    assert await bench.read(probe.PROBE_MARKER_SEL) == 0x74


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def time(dut: object) -> None:
    """64 bits, TIME_HIGH latched by TIME_LOW, cycles left out counted, also those before the cycle of the reading itself."""
    bench = await Bench(dut).start()
    for skip in (0, 1, 1000, 0xFFFFFF00, 0x80, 0xFFFFFFFF, 0x7F, 5):
        await bench.cycle(skip=skip)
        expected = bench.now + skip  # skip counts before the cycle we read in
        await bench.cycle(skip=skip, rd_i=1, addr_i=probe.PROBE_TIME_LOW)
        low = bench.clock.get("rdata_o")
        await bench.cycle(skip=0xFFFFFFFF)
        assert await bench.read(probe.PROBE_TIME_HIGH) << 32 | low == expected
    assert bench.now >> 32 > 2


async def play(bench: Bench, schedule: dict[int, dict[int, int]], gated: bool) -> list[tuple[int, int, int]]:
    """Run a schedule {cycle: events}; event 1 is a marker write. Gated: quiet cycles are left out where the page allows it."""
    await bench.start()
    await bench.write(probe.PROBE_MARKER_SEL, 0)
    await bench.write(probe.PROBE_EVENT_MASK, 0xFE)
    for at in sorted(schedule):
        while bench.now < at and not (gated and not bench.clock.get("busy_o")):
            await bench.cycle()
        events = dict(schedule[at])
        marker = events.pop(probe.PROBE_EV_MARKER, None)
        skip = at - bench.now
        if marker is not None:
            await bench.cycle(events, skip, wr_i=1, addr_i=probe.PROBE_MARKER, wdata_i=marker)
        else:
            await bench.cycle(events, skip)
    entries = await bench.log()
    assert await bench.read(probe.PROBE_EVENT_LOST) == 0
    bench.mclk.stop()
    return entries


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def gated_and_ungated(dut: object) -> None:
    """Bursts and lonely events, the clock running and standing still between them: the same log, with the times of the schedule."""
    rng = random.Random(cocotb.RANDOM_SEED)
    schedule: dict[int, dict[int, int]] = {}
    at = 10
    for _ in range(60):
        at += rng.choice([1, 1, 2, 8, 30, 500, 3000])
        schedule[at] = {number: rng.getrandbits(32) for number in rng.sample(range(1, 8), rng.choice([1, 1, 2, 7]))}
    expected = [(number, schedule[at][number], at) for at in sorted(schedule) for number in sorted(schedule[at])]
    assert len(expected) <= probe.PROBE_LOG_DEPTH
    for gated in (False, True):
        bench = Bench(dut)
        assert await play(bench, schedule, gated) == expected, f"{gated=}"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def mask(dut: object) -> None:
    """Bit n of EVENT_MASK logs event n, and no other."""
    bench = await Bench(dut).start()
    everything = {number: number * 3 for number in range(2, 8)}
    for number in range(1, 8):
        await bench.write(probe.PROBE_EVENT_MASK, 1 << number)
        now = bench.now
        await bench.write(probe.PROBE_MARKER, 3, events=everything)
        assert await bench.log() == [(number, number * 3, now)]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def full_log(dut: object) -> None:
    """256 entries fit; the next three are counted as lost, and after the first was read there is room for one."""
    bench = await Bench(dut).start()
    await bench.write(probe.PROBE_EVENT_MASK, 0xFE)
    for number in range(probe.PROBE_LOG_DEPTH + 3):
        await bench.cycle({probe.PROBE_EV_NOTIFY: number})
    while bench.clock.get("busy_o"):
        await bench.cycle()
    assert await bench.read(probe.PROBE_EVENT_COUNT) == probe.PROBE_LOG_DEPTH
    assert await bench.read(probe.PROBE_EVENT_LOST) == 3
    await bench.read(probe.PROBE_EVENT_TIME_HIGH)
    await bench.cycle({probe.PROBE_EV_NOTIFY: 999})
    entries = await bench.log()
    assert [arg for _, arg, _ in entries] == [*range(1, probe.PROBE_LOG_DEPTH), 999]
    assert await bench.read(probe.PROBE_EVENT_TIME_HIGH) == 0 and await bench.read(probe.PROBE_EVENT_COUNT) == 0


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def marker_pins(dut: object) -> None:
    """Each pin rises in the cycle after the event it is set to, logged or not, and for no other event."""
    bench = await Bench(dut).start()
    for first, second in ((1, 0), (0, 1), (4, 4), (2, 7), (3, 6), (5, 15), (8, 0)):
        await bench.write(probe.PROBE_MARKER_SEL, second << 4 | first)
        for number in range(1, 8):
            assert bench.clock.get("marker_o") == 0 and not bench.clock.get("busy_o")
            if number == probe.PROBE_EV_MARKER:
                await bench.write(probe.PROBE_MARKER, 0)
            else:
                await bench.cycle({number: 0})
            assert bench.clock.get("marker_o") == (first == number) | (second == number) << 1, (first, second, number)
            if number in (first, second):
                for _ in range(270 * 4069 // 1000):
                    await bench.cycle()


def test_probe_page() -> None:
    run_bench("probe_page", __file__, parameters={"ClockHz": CLOCK_HZ, "BuildId": BUILD_ID})
