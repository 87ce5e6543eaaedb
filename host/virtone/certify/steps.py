# SPDX-License-Identifier: Apache-2.0
"""What a plan asks of the bench, step by step: the board's command and the record's timing.

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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from virtone.signal.stimulus import burst_frames

from .plan import Configuration, Plan, code_of

SELFTEST = ("lost", "repeated", "gap", "detune")
DETUNE_PPM = 50


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
