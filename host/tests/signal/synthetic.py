# SPDX-License-Identifier: Apache-2.0
"""A made-up converter and instrument: frames to a capture, band-limited, with delay, clock offset, noise and quantisation."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, signal

from virtone.signal.capture import Capture, Channel


def play(
    frames,
    rate_hz,
    delay_s=20e-3,
    sample_rate_hz=500e3,
    ppm=0.0,
    noise_v=1e-3,
    t0_s=-1e-3,
    span_s=None,
    seed=0,
    bits=16,
    marks_s=(0.0,),
    gain=1.0,
    click=None,
    meta=None,
):
    """Frame n appears at delay_s + n / (rate * (1 + ppm/1e6)), ``gain`` volts at full scale; marker pulses of 10 us on channel 2."""
    up = 16 if rate_hz < 100_000 else 8
    x = np.asarray(frames, dtype=float) / 2**31 * gain
    if click:
        x = x.copy()
        x[click[0]] += click[1]
    lead = 64
    x = np.concatenate((np.zeros(lead), x, np.zeros(lead)))
    taps = signal.firwin(96 * up + 1, 1 / up, window=("kaiser", 8.0)) * up
    y = signal.upfirdn(taps, x, up)[48 * up :][: len(x) * up]
    end = t0_s + span_s if span_s else delay_s + len(frames) / rate_hz + 5e-3
    t = t0_s + np.arange(int((end - t0_s) * sample_rate_hz)) / sample_rate_hz
    places = ((t - delay_s) * rate_hz * (1 + ppm * 1e-6) + lead) * up
    volts = ndimage.map_coordinates(y, [places], order=3)
    volts += np.random.default_rng(seed).normal(0, noise_v, len(t))
    marker = np.zeros(len(t))
    for mark in marks_s:
        marker[(t >= mark) & (t < mark + 10e-6)] = 3.3
    return Capture(
        t0_s,
        1 / sample_rate_hz,
        {"1": Channel.from_volts(volts, max(2.0, 2 * gain), bits), "2": Channel.from_volts(marker, 5.0, bits)},
        meta or {},
    )
