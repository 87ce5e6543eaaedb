# SPDX-License-Identifier: Apache-2.0
"""Delay of a coded burst in a capture, at the Cramér-Rao bound, and which code it is.

Promise: `estimate` says when frame 0 of the burst passed the analog output (group delay by correlation with the
band-limited reference, never by a threshold), how sure the code is (normalised correlation, 0..1), and the standard
deviation that the noise alone allows. Coarse: correlation over every candidate code. Fine: least squares on the slope
of the phase of X(f) B*(f), weighted with the spectrum, which for a real gain is the maximum-likelihood estimate.

The user must give a capture that holds the whole burst and samples at 3 times the band's upper edge or more. The
bound: sigma^2 = S_w / (2 g^2 sum (2 pi f)^2 |B(f)|^2) over the band's independent bins, S_w the noise power of one (S. M. Kay,
"Fundamentals of Statistical Signal Processing: Estimation Theory", 3.11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .capture import Capture
from .stimulus import CHIPS, burst_frames, code_chips, hold_frames

BAND_LOW_HZ = 300.0  # above the corner of any AC coupling, whose phase would bend the slope
BAND_HIGH_HZ = 20_000.0  # the pass band that every converter of the plan has
BAND_PART_OF_RATE = 0.42
PAD_S = 0.6e-3  # of silence kept on both sides of the burst: noise is read there, filters ring there
CONFIDENCE_MIN = 0.7  # two codes of the family correlate below 0.4


class EstimateError(ValueError):
    """A capture in which no delay can be estimated: says what is missing."""


@dataclass(frozen=True)
class Delay:
    """``t_s``: time of frame 0 at the analog output, in the capture's time. ``sigma_s``: predicted standard deviation
    (CRLB at the noise found). ``snr_db``: burst energy over noise energy within the burst and the band. ``runner_up``: best
    correlation of any other candidate. ``gain``: volts per full scale."""

    t_s: float
    code: int
    confidence: float
    sigma_s: float
    snr_db: float
    runner_up: float
    gain: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def band(rate_hz: int) -> tuple[float, float]:
    """Band in Hz in which captured and played burst are compared."""
    return BAND_LOW_HZ, min(BAND_HIGH_HZ, BAND_PART_OF_RATE * rate_hz)


@lru_cache(maxsize=8)
def _chip_spectra(rate_hz: int, size: int, dt_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(frequencies of the band's bins, spectrum of one chip's pulse, phase of each chip's place (chips, bins))."""
    bins = np.arange(size // 2)
    f = bins / (size * dt_s)
    low, high = band(rate_hz)
    f = f[(f >= low) & (f <= high)]
    hold = hold_frames(rate_hz)
    m = np.arange(-hold + 1, hold)
    pulse = ((1 - np.abs(m) / hold)[:, None] * np.exp(-2j * np.pi * f * m[:, None] / rate_hz)).sum(0) / 2
    places = np.exp(-2j * np.pi * f * (np.arange(1, CHIPS + 1)[:, None] * hold) / rate_hz)
    return f, pulse, places


@lru_cache(maxsize=8)
def _references(codes: tuple[int, ...], rate_hz: int, size: int, dt_s: float) -> tuple[np.ndarray, np.ndarray]:
    """(band frequencies (bins,), spectra B of the codes (codes, bins)), full scale 1, in units of full scale x samples."""
    f, pulse, places = _chip_spectra(rate_hz, size, dt_s)
    chips = np.array([code_chips(code) for code in codes], dtype=np.float64)
    return f, (chips @ places) * pulse / (rate_hz * dt_s)


def _spectrum(volts: np.ndarray, size: int, f: np.ndarray, dt_s: float) -> np.ndarray:
    first = round(f[0] * size * dt_s)
    return np.fft.rfft(volts, size)[first : first + len(f)]


def _size(samples: int) -> int:
    return 1 << int(np.ceil(np.log2(samples)))


def _coarse(volts: np.ndarray, dt_s: float, rate_hz: int, codes: tuple[int, ...]) -> list[tuple[float, float]]:
    """Per code: (largest |correlation|, its lag in seconds from the first sample)."""
    size = _size(len(volts) + int(burst_frames(rate_hz) / rate_hz / dt_s))
    f, spectra = _references(codes, rate_hz, size, dt_s)
    x = _spectrum(volts, size, f, dt_s)
    first = round(f[0] * size * dt_s)
    grid = _size(4 * (first + len(f)))
    step = size * dt_s / grid
    limit = int(len(volts) * dt_s / step)
    found = []
    for b in spectra:
        product = np.zeros(grid, dtype=complex)
        product[first : first + len(f)] = x * b.conj()
        correlation = np.abs(np.fft.ifft(product).real[:limit])
        peak = int(np.argmax(correlation))
        found.append((float(correlation[peak]), peak * step))
    return found


def estimate(
    capture: Capture, channel: str, rate_hz: int, expected: int, candidates: Sequence[int] = (), clock_ppm: float = 0.0
) -> Delay:
    """Delay of the burst with the most likely code among ``expected`` and ``candidates``.

    ``rate_hz``: nominal frames per second. ``clock_ppm``: how much faster the converter's word clock runs than nominal
    on the instrument's time base; without it frame 0 is off by ppm x half the burst. Raises EstimateError when the capture is too
    short, clipped flat, or holds no code at all; a wrong code is no error here, the caller compares ``code``.
    """
    volts = capture.volts(channel)
    volts = volts - volts.mean()
    dt_s, length_s = capture.dt_s, burst_frames(rate_hz) / rate_hz
    if dt_s * 3 * band(rate_hz)[1] > 1:
        raise EstimateError(
            f"capture at {1 / dt_s:.0f} samples/s: at least {3 * band(rate_hz)[1]:.0f} is right for {rate_hz} Hz"
        )
    if len(volts) * dt_s < length_s + 2 * PAD_S:
        raise EstimateError(
            f"capture of {len(volts) * dt_s * 1e3:.3f} ms: at least {(length_s + 2 * PAD_S) * 1e3:.3f} ms is right"
        )
    if not np.any(volts):
        raise EstimateError(f"channel {channel} is flat: no burst")
    codes = tuple(sorted({expected, *candidates}))
    peaks = _coarse(volts, dt_s, rate_hz, codes)
    order = sorted(range(len(codes)), key=lambda index: peaks[index][0], reverse=True)
    best = order[0]
    lag = peaks[best][1]
    if lag < PAD_S or lag + length_s + PAD_S > len(volts) * dt_s:
        raise EstimateError(
            f"burst of code {codes[best]} at {(capture.t0_s + lag) * 1e3:.3f} ms is cut by the capture's edge; "
            f"a capture from {(capture.t0_s + lag - PAD_S) * 1e3:.3f} to {(capture.t0_s + lag + length_s + PAD_S) * 1e3:.3f} ms is right"
        )
    start = int((lag - PAD_S) / dt_s)
    count = int((length_s + 2 * PAD_S) / dt_s) + 1
    cut = volts[start : start + count]
    t, gain, confidence, sigma, snr_db = _fine(cut, dt_s, rate_hz, codes[best], lag - start * dt_s, clock_ppm)
    runner_up = peaks[order[1]][0] / peaks[best][0] * confidence if len(order) > 1 else 0.0
    return Delay(capture.t0_s + start * dt_s + t, codes[best], confidence, sigma, snr_db, runner_up, gain)


def _fine(
    cut: np.ndarray, dt_s: float, rate_hz: int, code: int, t: float, clock_ppm: float
) -> tuple[float, float, float, float, float]:
    """(time, gain, confidence, sigma, SNR dB) of one code near time ``t`` in ``cut``."""
    size = _size(2 * len(cut))
    dt_dut = dt_s * (1 + clock_ppm * 1e-6)  # the burst is compared on the converter's own time
    f, spectra = _references((code,), rate_hz, size, dt_dut)
    b = spectra[0]
    x = _spectrum(cut, size, f, dt_dut)
    omega = 2 * np.pi * f
    t *= 1 + clock_ppm * 1e-6
    for _ in range(8):
        turned = x * b.conj() * np.exp(1j * omega * t)
        slope = (omega**2 * turned.real).sum()
        if slope == 0:
            raise EstimateError("no energy in the band: no burst")
        move = -(omega * turned.imag).sum() / slope
        t += float(np.clip(move, -5e-6, 5e-6))
        if abs(move) < 1e-13:
            break
    energy_b = (np.abs(b) ** 2).sum()
    gain = float((x * b.conj() * np.exp(1j * omega * t)).real.sum() / energy_b)
    residual = x - gain * b * np.exp(-1j * omega * t)
    energy_x = (np.abs(x) ** 2).sum()
    confidence = float(np.sqrt(min(1.0, gain**2 * energy_b / energy_x)))
    bin_noise = float((np.abs(residual) ** 2).mean())
    padding = size / len(cut)  # bins of a zero-padded transform are not independent
    sigma = float(np.sqrt(padding * bin_noise / (2 * gain**2 * (omega**2 * np.abs(b) ** 2).sum()))) if gain else np.inf
    inside = padding * burst_frames(rate_hz) / rate_hz / (size * dt_s)
    snr_db = float(10 * np.log10(gain**2 * energy_b / max(bin_noise * len(f) * inside, 1e-300)))
    return t / (1 + clock_ppm * 1e-6), gain, confidence, sigma, snr_db


def marker_edge(capture: Capture, channel: str, rising: bool = True) -> tuple[float, float]:
    """(time, standard uncertainty) in seconds of the marker edge nearest to time zero, at half of the channel's swing.

    Between two samples the time is interpolated when the edge was sampled (intermediate levels exist), otherwise it is
    the middle of the step with u = dt/sqrt(12). Raises EstimateError when the channel never switches.
    """
    edges, u = marker_edges(capture, channel, rising)
    if not len(edges):
        raise EstimateError(f"channel {channel} has no {'rising' if rising else 'falling'} edge: no marker")
    return float(edges[np.argmin(np.abs(edges))]), u


def marker_edges(
    capture: Capture, channel: str, rising: bool = True, least_swing_v: float = 0.5
) -> tuple[np.ndarray, float]:
    """(times of all edges through half of the swing, float64 seconds; standard uncertainty of one)."""
    volts = capture.volts(channel)
    low, high = float(volts.min()), float(volts.max())
    if high - low < least_swing_v:
        return np.empty(0), 0.0
    level, swing = (low + high) / 2, high - low
    above = volts > level if rising else volts < level
    at = np.flatnonzero(~above[:-1] & above[1:])
    before, after = volts[at], volts[at + 1]
    part = np.clip((level - before) / (after - before), 0.0, 1.0)
    step = np.abs(after - before) > 0.9 * swing  # not resolved: anywhere between the two samples
    part = np.where(step, 0.5, part)
    u = capture.dt_s / np.sqrt(12) if bool(step.any()) else 0.02 * capture.dt_s
    return capture.t0_s + (at + part) * capture.dt_s, float(u)
