# SPDX-License-Identifier: Apache-2.0
"""Glitches in continuous coded material, and the word clock, from one capture of the analog output.

Promise: every frame of `stimulus.material` that was lost, repeated, replaced by silence or disturbed is reported with its
place and length in frames; a converter whose clock drifts raises no alarm; the word clock comes out in ppm of the instrument's
time base with its standard deviation. Method: each block's position by correlation with its own code; a line through the
positions gives the clock; jumps of whole frames give lost and repeated frames, their place by the change point of least
squares; what then remains above the noise is a gap (silence) or a click.

The user must give 4 samples a frame or more (2 above 96 kHz), a signal to noise ratio above 20 dB, and at least 4 blocks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from . import grid, latency
from .capture import Capture
from .stimulus import CODES, burst_frames, hold_frames, material

GOOD_BLOCK = 0.9  # correlation above which a block's position counts
FLOOR = 0.02  # least disturbance reported, in parts of the material's peak
LEAD_S = 0.35  # the material must begin within this time from the first sample
SHIFT_MAX_S = 0.06  # largest jump that is searched


class IntegrityError(ValueError):
    """A capture in which the material cannot be followed: says why."""


@dataclass(frozen=True)
class Fault:
    """``kind``: lost, repeated, gap (silence in place of frames), underrun (silence between frames) or click;
    ``at_frame``: the first frame concerned, in the material's own count; ``level``: largest deviation, full scale 1."""

    kind: str
    at_frame: int
    frames: int
    level: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Integrity:
    """Result of `check`. ``start_s``: time of frame 0; ``noise``: rms residual, full scale 1."""

    faults: tuple[Fault, ...]
    clock_ppm: float
    clock_sigma_ppm: float
    frames_checked: int
    start_s: float
    noise: float


def check(capture: Capture, channel: str, rate_hz: int, frames: int, first_code: int = 0) -> Integrity:
    """Follow ``frames`` frames of `material(frames, rate_hz, first_code)`` through the capture. Raises IntegrityError."""
    volts = capture.volts(channel)
    volts = volts - volts.mean()
    cutoff = grid.cutoff_hz(rate_hz, 1 / capture.dt_s)
    length = burst_frames(rate_hz)
    start = _find_start(volts, capture.dt_s, rate_hz, first_code)
    blocks = (
        min(frames, int((len(volts) * capture.dt_s - start) * rate_hz) - grid.smear_frames(rate_hz, cutoff)) // length
    )
    if blocks < 4:
        raise IntegrityError(
            f"only {max(blocks, 0)} blocks of {length} frames after the start at {(capture.t0_s + start) * 1e3:.3f} ms; at least 4 are right"
        )
    count = blocks * length
    reference = grid.expected(material(count + length, rate_hz, first_code), rate_hz, cutoff)
    step = 1 / rate_hz
    slope = 0.0
    for _ in range(2):  # the second pass reads at the converter's own pace
        seen = grid.captured(volts, capture.dt_s, cutoff, start, step, count)
        shift, good = _follow(seen, reference, length, blocks, int(SHIFT_MAX_S * rate_hz))
        if good.sum() < 3:
            raise IntegrityError(
                f"{int(good.sum())} of {blocks} blocks are recognised; at least 3 are right (wrong rate, first code or channel?)"
            )
        offset, slope, sigma, whole = _line(shift, good, length)
        start += offset * step
        step *= 1 + slope
    seen = grid.captured(volts, capture.dt_s, cutoff, start, step, count)
    clock_ppm = (1 / (step * rate_hz) - 1) * 1e6
    faults, noise = _faults(
        seen,
        reference,
        whole,
        good,
        length,
        grid.smear_frames(rate_hz, cutoff),
        len(grid.kernel(rate_hz, cutoff)) // 2 + 1,
        hold_frames(rate_hz),
    )
    return Integrity(tuple(faults), clock_ppm, sigma * 1e6, count, capture.t0_s + start, noise)


def _find_start(volts: np.ndarray, dt_s: float, rate_hz: int, first_code: int) -> float:
    """Seconds from the first sample to frame 0, from whichever of the first blocks is seen best."""
    part = volts[: int((LEAD_S + 8 * burst_frames(rate_hz) / rate_hz) / dt_s)]
    codes = tuple(sorted((first_code + k) % CODES for k in range(8)))
    peaks = latency._coarse(part, dt_s, rate_hz, codes)
    best = max(range(len(codes)), key=lambda index: peaks[index][0])
    return peaks[best][1] - (codes[best] - first_code) % CODES * burst_frames(rate_hz) / rate_hz


def _follow(
    seen: np.ndarray, reference: np.ndarray, length: int, blocks: int, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """(shift of each block in frames, with fraction; whether it is recognised)."""
    shift, good = np.zeros(blocks), np.zeros(blocks, dtype=bool)
    last = 0
    for block in range(blocks):
        wanted = reference[block * length : (block + 1) * length]
        for window in (8, reach):  # nearly always it is where the last one was
            low = max(0, block * length + last - window)
            high = min(len(seen), (block + 1) * length + last + window + 1)
            if high - low < length:
                break
            part = seen[low:high]
            size = 1 << (len(part) + length).bit_length()
            product = np.fft.irfft(np.fft.rfft(part, size) * np.fft.rfft(wanted, size).conj(), size)[
                : len(part) - length + 1
            ]
            power = np.concatenate(([0.0], np.cumsum(part**2)))
            power = np.maximum(power[length:] - power[:-length], 1e-30)
            match = product / np.sqrt(power * (wanted**2).sum())
            peak = int(np.argmax(match))
            if match[peak] >= GOOD_BLOCK:
                at = low + peak - block * length
                shift[block], good[block] = at + _fraction(seen, wanted, low + peak), True
                last = at
                break
    return shift, good


def _fraction(seen: np.ndarray, wanted: np.ndarray, at: int) -> float:
    """Fraction of a frame by which ``wanted`` lies after ``at``: least squares on its derivative, inner frames only."""
    inner = slice(8, -8)
    spread = np.fft.rfft(wanted)
    slope = np.fft.irfft(spread * 2j * np.pi * np.fft.rfftfreq(len(wanted)), len(wanted))
    w, d, y = wanted[inner], slope[inner], seen[at : at + len(wanted)][inner]
    if len(y) < len(w):
        return 0.0
    gain, moved = np.linalg.lstsq(np.stack((w, d), axis=1), y, rcond=None)[0]
    return float(np.clip(-moved / gain, -0.7, 0.7)) if gain else 0.0


def _line(shift: np.ndarray, good: np.ndarray, length: int) -> tuple[float, float, float, np.ndarray]:
    """(offset in frames at frame 0, slope in frames a frame, its standard deviation, whole-frame shift of each block)."""
    at = np.flatnonzero(good)
    steps = np.diff(shift[at])
    pace = float(np.median(steps / np.diff(at)))
    jumps = np.rint(steps - pace * np.diff(at))
    whole = np.concatenate(([0.0], np.cumsum(jumps)))
    x, y = (at + 0.5) * length, shift[at] - whole
    slope, offset = np.polyfit(x, y, 1)
    for _ in range(3):  # a block that a fault touches may still be recognised, but must not bend the line
        rest = np.abs(y - offset - slope * x)
        keep = rest <= max(4 * 1.4826 * float(np.median(rest)), 1e-6)
        if keep.sum() < 3:
            break
        slope, offset = np.polyfit(x[keep], y[keep], 1)
    spread = np.std(y[keep] - offset - slope * x[keep]) if keep.sum() > 2 else 0.0
    lever = np.sqrt(((x[keep] - x[keep].mean()) ** 2).sum())
    all_whole = np.zeros(len(shift))
    all_whole[at] = whole
    return float(offset), float(slope), float(spread / lever), all_whole


def _faults(
    seen: np.ndarray,
    reference: np.ndarray,
    whole: np.ndarray,
    good: np.ndarray,
    length: int,
    smear: int,
    reach: int,
    hold: int,
) -> tuple[list[Fault], float]:
    """(faults in order, rms residual)."""
    gain, level = _gain(seen, reference, whole, good, length)
    seen = (seen - level) / gain
    shift_of = np.zeros(len(seen))
    jumps: list[Fault] = []
    spliced = np.zeros(len(seen), dtype=bool)
    peak = float(np.abs(reference).max())
    at = np.flatnonzero(good)
    edges = at[np.flatnonzero(np.diff(whole[at]) != 0)]
    current = 0.0
    begin = 0
    for block in edges:
        after = int(at[np.searchsorted(at, block) + 1])
        low = max(begin, int(block * length + whole[block]))
        high = min(len(seen), int((after + 1) * length + whole[after]))
        before, after_shift = int(whole[block]), int(whole[after])
        place, silent = _change(seen, reference, low, high, before, after_shift)
        frames = after_shift - before
        jumps.append(
            Fault("lost" if frames < 0 else "underrun" if silent else "repeated", place - before, abs(frames), peak)
        )
        spliced[max(0, place - reach) : place + (frames if silent else 0) + reach] = True
        place += frames if silent else 0
        shift_of[begin:place] = current
        current, begin = float(after_shift), place
    shift_of[begin:] = current
    wanted = np.arange(len(seen)) - shift_of.astype(int)
    inside = (wanted >= reach) & (wanted < len(reference) - reach) & ~spliced  # the kernel smears the splice itself
    inside[:reach] = inside[-reach:] = False
    rest = np.where(inside, seen - reference[np.clip(wanted, 0, len(reference) - 1)], 0.0)
    noise = 1.4826 * float(np.median(np.abs(rest[inside]))) if inside.any() else 0.0
    faults = _disturbances(seen, reference, wanted, rest, max(8 * noise, FLOOR * peak), smear, hold)
    return sorted(faults + jumps, key=lambda fault: fault.at_frame), noise


def _gain(
    seen: np.ndarray, reference: np.ndarray, whole: np.ndarray, good: np.ndarray, length: int
) -> tuple[float, float]:
    """Medians over the good blocks: volts per full scale, and volts of offset."""
    fits = []
    for block in np.flatnonzero(good):
        wanted = reference[block * length : (block + 1) * length]
        low = int(block * length + whole[block])
        part = seen[max(low, 0) : low + length]
        if low >= 0 and len(part) == length:
            fits.append(np.polyfit(wanted, part, 1))
    gain, level = np.median(fits, axis=0)
    return float(gain), float(level)


def _change(seen: np.ndarray, reference: np.ndarray, low: int, high: int, before: int, after: int) -> tuple[int, bool]:
    """Place in low..high at which the shift changes from ``before`` to ``after``, by least squares, and whether the
    frames in between are silence."""
    m = np.arange(low, high)
    top = len(reference) - 1
    first = np.concatenate(([0.0], np.cumsum((seen[m] - reference[np.clip(m - before, 0, top)]) ** 2)))
    second = (seen[m] - reference[np.clip(m - after, 0, top)]) ** 2
    second = np.concatenate((np.cumsum(second[::-1])[::-1], [0.0]))
    splice = first + second
    place, frames = int(np.argmin(splice)), after - before
    if 0 < frames < len(m):
        quiet = np.concatenate(([0.0], np.cumsum(seen[m] ** 2)))
        silence = first[:-frames] + quiet[frames:] - quiet[:-frames] + second[frames:]
        if silence.min() < splice[place]:
            return low + int(np.argmin(silence)), True
    return low + place, False


def _disturbances(
    seen: np.ndarray,
    reference: np.ndarray,
    wanted: np.ndarray,
    rest: np.ndarray,
    threshold: float,
    smear: int,
    hold: int,
) -> list[Fault]:
    """Gaps and clicks: stretches in which the residual exceeds the threshold."""
    over = np.flatnonzero(np.abs(rest) > threshold)
    if not len(over):
        return []
    clusters = np.split(over, np.flatnonzero(np.diff(over) > 2 * smear + 4 * hold) + 1)
    faults = []
    for cluster in clusters:
        low, high = int(cluster[0]), int(cluster[-1]) + 1
        level = float(np.abs(rest[low:high]).max())
        core = slice(smear // 2, -(smear // 2) or None) if high - low > 2 * smear else slice(None)
        if (seen[low:high][core] ** 2).sum() < 0.25 * (rest[low:high][core] ** 2).sum():  # silence explains it
            wide_low, wide_high = max(0, low - smear), min(len(seen), high + smear)
            middle = (low + high) // 2
            low = _edge(seen, reference, wanted, wide_low, middle, True)
            high = _edge(seen, reference, wanted, middle, wide_high, False)
            faults.append(Fault("gap", int(wanted[low]), high - low, level))
        else:
            centre = low + int(np.argmax(np.abs(rest[low:high])))
            frames = max(1, high - low - smear)
            faults.append(Fault("click", int(wanted[centre if frames == 1 else low + smear // 2]), frames, level))
    return faults


def _edge(seen: np.ndarray, reference: np.ndarray, wanted: np.ndarray, low: int, high: int, falls: bool) -> int:
    """Place at which material turns to silence (``falls``) or back, by least squares."""
    m = np.arange(low, high)
    there = (seen[m] - reference[np.clip(wanted[m], 0, len(reference) - 1)]) ** 2
    silent = seen[m] ** 2
    first, second = (there, silent) if falls else (silent, there)
    cost = np.concatenate(([0.0], np.cumsum(first))) + np.concatenate((np.cumsum(second[::-1])[::-1], [0.0]))
    return low + int(np.argmin(cost))
