# SPDX-License-Identifier: Apache-2.0
"""Capture: what an instrument saw, exactly as its converter coded it.

Promise: a capture holds the raw integer codes of every channel with their scale, so that it can be stored, hashed and
re-read without a second rounding. Sample i of every channel was taken at ``t0_s + i * dt_s``; time zero is the
instrument's trigger (the marker). The user must give every channel the same number of samples.

A file holds one capture or many (the segments of one segmented acquisition), in order.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

FILE_KIND = "virtone-capture-1"


class CaptureError(ValueError):
    """A capture that cannot be: names the channel or the file, the value, and what would be right."""


@dataclass(frozen=True)
class Channel:
    """One channel: integer ``codes`` of shape (samples,); volts = code * scale_v + offset_v."""

    codes: np.ndarray
    scale_v: float
    offset_v: float = 0.0

    def __post_init__(self) -> None:
        codes = np.asarray(self.codes)
        if codes.ndim != 1 or not np.issubdtype(codes.dtype, np.integer):
            raise CaptureError(
                f"channel codes: {codes.dtype} of shape {codes.shape}; a one-dimensional integer array is right"
            )
        if not (np.isfinite(self.scale_v) and self.scale_v != 0.0 and np.isfinite(self.offset_v)):
            raise CaptureError(
                f"channel scale {self.scale_v} V/code, offset {self.offset_v} V: finite and not zero is right"
            )
        object.__setattr__(self, "codes", codes)

    @cached_property
    def volts(self) -> np.ndarray:
        """float64 array of shape (samples,), volts."""
        return self.codes.astype(np.float64) * self.scale_v + self.offset_v

    @classmethod
    def from_volts(cls, volts: np.ndarray, full_scale_v: float = 5.0, bits: int = 16) -> Channel:
        """Code ``volts`` as a ``bits``-bit converter with range +-full_scale_v does (rounded, clipped)."""
        top = 2 ** (bits - 1) - 1
        scale = full_scale_v / top
        codes = np.clip(np.rint(np.asarray(volts, dtype=np.float64) / scale), -top - 1, top)
        return cls(codes.astype(np.int16 if bits <= 16 else np.int32), scale)


@dataclass(frozen=True)
class Capture:
    """One record: ``channels`` by name (``"1"`` the analog output, ``"2"`` the marker), seconds, and JSON-able ``meta``.

    Keys of ``meta`` in use: ``instrument`` (*IDN?), ``time_tag_s`` (trigger time of a segment on the instrument's
    own clock, relative to the first segment), ``segment`` (index), ``settings``.
    """

    t0_s: float
    dt_s: float
    channels: Mapping[str, Channel]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.dt_s) and self.dt_s > 0 and np.isfinite(self.t0_s)):
            raise CaptureError(
                f"capture times: t0 {self.t0_s} s, dt {self.dt_s} s; finite, and dt above zero, is right"
            )
        lengths = {name: len(channel.codes) for name, channel in self.channels.items()}
        if not lengths or len(set(lengths.values())) != 1:
            raise CaptureError(f"capture channels of lengths {lengths}: at least one, all of one length, is right")

    @property
    def samples(self) -> int:
        """Number of samples of each channel."""
        return len(next(iter(self.channels.values())).codes)

    @property
    def rate_hz(self) -> float:
        """Samples per second."""
        return 1.0 / self.dt_s

    def volts(self, name: str) -> np.ndarray:
        """float64 volts of channel ``name``, shape (samples,). Raises CaptureError for an unknown channel."""
        try:
            return self.channels[name].volts
        except KeyError:
            raise CaptureError(f"no channel {name!r} in the capture; there are {sorted(self.channels)}") from None

    def times(self) -> np.ndarray:
        """float64 seconds of every sample, shape (samples,)."""
        return self.t0_s + np.arange(self.samples) * self.dt_s

    def save(self, path: str | Path) -> str:
        """Write this capture to ``path`` (.npz); returns the file's sha256."""
        return save_captures(path, [self])

    @classmethod
    def load(cls, path: str | Path) -> Capture:
        """Read a file that holds exactly one capture. Raises CaptureError."""
        captures = load_captures(path)
        if len(captures) != 1:
            raise CaptureError(f"{path}: holds {len(captures)} captures, 1 is right here")
        return captures[0]


def save_captures(path: str | Path, captures: Sequence[Capture]) -> str:
    """Write ``captures`` to ``path`` (.npz, compressed, aside and renamed); returns its sha256 in hex."""
    path = Path(path)
    arrays: dict[str, np.ndarray] = {}
    header: list[dict[str, Any]] = []
    for index, capture in enumerate(captures):
        channels = {}
        for name, channel in capture.channels.items():
            key = f"{index:05d}_{name}"
            arrays[key] = channel.codes
            channels[name] = {"key": key, "scale_v": float(channel.scale_v), "offset_v": float(channel.offset_v)}
        header.append(
            {"t0_s": float(capture.t0_s), "dt_s": float(capture.dt_s), "channels": channels, "meta": dict(capture.meta)}
        )
    text = json.dumps({"kind": FILE_KIND, "captures": header}, sort_keys=True)
    arrays["header"] = np.frombuffer(text.encode(), dtype=np.uint8)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            np.savez_compressed(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        digest = file_sha256(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return digest


def load_captures(path: str | Path) -> list[Capture]:
    """Read every capture of ``path``, in order. Raises CaptureError (no capture file, truncated, of another kind)."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            head = json.loads(stored["header"].tobytes().decode())
            if head.get("kind") != FILE_KIND:
                raise CaptureError(f"{path}: kind {head.get('kind')!r}, {FILE_KIND!r} is right")
            return [
                Capture(
                    item["t0_s"],
                    item["dt_s"],
                    {
                        name: Channel(stored[c["key"]], c["scale_v"], c["offset_v"])
                        for name, c in item["channels"].items()
                    },
                    item["meta"],
                )
                for item in head["captures"]
            ]
    except CaptureError:
        raise
    except FileNotFoundError:
        raise CaptureError(f"{path}: no such capture file") from None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, ValueError) as error:
        raise CaptureError(f"{path}: not a readable capture file ({error})") from error


def file_sha256(path: str | Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
