# SPDX-License-Identifier: Apache-2.0
"""What is played: a recording in any format and rate, and noise without a silent frame; each as a file and as what must be heard.

Promise: frames are int32, shape (frames, 2), left-justified, as they stand in the I2S slots (docs/device.md, "Output stream": a mono
stream is heard in both). The same arguments give the same frames.

The recording is the voice that alsa-utils brings for speaker-test; its user hands over where that package was unpacked.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

BITS = {"S16": 16, "S24_3": 24, "S24": 24, "S32": 32}
ALSA_NAME = {"S16": "S16_LE", "S24_3": "S24_3LE", "S24": "S24_LE", "S32": "S32_LE"}
SOUNDS = Path("usr/share/sounds/alsa")
RECORDING_HZ = 48000
_HEADROOM = 0.9  # for the overshoot of the resampling filter


class RecordingMissing(ValueError):
    """A recording is not where it should be, or is not what it should be."""


@lru_cache(maxsize=8)
def recording(root: Path, name: str) -> np.ndarray:
    """Samples of `name`.wav, int16, shape (frames,), 48 kHz mono. RecordingMissing."""
    file = root / SOUNDS / f"{name}.wav"
    try:
        with wave.open(str(file), "rb") as source:
            shape = (source.getnchannels(), source.getsampwidth(), source.getframerate())
            data = source.readframes(source.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise RecordingMissing(f"{file} cannot be read: {error}; it comes with the package alsa-utils") from error
    if shape != (1, 2, RECORDING_HZ):
        raise RecordingMissing(f"{file} has channels, bytes, rate {shape}; right is (1, 2, {RECORDING_HZ})")
    return np.frombuffer(data, "<i2")


@lru_cache(maxsize=64)
def _converted(root: Path, name: str, rate: int) -> np.ndarray:
    common = int(np.gcd(rate, RECORDING_HZ))
    voice = recording(root, name).astype(float) / 32768
    voice = voice if rate == RECORDING_HZ else resample_poly(voice, rate // common, RECORDING_HZ // common)
    return voice * (_HEADROOM / max(np.abs(voice).max(), 1e-9))


def voice(root: Path, rate: int, bits: int, channels: int, seconds: float) -> np.ndarray:
    """The loudest `seconds` of the recording at another rate and width, int32 of `bits` bits, shape (frames, channels)."""
    names = ("Front_Left", "Front_Right")[:channels]
    parts = [_converted(root, name, rate) for name in names]
    frames = min(int(seconds * rate), *(len(part) for part in parts))
    full = float(2 ** (bits - 1) - 1)
    energy = np.cumsum(sum(part[: min(map(len, parts))] ** 2 for part in parts))
    at = int(np.argmax(energy[frames:] - energy[:-frames])) if len(energy) > frames else 0
    return (
        np.stack([np.round(part[at : at + frames] * full) for part in parts], axis=1).astype(np.int64).astype(np.int32)
    )


def noise(seed: int, frames: int, first: int = 0) -> np.ndarray:
    """Frames `first` .. of what noise.c writes: int16, shape (frames, 2)."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(first + 1, first + frames + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        word = ((z ^ (z >> np.uint64(31))) >> np.uint64(32)).astype("<u4")
    word[word == 0] = 1
    return word.view("<i2").reshape(-1, 2)


def wire(samples: np.ndarray, bits: int) -> np.ndarray:
    """Samples of `bits` bits, shape (frames, channels), as they are heard: int32 left-justified, shape (frames, 2)."""
    slots = (samples.astype(np.int64) << (32 - bits)).astype(np.int32)
    return np.repeat(slots, 2, axis=1) if slots.shape[1] == 1 else slots


def packed(samples: np.ndarray, fmt: str) -> bytes:
    """Interleaved little-endian samples of a format of `BITS`; the top byte of S24 is the sign's."""
    if fmt == "S16":
        return samples.astype("<i2").tobytes()
    octets = np.ascontiguousarray(samples.astype("<i4")).view(np.uint8).reshape(-1, 4)
    return octets[:, :3].tobytes() if fmt == "S24_3" else octets.tobytes()


def wav(samples: np.ndarray, fmt: str, rate: int) -> bytes:
    """A RIFF WAVE file; every format but S24, which that container does not have (ValueError)."""
    if fmt == "S24":
        raise ValueError("format S24 in a WAVE file; right is S16, S24_3 or S32, or a file of raw frames")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(samples.shape[1])
        out.setsampwidth(BITS[fmt] // 8)
        out.setframerate(rate)
        out.writeframes(packed(samples, fmt))
    return file.getvalue()


def one_after_another(names: Sequence[str], root: Path) -> np.ndarray:
    """The recordings as they are, each in a channel of its own, one after the other: int16, shape (frames, 2)."""
    parts = [recording(root, name) for name in names]
    frames = np.zeros((sum(map(len, parts)), 2), np.int16)
    at = 0
    for channel, part in enumerate(parts):
        frames[at : at + len(part), channel] = part
        at += len(part)
    return frames
