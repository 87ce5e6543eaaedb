# SPDX-License-Identifier: Apache-2.0
"""The workloads, as data. A new one is a line here, and a function in the module of its family."""

from __future__ import annotations

from . import cycles, driver, endurance, pause, playback, speaker, xrun
from .workload import Workload

# What the board's kernel offers of the device's rates (Linux' virtio_snd ends its table at 192 kHz and has no 12 and 24 kHz).
RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000)
FORMATS = ("S16", "S24_3", "S32")
QUICK_CLIPS = {("S16", 2, 44100), ("S24_3", 1, 8000), ("S32", 2, 192000), ("S16", 1, 48000), ("S24_3", 2, 96000)}
_CLIP_S, _BUFFER_MS = 0.12, 40.0
_PANIC = "echo c > /proc/sysrq-trigger"
_DEFAULT_BUFFER_MS = 500.0  # what aplay asks for


def _clip(fmt: str, channels: int, rate: int) -> Workload:
    """A hundredth of a second a period, four of them."""
    shape = {"rate": rate, "fmt": fmt, "channels": channels, "seconds": _CLIP_S, "period": rate // 100}
    name = f"aplay {fmt} {'mono' if channels == 1 else 'stereo'} {rate}"
    quick = (fmt, channels, rate) in QUICK_CLIPS
    return Workload(name, "aplay", playback.aplay, 0.25, _BUFFER_MS, shape, playback.files, quick)


def _whole(name: str, rate: int, fmt: str, channels: int, seconds: float) -> Workload:
    """A recording of seconds, with the buffer that aplay takes when it is told nothing."""
    shape = {"rate": rate, "fmt": fmt, "channels": channels, "seconds": seconds, "period": 0}
    return Workload(name, "aplay", playback.aplay, 2.0, _DEFAULT_BUFFER_MS / 2, shape, playback.files)


WORKLOADS: tuple[Workload, ...] = (
    _whole("recording as it came", 48000, "S16", 1, 0),
    _whole("recording S24_3 stereo 96000", 96000, "S24_3", 2, 1.3),
    _whole("recording S32 stereo 44100", 44100, "S32", 2, 1.3),
    *(_clip(fmt, channels, rate) for fmt in FORMATS for channels in (1, 2) for rate in RATES),
    *(_clip("S24", 2, rate) for rate in (44100, 48000, 192000)),
    Workload("speaker-test recordings", "speaker-test", speaker.recordings, 4.0, 200),
    Workload("speaker-test sine 440 Hz, twice", "speaker-test", speaker.sine, 7.0, 200, {"hz": 440.0}),
    Workload("speaker-test pink noise, twice", "speaker-test", speaker.noise, 7.0, 200),
    Workload("pause and resume", "pause", pause.pause, 0.5, 40, {"frames": 9600, "pauses": 1}, pause.files, True),
    Workload("pause and resume, 5 times", "pause", pause.pause, 2.0, 40, {"frames": 48000, "pauses": 5}, pause.files),
    Workload("open and close, 10 times", "cycles", cycles.open_and_close, 0.6, 20, {"cycles": 10}, cycles.files, True),
    Workload("open and close, 200 times", "cycles", cycles.open_and_close, 10.0, 20, {"cycles": 200}, cycles.files),
    Workload("SIGSTOP until underrun", "xrun", xrun.starve, 0.6, 40, {"stops": 1}, xrun.files, True),
    Workload("SIGSTOP until underrun, 8 times", "xrun", xrun.starve, 2.5, 40, {"stops": 8}, xrun.files),
    Workload("rmmod while playing is refused", "driver", driver.rmmod_refused, 1.0, 40, {}, driver.files),
    Workload("player killed, rmmod, insmod", "driver", driver.rmmod, 0.6, 40, {}, driver.files, True),
    Workload("unbind virtio_snd", "driver", driver.unbind, 0.8, 40, {"driver": "virtio_snd"}, driver.files, True),
    Workload("unbind virtio-mmio", "driver", driver.unbind, 0.8, 40, {"driver": "virtio-mmio"}, driver.files),
    Workload("reboot while playing", "driver", driver.restart, 1.5, 40, {"command": "reboot -f"}, driver.files, True),
    Workload("kernel panic while playing", "driver", driver.restart, 1.5, 40, {"command": _PANIC}, driver.files),
    Workload(
        "noise, 0.5 s",
        "endurance",
        endurance.noise,
        1.0,
        endurance.STREAM.buffer_ms,
        {"seconds": 0.5},
        endurance.files,
        True,
    ),
    Workload(
        "noise, two minutes",
        "endurance",
        endurance.noise,
        121.0,
        endurance.STREAM.buffer_ms,
        {"seconds": 120.0},
        endurance.files,
    ),
)


def named(patterns: list[str]) -> tuple[Workload, ...]:
    """Workloads whose name or family contains one of the words, regardless of case. ValueError if one fits nothing."""
    for pattern in patterns:
        if not any(_fits(work, pattern) for work in WORKLOADS):
            families = ", ".join(sorted({work.family for work in WORKLOADS}))
            raise ValueError(f"no workload has {pattern!r} in its name; families are {families}")
    return tuple(work for work in WORKLOADS if any(_fits(work, pattern) for pattern in patterns))


def _fits(work: Workload, pattern: str) -> bool:
    return pattern.lower() in work.name.lower() or pattern.lower() == work.family
