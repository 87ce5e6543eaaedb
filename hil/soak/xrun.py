# SPDX-License-Identifier: Apache-2.0
"""A player that is stopped with SIGSTOP until its stream has run dry, and goes on after SIGCONT: no frame may be lost or repeated."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import compare, material
from .outcome import Findings
from .session import Session
from .workload import Files, Stream

SEED = 17
STREAM = Stream(48000, 480, 4)
_PLAY_MS, _STOP_MS = 120, 120


def files(root: Path, stops: int) -> Files:
    del root
    return {f"root/xrun-{stops}.wav": material.wav(played(stops), "S16", STREAM.rate)}


def played(stops: int) -> np.ndarray:
    """Longer than the script: at each stop a whole buffer is played in addition."""
    milliseconds = stops * (_PLAY_MS + STREAM.buffer_ms) * 1.2 + _PLAY_MS
    return material.noise(SEED, int(milliseconds * STREAM.rate / 1000))


def starve(session: Session, stops: int) -> Findings:
    found = Findings(dry_ends=stops + 1)
    once = f"usleep {_PLAY_MS * 1000}; kill -STOP $p; usleep {_STOP_MS * 1000}; kill -CONT $p"
    script = f"aplay -D hw:0,0 {STREAM.options} /root/xrun-{stops}.wav & p=$!; {'; '.join([once] * stops)}; wait $p; echo status $?"
    said = session.run(f"sh -c '{script}' 2>&1", stops * 0.4 + 3)
    comparison = compare.with_pauses(session.heard(), material.wire(played(stops), 16))
    found.add(comparison)
    found.xruns = said.count("underrun!!!")
    found.demand(found.xruns == stops, f"aplay reports {found.xruns} underruns; {stops} were provoked")
    found.demand(
        len(comparison.pauses) == stops, f"{len(comparison.pauses)} silent pieces; {stops} underruns were provoked"
    )
    found.demand("status 0" in said, f"aplay ended with {said.splitlines()[-1:]}")
    found.notes.append(
        f"silence of {', '.join(str(silent) for silent in comparison.pauses)} frames, explained: SIGSTOP"
    )
    return found
