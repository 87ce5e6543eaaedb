# SPDX-License-Identifier: Apache-2.0
"""aplay of a recording: formats, rates, one channel and two, with a small buffer or as aplay chooses it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from . import compare, material
from .listener import slots
from .outcome import Findings
from .session import Session
from .workload import Files

_PS_PER_S = 10**12
_UNDERRUN = re.compile(r"underrun!!!")


def clip(root: Path, rate: int, fmt: str, channels: int, seconds: float) -> np.ndarray:
    """Samples of the workload; `seconds` 0: the recording as it came (S16, 48 kHz, one channel)."""
    if not seconds:
        return material.recording(root, "Front_Center").reshape(-1, 1)
    return material.voice(root, rate, material.BITS[fmt], channels, seconds)


def files(root: Path, rate: int, fmt: str, channels: int, seconds: float, period: int) -> Files:
    del period
    if not seconds:
        return {}
    samples = clip(root, rate, fmt, channels, seconds)
    name = _name(rate, fmt, channels, seconds)
    return {name: material.packed(samples, fmt) if fmt == "S24" else material.wav(samples, fmt, rate)}


def aplay(session: Session, rate: int, fmt: str, channels: int, seconds: float, period: int) -> Findings:
    """`period` 0: aplay's own choice of period and buffer."""
    found = Findings(dry_ends=1)
    samples = clip(session.parts.root, rate, fmt, channels, seconds)
    name = f"/{_name(rate, fmt, channels, seconds)}" if seconds else f"/{material.SOUNDS}/Front_Center.wav"
    shape = f"--period-size={period} --buffer-size={4 * period}" if period else ""
    raw = f"-t raw -f {material.ALSA_NAME[fmt]} -r {rate} -c {channels}" if fmt == "S24" else ""
    said = session.run(f"aplay -v -D hw:0,0 {shape} {raw} {name} 2>&1; echo status $?", len(samples) / rate + 1)
    frames = session.listener.heard()
    found.add(compare.exact(slots(frames), material.wire(samples, material.BITS[fmt])))
    found.xruns = len(_UNDERRUN.findall(said))
    found.demand(not found.xruns, f"aplay reports {found.xruns} underruns")
    found.demand("status 0" in said, f"aplay ended with {said.splitlines()[-1:]}")
    if period:
        granted = re.search(r"period_size\s*:\s*(\d+)", said)
        found.demand(bool(granted) and int(granted[1]) == period, f"the period of {period} frames was not granted")
    check_rate(found, frames, rate)
    return found


def check_rate(found: Findings, frames: np.ndarray, rate: int) -> None:
    """The frames that are sound follow one another at exactly `rate`."""
    times = frames["time_ps"][compare.sound(slots(frames))].astype(np.int64)
    if len(times) > 1:
        steps = np.diff(times) - _PS_PER_S / rate
        worst = float(np.abs(steps).max())
        found.demand(worst <= 2, f"frames follow one another up to {worst:.0f} ps off {rate} Hz")


def _name(rate: int, fmt: str, channels: int, seconds: float) -> str:
    return f"root/{fmt}-{rate}-{channels}-{round(seconds * 1000)}"
