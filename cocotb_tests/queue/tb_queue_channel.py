# SPDX-License-Identifier: Apache-2.0
"""queue_channel as a whole: any framing in, right bytes and used ring out, every malformed ring stopped."""

from __future__ import annotations

import struct

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly

from cocotb_tests.engine.runner import run_bench
from cocotb_tests.queue.channel_bench import EVENT_IDX, INDIRECT_DESC, NOTIFICATION_DATA, begin
from cocotb_tests.queue.guest_ring import INDIRECT, NEXT, WRITE, Buffer

ALL = EVENT_IDX | INDIRECT_DESC | NOTIFICATION_DATA


async def traffic(bench, chains: int) -> None:
    """`chains` chains of random framing, answered in random order; every byte, length and order is checked."""
    rng, ring, consumer, memory = bench.rng, bench.ring, bench.consumer, bench.memory
    sent: dict[int, tuple[bytes, list[Buffer], int]] = {}
    expected_irqs = expected = finished = 0
    waiting: list = []
    while finished < chains:
        while expected < chains and len(ring.free) > 6 and rng.random() < 0.7:
            readable, writable = rng.choice([0, 1, 4, 5, 24, 63, 300]), rng.choice([0, 1, 4, 8, 100])
            if readable + writable == 0:
                continue
            limit = rng.randint(1, 3) if len(ring.free) > 6 else 1
            buffers = ring.split(readable, False, limit) if readable else []
            buffers += ring.split(writable, True, limit) if writable else []
            payload = rng.randbytes(readable)
            offset = 0
            for buffer in buffers:
                if not buffer.write:
                    memory.write(buffer.addr, payload[offset : offset + buffer.length])
                    offset += buffer.length
            indirect = rng.choice(["none", "all", "tail"]) if bench.features & INDIRECT_DESC else "none"
            head = ring.add(buffers, indirect)
            sent[head] = (payload, [b for b in buffers if b.write], writable)
            expected += 1
        # Ask for an interrupt at the next completion, or far away.
        wants = rng.random() < 0.5
        if bench.features & EVENT_IDX:
            ring.set_used_event(ring.used_idx if wants else ring.used_idx + 1000)
        else:
            memory.write16(ring.driver, 0 if wants else 1)
        await bench.notify()
        await ClockCycles(bench.dut.clk_i, rng.randint(50, 400))
        while consumer.messages:
            message = consumer.messages.popleft()
            payload = sent[message.head][0]
            assert message.data == payload, f"chain {message.head}: {message.data.hex()} came, {payload.hex()} was sent"
            waiting.append(message)
        if not waiting:
            continue
        message = waiting.pop(rng.randrange(len(waiting)))
        _, writable, room = sent.pop(message.head)
        response = rng.randbytes(rng.choice([0, 1, 8, 36, room, room + 5]))
        before, irqs = consumer.done, consumer.irqs
        memory.writes.clear()
        consumer.replies.append((message.chain, response))
        await bench.until(lambda seen=before: consumer.done > seen, "reply")
        finished += 1
        expected_irqs = irqs + wants
        assert consumer.irqs == expected_irqs, f"interrupt {'missing' if wants else 'not asked for'}"
        landed = b"".join(memory.read(b.addr, b.length) for b in writable)
        kept = response[:room]
        assert landed[: len(kept)] == kept, "response bytes"
        assert not any(landed[len(kept) :]), "bytes beyond the response were touched"
        assert ring.collect() == [(message.head, len(kept))], "used element"
        assert consumer.published[-1] == message.head
        order = [w.addr for w in memory.writes if w.addr != ring.device + 4 + 8 * ring.size]
        assert order[-1] == ring.device + 2, "the used index is written last"
        elements = [a for a in order if ring.device + 4 <= a < ring.device + 4 + 8 * ring.size]
        assert order[-1 - len(elements) : -1] == elements, "the used element is written just before the index"
    assert consumer.faults == 0


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def any_framing_with_all_features(dut):
    await traffic(await begin(dut, features=ALL, size=16), 60)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def any_framing_without_features(dut):
    await traffic(await begin(dut, features=0, size=8), 40)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def any_framing_with_slow_memory_and_long_ring(dut):
    await traffic(await begin(dut, features=EVENT_IDX | INDIRECT_DESC, size=256, latency=(90, 110)), 20)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def index_wraps_at_16_bits(dut):
    """Free-running indices pass 65535: started there by letting the device see a ring that is already that far."""
    bench = await begin(dut, features=0, size=8)
    ring = bench.ring
    dut.u_avail_reader.last_q.value = 0xFFFD
    dut.u_avail_reader.avail_q.value = 0xFFFD
    dut.u_used_writer.idx_q.value = 0xFFFD
    ring.avail_idx = ring.used_seen = 0xFFFD
    bench.memory.write16(ring.driver + 2, 0xFFFD)
    bench.memory.write16(ring.device + 2, 0xFFFD)
    await traffic(bench, 12)
    assert ring.used_idx == 9


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def skip_drops_the_rest_and_keeps_the_answer(dut):
    bench = await begin(dut, features=ALL)
    for skip_after, size in ((4, 2000), (0, 64), (8, 9), (4, 4)):
        payload = bench.rng.randbytes(size)
        buffers = [
            Buffer(bench.ring.allocate(len(part)), len(part), False) for part in (payload[:5], payload[5:]) if part
        ]
        for buffer, start in zip(buffers, (0, 5), strict=False):
            bench.memory.write(buffer.addr, payload[start : start + buffer.length])
        status = Buffer(bench.ring.allocate(8), 8, True)
        bench.consumer.skip_after = skip_after
        beats = bench.memory.beats
        bench.ring.add([*buffers, status])
        await bench.notify()
        await bench.until(lambda: bench.consumer.messages, "message")
        message = bench.consumer.messages.popleft()
        assert payload.startswith(message.data) and len(message.data) < skip_after + 8
        if size == 2000:
            assert bench.memory.beats - beats < 60, "the skipped payload was read all the same"
        before = bench.consumer.done
        bench.consumer.replies.append((message.chain, b"12345678"))
        await bench.until(lambda seen=before: bench.consumer.done > seen, "reply")
        assert bench.memory.read(status.addr, 8) == b"12345678"
        bench.ring.collect()
    bench.consumer.skip_after = None
    await traffic(bench, 10)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def drain_delivers_what_was_never_notified(dut):
    bench = await begin(dut, features=ALL)
    heads = [bench.ring.add([Buffer(bench.ring.allocate(4), 4, False)]) for _ in range(5)]
    await ClockCycles(dut.clk_i, 200)
    assert not bench.consumer.messages, "nothing was notified"
    dut.drain_i.value = 1
    await ReadOnly()
    assert not int(dut.drained_o.value), "drained before avail.idx was read"
    await bench.until(lambda: bool(dut.drained_o.value), "drained")
    assert [m.head for m in bench.consumer.messages] == heads
    await FallingEdge(dut.clk_i)
    dut.drain_i.value = 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def poll_finds_entries_and_event_idx_misses_none(dut):
    bench = await begin(dut, features=EVENT_IDX, size=256)
    bench.ring.add([Buffer(bench.ring.allocate(4), 4, False)])
    await FallingEdge(dut.clk_i)
    dut.poll_i.value = 1
    await FallingEdge(dut.clk_i)
    dut.poll_i.value = 0
    await bench.until(lambda: len(bench.consumer.messages) == 1, "polled message")
    await bench.until(lambda: bench.ring.avail_event == 1, "avail_event published")
    # The driver kicks only when avail_event names the entry just added (vring_need_event): entries added while the
    # device is about to publish it are kicked or found, never lost.
    quiet = 0
    for count in range(2, 200):
        bench.ring.add([Buffer(bench.ring.allocate(4), 4, False)])
        if bench.ring.avail_event == (count - 1) & 0xFFFF:
            await bench.notify()
        else:
            quiet += 1
        await ClockCycles(dut.clk_i, bench.rng.choice([bench.rng.randint(1, 60), bench.rng.randint(200, 500)]))
    await bench.until(lambda: len(bench.consumer.messages) == 199, "every entry delivered")
    assert 20 < quiet < 180, f"{quiet} of 198 entries were added unkicked: the race was not exercised"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def clear_stops_at_once_and_starts_anew(dut):
    bench = await begin(dut, features=ALL, latency=(20, 40))
    for pause in range(1, 160, 7):
        status = Buffer(bench.ring.allocate(64), 64, True)
        bench.ring.add([Buffer(bench.ring.allocate(300), 300, False), status])
        bench.ring.set_used_event(bench.ring.used_idx)
        await bench.notify()
        if pause > 80:
            await bench.until(lambda: bench.consumer.messages, "message")
            bench.consumer.replies.append((bench.consumer.messages[-1].chain, bytes(64)))
        await ClockCycles(dut.clk_i, pause)
        await FallingEdge(dut.clk_i)
        dut.clear_i.value = 1
        await FallingEdge(dut.clk_i)
        accepted = bench.memory.accepted
        await bench.until(lambda: bool(dut.idle_o.value), "idle")
        assert bench.memory.accepted == accepted, "a transfer was begun after clear"
        writes = len(bench.memory.writes)
        await ClockCycles(dut.clk_i, 100)
        assert len(bench.memory.writes) == writes
        # The bench's own consumer has to be told, as the device's are by device_reset.
        bench.consumer.done += 1
        dut.reply_valid_i.value = dut.reply_push_i.value = 0
        bench.consumer.replies.clear()
        await ClockCycles(dut.clk_i, 20)
        await FallingEdge(dut.clk_i)
        dut.clear_i.value = 0
        bench.consumer.messages.clear()
        ring = bench.ring
        ring.avail_idx = ring.used_seen = 0
        bench.memory.write(ring.driver, bytes(6 + 2 * ring.size))
        bench.memory.write(ring.device, bytes(6 + 8 * ring.size))
        ring.free, ring.chains = list(range(ring.size)), {}


def _raw(bench, entries: list[tuple[int, int, int, int]], table: int | None = None) -> None:
    for index, (addr, length, flags, following) in enumerate(entries):
        bench.ring.descriptor(bench.ring.desc if table is None else table, index, addr, length, flags, following)


def malformed(bench) -> dict[str, list[int]]:
    """Name -> heads to publish, after the table has been written so that each is wrong in its own way."""
    ring, data, table = bench.ring, 0x3_0000_0000, 0x3_0001_0000
    indirect = bool(bench.features & INDIRECT_DESC)
    n = ring.size
    cases: dict[str, tuple[list, list]] = {
        "loop of readable": ([(data, 4, NEXT, 1), (data, 4, NEXT, 0)], []),
        "loop of writable": ([(data, 4, NEXT, 1), (data, 4, NEXT | WRITE, 1)], []),
        "next out of range": ([(data, 4, NEXT, n)], []),
        "next far out of range": ([(data, 4, NEXT, 0xFFFF)], []),
        "zero length": ([(data, 0, 0, 0)], []),
        "zero length later": ([(data, 4, NEXT, 1), (data, 0, WRITE, 0)], []),
        "readable after writable": ([(data, 4, NEXT | WRITE, 1), (data, 4, 0, 0)], []),
    }
    cases |= {
        "nested indirect": ([(table, 32, INDIRECT, 0)], [(data, 4, NEXT, 1), (table, 32, INDIRECT, 0)]),
        "nested indirect that ends": (
            [(table, 16, INDIRECT, 0)],
            [(table + 64, 16, INDIRECT, 0)] * 4 + [(data, 4, 0, 0)],
        ),
        "indirect with next": ([(table, 32, INDIRECT | NEXT, 1), (data, 4, 0, 0)], [(data, 4, 0, 0)]),
        "indirect length": ([(table, 24, INDIRECT, 0)], [(data, 4, NEXT, 1), (data, 4, 0, 0)]),
        "indirect of length 0": ([(table, 0, INDIRECT, 0)], []),
        "indirect next out of range": ([(table, 32, INDIRECT, 0)], [(data, 4, NEXT, 2)]),
        "indirect loop": ([(table, 32, INDIRECT, 0)], [(data, 4, NEXT, 1), (data, 4, NEXT, 0)]),
        "indirect too long": (
            [(table, 16 * (n + 1), INDIRECT, 0)],
            [(data, 1, NEXT, i + 1) for i in range(n)] + [(data, 1, 0, 0)],
        ),
    }
    if not indirect:
        cases = {"indirect not negotiated": ([(table, 32, INDIRECT, 0)], [(data, 4, 0, 0)])}
    return cases


async def _stops(bench, name: str, prepare, delivered: bool = True) -> None:
    """The fault is raised once, nothing reaches the used ring, replies do not hang, and clear revives the queue."""
    dut, ring, memory, consumer = bench.dut, bench.ring, bench.memory, bench.consumer
    memory.write(ring.driver, bytes(6 + 2 * ring.size))
    memory.write(ring.device, bytes(6 + 8 * ring.size))
    ring.avail_idx = ring.used_seen = 0
    faults = consumer.faults
    prepare()
    await bench.notify()
    await bench.until(lambda: consumer.messages or consumer.faults > faults, f"{name}: delivered or stopped", 5000)
    assert delivered or not consumer.messages, f"{name}: a chain was delivered"
    if consumer.messages:  # the fault lies behind the first writable descriptor: found when the answer gets there
        assert consumer.faults == faults, f"{name}: delivered and faulty"
        consumer.replies.append((consumer.messages.popleft().chain, bytes(100)))
    await bench.until(lambda: consumer.faults > faults, f"{name}: fault", 5000)
    accepted = memory.accepted
    await ClockCycles(dut.clk_i, 300)
    assert consumer.faults == faults + 1, f"{name}: raised {consumer.faults - faults} times"
    assert memory.accepted <= accepted + 1, f"{name}: the queue went on"
    assert ring.used_idx == 0, f"{name}: something reached the used ring"
    before = consumer.done
    consumer.replies.append((0, bytes(20)))
    await bench.until(lambda: consumer.done > before, f"{name}: reply swallowed", 500)
    consumer.messages.clear()
    await bench.clear()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def malformed_rings_stop_the_queue(dut):
    bench = await begin(dut, features=ALL, size=8)
    for name, (main, table) in malformed(bench).items():

        def prepare(main=main, table=table) -> None:
            _raw(bench, main)
            _raw(bench, table, 0x3_0001_0000)
            bench.ring.publish(0)

        await _stops(bench, name, prepare)

    await _stops(bench, "head out of range", lambda: bench.ring.publish(bench.ring.size), delivered=False)

    def far_ahead() -> None:
        _raw(bench, [(0x3_0000_0000, 4, 0, 0)])
        bench.ring.avail_idx = bench.ring.size
        bench.ring.publish(0)

    await _stops(bench, "avail index too far ahead", far_ahead, delivered=False)
    await traffic_after(bench)


async def traffic_after(bench) -> None:
    """A cleared queue works again."""
    ring = bench.ring
    ring.avail_idx = ring.used_seen = 0
    bench.memory.write(ring.driver, bytes(6 + 2 * ring.size))
    bench.memory.write(ring.device, bytes(6 + 8 * ring.size))
    ring.free, ring.chains = list(range(ring.size)), {}
    bench.consumer.faults = 0
    await traffic(bench, 8)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def indirect_must_be_negotiated(dut):
    bench = await begin(dut, features=0, size=8)
    for name, (main, table) in malformed(bench).items():

        def prepare(main=main, table=table) -> None:
            _raw(bench, main)
            _raw(bench, table, 0x3_0001_0000)
            bench.ring.publish(0)

        await _stops(bench, name, prepare)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def bus_errors_stop_the_queue(dut):
    bench = await begin(dut, features=ALL, size=8)
    ring = bench.ring
    data, status = 0x5_0000_0000, 0x5_0000_1000
    places = {
        "avail index": (ring.driver & ~7, ring.driver + 2),
        "descriptor": (ring.desc & ~7, ring.desc + 15),
        "payload": (data, data + 63),
        "status": (status, status + 7),
        "used element": ((ring.device + 4) & ~7, ring.device + 11),
    }
    for name, area in places.items():
        bench.memory.error_range = None

        def prepare(area=area) -> None:
            _raw(bench, [(data, 64, NEXT, 1), (status, 8, WRITE, 0)])
            bench.ring.publish(0)
            bench.memory.error_range = area

        if name in ("status", "used element"):
            prepare()
            faults = bench.consumer.faults
            await bench.notify()
            await bench.until(lambda: bench.consumer.messages, "message")
            before = bench.consumer.done
            bench.consumer.replies.append((bench.consumer.messages.popleft().chain, struct.pack("<II", 0x8000, 0)))
            await bench.until(lambda seen=before: bench.consumer.done > seen, f"{name}: reply ends all the same")
            assert bench.consumer.faults == faults + 1, name
            bench.memory.error_range = None
            assert ring.used_idx == 0
            await bench.clear()
            bench.memory.write(ring.driver, bytes(6 + 2 * ring.size))
            ring.avail_idx = 0
        else:
            await _stops(bench, name, prepare)


def test_queue_channel() -> None:
    run_bench("queue_channel", __file__)
