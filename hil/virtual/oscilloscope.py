# SPDX-License-Identifier: Apache-2.0
"""Acquisition core of the virtual two-channel oscilloscope: channel 1 the codec's output, channel 2 marker pin 0.

Promises: triggers only on marker edges that come after the pre-trigger time has filled, re-arms for further segments after
the record (and holdoff), keeps what each record needs out of the ring the moment it is complete, and turns records into ADC
codes on demand. Time zero of a record is the trigger point, found by interpolation; the instrument's clock is off by
`timebase_ppm` (it reads t*(1+ppm)), its ADC has 12 bits and noise. Everything random comes from `seed`.
Its user (a dialect) sets the settings, calls `arm`, and calls `poll` now and then; all of it under one lock.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from .codec import Codec
from .ring_source import Overrun, RingSource

ADC_BITS = 12
MEMORY_POINTS = 4_000_000  # shared by the segments
RATE_STEPS = (1.0, 2.0, 2.5, 4.0, 5.0, 8.0)  # of each decade
MAX_RATE_HZ = 5e9
LOGIC_HIGH_V = 3.3
SLEW_S = 5e-9  # 0 to 100 % of a marker edge
DIVISIONS_X, DIVISIONS_Y = 10, 8
CHUNK = 1 << 18  # samples computed at a time
SETTLE_PS = 200e6  # a frame is in the ring when its last bit has passed: at most one frame (5512.5 Hz) after its stamp
AUTO_TRIGGER_S = 0.05  # auto sweep: a trigger of its own after this much simulated time


@dataclass
class Vertical:
    """One channel's front end."""

    display: bool = True
    range_v: float = 8.0  # full screen
    offset_v: float = 0.0  # at the centre of the screen
    coupling: str = "DC"
    bandwidth_limit: bool = False
    probe: float = 1.0
    impedance: str = "ONEM"


@dataclass
class Settings:
    """What the front panel shows."""

    channels: dict[int, Vertical] = field(default_factory=lambda: {1: Vertical(), 2: Vertical()})
    span_s: float = 1e-3  # full screen, 10 divisions
    position_s: float = 0.0  # time from the trigger to the reference point
    reference: str = "CENT"  # where on the screen the reference point is
    trigger_source: int = 1
    trigger_level_v: float = 0.0
    trigger_slope: str = "POS"
    sweep: str = "AUTO"
    holdoff_s: float = 40e-9
    segmented: bool = False
    segment_count: int = 25

    @property
    def start_s(self) -> float:
        """First instant of the record, in seconds after the trigger."""
        return self.position_s - {"LEFT": 0.1, "CENT": 0.5, "RIGH": 0.9}[self.reference] * self.span_s

    @property
    def stop_s(self) -> float:
        return self.start_s + self.span_s

    @property
    def rate_hz(self) -> float:
        """Sample rate: the fastest step whose record fits the memory that a segment has."""
        room = MEMORY_POINTS / (self.segment_count if self.segmented else 1)
        limit = min(MAX_RATE_HZ, room / self.span_s * (1 + 1e-9))
        decade = 10.0 ** math.floor(math.log10(limit))
        return decade * max(step for step in RATE_STEPS if decade * step <= limit)

    @property
    def points(self) -> int:
        """Samples in one record."""
        return max(1, round(self.span_s * self.rate_hz))


@dataclass
class Segment:
    """One record as it left the wire: enough to compute any sample of it."""

    trigger_ps: float
    first_s: float  # instrument time of sample 0 (the sample clock runs free of the trigger)
    rate_hz: float
    points: int
    frames: np.ndarray
    markers: np.ndarray
    number: int  # of all records ever taken: seeds its noise


class Oscilloscope:
    """The instrument without its command language."""

    def __init__(self, source: RingSource, codec: Codec, *, timebase_ppm: float = 0.8, noise_lsb: float = 0.7, seed: int = 1,
                 audio: str = "left") -> None:  # fmt: skip
        self.source, self.codec, self.timebase_ppm, self.noise_lsb, self.seed = (
            source,
            codec,
            timebase_ppm,
            noise_lsb,
            seed,
        )
        if audio not in ("left", "right"):
            raise ValueError(f"audio channel {audio!r}; right is left or right")
        self.audio = audio
        self.blind = False  # seeded fault: no trigger is ever seen
        self.settings = Settings()
        self.segments: list[Segment] = []
        self.running = False
        self.armed_event = False  # pre-trigger time has filled (InfiniiVision :AER?)
        self.trigger_event = False  # a trigger came (:TER?)
        self.lost: str | None = None  # why a record could not be kept
        self._arming = False
        self._records = 0
        self._earliest_ps = 0.0
        self._trigger_ps: float | None = None
        self._force = False
        self._edges: deque[tuple[int, int]] = deque()  # (time_ps, level) of changes of pin 0 not looked at yet
        self._marker_next = 0
        self._level = 0

    # -- control ----------------------------------------------------------------------------------------------------
    def arm(self) -> None:
        """Begin one acquisition (all its segments)."""
        self.segments, self._trigger_ps, self.lost = [], None, None
        self.armed_event = self.trigger_event = self._force = False
        self._marker_next = self.source.markers_written
        self._edges.clear()
        self._level = int(self.source.markers(self._marker_next - 1, 1)["pins"][0]) & 1 if self._marker_next else 0
        self._earliest_ps = self.source.now_ps + self._true_ps(max(0.0, -self.settings.start_s))
        self.source.want(math.ceil(self._earliest_ps))
        self.running = self._arming = True

    def stop(self) -> None:
        """End the acquisition; records that are complete stay."""
        self.poll()
        self.running = False

    def force(self) -> None:
        """Trigger now."""
        self._force = True

    @property
    def wanted_segments(self) -> int:
        return self.settings.segment_count if self.settings.segmented else 1

    def poll(self) -> None:
        """Take notice of what has happened on the wire since the last call."""
        while self.running:
            now = self.source.now_ps
            if self._arming and now >= self._earliest_ps:
                self._arming, self.armed_event = False, True
            self._collect()
            if self._trigger_ps is None:
                self._trigger_ps = self._find_trigger(now)
                if self._trigger_ps is None:
                    return
                self.trigger_event = True
            end = self._trigger_ps + self._true_ps(self.settings.stop_s)
            if now < end + SETTLE_PS:
                self.source.want(math.ceil(end + SETTLE_PS))
                return
            self._keep(self._trigger_ps)
            self._earliest_ps = max(
                end + self._true_ps(max(0.0, -self.settings.start_s)),
                self._trigger_ps + self._true_ps(self.settings.holdoff_s),
            )
            self._trigger_ps = None
            if self.lost or len(self.segments) >= self.wanted_segments:
                self.running = False
            else:
                self.source.want(math.ceil(self._earliest_ps))

    # -- records ----------------------------------------------------------------------------------------------------
    def codes(self, segment: Segment, channel: int, decimate: int = 1) -> tuple[np.ndarray, float]:
        """ADC codes (int32, 0..4095, mid-scale 2048) of every `decimate`-th sample, and volts per code."""
        front = self.settings.channels[channel]
        lsb = front.range_v / 2**ADC_BITS
        mean = self._mean(segment, channel, decimate) if front.coupling == "AC" else 0.0
        noise = np.random.default_rng((self.seed, segment.number, channel, decimate))
        codes = np.empty(-(-segment.points // decimate), np.int32)
        for part in range(0, len(codes), CHUNK):  # a whole memory at once would be hundreds of megabytes of doubles
            at_s = self._instants(segment, np.arange(part, min(part + CHUNK, len(codes))) * decimate)
            volts = self._volts(segment, channel, at_s) - mean
            exact = (volts - front.offset_v) / lsb + self.noise_lsb * noise.standard_normal(len(volts))
            codes[part : part + CHUNK] = np.clip(np.rint(exact) + 2 ** (ADC_BITS - 1), 0, 2**ADC_BITS - 1)
        return codes, lsb

    def _mean(self, segment: Segment, channel: int, decimate: int) -> float:
        """What AC coupling takes away, from some 10,000 samples."""
        samples = np.arange(0, segment.points, max(decimate, segment.points // 10_000))
        return float(np.mean(self._volts(segment, channel, self._instants(segment, samples))))

    def _instants(self, segment: Segment, samples: np.ndarray) -> np.ndarray:
        """True seconds after the trigger of sample numbers: the instrument's clock is off by timebase_ppm."""
        return (segment.first_s + samples / segment.rate_hz) / (1 + self.timebase_ppm * 1e-6)

    def _volts(self, segment: Segment, channel: int, at_s: np.ndarray) -> np.ndarray:
        origin = math.floor(segment.trigger_ps)
        at_s = at_s + (segment.trigger_ps - origin) * 1e-12
        if channel == 1:
            return self.codec.output(segment.frames["time_ps"], segment.frames[self.audio], origin, at_s, self.seed)
        pins = (segment.markers["pins"] & 1).astype(float)
        if not len(pins):
            return np.zeros(len(at_s))
        begin = (segment.markers["time_ps"].astype(np.int64) - origin) * 1e-12
        end = np.minimum(begin + SLEW_S, np.append(begin[1:], np.inf))
        before = np.concatenate(([0.0 if pins[0] else pins[0]], pins[:-1]))
        knots, levels = np.ravel(np.column_stack((begin, end))), np.ravel(np.column_stack((before, pins)))
        return LOGIC_HIGH_V * np.interp(at_s, knots, levels)

    def _random(self) -> np.random.Generator:
        """What is random about the next record does not depend on how often anybody asked."""
        return np.random.default_rng((self.seed, self._records))

    def _true_ps(self, instrument_s: float) -> float:
        """True picoseconds that pass while the instrument's clock counts `instrument_s`."""
        return instrument_s * 1e12 / (1 + self.timebase_ppm * 1e-6)

    def _collect(self) -> None:
        """Fetch new marker changes; keep those of pin 0."""
        written = self.source.markers_written
        if written == self._marker_next:
            return
        for time_ps, pins, _ in self.source.markers(self._marker_next, written - self._marker_next).tolist():
            if (pins & 1) != self._level:
                self._level = pins & 1
                self._edges.append((time_ps, self._level))
        self._marker_next = written

    def _find_trigger(self, now: int) -> float | None:
        """True time of the next trigger point, with the interpolator's jitter (50 ps)."""
        if self.blind:
            self._edges.clear()
            return None
        jitter = 50.0 * self._random().standard_normal()
        if self._force and now >= self._earliest_ps:
            self._force = False
            return now + jitter
        wanted = {"POS": (1,), "NEG": (0,), "EITH": (0, 1)}[self.settings.trigger_slope]
        level = self.settings.trigger_level_v / LOGIC_HIGH_V
        while self._edges and self.settings.trigger_source == 2 and 0 < level < 1:
            time_ps, high = self._edges.popleft()
            crossing = time_ps + SLEW_S * 1e12 * (level if high else 1 - level)
            if high in wanted and crossing >= self._earliest_ps:
                return crossing + jitter
        if self.settings.sweep == "AUTO" and now >= self._earliest_ps + AUTO_TRIGGER_S * 1e12:
            return now + jitter
        return None

    def _keep(self, trigger_ps: float) -> None:
        """Copy what the record of this trigger is made of out of the ring."""
        settings = self.settings
        start = trigger_ps + self._true_ps(settings.start_s)
        stop = trigger_ps + self._true_ps(settings.stop_s)
        try:
            frames = self.source.frames_between(
                math.floor(max(0.0, start - self.codec.memory_s * 1e12)), math.ceil(stop) + 1
            )
            markers = self.source.markers_between(max(0, math.floor(start)), math.ceil(stop) + 1)
        except (Overrun, IndexError) as error:
            self.lost = str(error)
            return
        first_s = settings.start_s + self._random().random() / settings.rate_hz
        self._records += 1
        self.segments.append(
            Segment(trigger_ps, first_s, settings.rate_hz, settings.points, frames, markers, self._records)
        )
