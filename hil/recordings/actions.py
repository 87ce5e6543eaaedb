# SPDX-License-Identifier: Apache-2.0
"""What the user did while a recording was made, twice: as shell commands for the Linux board, and with the reference driver.

Promise: both halves of an action ask the same of the driver, call by call: `aplay` opens, sets parameters (ALSA prepares right after
that), writes periods, the last one filled up with silence, drains and closes. Where the user's timing decides what happens (when
he pauses, when he kills the player), the reference driver is given the moment that was recorded, as the number of messages
exposed until then (`Told`).

User's duty: actions in the order of `ACTIONS`, each once: one section of a recording each, after the first, `probe`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from virtone.model.driver import SoundDriver
from virtone.model.errors import Xrun
from virtone.model.pcm_core import Pcm

NOISE, NOISE_BYTES = "noise.raw", 36_480  # 9120 frames of S16 stereo: 19 periods of 480
BRIEF, BRIEF_BYTES = "brief.raw", 1_200  # 300 frames: less than a period
LARGE, LARGE_BYTES = "large.raw", 184_000  # 46000 frames of S16 stereo: some of its 47 pages are neighbours in memory
PACKED, PACKED_BYTES = "packed.raw", 12_999  # 4333 frames of packed 24 bits, mono


@dataclass(frozen=True)
class Sound:
    """What `aplay` is told of a raw file; sizes in frames."""

    file: str = NOISE
    size: int = NOISE_BYTES
    format: str = "S16_LE"
    channels: int = 2
    rate: int = 48000
    period: int = 480
    periods: int = 4

    @property
    def frame_bytes(self) -> int:
        return {"S16_LE": 2, "S24_3LE": 3}[self.format] * self.channels

    @property
    def chunks(self) -> int:
        """Periods that `aplay` writes: the last one is filled up with silence, and is silence if the file ends with a period."""
        return self.size // self.frame_bytes // self.period + 1

    def aplay(self, options: str = "") -> str:
        shape = f"--period-size={self.period} --buffer-size={self.period * self.periods}"
        return (
            f"aplay -D hw:0,0 {options} -t raw -f {self.format} -c {self.channels} -r {self.rate} {shape} {self.file}"
        )


@dataclass(frozen=True)
class Told:
    """Moments of the recording: tx messages exposed before each PCM command STOP of the section."""

    exposed_before_stop: tuple[int, ...]


Replay = Callable[[SoundDriver, Sound, Told], Awaitable[None]]


@dataclass(frozen=True)
class Action:
    """`guest`: shell commands in one line; `keys`: seconds of guest time after which keys are pressed while they run."""

    name: str
    guest: str
    replay: Replay
    sound: Sound = Sound()
    keys: tuple[tuple[float, str], ...] = ()


async def _open(driver: SoundDriver, sound: Sound) -> Pcm:
    pcm = driver.pcm()
    await pcm.open()
    await pcm.hw_params(
        format=sound.format, channels=sound.channels, rate=sound.rate, period_size=sound.period, periods=sound.periods
    )
    await pcm.prepare()
    return pcm


async def _write(pcm: Pcm, sound: Sound, chunks: int) -> None:
    for _ in range(chunks):
        await pcm.writei(b"\x55" * (sound.period * sound.frame_bytes))


async def _play(driver: SoundDriver, sound: Sound, _: Told) -> None:
    pcm = await _open(driver, sound)
    await _write(pcm, sound, sound.chunks)
    await pcm.drain()
    await pcm.close()


async def _pause(driver: SoundDriver, sound: Sound, told: Told) -> None:
    pcm = await _open(driver, sound)
    before = told.exposed_before_stop[0]
    await _write(pcm, sound, before)
    await pcm.pause()
    await driver.port.sleep_ns(50e6)
    await pcm.pause(False)
    await _write(pcm, sound, sound.chunks - before)
    await pcm.drain()
    await pcm.close()


async def _xrun(driver: SoundDriver, sound: Sound, told: Told) -> None:
    pcm = await _open(driver, sound)
    before = told.exposed_before_stop[0]
    await _write(pcm, sound, before)
    await driver.port.sleep_ns(200e6)
    try:
        await _write(pcm, sound, 1)
    except Xrun:
        await pcm.prepare()
    await _write(pcm, sound, sound.chunks - before)
    await pcm.drain()
    await pcm.close()


async def _kill(driver: SoundDriver, sound: Sound, told: Told) -> None:
    pcm = await _open(driver, sound)
    await _write(pcm, sound, told.exposed_before_stop[0])
    await pcm.kill()


async def _remove(driver: SoundDriver, _: Sound, __: Told) -> None:
    await driver.remove()


async def _probe(driver: SoundDriver, _: Sound, __: Told) -> None:
    await driver.probe()


_GONE = "while pidof aplay > /dev/null; do usleep 10000; done"
_STOPPED = "{aplay} & p=$!; usleep 90000; kill -STOP $p; usleep 150000; kill -CONT $p; " + _GONE
_KILLED = "{aplay} & p=$!; usleep 90000; kill -KILL $p; " + _GONE

_LARGE = Sound(LARGE, LARGE_BYTES, rate=192000, period=6000, periods=10)  # drain starts it: the buffer is never full
_PACKED = Sound(PACKED, PACKED_BYTES, "S24_3LE", 1, 44100, 441, 3)
ACTIONS = (
    Action("play", Sound().aplay(), _play),
    Action("play-again", Sound().aplay(), _play),
    Action("brief", Sound(BRIEF, BRIEF_BYTES).aplay(), _play, Sound(BRIEF, BRIEF_BYTES)),
    Action("pages", Sound(period=1500).aplay(), _play, Sound(period=1500)),
    Action("large", _LARGE.aplay(), _play, _LARGE),
    Action("packed", _PACKED.aplay(), _play, _PACKED),
    Action("pause", Sound().aplay("-i"), _pause, keys=((0.06, " "), (0.05, " "))),
    Action("xrun", _STOPPED.format(aplay=Sound().aplay()), _xrun),
    Action("kill", _KILLED.format(aplay=Sound().aplay()), _kill),
    Action("remove", "rmmod virtio_snd", _remove),
    Action("probe-again", "insmod /modules/virtio_snd.ko", _probe),
)
SECTIONS = ("probe", *(action.name for action in ACTIONS), "end")
FILES = {NOISE: NOISE_BYTES, BRIEF: BRIEF_BYTES, LARGE: LARGE_BYTES, PACKED: PACKED_BYTES}
