# SPDX-License-Identifier: Apache-2.0
"""Acquisition: play, record, keep. No number of the certificate is computed here (`analysis` does, from the record alone).

Promise: `certify(bench, plan, out, progress)` returns a complete `Record`; every step is on the disk before the next begins, so an
interrupted run, started again with the same files and folder, goes on after its last finished step. The user hands over an
open bench.

What the board must do (each command: JSON objects, one a line; the last is ``{"done": true, "status": 0, "xruns": n, "underruns": n}``):

``sndprobe version`` says what it is. ``sndprobe shots STREAM --count N --first-code K --spacing-ms X --marker
application|notify|first_bit|complete --seed S --cold 0|1`` plays burst i of code K+i (`stimulus.shot_starts` spreads them) with
exactly one pulse of the marker pin per shot: the application's own write beside the hand-over of the burst's first frame, or
the first event of the chosen kind that concerns that frame. One object per shot: ``shot``, ``code``, ``frame``, ``told_frames``
(snd_pcm_delay at hand-over plus the burst's offset in what is handed over), ``since_update_ns`` (age of hw_ptr at that instant),
``stages_ns`` (A = 0, N, F, W, C). With ``--cold 1`` each shot opens, plays from its first frame, and closes.
``sndprobe material STREAM --frames N --first-code K --fault none|lost|repeated|gap|detune --at-frame F --fault-frames L
--detune-ppm P --marker complete`` plays `stimulus.faulty_material` once, the pin pulsing at each message's completion.
STREAM is ``--rate --format --channels --period --periods --policy``.
"""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from virtone.bench.config import BenchConfig
from virtone.bench.errors import CommandFailed
from virtone.bench.instruments.digitizer import ChannelSetup, Digitizer, Setup, TimebaseSetup, TriggerSetup
from virtone.signal.capture import Capture
from virtone.signal.stimulus import burst_frames

from .plan import Configuration, Plan, code_of
from .record import Record, RecordError

SAMPLES_PER_S = 500_000
SELFTEST = ("lost", "repeated", "gap", "detune")
DETUNE_PPM = 50
BOARD_GRACE_S = 2.0  # of the board's own time beyond what it plays


class Console(Protocol):
    def run(self, command: str, timeout_s: float | None = None) -> list[str]: ...


class Board(Protocol):
    console: Console


class OpenBench(Protocol):
    """What is used of `virtone.bench.session.Bench`."""

    config: BenchConfig
    board: Board

    @property
    def oscilloscope(self) -> Digitizer: ...
    def seconds(self, at_instrument_s: float) -> float: ...


@dataclass(frozen=True)
class Step:
    """One acquisition: the command that plays and the record's timing. ``segments`` markers are expected."""

    key: str
    kind: str
    configuration: Configuration
    command: str
    segments: int
    pre_s: float
    span_s: float
    play_s: float
    facts: dict[str, Any]


class Progress(Protocol):
    """What the command line shows: seconds of playing done, and what comes next."""

    def begin(self, total_s: float) -> None: ...
    def step(self, text: str) -> None: ...
    def advance(self, seconds: float) -> None: ...


class NoProgress:
    """Shows nothing."""

    def begin(self, total_s: float) -> None: ...
    def step(self, text: str) -> None: ...
    def advance(self, seconds: float) -> None: ...


def certify(
    bench: OpenBench,
    plan: Plan,
    out: Path | str,
    progress: Progress | None = None,
    recorded: Callable[[str], None] = lambda key: None,
) -> Record:
    """Measure everything that the plan asks for; `recorded(key)` is called after each step that is in the log.

    Errors: those of `bench.errors`; what is finished stays recorded.
    """
    progress = progress or NoProgress()
    record = Record.create(out, plan.file, bench.config.file)
    if not record.entries:
        record.append(_begin(bench, plan))
    else:
        _check_same(record, bench)
    steps = list(all_steps(plan))
    progress.begin(sum(step.play_s for step in steps))
    for step in steps:
        progress.step(step.key)
        if not record.has(step.key):
            captures, lines, done = _acquire(bench, step)
            record.append(
                {
                    "kind": "step",
                    "key": step.key,
                    "step": step.kind,
                    "configuration": step.configuration.name,
                    "command": step.command,
                    "facts": step.facts,
                    "board": lines,
                    "done": done,
                    "captures": record.keep(step.key, captures),
                    "finished": _now(),
                }
            )
        recorded(step.key)
        progress.advance(step.play_s)
    if not record.has("end"):
        record.append({"kind": "end", "key": "end", "finished": _now()})
    return record


def all_steps(plan: Plan) -> Iterator[Step]:
    """The whole run in order: detectors first, then per configuration the material, the shots, notify and cold shots."""
    first = plan.configurations[0]
    for fault in SELFTEST:
        yield _material(plan, first, f"selftest/{fault}", fault, plan.selftest_s)
    for configuration in plan.configurations:
        name = configuration.name
        yield _material(plan, configuration, f"{name}/material", "none", plan.material_s)
        yield from _shots(plan, configuration, "shots", plan.shots, "application", False, 0)
        yield from _shots(plan, configuration, "notify", plan.notify_shots, "notify", False, plan.shots)
        yield from _shots(
            plan, configuration, "cold", plan.cold_shots, "application", True, plan.shots + plan.notify_shots
        )


def _stream(configuration: Configuration) -> str:
    c = configuration
    return (
        f"--rate {c.rate} --format {c.format} --channels {c.channels} --period {c.period_frames} --periods {c.periods} "
        f"--policy {c.policy}"
    )


def _material(plan: Plan, c: Configuration, key: str, fault: str, seconds: float) -> Step:
    periods = max(2 * c.periods + 2, -(-int(seconds * c.rate) // c.period_frames))
    frames = periods * c.period_frames
    at = frames // 2 // c.period_frames * c.period_frames
    facts = {
        "frames": frames,
        "first_code": 0,
        "fault": fault,
        "at_frame": at,
        "fault_frames": c.period_frames,
        "detune_ppm": DETUNE_PPM,
    }
    command = (
        f"sndprobe material {_stream(c)} --frames {frames} --first-code 0 --fault {fault} --at-frame {at} "
        f"--fault-frames {c.period_frames} --detune-ppm {DETUNE_PPM if fault == 'detune' else 0} --marker complete"
    )
    pre = c.period_frames / c.rate + 5e-3
    length = frames / c.rate
    return Step(
        key,
        "selftest" if key.startswith("selftest") else "material",
        c,
        command,
        1,
        pre,
        pre + length + 5e-3,
        length + c.buffer_s,
        facts,
    )


def _shots(plan: Plan, c: Configuration, kind: str, count: int, marker: str, cold: bool, first: int) -> Iterator[Step]:
    pre = 1e-3
    span = pre + 1.25 * c.buffer_s + burst_frames(c.rate) / c.rate + 4e-3
    for number, begin in enumerate(range(0, count, plan.batch)):
        n = min(plan.batch, count - begin)
        code = code_of(first + begin)
        n = min(n, 2047 - code)
        seed = (plan.seed * 1009 + first + begin) % 2**31
        command = (
            f"sndprobe shots {_stream(c)} --count {n} --first-code {code} --spacing-ms {c.spacing_ms:g} --marker {marker} "
            f"--seed {seed} --cold {int(cold)}"
        )
        yield Step(
            f"{c.name}/{kind}/{number:04d}",
            kind,
            c,
            command,
            n,
            pre,
            span,
            n * c.spacing_ms / 1000 + c.buffer_s,
            {"count": n, "first_code": code, "seed": seed, "first_shot": first + begin},
        )


def setup_of(config: BenchConfig, step: Step) -> Setup:
    """The oscilloscope's settings for one step."""
    channels = config.instruments["oscilloscope"].channels
    marker = channels["marker"]
    inputs = tuple(
        ChannelSetup(c.number, c.range_v, c.offset_v, c.coupling, c.probe) for c in (channels["analog"], marker)
    )
    return Setup(
        inputs,
        TimebaseSetup(step.span_s, step.pre_s, int(step.span_s * SAMPLES_PER_S)),
        TriggerSetup(marker.number, marker.threshold_v),
        step.segments,
    )


def _acquire(bench: OpenBench, step: Step) -> tuple[list[Capture], list[dict[str, Any]], dict[str, Any]]:
    scope = bench.oscilloscope
    scope.configure(setup_of(bench.config, step))
    scope.arm(bench.seconds(step.pre_s) + 10)
    limit = bench.seconds(step.play_s + BOARD_GRACE_S) + bench.config.console.timeout_s
    lines, done = _talk(bench.board.console, step.command, limit)
    scope.wait(bench.seconds(step.span_s) + 10)
    return [scope.fetch(index) for index in range(1, step.segments + 1)], lines, done


def _talk(console: Console, command: str, timeout_s: float) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run a board command; returns (its records, its last line with the counters). CommandFailed."""
    records = []
    for line in console.run(command, timeout_s):
        if line.startswith("{"):
            try:
                records.append(json.loads(line))
            except ValueError:
                raise CommandFailed(
                    f"{command[:80]!r} printed {line[:120]!r}; right is one JSON object a line"
                ) from None
    if not records or records[-1].get("done") is not True:
        raise CommandFailed(f'{command[:80]!r} ended without {{"done": true}}; is this the sndprobe of this release?')
    done = records.pop()
    if done.get("status") != 0:
        raise CommandFailed(
            f"{command[:80]!r} ended with status {done.get('status')}: {done.get('error', 'no reason given')}"
        )
    return records, done


def _version(bench: OpenBench) -> dict[str, Any]:
    """What the board says of itself, its build id included."""
    records, _ = _talk(bench.board.console, "sndprobe version", bench.config.console.timeout_s)
    return records[0] if records else {}


def _check_same(record: Record, bench: OpenBench) -> None:
    """A run that is resumed must go on with the instrument and the board (and so the RTL) that it began with."""
    now = {"instrument": str(bench.oscilloscope.identity), "board": _version(bench)}
    for part, says in now.items():
        if record.begin[part] != says:
            raise RecordError(
                f"{record.folder}: this run began with {part} {_show(record.begin[part])}, the bench now has {_show(says)}; "
                f"right is the same {part}, or another --out"
            )


def _show(says: Any) -> str:
    return ", ".join(f"{k} {says[k]}" for k in sorted(says)) if isinstance(says, dict) else str(says)


def _begin(bench: OpenBench, plan: Plan) -> dict[str, Any]:
    config = bench.config
    scope = config.instruments["oscilloscope"]
    return {
        "kind": "begin", "key": "begin", "started": _now(), "plan_sha256": plan.sha256, "bench_sha256": config.sha256,
        "simulated": config.simulated or bench.oscilloscope.identity.simulated, "instrument": str(bench.oscilloscope.identity),
        "board": _version(bench), "calibrated": config.simulated or scope.calibrated(datetime.date.today()),
        "calibration_due": str(scope.calibration_due) if scope.calibration_due else None,
        "calibration_certificate": scope.calibration_certificate,
        "host": {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()},
    }  # fmt: skip


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
