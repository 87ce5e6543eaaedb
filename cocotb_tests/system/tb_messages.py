# SPDX-License-Identifier: Apache-2.0
"""Tx messages out of the ordinary: empty ones and their turn, broken ones in a release, any of them in any state."""

from __future__ import annotations

import cocotb

from cocotb_tests.engine.system import run_system
from cocotb_tests.system.world import World, compare
from virtone.virtio import snd

TX = int(snd.VIRTIO_SND_VQ_TX)
OK, IO_ERR = int(snd.VIRTIO_SND_S_OK), int(snd.VIRTIO_SND_S_IO_ERR)


class Messages:
    """Messages by hand on the txq; nobody serves its interrupts. Each has a name of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.queue = world.driver.txq
        world.driver.transport._callbacks.pop(TX)

    async def send(self, *messages: tuple) -> None:
        """(name, payload bytes[, stream or raw header]) each, announced together."""
        memory = self.world.port.memory
        for name, payload, *header in messages:
            stream = header[0] if header else 0
            raw = stream if isinstance(stream, bytes) else snd.virtio_snd_pcm_xfer.pack(stream_id=stream)
            raw += self.world.music((payload + 3) // 4 or 1)[:payload]
            area = memory.alloc(len(raw) + 16)
            memory.write(area, raw)
            self.queue.add([(area, len(raw), False), (area + len(raw), 8, True)], (name, area + len(raw)))
        await self.world.driver.transport.notify(self.queue)

    def used(self) -> list[tuple]:
        """(name, used.len, status, latency_bytes) of what has come back since the last call."""
        done = []
        while (used := self.queue.get_used()) is not None:
            (name, place), length = used
            status = snd.virtio_snd_pcm_status.unpack(self.world.port.memory.read(place, 8))
            done.append((name, length, status.status, status.latency_bytes))
        return done


async def prepared(world: World, features=("EVT_XRUNS",)) -> Messages:
    await world.probe()
    world.note("SET_PARAMS", await world.set_params(features=features))
    world.note("PREPARE", await world.command("PREPARE"))
    return Messages(world)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def an_empty_message_has_its_turn_while_running(dut):
    async def empty(world: World) -> None:
        messages = await prepared(world)
        await messages.send(("first", 0))
        await world.sleep_ms(0.5)
        world.note("PREPARED", messages.used())
        world.note("START", await world.command("START"))
        await world.sleep_ms(0.05)
        world.note("RUNNING, nothing has played", messages.used())
        await messages.send(("48 frames", 192), ("empty", 0), ("short", 3), ("8 frames", 32), ("last", 0))
        await world.sleep_ms(0.8)
        world.note("before the turn", messages.used())
        await world.sleep_ms(1.5)
        world.note("after it", messages.used())
        await messages.send(("in an underrun", 0))
        await world.sleep_ms(0.01)
        world.note("at once", messages.used())
        world.note("STOP", await world.command("STOP"))
        await messages.send(("stopped", 0), ("behind it", 32))
        await world.sleep_ms(0.5)
        world.note("STOPPED", messages.used())
        world.note("START", await world.command("START"))
        await world.sleep_ms(0.5)
        world.note("again", messages.used())

    rtl, _ = await compare(dut, empty)
    told = {note[0]: [used[0] for used in note[1]] for note in rtl.notes if isinstance(note[1], list)}
    assert told == {
        "PREPARED": [],
        "RUNNING, nothing has played": ["first"],
        "before the turn": [],
        "after it": ["48 frames", "empty", "short", "8 frames", "last"],
        "at once": ["in an underrun"],
        "STOPPED": [],
        "again": ["stopped", "behind it"],
    }


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def broken_messages_in_a_release(dut):
    """The stream's own come back with OK and latency 0, whatever their payload, in order; others with IO_ERR, at any place."""

    async def release(world: World) -> None:
        messages = await prepared(world)
        for command in ("RELEASE", "SET_PARAMS"):
            await messages.send(
                ("played", 192), ("fetched", 48), ("odd", 37), ("empty", 0), ("other stream", 64, 1), ("header", 0, b"\0\0\0"),
                ("long", 4000), ("odd and unfetched", 4001), ("empty and unfetched", 0), ("other and unfetched", 8, 7),
            )  # fmt: skip
            if command == "RELEASE":
                world.note("START", await world.command("START"))
                while (
                    messages.queue.used_idx - messages.queue.last_used < 3
                ):  # two are refused before anything has played
                    await world.port.sleep_ns(2000)
                await world.sleep_ms(0.319)
                world.note("STOP", await world.command("STOP"))
            else:
                await world.sleep_ms(0.2)
            world.note("before", sorted(messages.used()))
            answer = await (world.set_params() if command == "SET_PARAMS" else world.command(command))
            flushed = messages.used()
            world.note(
                command, answer, [used for used in flushed if used[2] == OK], sorted(u for u in flushed if u[2] != OK)
            )
            world.note("pending", messages.queue.outstanding)
            world.note("PREPARE", await world.command("PREPARE"))

    rtl, _ = await compare(dut, release)
    for note in rtl.notes:
        if note[0] in ("RELEASE", "SET_PARAMS") and len(note) == 4:
            assert len(note[2]) == (5 if note[0] == "RELEASE" else 7) and all(
                used[2:] == (OK, 0) for used in note[2]
            ), note
            assert {used[0] for used in note[3]} >= {"other and unfetched"}, note
            assert all(used[2:] == (IO_ERR, 0) for used in note[3]), note
    assert rtl.notes.count(("pending", 0)) == 2


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def messages_in_every_state(dut):
    """Refused at once in INIT, PARAMS and RELEASED, kept in PREPARED and STOPPED, and what was refused never plays."""

    async def states(world: World) -> None:
        await world.probe()
        messages = Messages(world)

        async def try_here(state: str) -> None:
            await messages.send((state, 64), (f"{state}, empty", 0))
            await world.sleep_ms(0.1)
            world.note(state, messages.used())

        await try_here("INIT")
        world.note("SET_PARAMS", await world.set_params())
        await try_here("PARAMS")
        for turn in range(2):
            world.note("PREPARE", await world.command("PREPARE"))
            await try_here(f"PREPARED {turn}")
            if turn:
                world.note("START", await world.command("START"))
                await world.sleep_ms(1)
                world.note("played", messages.used())
                world.note("STOP", await world.command("STOP"))
                await try_here("STOPPED")
            world.note("RELEASE", await world.command("RELEASE"))
            world.note("released", messages.used())
            await try_here(f"RELEASED {turn}")

    rtl, _ = await compare(dut, states)
    assert len(rtl.frames) == 16


def test_messages() -> None:
    run_system(__file__)
