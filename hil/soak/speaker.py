# SPDX-License-Identifier: Apache-2.0
"""speaker-test: its recordings, compared with their files; its sine, compared with a sine; its noise, the same twice."""

from __future__ import annotations

import numpy as np

from . import compare, material
from .listener import slots
from .outcome import Findings
from .playback import check_rate
from .session import Session

RATE, PERIOD, PERIODS = 48000, 2400, 4


def _speak(session: Session, test: str, channels: int, found: Findings) -> np.ndarray:
    """Frames that are heard of one round."""
    session.listener.begin()
    times_us = [1_000_000 * frames // RATE for frames in (PERIOD, PERIOD * PERIODS)]
    shape = f"-r {RATE} -c {channels} -p {times_us[0]} -b {times_us[1]}"
    said = session.run(f"speaker-test -D hw:0,0 {shape} -l 1 {test} 2>&1; echo status $?", 3 * channels + 3)
    found.demand(f"period_size = {PERIOD}\n" in said, f"the period of {PERIOD} frames was not granted")
    found.demand("status 0" in said, f"speaker-test ended with {said.splitlines()[-1:]}")
    complaints = [line for line in said.splitlines() if "rror" in line]
    found.xruns += len(complaints)
    found.problems += [f"speaker-test: {line}" for line in complaints]
    found.dry_ends += 1 + channels  # it drains between loops and channels
    frames = session.listener.heard()
    check_rate(found, frames, RATE)
    return slots(frames)


def recordings(session: Session) -> Findings:
    """Linux' virtio_snd hands over whole periods only (sound/virtio/virtio_pcm_ops.c, ack); speaker-test does not fill up its last one."""
    found = Findings()
    played = material.wire(material.one_after_another(["Front_Left", "Front_Right"], session.parts.root), 16)
    rest = len(played) % PERIOD
    found.add(compare.exact(_speak(session, "-t wav", 2, found), played[: len(played) - rest]))
    found.notes.append(f"the last {rest} frames are no whole period: the driver keeps them, and draining waits in vain")
    return found


def sine(session: Session, hz: float) -> Findings:
    """One sine of the frequency asked for explains every sample to the last bit; a second run sounds the same."""
    found = Findings()
    first, second = (_speak(session, f"-t sine -f {hz}", 1, found) for _ in range(2))
    found.add(compare.exact(second, first), "second run against the first")
    heard = first[compare.sound(first)]
    found.demand(bool((heard[:, 0] == heard[:, 1]).all()), "the two slots of a mono stream differ")
    found.demand(len(heard) > 2 * RATE, "less than two seconds were heard")
    off = samples_off_a_sine((heard[:, 0] >> 16).astype(float), hz)
    found.different += off
    found.demand(off == 0, f"{off} of {len(heard)} samples are more than a bit off a sine of {hz} Hz")
    return found


def samples_off_a_sine(values: np.ndarray, hz: float) -> int:
    """Samples that are more than one off every sine that speaker-test may mean by a frequency.

    Older ones call sin(); that of alsa-utils 1.2.14 turns a vector by w = 2 pi hz / rate a sample with the coupled form, whose angle
    is 2 asin(w / 2): 0.06 Hz more at 440 Hz. Both cut off fractions, hence the constant.
    """
    sample = np.arange(len(values))
    counts = []
    for angle in (2 * np.pi * hz / RATE, 2 * np.arcsin(np.pi * hz / RATE)):
        basis = np.stack([np.sin(angle * sample), np.cos(angle * sample), np.ones(len(values))], axis=1)
        rest = np.abs(values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0])
        counts.append(int((rest > 1.0).sum()))
    return min(counts)


def noise(session: Session) -> Findings:
    """Its pink noise begins with the same seed each time."""
    found = Findings()
    first, second = (_speak(session, "-t pink", 1, found) for _ in range(2))
    found.add(compare.exact(second, first), "second run against the first")
    found.demand(len(first[compare.sound(first)]) > 2 * RATE, "less than two seconds were heard")
    return found
