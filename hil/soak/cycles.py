# SPDX-License-Identifier: Apache-2.0
"""Open, play a little, close, many times: one stream of noise, a piece of it by each aplay."""

from __future__ import annotations

from pathlib import Path

from . import compare, material
from .outcome import Findings
from .session import Session
from .workload import Files, Stream

SEED = 13
PIECE = 480  # frames a cycle
STREAM = Stream(48000, 240, 4)


def files(root: Path, cycles: int) -> Files:
    del root
    return {f"root/cycles-{cycles}.raw": material.packed(material.noise(SEED, cycles * PIECE), "S16")}


def open_and_close(session: Session, cycles: int) -> Findings:
    """aplay takes its piece from the standard input it shares with those before and after it."""
    found = Findings(dry_ends=cycles)
    one = f"aplay -q -t raw -f S16_LE -c 2 -r {STREAM.rate} -s {PIECE} {STREAM.options} -D hw:0,0"
    loop = f"i=0; while [ $i -lt {cycles} ]; do {one} || echo bad $i; i=$((i+1)); done < /root/cycles-{cycles}.raw"
    said = session.run(f"{loop} 2>&1; echo cycles $i", cycles * 0.2 + 5)
    comparison = compare.with_pauses(session.heard(), material.wire(material.noise(SEED, cycles * PIECE), 16))
    found.add(comparison)
    found.demand(f"cycles {cycles}" in said and "bad" not in said, f"the loop ended with {said.splitlines()[-3:]}")
    found.demand(
        len(comparison.pauses) == cycles - 1,
        f"{len(comparison.pauses)} gaps between {cycles} cycles; right is one less",
    )
    found.notes.append(f"{cycles} times open, {PIECE} frames, close")
    return found
