# SPDX-License-Identifier: Apache-2.0
"""Pause and resume with the space key of aplay: nothing lost, nothing repeated, silence in between.

aplay makes its standard input non-blocking and leaves it so: it gets an opening of the terminal of its own.
"""

from __future__ import annotations

import threading
from pathlib import Path

from . import compare, material
from .outcome import Findings
from .session import Session
from .workload import Files, Stream

SEED = 11
STREAM = Stream(48000, 480, 4)
SHORTEST = STREAM.rate // 25  # frames of silence that a pause must show, half of what it is held


def files(root: Path, frames: int, pauses: int) -> Files:
    del root, pauses
    return {f"root/pause-{frames}.wav": material.wav(material.noise(SEED, frames), "S16", STREAM.rate)}


def pause(session: Session, frames: int, pauses: int) -> Findings:
    found = Findings(dry_ends=1)
    failed: list[str] = []

    def keys() -> None:
        try:
            for number in range(pauses):
                wanted = (number + 1) * frames // (pauses + 1)
                session.wait_for(lambda wanted=wanted: session.listener.loud_frames() >= wanted, 10, "sound")
                session.type(" ")
                _hold(session)
                session.type(" ")
        except TimeoutError as error:
            failed.append(f"pause {number + 1}: {error}")
            session.type("\x03")

    hand = threading.Thread(target=keys, daemon=True)
    hand.start()
    said = session.run(
        f"aplay -i -D hw:0,0 {STREAM.options} /root/pause-{frames}.wav < /dev/tty 2>&1; echo status $?", 10
    )
    hand.join()
    comparison = compare.with_pauses(session.heard(), material.wire(material.noise(SEED, frames), 16))
    found.add(comparison)
    found.problems += failed
    found.xruns = said.count("underrun!!!")
    found.demand(not found.xruns, f"aplay reports {found.xruns} underruns")
    found.demand("ignored" not in said, "the driver offers no pause")
    found.demand(said.endswith("status 0"), f"aplay ended with {said.splitlines()[-1:]}")
    long = [silent for silent in comparison.pauses if silent >= SHORTEST]
    found.demand(
        len(long) == len(comparison.pauses) == pauses,
        f"{pauses} pauses of {SHORTEST} frames or more were made, silence of {list(comparison.pauses)} frames was heard",
    )
    found.notes.append(f"pauses of {', '.join(str(silent) for silent in comparison.pauses)} frames")
    return found


def _hold(session: Session) -> None:
    """Until it has been silent for twice `SHORTEST`."""
    while True:
        loud, begin_s = session.listener.loud_frames(), session.listener.simulated_s()
        session.wait_for(
            lambda begin_s=begin_s: session.listener.simulated_s() - begin_s >= 2 * SHORTEST / STREAM.rate, 1, "silence"
        )
        if session.listener.loud_frames() == loud:
            return
        if session.listener.simulated_s() > 60:
            raise TimeoutError("the sound goes on after the key for a pause")
