# SPDX-License-Identifier: Apache-2.0
"""Stimulus: what is played, made of integers so that a C program can make the same.

Promise: every function is deterministic in its arguments and returns int32 frames, left-justified (full scale is
2**31), shape (frames,) for one channel. Every code sample is a multiple of 2**16 at hold factors up to 16, so S16, S24
and S32 carry the same signal. The user repeats the channel, or puts silence in the others, with `interleave`.

The recipe of a code (a Gold family of degree 11, preferred pair 4005/4445 octal, truncated to 127 chips)::

    x[i+11] = x[i+2] ^ x[i]                          x[0..10] = 1
    y[i+11] = y[i+8] ^ y[i+5] ^ y[i+2] ^ y[i]        y[0..10] = 1
    chip i of code k = x[i] ^ y[(i + k) mod 2047]    0 -> +1, 1 -> -1

A burst is 127 chips joined by straight lines ("first-order hold"), `hold` frames a chip, beginning and ending at zero:
frame n lies between chip number n // hold - 1 and the next one, chips -1 and 127 being zero. The spectrum is the square
of a sinc with its first null at the chip rate, at most 24 kHz, so that the energy stays in the audio band.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

CODES = 2047
CHIPS = 127
CHIP_RATE_MAX = 24000
AMPLITUDE = 1 << 30  # -6 dBFS: head room for the overshoot of any interpolation filter
FORMATS = {"S16": 2, "S24": 4, "S24_3": 3, "S32": 4}  # bytes a sample
FAULTS = ("none", "lost", "repeated", "gap", "detune")


class StimulusError(ValueError):
    """A stimulus that cannot be made: names the argument, the value, and what would be right."""


def hold_frames(rate_hz: int) -> int:
    """Frames a chip: the least number that keeps the chip rate at or below 24 kHz."""
    if not 4000 <= rate_hz <= 768000:
        raise StimulusError(f"rate {rate_hz} Hz: 4000..768000 is right")
    return -(-rate_hz // CHIP_RATE_MAX)


@lru_cache(maxsize=1)
def _sequences() -> tuple[np.ndarray, np.ndarray]:
    x, y = [1] * 11, [1] * 11
    for i in range(CODES - 11):
        x.append(x[i + 2] ^ x[i])
        y.append(y[i + 8] ^ y[i + 5] ^ y[i + 2] ^ y[i])
    return np.array(x, dtype=np.int8), np.array(y, dtype=np.int8)


def code_chips(code: int) -> np.ndarray:
    """Chips of one code: int8 array of +1 and -1, shape (127,). Raises StimulusError beyond 0..2046."""
    if not 0 <= code < CODES:
        raise StimulusError(f"code {code}: 0..{CODES - 1} is right")
    x, y = _sequences()
    return 1 - 2 * (x[:CHIPS] ^ y[(np.arange(CHIPS) + code) % CODES])


def burst_frames(rate_hz: int) -> int:
    """Length of one burst in frames: 128 chip times."""
    return (CHIPS + 1) * hold_frames(rate_hz)


def burst(code: int, rate_hz: int) -> np.ndarray:
    """One coded burst: int32 frames of shape (burst_frames(rate_hz),); frame 0 is zero and is the burst's time."""
    knots = np.concatenate(([0], code_chips(code), [0])).astype(np.int64) * AMPLITUDE
    hold = hold_frames(rate_hz)
    step = np.arange(hold, dtype=np.int64)
    lines = (knots[:-1, None] * (hold - step) + knots[1:, None] * step) // hold
    return _coarse(lines.reshape(-1))


def _coarse(values: np.ndarray) -> np.ndarray:
    """int64 values to int32 with the low 16 bits clear, so that S16 carries them unrounded."""
    return ((values >> 16) << 16).astype(np.int32)


def shots(codes: list[int] | np.ndarray, starts: list[int] | np.ndarray, frames: int, rate_hz: int) -> np.ndarray:
    """Silence of ``frames`` frames with one burst per entry of ``codes``, its frame 0 at the same entry of ``starts``."""
    out = np.zeros(frames, dtype=np.int32)
    length = burst_frames(rate_hz)
    end = 0
    for code, start in zip(codes, starts, strict=True):
        if start < end or start + length > frames:
            raise StimulusError(f"burst {code} at frame {start}: {end}..{frames - length} is right")
        out[start : start + length] = burst(int(code), rate_hz)
        end = start + length
    return out


def shot_starts(count: int, rate_hz: int, period_frames: int, spacing_ms: float, seed: int) -> np.ndarray:
    """Frame number of the first frame of each burst, int64 of shape (count,): every ``spacing_ms``, each moved by a
    pseudo-random 0..period_frames-1 (a 32-bit linear congruential generator, high bits) so that phases are uniform."""
    spacing = int(spacing_ms * rate_hz / 1000)
    if spacing < burst_frames(rate_hz) + period_frames:
        least = (burst_frames(rate_hz) + period_frames) * 1000 / rate_hz
        raise StimulusError(f"spacing {spacing_ms} ms: at least {least:.3f} ms (burst and one period) is right")
    state = (seed * 2654435761 + 1) & 0xFFFFFFFF
    starts = []
    for index in range(count):
        state = (1664525 * state + 1013904223) & 0xFFFFFFFF
        starts.append(index * spacing + ((state >> 8) * period_frames >> 24))
    return np.array(starts, dtype=np.int64)


def material(frames: int, rate_hz: int, first_code: int = 0, detune_ppm: int = 0) -> np.ndarray:
    """Continuous material in which every frame can be told from every other: burst after burst, each with the next code.

    Block b (frames b*L .. b*L+L-1, L = burst_frames) is the burst of code (first_code + b) mod 2047. ``detune_ppm``
    plays it that much fast: the same band-limited signal read at n * (1 + ppm/1e6) through a 64-point windowed sinc.
    """
    length = burst_frames(rate_hz)
    spare = 64 + abs(detune_ppm) * frames // 1_000_000
    blocks = -(-(frames + spare) // length)
    whole = np.concatenate([burst((first_code + block) % CODES, rate_hz) for block in range(blocks)])
    if not detune_ppm:
        return whole[:frames]
    padded = np.pad(whole.astype(np.float64), (32, 0))
    place = np.arange(frames) * (1 + detune_ppm * 1e-6)
    first = np.floor(place).astype(np.int64)
    out = np.zeros(frames)
    for tap in range(-31, 33):
        away = place - first - tap
        window = np.i0(9.0 * np.sqrt(np.clip(1 - (away / 32) ** 2, 0, None))) / np.i0(9.0)
        out += padded[first + tap + 32] * np.sinc(away) * window
    return _coarse(np.rint(out).astype(np.int64))


def faulty_material(
    frames: int, rate_hz: int, fault: str, at_frame: int, fault_frames: int, first_code: int = 0, detune_ppm: int = 50
) -> np.ndarray:
    """Material with one seeded fault. lost: ``fault_frames`` frames from ``at_frame`` are left out; repeated: the
    ``fault_frames`` before ``at_frame`` come a second time; gap: they are replaced by zeros; detune: the clock is off."""
    if fault not in FAULTS:
        raise StimulusError(f"fault {fault!r}: one of {', '.join(FAULTS)} is right")
    if fault in ("none", "detune"):
        return material(frames, rate_hz, first_code, detune_ppm if fault == "detune" else 0)
    if not 0 < fault_frames <= at_frame or at_frame + fault_frames > frames:
        raise StimulusError(f"fault of {fault_frames} frames at frame {at_frame}: inside 0..{frames} is right")
    clean = material(frames + fault_frames, rate_hz, first_code)
    if fault == "lost":
        return np.concatenate((clean[:at_frame], clean[at_frame + fault_frames :]))
    if fault == "repeated":
        return np.concatenate((clean[:at_frame], clean[at_frame - fault_frames : frames - fault_frames]))
    clean[at_frame : at_frame + fault_frames] = 0
    return clean[:frames]


def tone(frames: int, rate_hz: int, hz: float = 997.0, detune_ppm: float = 0.0, dbfs: float = -6.0) -> np.ndarray:
    """A sine, int32 left-justified, shape (frames,). Phase zero at frame 0."""
    if not 0 < hz < rate_hz / 2:
        raise StimulusError(f"tone of {hz} Hz: above 0 and below half of {rate_hz} Hz is right")
    phase = 2 * np.pi * hz * (1 + detune_ppm * 1e-6) / rate_hz * np.arange(frames)
    return np.rint(np.sin(phase) * 10 ** (dbfs / 20) * (2**31 - 1)).astype(np.int32)


def interleave(frames: np.ndarray, channels: int) -> np.ndarray:
    """The same samples in every channel: int32 of shape (frames, channels)."""
    return np.repeat(np.asarray(frames, dtype=np.int32)[:, None], channels, axis=1)


def to_bytes(frames: np.ndarray, sample_format: str) -> bytes:
    """int32 left-justified frames, shape (frames,) or (frames, channels), as little-endian S16, S24 (low three bytes of
    four, sign-extended), S24_3 or S32. The surplus low bits are cut. Source: sound/core/pcm_misc.c, format names."""
    flat = np.ascontiguousarray(frames, dtype="<i4").reshape(-1)
    if sample_format == "S16":
        return (flat >> 16).astype("<i2").tobytes()
    if sample_format == "S24":
        return (flat >> 8).astype("<i4").tobytes()
    if sample_format == "S24_3":
        return flat.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    if sample_format == "S32":
        return flat.tobytes()
    raise StimulusError(f"format {sample_format!r}: one of {', '.join(FORMATS)} is right")


def from_bytes(data: bytes, sample_format: str, channels: int) -> np.ndarray:
    """The reverse of `to_bytes`: int32 left-justified, shape (frames, channels)."""
    if sample_format not in FORMATS:
        raise StimulusError(f"format {sample_format!r}: one of {', '.join(FORMATS)} is right")
    size = FORMATS[sample_format] * channels
    if len(data) % size:
        raise StimulusError(f"{len(data)} bytes of {sample_format} x {channels}: a multiple of {size} is right")
    if sample_format == "S16":
        flat = np.frombuffer(data, "<i2").astype(np.int32) << 16
    elif sample_format == "S24_3":
        raw = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        raw[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        flat = raw.reshape(-1).view("<i4").astype(np.int32)
    else:
        flat = np.frombuffer(data, "<i4").astype(np.int32) << (8 if sample_format == "S24" else 0)
    return flat.reshape(-1, channels)
