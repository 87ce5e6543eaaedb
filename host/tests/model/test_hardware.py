# SPDX-License-Identifier: Apache-2.0
"""Limits and codes as the Linux driver derives them, and the latency budget."""

from __future__ import annotations

import pytest

from virtone.model.budget import Path, honesty_bound_s, latency_bytes, latency_frames, told_s
from virtone.model.device_profile import DEFAULT
from virtone.model.errors import InvalidArgument
from virtone.model.pcm_hw import ALL_RATES, ALSA_FORMATS, LINUX_RATES, ModuleParams, PcmHardware
from virtone.virtio import snd


def hardware(**changes):
    info = snd.virtio_snd_pcm_info.unpack(DEFAULT.streams[0].info())
    for name, value in changes.items():
        setattr(info, name, value)
    return PcmHardware.from_info(info, LINUX_RATES, ModuleParams())


def test_formats_and_rates_are_linux_ones():
    assert len(ALSA_FORMATS) == 25 and sorted(ALSA_FORMATS.values()) == list(range(25))
    for name, code in (("S16_LE", 5), ("S24_3LE", 11), ("S24_LE", 15), ("S8", 3), ("FLOAT64_LE", 20), ("DSD_U8", 21),
                       ("DSD_U16_LE", 22), ("IEC958_SUBFRAME_LE", 24), ("IMA_ADPCM", 0), ("U18_3LE", 8)):  # fmt: skip
        assert ALSA_FORMATS[name] == code
    assert sorted(LINUX_RATES) == [
        5512, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000,
    ]  # fmt: skip
    assert ALL_RATES[12000] == 14 and ALL_RATES[24000] == 15 and ALL_RATES[384000] == 13


def test_limits_of_the_default_stream():
    """2 bytes x 1 channel x 10 ms x 5 frames/ms at least; 4 bytes x 2 channels x 192 frames/ms at most."""
    hw = hardware()
    assert hw.period_bytes_min == 2 * 1 * 10 * 5
    assert hw.period_bytes_max == 4 * 2 * 80 * 192
    assert hw.buffer_bytes_max == 245_760 and hw.buffer_bytes_max % 4096 == 0
    assert (hw.periods_min, hw.periods_max) == (2, 16)
    assert hw.formats == ("S16_LE", "S24_3LE", "S24_LE", "S32_LE") and 12000 not in hw.rates


def test_limits_of_a_stream_of_one_rate():
    hw = hardware(rates=1 << 7, formats=1 << 5, channels_min=2)
    assert hw.period_bytes_min == 1920 and hw.buffer_bytes_max == 32768
    with pytest.raises(InvalidArgument, match=r"a period of 479 frames: it must be 480\.\.3840 with 2 periods"):
        hw.refine("S16_LE", 2, 48000, 479, 2)
    assert hw.refine("S16_LE", 2, 48000, 1, 99, near=True).period_size == 480


@pytest.mark.parametrize(
    "changes", [dict(channels_min=0), dict(channels_min=3), dict(formats=0), dict(rates=0), dict(rates=1 << 14)]
)
def test_streams_linux_refuses(changes):
    with pytest.raises(InvalidArgument):
        hardware(**changes)


@pytest.mark.parametrize(
    "wish,message",
    [
        (dict(format="S8"), "the stream offers S16_LE"),
        (dict(rate=12000), "rate 12000 Hz"),
        (dict(channels=3), "3 channels"),
        (dict(periods=1), "1 periods"),
        (dict(periods=17), "17 periods"),
        (dict(period_size=24), r"it must be 25\.\."),
        (dict(period_size=10**6), "a period of 1000000 frames"),
    ],
)
def test_refine_says_what_would_be_right(wish, message):
    values = dict(format="S16_LE", channels=2, rate=48000, period_size=480, periods=4) | wish
    with pytest.raises(InvalidArgument, match=message):
        hardware().refine(**values)


@pytest.mark.parametrize(
    "wrong", [dict(pcm_periods_min=1), dict(pcm_period_ms_min=0), dict(pcm_buffer_ms=19), dict(pcm_period_ms_max=81)]
)
def test_module_parameters_are_validated(wrong):
    with pytest.raises(InvalidArgument, match="virtsnd_pcm_validate"):
        ModuleParams(**wrong)


@pytest.mark.parametrize(
    "delay_ns,rate,frames",
    [
        (0, 48000, 0),
        (437_500, 48000, 21),
        (10_416, 48000, 0),
        (10_417, 48000, 1),
        (500_000, 5512.5, 3),
        (1e6, 192000, 192),
    ],
)
def test_latency_is_the_nearest_whole_frame(delay_ns, rate, frames, make_world):
    assert latency_frames(delay_ns, rate) == frames
    assert latency_bytes(delay_ns, rate, 6) == 6 * frames
    stream = make_world(converter_delay_ns=delay_ns).stream
    stream.params = type("P", (), {"frame_bytes": 6})()
    stream._device.clock.set_rate(int(snd.rate_of(rate)), 0)
    assert stream.latency_bytes() == 6 * frames


def test_budget_by_hand():
    path = Path(48000, 120, 4, 437.5e-6, wake_s=50e-6)
    assert path.continuous_s() == pytest.approx(360 / 48000 + 387.5e-6)
    assert path.continuous_s(119) == pytest.approx(479 / 48000 + 387.5e-6)
    assert path.underrun_margin_s() == pytest.approx(7.5e-3)
    assert path.cold_s(0, 1e-3) == pytest.approx((1.4375e-3, 1.4375e-3 + 1 / 48000))
    assert told_s(381, 48000, 50e-6) == pytest.approx(path.continuous_s())
    assert honesty_bound_s(48000) == pytest.approx(10.417e-6, rel=1e-3)
    for wrong in (dict(rate_hz=0), dict(period_size=0), dict(converter_delay_s=-1)):
        with pytest.raises(ValueError):
            Path(**(dict(rate_hz=48000, period_size=1, periods=1, converter_delay_s=0) | wrong))
    with pytest.raises(ValueError, match="frame 120"):
        path.continuous_s(120)
