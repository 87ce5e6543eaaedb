# SPDX-License-Identifier: Apache-2.0
"""Send a WAV file through the device and compare every frame at the I2S pins.

Takes PCM WAV of 16, 24 or 32 bits, one or two channels. Exit codes: 0 bit-exact, 1 not, 2 unusable file or bench.
"""

from __future__ import annotations

import argparse
import struct
from pathlib import Path

import numpy as np
import soundfile

from virtone.bench.config import load_bench
from virtone.bench.errors import BenchError
from virtone.bench.session import open_bench
from virtone.signal.bitexact import Comparison, compare
from virtone.signal.stimulus import interleave, to_bytes

from ..certify.plan import RATES

KINDS = {"PCM_16": "S16", "PCM_24": "S24_3", "PCM_32": "S32"}


class WavError(BenchError):
    """A file that cannot be played: says what it is and what would be right."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="PCM WAV, 16, 24 or 32 bits, 1 or 2 channels")
    parser.add_argument(
        "--bench",
        type=Path,
        default=Path("hil/benches/virtual.toml"),
        help="bench file with an I2S analyzer (default: %(default)s)",
    )
    parser.add_argument("--seconds", type=float, default=None, help="play only the first so many seconds")
    parser.add_argument("--period-ms", type=float, default=10.0, help="period in ms (default: 10)")
    parser.add_argument("--periods", type=int, default=4, help="periods in the buffer (default: 4)")
    parser.add_argument(
        "--policy", choices=("ack", "requeue"), default="ack", help="how the guest queues periods (default: ack)"
    )


def read_wav(path: Path, seconds: float | None = None) -> tuple[np.ndarray, int, str]:
    """(int32 left-justified frames (n, channels), rate, sample format). Raises WavError."""
    try:
        _check_whole(path)
        with soundfile.SoundFile(path) as file:
            if file.format not in ("WAV", "WAVEX") or file.subtype not in KINDS or file.channels not in (1, 2):
                raise WavError(
                    f"{path}: {file.format} {file.subtype}, {file.channels} channels; right is PCM WAV of 16, 24 or 32 bits, 1 or 2 channels"
                )
            if file.samplerate not in RATES:
                raise WavError(f"{path}: {file.samplerate} Hz; right is one of {', '.join(map(str, RATES))}")
            count = -1 if seconds is None else max(1, int(seconds * file.samplerate))
            frames = file.read(count, dtype="int32", always_2d=True)
            rate, kind = file.samplerate, KINDS[file.subtype]
    except soundfile.LibsndfileError as error:
        raise WavError(f"{path}: {error.error_string.rstrip('.')}; right is a PCM WAV file") from None
    except OSError as error:
        raise WavError(f"{path}: {error.strerror}; right is a PCM WAV file that you may read") from None
    if not np.any(frames):
        raise WavError(
            f"{path}: is empty or silent throughout; right is a file with sound, so that frames can be compared"
        )
    return frames, rate, kind


def _check_whole(path: Path) -> None:
    """Is every chunk of a RIFF file there (libsndfile plays what is left of a cut one)? Raises WavError. Source: RIFF, WAVE (IBM and
    Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", chapter 2)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if not size:
            raise WavError(f"{path}: is empty; right is a PCM WAV file")
        if file.read(4) != b"RIFF":
            return  # libsndfile says what it is
        place = 12
        while place + 8 <= size:
            file.seek(place)
            name, length = struct.unpack("<4sI", file.read(8))
            if place + 8 + length > size:
                raise WavError(
                    f"{path}: is truncated: its chunk {name.decode('latin-1')!r} announces {length} bytes, {size - place - 8} are there; "
                    "right is the whole file: copy or export it again"
                )
            place += 8 + length + length % 2


def run(options: argparse.Namespace) -> int:
    frames, rate, kind = read_wav(options.file, options.seconds)
    period = max(8, round(options.period_ms * rate / 1000))
    if not 2 <= options.periods <= 64:
        raise WavError(f"--periods {options.periods}: 2..64 is right")
    config = load_bench(options.bench)
    if "i2s" not in config.instruments:
        raise WavError(f"{options.bench}: no [instruments.i2s]; right is a bench with an analyzer at the I2S pins")
    seconds = len(frames) / rate
    print(f"{options.file.name}: {len(frames)} frames, {frames.shape[1]} channels, {kind}, {rate} Hz, {seconds:.2f} s")
    with open_bench(config) as bench:
        analyzer = bench.instruments["i2s"]
        bench.board.put("play.pcm", to_bytes(frames, kind), 60 + bench.seconds(seconds))
        analyzer.start()
        bench.board.probe(
            "play",
            timeout_s=config.console.timeout_s + bench.seconds(seconds + 2),
            source="play.pcm",
            rate=rate,
            format=kind,
            channels=frames.shape[1],
            period=period,
            periods=options.periods,
            policy=options.policy,
        )
        analyzer.stop()
        captured = analyzer.samples()
    wanted = frames if frames.shape[1] == 2 else interleave(frames[:, 0], 2)
    return tell(compare(wanted, captured), rate)


def tell(result: Comparison, rate: int) -> int:
    """Print a comparison; returns the exit code."""
    if result.start is None:
        print("NOT BIT-EXACT: only silence at the I2S pins")
        return 1
    print(f"frames compared: {result.frames}, different: {result.wrong}, surplus after the end: {result.surplus}")
    if result.exact:
        print("BIT-EXACT at the I2S pins")
        return 0
    where = (
        f", first at frame {result.first_wrong} ({result.first_wrong / rate:.4f} s)"
        if result.first_wrong is not None
        else ""
    )
    print(f"NOT BIT-EXACT{where}")
    return 1
