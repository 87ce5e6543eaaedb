# SPDX-License-Identifier: Apache-2.0
"""Codec models: frames on the I2S wire to volts at the analog output.

Promises: a linear-phase interpolation filter whose group delay is the data sheet's figure, counted from the first bit of a
frame on the wire to that frame at the analog output; the output level and noise floor of the part; time exact to well under
10 ns, amplitude to better than -80 dB of full scale, at any instants. A change of rate begins a new run; where no frame
arrives the output is 0 V. A rate the part cannot do is silence.
Its user hands over enough frames before the first instant (`memory_s`) and ascending instants.

Sources of the figures
* ADAU1761: filter table of the sister part ADAU1961 (Analog Devices, Rev. 0, table 4): 25/fs in 48 kHz mode, 11/fs in 96 kHz
  mode, pass bands 0.4535 and 0.3646 fs, stop bands 0.5465 and 0.6354 fs, 69 and 68 dB. Level 0.9 Vrms and 98 dB: typical
  values of the part at 3.3 V, not confirmed against a data sheet.
* PCM5102A: the hardware-controlled member of the PCM512x family, whose table (Texas Instruments SLAS763) gives 20/fs for the
  normal filter in its x8, x4 and x2 modes, pass band 0.45 fs, stop band 0.55 fs, 60 dB; 2.1 Vrms, 112 dB.
* SSM2603: its data sheet states no group delay. The figures are those of the register-compatible WM8731 (Wolfson), filter
  type 1 at 256 fs (18/fs) and type 2 above 54 kHz (5/fs), not confirmed against its data sheet; 1.0 Vrms and 100 dB at 3.3 V.
"""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from scipy import signal

OVERSAMPLING = 16  # cubic interpolation between points of fs*16 errs by less than -89 dB at fs/2
RUN_TOLERANCE = 5e-4  # neighbouring frame intervals that differ by more than this fraction belong to different runs


class CodecError(ValueError):
    """No such codec, or a rate it cannot do."""


class SpeedClass(IntEnum):
    """Speed classes of audio converters: the filter (and so its delay in frames) changes between them."""

    SINGLE = 0  # up to 54 kHz
    DOUBLE = 1  # up to 108 kHz
    QUAD = 2  # up to 216 kHz


def speed_class(rate_hz: float) -> SpeedClass:
    """The class a frame rate belongs to."""
    return SpeedClass.SINGLE if rate_hz <= 54e3 else SpeedClass.DOUBLE if rate_hz <= 108e3 else SpeedClass.QUAD


@dataclass(frozen=True)
class Filter:
    """One interpolation filter: delay in frames, band edges in units of fs, stop-band attenuation in dB."""

    delay_frames: float
    pass_fs: float
    stop_fs: float
    attenuation_db: float

    @functools.cached_property
    def half_frames(self) -> float:
        """Half the length of the impulse response in frames: what Kaiser's formula asks for, at most the delay (causality)."""
        taps = signal.kaiserord(self.attenuation_db, 2 * (self.stop_fs - self.pass_fs) / OVERSAMPLING)[0]
        return min(np.ceil(taps / 2), np.floor(self.delay_frames * OVERSAMPLING)) / OVERSAMPLING

    @functools.cached_property
    def taps(self) -> np.ndarray:
        """Impulse response at fs*OVERSAMPLING, odd length, symmetric, DC gain of every phase close to 1."""
        length = 2 * round(self.half_frames * OVERSAMPLING) + 1
        beta = signal.kaiser_beta(self.attenuation_db)
        cutoff = (self.pass_fs + self.stop_fs) / OVERSAMPLING  # firwin counts in units of the Nyquist frequency
        return signal.firwin(length, cutoff, window=("kaiser", beta)) * OVERSAMPLING


@dataclass(frozen=True)
class Codec:
    """One part: filters by speed class, full scale (peak volts of a full-scale sine), noise (rms volts, 0..fs/2)."""

    name: str
    filters: dict[SpeedClass, Filter]
    full_scale_v: float
    noise_v: float
    max_rate_hz: float

    def delay_frames(self, rate_hz: float) -> float:
        """Group delay in frames at a frame rate; raises CodecError for a rate the part cannot do."""
        if not self.supports(rate_hz):
            raise CodecError(f"{self.name} cannot do {rate_hz:g} Hz; right is at most {self.max_rate_hz:g} Hz")
        return self.filters[speed_class(rate_hz)].delay_frames

    def delay_s(self, rate_hz: float) -> float:
        """Group delay in seconds at a frame rate."""
        return self.delay_frames(rate_hz) / rate_hz

    def supports(self, rate_hz: float) -> bool:
        return rate_hz <= self.max_rate_hz * 1.01 and speed_class(rate_hz) in self.filters

    @property
    def converter_delay(self) -> tuple[int, int, int]:
        """`converter_delay_i` of the device: group delay in 1/16 frames for single, double and quad speed (0 where unsupported)."""
        return tuple(round(16 * self.filters[c].delay_frames) if c in self.filters else 0 for c in SpeedClass)

    @property
    def memory_s(self) -> float:
        """How long before an instant frames still matter, at the slowest rate (5512.5 Hz)."""
        return max(f.delay_frames + f.half_frames + 2 for f in self.filters.values()) / 5512.5

    def output(
        self, times_ps: np.ndarray, samples: np.ndarray, origin_ps: int, at_s: np.ndarray, noise_seed: int | None = None
    ) -> np.ndarray:
        """Volts at instants.

        times_ps: int64 [n], ascending, first bit of each frame; samples: int32 [n], left-justified, one channel;
        at_s: float64 [m], ascending, seconds after origin_ps. Noise is a function of seed and frame time, so that two looks at
        the same frames agree; None leaves it out. Returns float64 [m].
        """
        times = np.asarray(times_ps).astype(np.int64) - int(origin_ps)
        x = np.asarray(samples, dtype=np.float64) * (self.full_scale_v / 2**31)
        if noise_seed is not None and len(x):
            x += self.noise_v * _hashed_gauss(np.asarray(times_ps).astype(np.uint64), noise_seed)
        at_ps = np.asarray(at_s, dtype=np.float64) * 1e12
        volts = np.zeros(len(at_ps))
        for run in split_runs(times):
            self._add_run(times[run], x[run], at_ps, volts)
        return volts

    def _add_run(self, times: np.ndarray, x: np.ndarray, at_ps: np.ndarray, volts: np.ndarray) -> None:
        """Add what one run of evenly spaced frames contributes."""
        if len(times) < 2:
            return
        interval = (times[-1] - times[0]) / (len(times) - 1)
        if not self.supports(1e12 / interval):
            return
        fir = self.filters[speed_class(1e12 / interval)]
        lead, tail = (fir.delay_frames - fir.half_frames) * interval, (fir.delay_frames + fir.half_frames) * interval
        low, high = np.searchsorted(at_ps, (times[0] + lead, times[-1] + tail))
        if low == high:
            return
        points = np.pad(signal.upfirdn(fir.taps, x, up=OVERSAMPLING), 4)
        at = at_ps[low:high]
        frame = np.arange(len(times))
        if np.max(np.abs(times - (times[0] + frame * interval))) <= 2:  # even to the rounding of the time stamps
            position = (at - times[0]) / interval
        else:
            position = np.interp(at, times, frame)
            position += np.where(at < times[0], (at - times[0]) / interval, 0) + np.where(
                at > times[-1], (at - times[-1]) / interval, 0
            )
        place = (position - fir.delay_frames + fir.half_frames) * OVERSAMPLING + 4
        volts[low:high] += _cubic(points, place)


def split_runs(times: np.ndarray) -> list[slice]:
    """Cut ascending frame times into runs of even spacing (a run's last interval belongs to it, an odd one to nobody)."""
    intervals = np.diff(times)
    changes = np.flatnonzero(np.abs(np.diff(intervals)) > RUN_TOLERANCE * intervals[:-1] + 2) + 1
    runs, start = [], 0
    for change in changes:  # the interval after frame `change` is unlike the one before it
        if change > start:
            runs.append(slice(start, int(change) + 1))
            start = int(change) + 1
    runs.append(slice(start, len(times)))
    return [run for run in runs if run.stop > run.start]


def _cubic(points: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Four-point Lagrange interpolation of `points` at fractional indices `place` (clamped into the padding)."""
    place = np.clip(place, 1, len(points) - 3)
    k = place.astype(np.int64)
    np.minimum(k, len(points) - 3, out=k)
    f = place - k
    a, b, c, d = points[k - 1], points[k], points[k + 1], points[k + 2]
    return (
        -a * f * (f - 1) * (f - 2) / 6
        + b * (f + 1) * (f - 1) * (f - 2) / 2
        - c * (f + 1) * f * (f - 2) / 2
        + d * (f + 1) * f * (f - 1) / 6
    )


def _hashed_gauss(keys: np.ndarray, seed: int) -> np.ndarray:
    """Standard normal values that depend on (key, seed) only: splitmix64 finaliser, then Box-Muller."""

    def mix(salt: int) -> np.ndarray:
        z = keys + np.uint64((0x9E3779B97F4A7C15 * (2 * seed + salt + 1)) & 0xFFFFFFFFFFFFFFFF)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    return np.sqrt(-2 * np.log1p(-mix(0))) * np.cos(2 * np.pi * mix(1))


def _part(name: str, rms_v: float, snr_db: float, max_rate_hz: float, **filters: Filter) -> Codec:
    peak = rms_v * np.sqrt(2)
    return Codec(
        name, {SpeedClass[k.upper()]: f for k, f in filters.items()}, peak, rms_v * 10 ** (-snr_db / 20), max_rate_hz
    )


CODECS = {
    codec.name: codec
    for codec in (
        _part("ADAU1761", 0.9, 98, 96e3, single=Filter(25, 0.4535, 0.5465, 69), double=Filter(11, 0.3646, 0.6354, 68)),
        _part("SSM2603", 1.0, 100, 96e3, single=Filter(18, 0.4535, 0.5465, 50), double=Filter(5, 0.35, 0.65, 50)),
        _part("PCM5102A", 2.1, 112, 192e3, single=Filter(20, 0.45, 0.55, 60), double=Filter(20, 0.45, 0.55, 60),
              quad=Filter(20, 0.45, 0.55, 60)),
    )
}  # fmt: skip


def codec_by_name(name: str) -> Codec:
    """The model of a part; CodecError names the nearest one for a name that is not there."""
    found = CODECS.get(name.upper())
    if found is None:
        near = difflib.get_close_matches(name.upper(), CODECS, 1, 0.4)
        raise CodecError(
            f"codec {name!r} is not modelled; "
            + (f"did you mean {near[0]}? " if near else "")
            + f"There are {', '.join(CODECS)}"
        )
    return found
