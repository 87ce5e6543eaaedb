# SPDX-License-Identifier: Apache-2.0
"""Measures QEMU's own virtio-sound device and this project's RTL under the same kernel, QEMU and programs, side by side.

    python -m hil.peer                   trials of 10 s of guest time, 3 each: about a quarter of an hour
    python -m hil.peer --seconds 2       quick: about five

Status: 0 every bound is kept (or the Linux board cannot be had here: skipped, and it says why), 1 a bound is broken, 2 the command line
is wrong or the run failed, 3 a bound could not be judged. The outcome is in OUT/peer.json.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from hil.virtual.engine import TimeLimit, run_bounded
from hil.virtual.linux_board import packages
from hil.virtual.linux_board.errors import BoardError, BoardUnavailable
from virtone.bench.errors import BenchError

from . import guest, report
from .boards import QemuDevice, RtlDevice, Side
from .sink import watch_for
from .trace import TraceError
from .trials import FIGURES_S, RATE, Bench, Noise, Search, Shape, sources

ROOT = Path(__file__).resolve().parents[2]
COMMON = Shape(480, 4)  # what both can play: 10 ms x 4
DILATION = 20.0  # at 1 ms of buffer the emulated processor has half a millisecond for whatever it does: 10 ms of this machine's
_BUILD_LIMIT_S = 600
_SIDES = ("qemu", "virtone")


def noise(seconds: float) -> Noise:
    """Random frames, none of them silent, the same in every run."""
    return np.random.default_rng(7).integers(1, 32768, (round(seconds * RATE), 2), dtype=np.int16)


def build_sndprobe() -> Path:
    """The program on the board, for arm64."""
    folder = ROOT / ".build" / "peer"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "sndprobe.log"
    log.unlink(missing_ok=True)
    made = ROOT / ".build" / "sndprobe" / "arm64" / "sndprobe"
    command = ["make", "-s", "-C", str(ROOT / "hil" / "guest" / "sndprobe"), "arm64", f"OUT={made.parents[1]}"]
    status = run_bounded(command, cwd=ROOT, env=os.environ, log=log, timeout_s=_BUILD_LIMIT_S)
    if status or not made.exists():
        said = log.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing"]
        raise BoardUnavailable(f"sndprobe cannot be built for the board; make said: {said[0]}")
    return made


def measure(make: Callable[[], Side], words: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Everything about one board."""
    load = os.getloadavg()[0]
    with make() as side:
        say(
            f"{side.name}: booted; guest time is wall time / {side.dilation:g}; load {load:.1f} on {os.cpu_count()} processors"
        )
        offers = guest.offers(side)
        bench = Bench(side, watch_for(side), noise(words.seconds), say)
        common = bench.figures(COMMON)
        search = bench.search(words.trials)
        smallest = bench.figures(search.smallest) if search.smallest else None
        return {
            "name": side.name,
            "dilation": side.dilation,
            "offers": offers,
            "common": common,
            "search": _search(search),
            "smallest": smallest,
            "load_before": load,
            "load_after": os.getloadavg()[0],
        }


def _search(search: Search) -> dict[str, Any]:
    tried = [
        {"period": t.shape.period, "periods": t.shape.periods, "buffer_ms": t.shape.buffer_ms, **_flat(asdict(t))}
        for t in search.tried
    ]
    size = search.smallest
    return {
        "smallest": [size.period, size.periods] if size else None,
        "two_periods": search.two_periods(report.MOST_BUFFER_MS),
        "tried": tried,
    }


def _flat(tried: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tried.items() if key != "shape"}


def notes(result: dict[str, Any]) -> list[str]:
    """What a reader must know to judge the table."""
    said = [
        f"Trials of {result['seconds']:g} s of guest time, {result['trials']} a shape; figures from as much at N = 1, else from {min(FIGURES_S, result['seconds']):g} s. "
        f"Load of the machine before and after each board: "
        + "; ".join(f"{s['name']} {s['load_before']:.1f} and {s['load_after']:.1f}" for s in result["sides"].values())
        + f" on {result['processors']} processors.",
        "No module parameter is given: periods and buffers are what the driver derives from what the device offers.",
    ]
    if report.OURS in result["sides"]:
        n = result["sides"][report.OURS]["dilation"]
        said.append(
            f"The RTL is simulated and guest time stretched by {n:g}: the emulated processor does {n:g} times the work in a second of "
            f"guest time, and other programs of this machine disturb it {n:g} times less; simulation and guest wait for each other where "
            f"the machine runs only one of them. Figures at the guest's wake-ups and the smallest buffer profit from that; those at the used "
            f"ring and at the pins are simulated time and do not."
        )
    if "qemu" in result["sides"]:
        said.append(
            "QEMU's device runs in real time and its host timer feels the load of this machine. Its sink is the host back end `wav` at "
            "48 kHz, taken as a sound card without a buffer of its own. Its notifications are counted where QEMU takes them."
        )
    return said


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hil.peer", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="guest time of a trial, 1 to 20 (default 10)")
    parser.add_argument("--trials", type=int, default=3, help="trials that must all be clean, 1 to 10 (default 3)")
    parser.add_argument(
        "--dilation", type=float, default=DILATION, help=f"of the RTL's guest time (default {DILATION:g})"
    )
    parser.add_argument("--side", choices=_SIDES, action="append", help="measure this one only (default both)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for peer.json (default out)")
    parser.add_argument("--sndprobe", type=Path, help="an arm64 sndprobe (default: build it)")
    words = parser.parse_args(argv)
    if not 1 <= words.seconds <= 20:
        parser.error(f"--seconds {words.seconds:g}; right is 1 to 20")
    if not 1 <= words.trials <= 10:
        parser.error(f"--trials {words.trials}; right is 1 to 10")
    if words.sndprobe is not None and not words.sndprobe.is_file():
        parser.error(f"--sndprobe {words.sndprobe}: there is no such file")
    return words


def run(words: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure what was asked for. BoardError, BenchError, TraceError."""
    parts = packages.obtain()
    files: dict[str, bytes | Path] = {
        "usr/bin/sndprobe": words.sndprobe or build_sndprobe(),
        **{f"root/{name}": frames.tobytes() for name, frames in sources(noise(words.seconds)).items()},
    }
    made: dict[str, Callable[[], Side]] = {
        "qemu": lambda: QemuDevice(parts, files),
        "virtone": lambda: RtlDevice(parts, files, words.dilation),
    }
    result: dict[str, Any] = {
        "format": 1,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": words.seconds,
        "trials": words.trials,
        "processors": os.cpu_count(),
        "versions": parts.versions,
        "sides": {key: measure(made[key], words, say) for key in words.side or _SIDES},
    }
    ours = result["sides"].get(report.OURS)
    result["bounds"] = [asdict(bound) for bound in report.bounds(ours)] if ours else []
    result["notes"] = notes(result)
    return result


def main(argv: list[str] | None = None) -> int:
    words = parse(argv)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        result = run(words, lambda text: errors.print(f"peer: {text}", markup=False))
        file = words.out / "peer.json"
        report.store(result, file)
    except BoardUnavailable as error:
        errors.print(f"peer: skipped, no Linux board on this machine: {error}", markup=False)
        return 0
    except (BoardError, BenchError, TraceError, TimeLimit, OSError, subprocess.SubprocessError) as error:
        errors.print(f"error: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        errors.print("peer: interrupted")
        return 130
    with contextlib.suppress(BrokenPipeError):
        report.show(result, Console(width=None if sys.stdout.isatty() else 160))
        print(f"peer: stored in {file}")
    verdicts = {bound["verdict"] for bound in result["bounds"]}
    return 1 if report.FAIL in verdicts else 3 if report.INCONCLUSIVE in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
