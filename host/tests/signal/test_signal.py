# SPDX-License-Identifier: Apache-2.0
"""Estimators on made-up captures: unbiased, at the bound, no aliasing, every seeded fault, no false alarm."""

import numpy as np
import pytest

from tests.signal.synthetic import play
from virtone.signal import integrity, latency, stimulus
from virtone.signal.bitexact import compare
from virtone.signal.capture import Capture, CaptureError, Channel, load_captures, save_captures


def bound(code, rate, noise_v, sample_rate=500e3):
    """Cramér-Rao bound from the derivative of the played waveform in the estimator's band, white noise known."""
    clean = play(stimulus.burst(code, rate), rate, delay_s=3e-3, noise_v=0, bits=24).volts("1")
    f = np.fft.rfftfreq(len(clean), 1 / sample_rate)
    low, high = latency.band(rate)
    spectrum = np.where((f >= low) & (f <= high), np.fft.rfft(clean), 0)
    slope = np.fft.irfft(spectrum * 2j * np.pi * f, len(clean))
    return noise_v / np.sqrt((slope**2).sum())


@pytest.mark.parametrize("rate", [44100, 48000, 192000])
def test_delay_is_unbiased_and_at_the_bound(rate):
    noise, rng = 0.05, np.random.default_rng(4)
    errors, predicted = [], []
    for seed in range(150):
        delay = 3e-3 + rng.uniform(0, 5e-5)
        d = latency.estimate(
            play(stimulus.burst(7, rate), rate, delay_s=delay, noise_v=noise, seed=seed, bits=24), "1", rate, 7
        )
        errors.append(d.t_s - delay)
        predicted.append(d.sigma_s)
    sigma = bound(7, rate, noise)
    assert np.std(errors) < 1.2 * sigma
    assert abs(np.mean(errors)) < 4 * sigma / np.sqrt(len(errors))
    assert 0.85 < np.mean(predicted) / sigma < 1.25


def test_the_code_that_was_played_is_named_and_the_expected_one_refused():
    capture = play(stimulus.burst(11, 48000), 48000, delay_s=3e-3, noise_v=0.01)
    d = latency.estimate(capture, "1", 48000, 10, range(30))
    assert d.code == 11 and d.confidence > 0.95 and d.runner_up < 0.5
    assert latency.estimate(capture, "1", 48000, 10).confidence < latency.CONFIDENCE_MIN


@pytest.mark.parametrize("ppm", [-200, 60])
def test_a_clock_offset_is_corrected(ppm):
    capture = play(stimulus.burst(3, 48000), 48000, delay_s=3e-3, ppm=ppm, noise_v=1e-4)
    assert abs(latency.estimate(capture, "1", 48000, 3, clock_ppm=ppm).t_s - 3e-3) < 2e-9
    assert abs(latency.estimate(capture, "1", 48000, 3).t_s - 3e-3) > 1e-7  # seeded: the correction matters


def test_an_inverted_output_has_the_same_delay():
    d = latency.estimate(play(-stimulus.burst(3, 48000), 48000, delay_s=3e-3), "1", 48000, 3)
    assert abs(d.t_s - 3e-3) < 5e-9 and d.gain < 0


def test_unusable_captures_say_what_is_missing():
    x = stimulus.burst(1, 48000)
    with pytest.raises(latency.EstimateError, match="cut by the capture's edge"):
        latency.estimate(play(x, 48000, delay_s=-0.9e-3), "1", 48000, 1)
    with pytest.raises(latency.EstimateError, match="samples/s"):
        latency.estimate(play(x, 48000, sample_rate_hz=50e3), "1", 48000, 1)
    with pytest.raises(latency.EstimateError, match="flat"):
        latency.estimate(Capture(0, 2e-6, {"1": Channel(np.zeros(9000, dtype=np.int16), 1.0)}), "1", 48000, 1)


@pytest.mark.parametrize("rate", [44100, 48000, 96000, 192000])
@pytest.mark.parametrize("seed", range(6))
def test_clean_material_raises_no_alarm_and_gives_the_clock(rate, seed):
    ppm = float(np.random.default_rng(seed).uniform(-300, 300))
    result = integrity.check(
        play(stimulus.material(rate // 3, rate, seed), rate, ppm=ppm, seed=seed, noise_v=2e-3),
        "1",
        rate,
        rate // 3,
        seed,
    )
    assert result.faults == ()
    assert abs(result.clock_ppm - ppm) < max(5 * result.clock_sigma_ppm, 0.02)


@pytest.mark.parametrize("fault", ["lost", "repeated", "gap"])
@pytest.mark.parametrize(("rate", "frames"), [(48000, 480), (48000, 48), (44100, 441), (96000, 96), (192000, 96)])
@pytest.mark.parametrize("place", [4001, 5120, 7777])
def test_every_seeded_fault_is_found_once_and_placed(fault, rate, frames, place):
    count = max(rate // 3, 16000)
    x = stimulus.faulty_material(count, rate, fault, place, frames, 9)
    faults = integrity.check(play(x, rate, ppm=20), "1", rate, count, 9).faults
    assert [f.kind for f in faults] == [fault]
    slack = 3 * stimulus.hold_frames(rate) + 2
    assert abs(faults[0].at_frame - place) <= slack and abs(faults[0].frames - frames) <= (
        slack if fault == "gap" else 0
    )


def test_underrun_click_and_detune():
    m = stimulus.material(16000, 48000)
    late = np.concatenate((m[:5000], np.zeros(100, dtype=np.int32), m[5000:]))
    assert [(f.kind, f.at_frame, f.frames) for f in integrity.check(play(late, 48000), "1", 48000, 16000).faults] == [
        ("underrun", 5000, 100)
    ]
    assert [
        (f.kind, f.at_frame) for f in integrity.check(play(m, 48000, click=(1234, 0.05)), "1", 48000, 16000).faults
    ] == [("click", 1234)]
    fast = stimulus.faulty_material(16000, 48000, "detune", 0, 0)
    assert abs(integrity.check(play(fast, 48000), "1", 48000, 16000).clock_ppm - 50) < 0.05


def test_wrong_material_is_an_error():
    with pytest.raises(integrity.IntegrityError):
        integrity.check(play(stimulus.material(16000, 48000, 500), 48000), "1", 48000, 16000, 0)


def test_codes_are_a_gold_family():
    chips = np.array([stimulus.code_chips(k) for k in range(0, 2047, 23)], dtype=float)
    spectra = np.fft.rfft(chips, 256, axis=1)
    for i, spectrum in enumerate(spectra):
        peaks = np.abs(np.fft.irfft(spectra * spectrum.conj(), 256, axis=1)).max(axis=1)
        peaks[i] = 0
        assert peaks.max() < 0.4 * 127


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 192000])
def test_bursts_are_exact_in_every_format(rate):
    x = stimulus.interleave(stimulus.burst(5, rate), 2)
    assert len(x) == stimulus.burst_frames(rate) and x[0, 0] == 0
    for name in stimulus.FORMATS:
        assert np.array_equal(stimulus.from_bytes(stimulus.to_bytes(x, name), name, 2), x)


def test_shot_starts_spread_over_the_period():
    phases = np.diff(stimulus.shot_starts(400, 48000, 480, 60, 1)) % 480
    assert np.histogram(phases, 4, (0, 480))[0].min() > 60
    with pytest.raises(stimulus.StimulusError, match="spacing"):
        stimulus.shot_starts(4, 48000, 480, 5, 1)


def test_captures_survive_the_disk_and_show_damage(tmp_path):
    capture = play(stimulus.burst(1, 48000), 48000, meta={"a": 1})
    file = tmp_path / "x.npz"
    save_captures(file, [capture, capture])
    back = load_captures(file)
    assert (
        len(back) == 2
        and np.array_equal(back[1].channels["1"].codes, capture.channels["1"].codes)
        and back[0].meta == {"a": 1}
    )
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(CaptureError, match="not a readable capture"):
        load_captures(file)
    with pytest.raises(CaptureError, match="all of one length"):
        Capture(0, 1, {"1": Channel(np.zeros(3, np.int16), 1.0), "2": Channel(np.zeros(4, np.int16), 1.0)})


def test_bit_comparison():
    x = np.random.default_rng(1).integers(-9, 9, (500, 2)).astype(np.int32)
    wire = np.concatenate((np.zeros((70, 2), np.int32), x, np.zeros((9, 2), np.int32)))
    assert compare(x, wire).exact and compare(x, wire).start == 70
    bad = wire.copy()
    bad[300, 1] ^= 1
    assert (compare(x, bad).wrong, compare(x, bad).first_wrong) == (1, 230)
    assert compare(x, np.delete(wire, 300, axis=0)).wrong > 200  # a lost frame
    assert compare(x, wire[:400]).wrong > 150  # cut short
    assert compare(x, np.concatenate((wire, x[:5]))).surplus == 5
    assert compare(x, np.zeros((900, 2), np.int32)).start is None
