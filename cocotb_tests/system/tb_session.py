# SPDX-License-Identifier: Apache-2.0
"""Long sessions: the lifecycle in any order, open and close without end, kicks and interrupts counted, random applications."""

from __future__ import annotations

import dataclasses
import os
import random

import cocotb

from cocotb_tests.engine.system import run_system
from cocotb_tests.system.session import Session
from cocotb_tests.system.world import World, compare
from virtone.virtio import mmio, snd

COMMANDS = ("PREPARE", "START", "STOP", "RELEASE")
TX = int(snd.VIRTIO_SND_VQ_TX)
OK, BAD_MSG = snd.VIRTIO_SND_S_OK.name, snd.VIRTIO_SND_S_BAD_MSG.name


def notifications(witness, queue: int) -> int:
    """How often the driver has notified a queue."""
    notify = int(mmio.VIRTIO_MMIO_QUEUE_NOTIFY)
    return sum(
        1
        for kind, offset, value in witness.registers
        if (kind, offset) == ("write", notify) and value & 0xFFFF == queue
    )


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def commands_in_any_order(dut):
    """Each command in each state, and twice in a row: allowed or refused alike."""
    rng = random.Random(cocotb.RANDOM_SEED)
    seed = rng.getrandbits(32)

    async def commands(world: World) -> None:
        await world.probe()
        order = random.Random(seed)
        for _ in range(400):
            command = order.choice((*COMMANDS, *COMMANDS, "SET_PARAMS", "wrong rate", "wrong period"))
            for _ in range(order.choice((1, 1, 2))):
                if command == "SET_PARAMS":
                    answer = await world.set_params()
                elif command == "wrong rate":
                    answer = await world.set_params(rate=99)
                elif command == "wrong period":
                    answer = await world.set_params(period_bytes=2)
                else:
                    answer = await world.command(command)
                world.note(command, answer)
                await world.port.sleep_ns(order.choice((0, 0, 30_000)))

    rtl, _ = await compare(dut, commands)
    for command in (*COMMANDS, "SET_PARAMS"):
        assert {(command, OK), (command, BAD_MSG)} <= set(rtl.notes), f"{command} was not both allowed and refused"


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def start_and_stop_twice(dut):
    """With messages queued: the second is refused and changes nothing."""

    async def twice(world: World) -> None:
        pcm = await world.open(period_size=48, periods=4)
        await pcm.writei(world.music(192))
        await world.completions(1, then_ms=0.319)
        for command in ("START", "STOP", "STOP", "START", "START", "PREPARE", "RELEASE"):
            world.note(command, await world.command(command))
            if command == "STOP":
                await world.sleep_ms(1)
        await pcm.drain()
        await pcm.close()

    rtl, _ = await compare(dut, twice)
    assert [note[1] for note in rtl.notes] == [BAD_MSG, OK, BAD_MSG, OK, BAD_MSG, BAD_MSG, BAD_MSG]
    assert len(rtl.frames) == 192 and len(rtl.tx) == 4


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def flushes_that_are_implied(dut):
    """SET_PARAMS and PREPARE from STOPPED and SET_PARAMS from PREPARED complete what is pending; PREPARE from PREPARED does not."""

    async def flush(world: World) -> None:
        await world.probe()
        world.note("SET_PARAMS", await world.set_params(480, 6))
        world.note("PREPARE", await world.command("PREPARE"))
        memory, queue, transport = world.port.memory, world.driver.txq, world.driver.transport
        transport._callbacks[TX] = transport._callbacks[
            int(snd.VIRTIO_SND_VQ_RX)
        ]  # these messages are not the driver's
        name = 0

        async def messages(count: int) -> None:
            nonlocal name
            for _ in range(count):
                raw = snd.virtio_snd_pcm_xfer.pack(stream_id=0) + world.music(200)
                area = memory.alloc(len(raw) + 8)
                memory.write(area, raw)
                queue.add([(area, len(raw), False), (area + len(raw), 8, True)], (name, area + len(raw)))
                name += 1
            await transport.notify(queue)

        def completed() -> list:
            done = []
            while (used := queue.get_used()) is not None:
                (number, place), length = used
                status = snd.virtio_snd_pcm_status.unpack(memory.read(place, 8))
                done.append((number, length, status.status, status.latency_bytes))
            return done

        for stopped in (True, False):
            for command in ("SET_PARAMS", "PREPARE"):
                await messages(6)
                await world.sleep_ms(0.2)
                if stopped:
                    world.note("START", await world.command("START"))
                    while queue.used_idx == queue.last_used:
                        await world.port.sleep_ns(2000)
                    await world.sleep_ms(0.319)
                    world.note("STOP", await world.command("STOP"))
                before = completed()
                answer = await (world.set_params(480, 6) if command == "SET_PARAMS" else world.command(command))
                world.note(stopped, command, answer, before, completed())
                if command == "SET_PARAMS":
                    world.note("PREPARE", await world.command("PREPARE"))
        world.note("START", await world.command("START"))
        while queue.outstanding:
            world.witness.notes.extend(completed())
            await world.sleep_ms(0.1)

    rtl, _ = await compare(dut, flush)
    flushed = {note[:2]: len(note[4]) for note in rtl.notes if len(note) == 5}
    assert flushed == {(True, "SET_PARAMS"): 5, (True, "PREPARE"): 5, (False, "SET_PARAMS"): 6, (False, "PREPARE"): 0}


@cocotb.test(timeout_time=400, timeout_unit="ms")
async def open_and_close_without_end(dut):
    async def cycles(world: World) -> None:
        free = None
        for turn in range(200):
            pcm = await world.open(period_size=32, periods=2, prepare=turn % 5 != 4)
            if turn % 5 != 4:
                await pcm.writei(world.music(32 * (2 if turn % 5 else 1)))
                if turn % 5 == 1:
                    await world.completions(1, then_ms=0.15)
                elif turn % 5 == 2:
                    await pcm.drain()
                elif turn % 5 == 3:
                    await world.completions(2, then_ms=0.1)  # underrun
                else:
                    await world.completions(1) if turn % 5 else await world.sleep_ms(0.05)
            await pcm.close()
            used = world.port.memory.allocated()
            if pcm.substream.pending:  # closed before it was started: the messages come back when it is opened again
                continue
            free = used if free is None else free
            assert used == free, f"cycle {turn}: {used} bytes are allocated, {free} after the first"
        world.note("events", len(world.driver.events))

    rtl, _ = await compare(dut, cycles)
    assert len(rtl.control) > 200 * 2


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def polled_stream_needs_no_notification(dut):
    async def polled(world: World) -> None:
        pcm = await world.open(period_size=60, periods=4)
        assert pcm.substream.polling
        await pcm.writei(world.music(240))
        for _ in range(20):
            await world.completions(1, then_ms=0.1)
            await pcm.writei(world.music(60))
        await pcm.drain()
        world.note("xruns", pcm.xruns)
        await pcm.close()

    for seen in await compare(dut, polled):
        assert len(seen.frames) == 24 * 60 and notifications(seen, TX) == 0


@cocotb.test(timeout_time=400, timeout_unit="ms")
async def one_notification_and_one_interrupt_a_period(dut):
    """Steady state without MSG_POLLING: EVENT_IDX keeps both at one a period at most."""
    periods = 40

    async def steady(world: World, lead: int) -> None:
        await world.probe()
        stream = world.driver.substreams[0]
        features = stream.hardware.features & ~(1 << int(snd.VIRTIO_SND_PCM_F_MSG_POLLING))
        stream.hardware = dataclasses.replace(stream.hardware, features=features)
        pcm = await world.open(period_size=60, periods=4)
        await pcm.writei(world.music(60 * lead))
        if lead < 4:
            await pcm.start()
        await world.completions(1, then_ms=0.1)
        await pcm.writei(world.music(60))
        transport = world.driver.transport
        interrupts, kicks, xruns = transport.interrupts, notifications(world.witness, TX), pcm.xruns
        for _ in range(periods):
            await world.completions(1, then_ms=0.1)
            await pcm.writei(world.music(60))
        world.note("interrupts", transport.interrupts - interrupts, "xruns", pcm.xruns - xruns)
        kicks = notifications(world.witness, TX) - kicks
        # With a period or less in hand each one has to be announced; with more the device finds it before it has to ask.
        assert kicks <= periods and (lead > 2 or kicks), f"{kicks} notifications in {periods} periods"
        await pcm.drain()
        await pcm.close()

    for lead in (2, 3, 4):

        async def scenario(world: World, lead=lead) -> None:
            await steady(world, lead)

        for seen in await compare(dut, scenario):
            assert seen.notes == [("interrupts", periods, "xruns", 0)]


@cocotb.test(timeout_time=2000, timeout_unit="ms")
async def random_applications(dut):
    """Sessions of 80 operations at random, compared event by event. SESSION_SEED repeats one."""
    first = int(os.environ.get("SESSION_SEED", cocotb.RANDOM_SEED % 1_000_000 * 10))
    for seed in range(first, first + (1 if "SESSION_SEED" in os.environ else 6)):
        session = Session(seed, operations=80, policy="requeue" if seed % 3 == 2 else "ack")
        rtl, _ = await compare(dut, session, policy=session.policy)
        assert len(rtl.notes) >= 80 and len(rtl.frames) > 200, f"seed {seed} did nothing worth comparing"


def test_session() -> None:
    run_system(__file__)
