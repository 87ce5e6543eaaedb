# SPDX-License-Identifier: Apache-2.0
"""What a stream can do, seen through the driver: formats, rates, and the limits Linux derives from them.

Promise: `PcmHardware.from_info` gives the limits of sound/virtio/virtio_pcm.c (virtsnd_pcm_build_hw) for one
`virtio_snd_pcm_info`; `refine` turns wishes into `HwParams` inside them. Sizes are in bytes or frames as named.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from virtone.model.errors import InvalidArgument
from virtone.model.memory import PAGE_SIZE
from virtone.virtio import snd
from virtone.virtio.layout import Record

# ALSA's names for the virtio formats: little-endian ones of more than one byte say so.
ALSA_FORMATS: dict[str, int] = {}
for _format in snd.FORMATS:
    _name = _format.name.removeprefix(snd.FORMATS.prefix)
    _packed = _name.endswith("_3")
    _suffix = "" if _format.physical_width <= 8 else "LE" if _packed else "_LE"
    ALSA_FORMATS[_name + _suffix] = int(_format)

# Rates sound/virtio knows, in Hz; the two of virtio 1.4 and 384 kHz are not among them.
LINUX_RATES: dict[int, int] = {
    rate.nominal: int(rate) for rate in snd.RATES if int(rate) <= snd.VIRTIO_SND_PCM_RATE_192000
}
ALL_RATES: dict[int, int] = {rate.nominal: int(rate) for rate in snd.RATES}


@dataclass(frozen=True)
class ModuleParams:
    """Module parameters of snd_virtio with their defaults (milliseconds, counts)."""

    pcm_buffer_ms: int = 160
    pcm_periods_min: int = 2
    pcm_periods_max: int = 16
    pcm_period_ms_min: int = 10
    pcm_period_ms_max: int = 80
    msg_timeout_ms: int = 1000

    def __post_init__(self) -> None:
        legal = (
            2 <= self.pcm_periods_min <= self.pcm_periods_max
            and 0 < self.pcm_period_ms_min <= self.pcm_period_ms_max
            and self.pcm_buffer_ms >= self.pcm_periods_min * self.pcm_period_ms_min
            and self.pcm_period_ms_max <= self.pcm_buffer_ms // 2
            and self.msg_timeout_ms > 0
        )
        if not legal:
            raise InvalidArgument(f"{self} is not what snd_virtio accepts (virtsnd_pcm_validate)")


@dataclass(frozen=True)
class HwParams:
    """Chosen parameters; `format` is the ALSA name, sizes in frames."""

    format: str
    channels: int
    rate: int
    period_size: int
    periods: int

    @property
    def frame_bytes(self) -> int:
        return snd.frame_bytes(ALSA_FORMATS[self.format], self.channels)

    @property
    def buffer_size(self) -> int:
        return self.period_size * self.periods

    @property
    def period_bytes(self) -> int:
        return self.period_size * self.frame_bytes

    @property
    def buffer_bytes(self) -> int:
        return self.buffer_size * self.frame_bytes


@dataclass(frozen=True)
class PcmHardware:
    """Limits of one stream, as `struct snd_pcm_hardware` holds them."""

    features: int
    direction: int
    formats: tuple[str, ...]
    rates: dict[int, int] = field(repr=False)
    channels_min: int = 1
    channels_max: int = 1
    periods_min: int = 2
    periods_max: int = 16
    period_bytes_min: int = 0
    period_bytes_max: int = 0
    buffer_bytes_max: int = 0

    @classmethod
    def from_info(cls, info: Record, known_rates: dict[int, int], params: ModuleParams) -> PcmHardware:
        """`info` is an unpacked virtio_snd_pcm_info. Raises `InvalidArgument` for one Linux would refuse."""
        if not 0 < info.channels_min <= info.channels_max:
            raise InvalidArgument(f"channel range {info.channels_min}..{info.channels_max} of a stream is invalid")
        formats = tuple(name for name, code in ALSA_FORMATS.items() if info.formats >> code & 1)
        rates = {hz: code for hz, code in known_rates.items() if info.rates >> code & 1}
        if not formats or not rates:
            raise InvalidArgument("a stream offers no " + ("format" if not formats else "rate") + " this driver knows")
        sizes = [snd.FORMATS.of(ALSA_FORMATS[name]).physical_width // 8 for name in formats]
        sample_min, sample_max = min((s for s in sizes if s), default=0), max(sizes)
        slowest, fastest = min(rates) // 1000, max(rates) // 1000  # frames a millisecond, rounded down as Linux does
        largest = sample_max * info.channels_max * fastest
        return cls(
            features=info.features,
            direction=info.direction,
            formats=formats,
            rates=rates,
            channels_min=info.channels_min,
            channels_max=info.channels_max,
            periods_min=params.pcm_periods_min,
            periods_max=params.pcm_periods_max,
            period_bytes_min=sample_min * info.channels_min * params.pcm_period_ms_min * slowest,
            period_bytes_max=largest * params.pcm_period_ms_max,
            buffer_bytes_max=-(-largest * params.pcm_buffer_ms // PAGE_SIZE) * PAGE_SIZE,
        )

    def period_range(self, frame_bytes: int, periods: int = 2) -> tuple[int, int]:
        """Shortest and longest period in frames for frames of `frame_bytes` and a buffer of `periods`."""
        longest = min(self.period_bytes_max, self.buffer_bytes_max // periods) // frame_bytes
        return max(1, -(-self.period_bytes_min // frame_bytes)), longest

    def refine(
        self, format: str, channels: int, rate: int, period_size: int, periods: int = 4, near: bool = False
    ) -> HwParams:
        """Parameters inside the limits; `near` moves period and count into them, else that is an error."""
        if format not in self.formats:
            raise InvalidArgument(f"format {format!r}: the stream offers {', '.join(self.formats)}")
        if rate not in self.rates:
            raise InvalidArgument(f"rate {rate} Hz: the stream offers {', '.join(map(str, sorted(self.rates)))}")
        if not self.channels_min <= channels <= self.channels_max:
            raise InvalidArgument(f"{channels} channels: the stream offers {self.channels_min}..{self.channels_max}")
        if near:
            periods = min(max(periods, self.periods_min), self.periods_max)
        if not self.periods_min <= periods <= self.periods_max:
            raise InvalidArgument(f"{periods} periods: there must be {self.periods_min}..{self.periods_max}")
        frame_bytes = snd.frame_bytes(ALSA_FORMATS[format], channels)
        low, high = self.period_range(frame_bytes, periods)
        if near:
            period_size = min(max(period_size, low), high)
        if not low <= period_size <= high:
            raise InvalidArgument(f"a period of {period_size} frames: it must be {low}..{high} with {periods} periods")
        return HwParams(format, channels, rate, period_size, periods)
