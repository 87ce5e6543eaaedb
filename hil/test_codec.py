# SPDX-License-Identifier: Apache-2.0
"""Codec models: group delay, level, interpolation error, and what happens where the frames change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import interpolate, signal

from hil.virtual.codec import CODECS, OVERSAMPLING, Codec, CodecError, codec_by_name, split_runs

RATES = [
    (name, rate)
    for name, codec in CODECS.items()
    for rate in (5512.5, 44100, 48000, 96000, 192000)
    if codec.supports(rate)
]


def frame_times(count: int, rate_hz: float, start_ps: float = 0.0) -> np.ndarray:
    return np.round(start_ps + np.arange(count) * 1e12 / rate_hz).astype(np.int64)


def full_scale(x: np.ndarray) -> np.ndarray:
    return np.round(np.clip(x, -1, 1 - 2**-31) * 2**31).astype(np.int32)


def fit_sine(t: np.ndarray, volts: np.ndarray, frequency: float) -> tuple[float, float, float]:
    """Amplitude, delay in seconds, and rms of what is left, of a least-squares sine."""
    basis = np.column_stack((np.sin(2 * np.pi * frequency * t), np.cos(2 * np.pi * frequency * t)))
    (a, b), *_ = np.linalg.lstsq(basis, volts, rcond=None)
    return (
        float(np.hypot(a, b)),
        float(-np.arctan2(b, a) / (2 * np.pi * frequency)),
        float(np.std(volts - basis @ (a, b))),
    )


@pytest.mark.parametrize(("name", "rate"), RATES)
@pytest.mark.parametrize("part", [0.02, 0.1, 0.3])
def test_group_delay_is_the_data_sheet_figure_within_10_ns(name: str, rate: float, part: float) -> None:
    codec, frequency = codec_by_name(name), part * rate
    n = 400
    x = full_scale(0.9 * np.sin(2 * np.pi * frequency * np.arange(n) / rate))
    t = np.linspace(100, 350, 20011) / rate + 1.7e-9
    amplitude, delay, _ = fit_sine(t, codec.output(frame_times(n, rate), x, 0, t), frequency)
    periods = round((codec.delay_s(rate) - delay) * frequency)
    assert delay + periods / frequency == pytest.approx(codec.delay_s(rate), abs=min(10e-9, 1e-4 / rate))
    ripple = 3 * 10 ** (-codec.filters[min(codec.filters)].attenuation_db / 20)
    assert amplitude == pytest.approx(0.9 * codec.full_scale_v, rel=ripple)


@pytest.mark.parametrize(("name", "rate"), RATES)
def test_interpolation_error_is_below_minus_80_db(name: str, rate: float) -> None:
    """Against the same filter, interpolated with a spline of degree 7, on full-scale noise: the worst there is."""
    codec = codec_by_name(name)
    fir = next(f for c, f in codec.filters.items() if f.delay_frames == codec.delay_frames(rate) and rate < 54e3 * 2**c)
    x = full_scale(np.random.default_rng(1).uniform(-1, 1, 300))
    points = signal.upfirdn(fir.taps, x / 2**31 * codec.full_scale_v, up=OVERSAMPLING)
    grid = np.arange(len(points)) / OVERSAMPLING + fir.delay_frames - fir.half_frames
    t = np.linspace(60, 280, 30011)
    exact = interpolate.make_interp_spline(grid, points, 7)(t)
    error = codec.output(frame_times(300, rate), x, 0, t / rate) - exact
    assert 20 * np.log10(np.max(np.abs(error)) / codec.full_scale_v) < -80


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
def test_filters_are_causal_symmetric_and_stop_what_they_say(codec: Codec) -> None:
    for fir in codec.filters.values():
        assert fir.half_frames <= fir.delay_frames
        assert np.allclose(fir.taps, fir.taps[::-1])
        f, h = signal.freqz(fir.taps / OVERSAMPLING, worN=1 << 14, fs=OVERSAMPLING)
        assert 20 * np.log10(np.max(np.abs(h[f >= fir.stop_fs]))) < -fir.attenuation_db + 3
        assert np.max(np.abs(np.abs(h[f <= fir.pass_fs]) - 1)) < 2 * 10 ** (-fir.attenuation_db / 20)


def test_change_of_rate_and_silence_between() -> None:
    """A burst at 48 kHz, 20 ms without any frame, a burst at 96 kHz: each with its own delay, 0 V between."""
    codec, k = codec_by_name("ADAU1761"), np.arange(400)
    burst = 0.5 * np.hanning(400) * np.sin(2 * np.pi * 0.05 * k)
    first, second = frame_times(400, 48000), frame_times(400, 96000, 400e12 / 48000 + 20e9)
    times, x = np.concatenate((first, second)), full_scale(np.concatenate((burst, burst)))
    t = np.arange(0, 0.04, 1e-6)
    volts = codec.output(times, x, 0, t, noise_seed=None)
    assert [len(times[run]) for run in split_runs(times)] == [400, 400]
    gap = (t > first[-1] * 1e-12 + 50 / 48000) & (t < second[0] * 1e-12)
    assert gap.sum() > 10_000 and np.all(volts[gap] == 0)
    for start, rate in ((0.0, 48000), (second[0] * 1e-12, 96000)):
        centre = start + codec.delay_s(rate) + 199.5 / rate  # of the envelope
        near = np.abs(t - centre) < 250 / rate
        middle = np.sum(t[near] * volts[near] ** 2) / np.sum(volts[near] ** 2)
        assert middle == pytest.approx(centre, abs=2e-6)


def test_one_missing_frame_period_splits_the_run() -> None:
    times = frame_times(100, 48000)
    times[60:] += 5_000_000
    assert split_runs(times) == [slice(0, 60), slice(60, 100)]
    assert split_runs(frame_times(100, 44100)) == [slice(0, 100)]
    assert split_runs(np.concatenate((frame_times(10, 48000), frame_times(9, 44100, 10e12 / 48000)))) in (
        [slice(0, 10), slice(10, 19)],
        [slice(0, 11), slice(11, 19)],
    )


def test_an_unsupported_rate_is_silence_and_an_error_to_ask_for() -> None:
    codec = codec_by_name("SSM2603")
    x = full_scale(np.ones(200) * 0.5)
    assert not np.any(codec.output(frame_times(200, 192000), x, 0, np.arange(0, 1e-3, 1e-6)))
    assert np.any(codec.output(frame_times(200, 96000), x, 0, np.arange(0, 1e-3, 1e-6)))
    with pytest.raises(CodecError, match=r"SSM2603 cannot do 192000 Hz; right is at most 96000 Hz"):
        codec.delay_s(192000)


def test_a_clock_that_drifts_keeps_its_time() -> None:
    """50 ppm off, and slowly more: positions follow the frames, not a nominal rate."""
    codec, n = codec_by_name("PCM5102A"), 4000
    steps = 1e12 / 48000 * (1 + 50e-6 + 1e-4 * np.linspace(0, 1, n))
    times = np.round(np.concatenate(([0], np.cumsum(steps[:-1])))).astype(np.int64)
    x = np.zeros(n)
    x[3000] = 0.5
    t = times[3020] * 1e-12 + np.arange(-20e-6, 20e-6, 1e-8)
    volts = codec.output(times, full_scale(x), 0, t)
    peak = np.sum(t * volts**4) / np.sum(volts**4)
    assert peak == pytest.approx(times[3020] * 1e-12, abs=10e-9)


def test_noise_has_the_level_of_the_data_sheet_and_is_the_same_twice() -> None:
    codec = codec_by_name("PCM5102A")
    times, t = frame_times(20000, 48000), np.arange(0.1, 0.3, 1 / 96000)
    one = codec.output(times, np.zeros(20000, np.int32), 0, t, noise_seed=5)
    two = codec.output(times[2000:], np.zeros(18000, np.int32), 0, t, noise_seed=5)
    assert np.std(one) == pytest.approx(codec.noise_v, rel=0.1)
    assert np.allclose(one, two, atol=1e-12)
    assert not np.allclose(one, codec.output(times, np.zeros(20000, np.int32), 0, t, noise_seed=6))


def test_codec_by_name_teaches_the_spelling() -> None:
    assert codec_by_name("pcm5102a").name == "PCM5102A"
    with pytest.raises(CodecError, match=r"'ADAU1671' is not modelled; did you mean ADAU1761\?"):
        codec_by_name("ADAU1671")
