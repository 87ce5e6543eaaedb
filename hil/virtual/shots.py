# SPDX-License-Identifier: Apache-2.0
"""`sndprobe shots`: coded bursts at random phase against the period, each with what the application was told and when its
message passed each stage.

Promises: a burst begins a period, and so a message; the application marker is written right before the hand-over; markers are
at least `spacing` apart; with `notify` or `first_bit` the pin shows that event of the burst's message and no other (a cold
start's control requests follow its notify).
Stages are nanoseconds after the marker, from the device's event log: A marker, N the notify that exposed the message (none if
the driver had no need of one), F first payload beat, W first bit of the burst, C used index in memory.
Its user gives a started board, an opened log and the probe's counters at zero.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from virtone.model.pcm_core import PcmStatus
from virtone.model.virtqueue import Virtqueue
from virtone.signal import stimulus
from virtone.virtio import probe, ring, snd

from .playback import Board, Playback, StreamOptions
from .probe_access import LogEntry

LOGGED = tuple(
    int(kind)
    for kind in (
        probe.PROBE_EV_MARKER,
        probe.PROBE_EV_NOTIFY,
        probe.PROBE_EV_FETCH,
        probe.PROBE_EV_FIRST_BIT,
        probe.PROBE_EV_COMPLETE,
    )
)
STAGE_OF = {int(probe.PROBE_EV_FETCH): "F", int(probe.PROBE_EV_FIRST_BIT): "W", int(probe.PROBE_EV_COMPLETE): "C"}
TXQ = int(snd.VIRTIO_SND_VQ_TX)


@dataclass(frozen=True)
class ShotOptions:
    """A series of shots; codes are first_code .. first_code + count - 1."""

    stream: StreamOptions
    count: int
    first_code: int
    spacing_ms: float
    marker: str
    seed: int
    cold: bool


@dataclass
class Shot:
    """One burst: what was known at its hand-over, and its message: its head, and the avail index of the notify that exposed it."""

    number: int
    code: int
    status: PcmStatus
    since_update_ns: int
    head: int
    exposed: int
    pin: str = "off"
    stages: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys("ANFWC"))

    def record(self) -> dict[str, Any]:
        """The line that goes out."""
        told = self.status
        begin = self.stages["A"]
        stages = {
            name: None if time is None or begin is None else round(time - begin) for name, time in self.stages.items()
        }
        return {
            "shot": self.number,
            "code": self.code,
            "frame": told.appl_ptr,
            "told_frames": told.delay,
            "since_update_ns": self.since_update_ns,
            "appl_ptr": told.appl_ptr,
            "hw_ptr": told.hw_ptr,
            "state": told.state.value,
            "stages_ns": stages,
        }

    def take(self, entry: LogEntry) -> None:
        """Match one entry of the event log: the marker by its value, the notify by its index, the rest by head.

        Heads are used again at once: what came before the hand-over, or completed before it was on the wire, was another message.
        """
        name = None
        if entry.kind == probe.PROBE_EV_MARKER and entry.arg == self.number:
            name = "A"
        elif entry.kind == probe.PROBE_EV_NOTIFY and entry.arg & 0xFFFF == TXQ and entry.arg >> 16 == self.exposed:
            name = "N"
        elif entry.kind in STAGE_OF and entry.arg == self.head and self.stages["A"] is not None:
            name = STAGE_OF[entry.kind]
            if name == "C" and self.stages["W"] is None:
                name = None
        if name is not None and self.stages[name] is None:
            self.stages[name] = entry.time_ns


class Shots:
    """One run of the command; `report` receives each shot's record."""

    def __init__(self, board: Board, options: ShotOptions, report: Callable[[dict[str, Any]], None]) -> None:
        self.board, self.options, self.report = board, options, report
        self.lost = 0
        self._random = random.Random(options.seed)
        self._last_ns: int | None = None
        self._open: list[Shot] = []  # handed over, not played

    @property
    def _queue(self) -> Virtqueue:
        assert self.board.driver is not None
        return self.board.driver.txq

    async def run(self) -> dict[str, int]:
        """Play them all; returns the job's counts. Raises Xrun when the application or the device was late."""
        lost = await self.board.probe.events_lost()
        whole_job = self.options.marker in ("application", "complete")
        await self.board.probe.select(self.options.marker if whole_job else "off")
        counts = await (self._cold() if self.options.cold else self._continuous())
        await self.board.probe.log()
        await self.board.probe.select("off")
        return {**counts, "events_lost": await self.board.probe.events_lost() - lost}

    # Continuous: the stream runs with silence, bursts come when they are due.

    async def _continuous(self) -> dict[str, int]:
        async with Playback(self.board, self.options.stream) as playback:
            await self.board.probe.reset_counters()
            for _ in range(self.options.stream.periods + 1):
                await playback.write_period()
            for number in range(self.options.count):
                while not self._due(playback):
                    await self._silent_period(playback)
                await self._shoot(playback, number)
            while self._open:
                await self._silent_period(playback)
            return await playback.counts()

    def _due(self, playback: Playback) -> bool:
        """The coming wake-up is not too early for the next one, and the application is not behind."""
        stream = self.options.stream
        wake_up = playback.pcm.tstamp_ns + stream.period * 1e9 / stream.rate
        spaced = self._last_ns is None or wake_up >= self._last_ns + self.options.spacing_ms * 1e6
        return spaced and playback.pcm.avail() < stream.period

    async def _silent_period(self, playback: Playback) -> None:
        await playback.write_period()
        await self._follow(playback)

    async def _shoot(self, playback: Playback, number: int) -> None:
        stream, board = self.options.stream, self.board
        # The older driver exposes the period before the application fills it.
        early = stream.policy == "requeue" and self.options.marker == "notify"
        await board.probe.log(*LOGGED)
        if early:
            await board.probe.select("notify")
        await playback.pcm.wait(stream.period)
        if early:
            await board.probe.select("off")
        slack = min(1.0, (stream.periods - 1) / 2) * stream.period / stream.rate
        await board.port.sleep_ns(self._random.random() * slack * 1e9)
        data = self._burst(self.options.first_code + number)
        size = playback.params.period_bytes
        await self._hand_over(playback, number, data[:size])
        for start in range(size, len(data), size):
            await self._follow(playback)
            await playback.write_period(data[start : start + size])
        await self._follow(playback)

    def _burst(self, code: int) -> bytes:
        """The burst, filled up with silence to whole periods."""
        stream = self.options.stream
        data = stream.pack(stimulus.burst(code, stream.rate))
        frame = len(data) // stimulus.burst_frames(stream.rate)
        return data + bytes(-len(data) % (frame * stream.period))

    async def _hand_over(self, playback: Playback, number: int, data: bytes) -> None:
        """Ask what the application is told, write the marker, write the data."""
        board, queue = self.board, self._queue
        select = self.options.marker == "notify" and (self.options.cold or self.options.stream.policy == "ack")
        if select:
            await board.probe.select("notify")
        status = await playback.pcm.status()
        now = self._last_ns = board.port.now_ns()
        await board.probe.mark(number)
        await playback.write_period(data)
        if select:
            await board.probe.select("off")
        # One message a period since the stream was opened, in order; a cold start exposes a bufferful at once.
        slot = playback.first_slot + status.appl_ptr // self.options.stream.period
        head = queue.memory.read_uint(queue.avail + ring.avail_entry_offset(queue.size, slot & 0xFFFF), 2)
        exposed = slot + (self.options.stream.periods if self.options.cold else 1) & 0xFFFF
        since = now - status.tstamp_ns if status.tstamp_ns else 0
        self._open.append(Shot(number, self.options.first_code + number, status, since, head, exposed))

    async def _follow(self, playback: Playback) -> None:
        """Switch the first-bit pin round the burst's message, and report bursts that have been played."""
        period = self.options.stream.period
        frames = -(-stimulus.burst_frames(self.options.stream.rate) // period) * period
        for shot in list(self._open):
            ahead = shot.status.appl_ptr - playback.pcm.hw_ptr
            if self.options.marker == "first_bit" and not self.options.cold:
                await self._first_bit_pin(shot, ahead)
            if ahead <= -frames:
                for entry in await self.board.probe.events():
                    for candidate in self._open:
                        candidate.take(entry)
                self._open.remove(shot)
                if not self._open:
                    await self.board.probe.log()
                self.report(shot.record())

    async def _first_bit_pin(self, shot: Shot, ahead: int) -> None:
        """On while the message before the burst's is being played, off when the burst's has begun."""
        period = self.options.stream.period
        if shot.pin == "off" and ahead <= period:
            shot.pin = "on"
            await self.board.probe.select("first_bit")
        elif shot.pin == "on" and ahead <= 0:
            shot.pin = "done"
            await self.board.port.sleep_ns(period / self.options.stream.rate * 1e9 / 4)
            await self.board.probe.select("off")

    # Cold: each burst is the first sound of a stream that was closed.

    async def _cold(self) -> dict[str, int]:
        options, board = self.options, self.board
        total: dict[str, int] = {}
        for number in range(options.count):
            board.check()
            if self._last_ns is not None:
                rest = self._last_ns + options.spacing_ms * 1e6 - board.port.now_ns()
                await board.port.sleep_ns(max(rest, 0) + self._random.random() * 1e6)
            counts = await self._cold_shot(number)
            total = {name: total.get(name, 0) + value for name, value in counts.items()}
        return total

    async def _cold_shot(self, number: int) -> dict[str, int]:
        options, board = self.options, self.board
        async with Playback(board, options.stream) as playback:
            await board.probe.reset_counters()
            await board.probe.log(*LOGGED)
            data = self._burst(options.first_code + number)
            size, first = playback.params.period_bytes, playback.params.buffer_bytes
            data += bytes(max(0, first - len(data)))
            if options.marker == "first_bit":
                await board.probe.select("first_bit")
            await self._hand_over(playback, number, data[:first])
            if options.marker == "first_bit":
                await board.port.sleep_ns(options.stream.period / options.stream.rate * 1e9 / 2)
                await board.probe.select("off")
            for start in range(first, len(data), size):
                await playback.write_period(data[start : start + size])
            written = playback.frames_written
            while self._open or playback.pcm.hw_ptr * playback.params.frame_bytes < len(data):
                await self._silent_period(playback)
            playback.frames_written = written
            return await playback.counts()
