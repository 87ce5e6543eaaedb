# SPDX-License-Identifier: Apache-2.0
"""Frame grid: a capture read at the instants of the converter's frames, and the played frames seen through the same filter.

Promise: captured volts and expected frames pass one and the same continuous low-pass kernel (Kaiser-windowed sinc), each
sampled at its own rate, so that on clean material they differ by noise only. The user must keep the kernel's cutoff below 0.36
of either rate.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, signal

HALF_LOBES = 14  # kernel half length in periods of twice the cutoff
BETA = 8.0  # Kaiser: side lobes below -80 dB


def cutoff_hz(rate_hz: float, sample_rate_hz: float) -> float:
    """Low-pass cutoff in Hz inside every converter's pass band and below the instrument's Nyquist frequency."""
    return min(0.36 * rate_hz, 28_000.0, 0.3 * sample_rate_hz)


def kernel(rate_hz: float, cutoff: float) -> np.ndarray:
    """Taps of the low-pass sampled at ``rate_hz``, unit gain at DC in the continuous limit, odd length."""
    half = int(HALF_LOBES / (2 * cutoff) * rate_hz)
    t = np.arange(-half, half + 1) / rate_hz
    return 2 * cutoff / rate_hz * np.sinc(2 * cutoff * t) * np.kaiser(2 * half + 1, BETA)


def smear_frames(rate_hz: float, cutoff: float) -> int:
    """Frames on either side of a disturbance in which the kernel still shows a part of it above a percent."""
    return int(np.ceil(4 / (2 * cutoff) * rate_hz))


def expected(frames: np.ndarray, rate_hz: float, cutoff: float) -> np.ndarray:
    """Played frames (int32) as full scale 1 through the kernel, same shape (n,)."""
    return signal.oaconvolve(np.asarray(frames, dtype=np.float64) / 2**31, kernel(rate_hz, cutoff), mode="same")


def captured(volts: np.ndarray, dt_s: float, cutoff: float, first_s: float, step_s: float, count: int) -> np.ndarray:
    """``volts`` through the kernel at the times first_s + m * step_s, m in 0..count-1, from the first sample on: shape (count,)."""
    smooth = signal.oaconvolve(volts, kernel(1 / dt_s, cutoff), mode="same")
    places = (first_s + np.arange(count) * step_s) / dt_s
    return ndimage.map_coordinates(smooth, [places], order=5, mode="constant")
