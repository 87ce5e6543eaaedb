# SPDX-License-Identifier: Apache-2.0
"""`sndprobe`, the probe program, as the reference-driver board runs it: verbs, their options, what they print.

Promises: each verb prints JSON objects, one a line; the last one is `{"done": true, "status": 0, ...}`, or has a status other
than 0 and an `error` that says what was wrong and what would be right (1: the driver refused, 2: the command line, 3: an
underrun ended the job, 130: Ctrl-C). No exception leaves `run` but those of a broken simulation.
Its user gives a `Terminal` and runs one command at a time. hil/README.md lists the verbs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, Protocol

from virtone import __version__
from virtone.model.errors import DriverError, InvalidArgument, Xrun
from virtone.model.pcm_hw import ALSA_FORMATS
from virtone.model.pcm_policies import POLICIES
from virtone.signal import stimulus

from .options import Option, OptionError, parse
from .playback import ALSA_NAMES, Board, Interrupted, Playback, StreamOptions
from .probe_access import MARKERS, ProbeMissing
from .shots import ShotOptions, Shots

LARGEST_FILE = 256 << 20
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Terminal(Protocol):
    """Where the commands come from. `read_line` raises Interrupted for Ctrl-C."""

    def write(self, text: str) -> None: ...
    async def read_line(self, echo: bool = True) -> str: ...
    def interrupted(self) -> bool: ...


STREAM = {
    "rate": Option(int, 48000, 4000, 768000),
    "format": Option(str, "S16", choices=tuple(ALSA_NAMES)),
    "channels": Option(int, 2, 1, 32),
    "period": Option(int, 480, 8, 1 << 20),
    "periods": Option(int, 4, 2, 1024),
    "policy": Option(str, "ack", choices=tuple(POLICIES)),
}
MARKER = {"marker": Option(str, "application", choices=tuple(MARKERS))}
LENGTH = {"seconds": Option(float, 1.0, 1e-3, 3600), "frames": Option(int, None, 1, 1 << 30, optional=True)}
PLAY = {**STREAM, "source": Option(str, optional=True), "file": Option(str, optional=True), **MARKER}
RECORD = {name: option for name, option in STREAM.items() if name != "policy"}
RECORD |= {**LENGTH, "target": Option(str, optional=True)}
TONE = {
    **STREAM,
    **LENGTH,
    "hz": Option(float, 997.0, 1, 384000),
    "detune-ppm": Option(float, 0.0, -10000, 10000),
    "dbfs": Option(float, -6.0, -140, 0),
    **MARKER,
}
MATERIAL = {
    **STREAM,
    **LENGTH,
    "first-code": Option(int, 0, 0, stimulus.CODES - 1),
    "fault": Option(str, "none", choices=stimulus.FAULTS),
    "at-frame": Option(int, 0, 0, 1 << 30),
    "fault-frames": Option(int, 0, 0, 1 << 20),
    "detune-ppm": Option(int, 0, -10000, 10000),
    **MARKER,
}
SHOTS = {
    **STREAM,
    "count": Option(int, 1, 1, 100000),
    "first-code": Option(int, 0, 0, stimulus.CODES - 1),
    "spacing-ms": Option(float, 100.0, 1, 10000),
    **MARKER,
    "seed": Option(int, 1, 0, 2**31 - 1),
    "cold": Option(int, 0, 0, 1),
    "event-idx": Option(int, None, 0, 1, optional=True),
    "msg-polling": Option(int, None, 0, 1, optional=True),
}


class Sndprobe:
    """The program on one board; `files` lives as long as the board. `facts` are printed by `version` and `info`."""

    def __init__(self, board: Board, terminal: Terminal, facts: dict[str, Any] | None = None) -> None:
        self.board, self.terminal, self.facts = board, terminal, facts or {}
        self.files: dict[str, bytes] = {}
        self.verbs = {
            "version": self._version,
            "hello": self._version,
            "info": self._info,
            "counters": self._counters,
            "put": self._put,
            "rm": self._rm,
            "play": self._play,
            "tone": self._tone,
            "record": self._record,
            "material": self._material,
            "shots": self._shots,
        }

    async def run(self, words: Sequence[str]) -> int:
        """One command without its first word; returns its status."""
        status, error, counts = 0, "", {}
        try:
            if not words or words[0] not in self.verbs:
                verb = repr(words[0]) if words else "no verb"
                raise OptionError(f"{verb}; sndprobe understands {', '.join(self.verbs)}")
            counts = await self.verbs[words[0]](list(words[1:])) or {}
        except (OptionError, stimulus.StimulusError) as problem:
            status, error = 2, str(problem)
        except Interrupted:
            status, error = 130, "interrupted"
        except Xrun as problem:
            status, error = 3, str(problem)
        except (DriverError, ProbeMissing) as problem:
            status, error = 1, str(problem)
            self.board.broken |= not isinstance(problem, InvalidArgument)
        if status:
            self._print({"done": True, "status": status, "error": error, **counts})
        else:
            self._print({"done": True, "status": 0, **counts})
        return status

    def _print(self, record: dict[str, Any]) -> None:
        self.terminal.write(json.dumps(record) + "\n")

    # What the board is.

    async def _version(self, words: list[str]) -> None:
        parse(words, {})
        await self.board.start()
        self._print(self._identity())

    def _identity(self) -> dict[str, Any]:
        identity = self.board.probe.identity
        return {
            "sndprobe": __version__,
            "system": "reference driver",
            "build_id": f"{identity.build_id:08x}",
            "clock_hz": identity.clock_hz,
            **self.facts,
        }

    async def _info(self, words: list[str]) -> None:
        parse(words, {})
        driver = await self.board.start()
        hardware = driver.substreams[0].hardware
        short = {name: key for key, name in ALSA_NAMES.items()}
        self._print({
            **self._identity(),
            "driver": "virtone.model",
            "policies": list(POLICIES),
            "queue_sizes": {str(index): queue.size for index, queue in driver.transport.queues.items()},
            "features": f"{driver.transport.features:#x}",
            "formats": [short.get(name, name) for name in hardware.formats if name in ALSA_FORMATS],
            "rates": sorted(hardware.rates),
            "channels": [hardware.channels_min, hardware.channels_max],
            "periods": [hardware.periods_min, hardware.periods_max],
            "pcm_features": f"{hardware.features:#x}",
            "jacks": driver.jacks,
            "streams": driver.streams,
            "chmaps": driver.chmaps,
            "controls": driver.controls,
        })  # fmt: skip

    async def _counters(self, words: list[str]) -> None:
        parse(words, {})
        await self.board.start()
        self._print(await self.board.probe.counters())

    # Files.

    async def _put(self, words: list[str]) -> None:
        if len(words) != 3 or not words[1].isdigit() or not NAME.fullmatch(words[0]):
            raise OptionError(
                f"put {' '.join(words)[:80]!r}; right is put NAME SIZE SHA256, then base64 lines and an empty one"
            )
        name, size, digest = words[0], int(words[1]), words[2].lower()
        if size > LARGEST_FILE:
            raise OptionError(f"{size} bytes are too many; right is at most {LARGEST_FILE}")
        parts: list[bytes] = []
        wrong = ""
        while line := (await self.terminal.read_line(echo=False)).strip():
            try:
                parts.append(base64.b64decode(line, validate=True))
            except binascii.Error as problem:
                wrong = wrong or f"line {len(parts) + 1} is no base64 ({problem})"
        data = b"".join(parts)
        found = hashlib.sha256(data).hexdigest()
        if not wrong and (len(data), found) != (size, digest):
            wrong = f"{len(data)} bytes with sha256 {found} came; {size} bytes with {digest} were announced"
        if wrong:
            raise OptionError(f"{name}: {wrong}; send it again")
        self.files[name] = data
        self._print({"file": name, "size": size, "sha256": digest})

    async def _rm(self, words: list[str]) -> None:
        if len(words) != 1 or words[0] not in self.files:
            raise OptionError(
                f"rm {' '.join(words)!r}; right is one of {', '.join(self.files) or 'no file: none is there'}"
            )
        del self.files[words[0]]

    # Playing.

    async def _play(self, words: list[str]) -> dict[str, int]:
        options = parse(words, PLAY)
        stream = _stream(options)
        name = options["source"] or options["file"]
        if name is None:
            raise OptionError("--source is missing; right is the name of a file that was put (--file is the same)")
        if name not in self.files:
            raise OptionError(
                f"--source {name}: there is no such file; right are {', '.join(self.files) or 'none yet: put it first'}"
            )
        data = self.files[name]
        frame = stimulus.FORMATS[stream.format] * stream.channels
        if not data or len(data) % frame:
            raise OptionError(
                f"{name}: {len(data)} bytes are no whole number of {stream.format} frames of {frame} bytes"
            )
        return await self._play_bytes(stream, data, options["marker"])

    async def _tone(self, words: list[str]) -> dict[str, int]:
        options = parse(words, TONE)
        stream, frames = _stream(options), _frames(options)
        mono = stimulus.tone(frames, stream.rate, options["hz"], options["detune_ppm"], options["dbfs"])
        return await self._play_bytes(stream, stream.pack(mono), options["marker"])

    async def _record(self, words: list[str]) -> None:
        """The reference driver has output streams only; Linux says it of a card without an input in the same words."""
        if parse(words, RECORD)["target"] is None:
            raise OptionError("--target is missing; right is the name that the file shall have")
        raise InvalidArgument(
            "card 0 (reference driver) has no input stream, so nothing can be recorded from it; no card of this board has one"
        )

    async def _material(self, words: list[str]) -> dict[str, int]:
        options = parse(words, MATERIAL)
        stream, frames = _stream(options), _frames(options)
        fault, code, ppm = options["fault"], options["first_code"], options["detune_ppm"]
        if fault in ("none", "detune"):
            mono = stimulus.material(frames, stream.rate, code, ppm)
        else:
            mono = stimulus.faulty_material(
                frames, stream.rate, fault, options["at_frame"], options["fault_frames"], code
            )
        return await self._play_bytes(stream, stream.pack(mono), options["marker"])

    async def _play_bytes(self, stream: StreamOptions, data: bytes, marker: str) -> dict[str, int]:
        """Play, the marker at the hand-over of the first frame; prints and returns the counts."""
        await self.board.start(stream.policy)
        async with Playback(self.board, stream, keep_going=True) as playback:
            await self.board.probe.reset_counters()
            await self.board.probe.select(marker)
            await self.board.probe.mark(0)
            await playback.play(data)
            counts = await playback.counts()
        await self.board.probe.select("off")
        self._print(counts)
        return counts

    async def _shots(self, words: list[str]) -> dict[str, int]:
        options = parse(words, SHOTS)
        stream = _stream(options)
        count, first = options["count"], options["first_code"]
        if first + count > stimulus.CODES:
            raise OptionError(f"--first-code {first} --count {count}: codes end at {stimulus.CODES - 1}")
        least = (stimulus.burst_frames(stream.rate) + stream.period) * 1000 / stream.rate
        if options["spacing_ms"] < least:
            raise OptionError(
                f"--spacing-ms is {options['spacing_ms']:g}; right is at least {least:.3f}: burst and one period"
            )
        # Linux sends no notify for a stream that polls, and with EVENT_IDX none while the device still has messages.
        usual = options["marker"] != "notify"
        features = (usual if options[name] is None else bool(options[name]) for name in ("event_idx", "msg_polling"))
        await self.board.start(stream.policy, *features)
        keep = {name: options[name] for name in ("count", "first_code", "spacing_ms", "marker", "seed")}
        counts = await Shots(self.board, ShotOptions(stream, cold=bool(options["cold"]), **keep), self._print).run()
        return {**counts, **self.board.notification_features()}


def _stream(options: dict[str, Any]) -> StreamOptions:
    return StreamOptions(**{name: options[name] for name in STREAM})


def _frames(options: dict[str, Any]) -> int:
    return options["frames"] or max(1, round(options["seconds"] * options["rate"]))
