# SPDX-License-Identifier: Apache-2.0
"""What must hold between what an application wrote, what went onto the wire, and what the guest was told.

Promise: each check raises `CheckFailed` with the first place where it does not hold; it works on records of any origin
(the oracle's, or a capture of the simulated RTL), in one time unit of the caller's choice.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from virtone.model.pcm_hw import ALSA_FORMATS
from virtone.virtio import snd


class CheckFailed(AssertionError):
    """A property of the device or of the driver does not hold."""


def expected_slots(format: str, channels: int, data: bytes) -> np.ndarray:
    """The I2S slots of interleaved frames: int32 array of shape (frames, 2), left-justified; mono goes into both."""
    code = ALSA_FORMATS[format]
    raw = np.frombuffer(data, np.uint8)
    if code == snd.VIRTIO_SND_PCM_FMT_S16:
        samples = raw.view("<i2").astype(np.int32) << 16
    elif code == snd.VIRTIO_SND_PCM_FMT_S24_3:
        three = raw.reshape(-1, 3)
        samples = np.concatenate([np.zeros((len(three), 1), np.uint8), three], axis=1).reshape(-1).view("<i4")
    elif code == snd.VIRTIO_SND_PCM_FMT_S24:
        samples = raw.view("<i4") << 8
    elif code == snd.VIRTIO_SND_PCM_FMT_S32:
        samples = raw.view("<i4")
    else:
        raise ValueError(f"format {format!r}: the device plays S16_LE, S24_3LE, S24_LE and S32_LE")
    frames = samples.reshape(-1, channels)
    return np.stack([frames[:, 0], frames[:, -1]], axis=1).astype(np.int32)


def check_bit_exact(played: Sequence[tuple[int, int]] | np.ndarray, expected: np.ndarray) -> None:
    """`played` begins with exactly the slots of `expected`, none lost, repeated or changed."""
    got = np.asarray(played, np.int64).reshape(-1, 2)
    count = min(len(got), len(expected))
    wrong = np.nonzero((got[:count] != expected[:count]).any(axis=1))[0]
    if len(wrong):
        k = int(wrong[0])
        raise CheckFailed(f"frame {k} is {tuple(map(int, got[k]))}, written was {tuple(map(int, expected[k]))}")
    if len(got) < len(expected):
        raise CheckFailed(f"{len(got)} frames were played of {len(expected)} written")


def check_word_clock(times: Sequence[int], period: int) -> None:
    """Consecutive frames are exactly `period` apart."""
    for k, (before, after) in enumerate(itertools.pairwise(times)):
        if after - before != period:
            raise CheckFailed(f"frame {k + 1} comes {after - before} after frame {k}, the word clock has {period}")


def check_completions(
    completions: Sequence[int], frame_times: Sequence[int], message_frames: int, period: int, tolerance: int = 0
) -> None:
    """Completion n comes when the last bit of message n's last frame has left, at most `tolerance` later, never earlier.

    `frame_times` are first-bit times; a frame's last bit has left `period` later.
    """
    for n, when in enumerate(completions):
        last = (n + 1) * message_frames - 1
        if last >= len(frame_times):
            raise CheckFailed(f"message {n} completed, but its last frame {last} was never played")
        due = frame_times[last] + period
        if when < due:
            raise CheckFailed(f"message {n} completed {due - when} before its last frame had left")
        if when > due + tolerance:
            raise CheckFailed(f"message {n} completed {when - due} after its last frame had left, allowed {tolerance}")


def check_latency(latency_bytes: Sequence[int], expected: int) -> None:
    """Every completion told the guest the same, right latency."""
    for n, told in enumerate(latency_bytes):
        if told != expected:
            raise CheckFailed(f"completion {n} says latency_bytes {told}, the converter's delay is {expected}")


def check_flushed(completions: Sequence[tuple[int, int]], pending: int) -> None:
    """RELEASE gave all `pending` messages back; `completions` are their (status, latency_bytes)."""
    for n, (status, latency) in enumerate(completions):
        if status != snd.VIRTIO_SND_S_OK or latency:
            raise CheckFailed(
                f"completion {n} after RELEASE has status {status:#x} and latency {latency}, not OK and 0"
            )
    if len(completions) != pending:
        raise CheckFailed(f"RELEASE gave {len(completions)} messages back, {pending} were pending")


def check_silent_memory(before: bytes, after: bytes, base: int = 0) -> None:
    """Nothing has been written between two snapshots of guest memory."""
    if len(before) != len(after):
        raise ValueError(f"snapshots of {len(before)} and {len(after)} bytes cannot be compared")
    changed = np.nonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))[0]
    if len(changed):
        raise CheckFailed(f"{len(changed)} bytes of guest memory changed, the first at {base + int(changed[0]):#x}")
