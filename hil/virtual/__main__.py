# SPDX-License-Identifier: Apache-2.0
"""`python -m hil.virtual`: start a virtual bench, print one JSON line when it is ready, serve it until told to end.

It ends when standard input ends, on SIGTERM or SIGINT, when the process `--parent-pid` ends, or (status 1) when the simulation dies.
The line on standard output is `{"ready": true, "console": ..., "instruments": {NAME: VISA resource}, ...}`; all else goes to
standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import sys
from pathlib import Path

from virtone.certify.pace import LARGEST

from .benched import BOARDS
from .codec import CODECS, CodecError
from .faults import KINDS as FAULTS
from .faults import Faults
from .supervisor import BenchDied, BenchOptions, VirtualBench


def _number(low: float, high: float, kind: type = int):
    def convert(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"is {text}; right is {low:g} to {high:g}")
        return value

    convert.__name__ = "number"
    return convert


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hil.virtual", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--codec", default="PCM5102A", help=f"codec model: {', '.join(CODECS)} (default %(default)s)")
    parser.add_argument(
        "--dir", type=Path, help="run directory with the simulation's log, kept; default: a temporary one"
    )
    parser.add_argument("--memory-latency", type=_number(2, 10000), default=20, help="bus cycles (default %(default)s)")
    parser.add_argument("--seed", type=_number(0, 2**31 - 1), default=1, help="of noise and random numbers (default 1)")
    parser.add_argument(
        "--timebase-ppm",
        type=_number(-100, 100, float),
        default=0.8,
        help="oscilloscope's time base error (default 0.8)",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[*COUNT][@SECONDS][:MATCH]",
        help=f"let the instruments misbehave at commands that contain MATCH; KIND: {', '.join(FAULTS)}; may be given again",
    )
    parser.add_argument(
        "--board",
        choices=BOARDS,
        default="model",
        help="model: the reference driver; linux: an unmodified kernel in QEMU; auto: linux where it can be had (default %(default)s)",
    )
    parser.add_argument(
        "--dilation",
        type=_number(1, LARGEST, float),
        help="N of the Linux board; default: what this machine keeps up with",
    )
    parser.add_argument("--no-gating", action="store_true", help="let the bus clock run all the time")
    parser.add_argument("--parent-pid", type=_number(1, 2**22), help="end when this process ends")
    return parser.parse_args()


class Endings:
    """Everything that ends the bench from outside, as file descriptors to wait for."""

    def __init__(self, parent_pid: int | None) -> None:
        self._reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signalled)
        self.reason = ""
        self._parent = os.pidfd_open(parent_pid) if parent_pid else None

    def _signalled(self, number: int, _: object) -> None:
        self.reason = signal.Signals(number).name

    def __call__(self, seconds: float) -> bool:
        """Wait at most that long; true when it is time to end."""
        watched = [self._reading, 0] + ([self._parent] if self._parent is not None else [])
        for ready in select.select(watched, [], [], seconds)[0] if not self.reason else ():
            if ready == self._parent:
                self.reason = "parent ended"
            elif ready == 0 and not os.read(0, 4096):
                self.reason = "standard input ended"
        return bool(self.reason)


def main() -> int:
    arguments = _options()
    out = os.dup(1)  # builds and libraries that print must not disturb the one line
    os.dup2(2, 1)
    try:
        endings = Endings(arguments.parent_pid)
    except ProcessLookupError:
        print(f"error: --parent-pid {arguments.parent_pid}: there is no such process", file=sys.stderr)
        return 2
    faults = Faults()
    try:
        for text in arguments.fault:
            faults.arm_text(text)
    except ValueError as error:
        print(f"error: --fault: {error}", file=sys.stderr)
        return 2
    options = BenchOptions(
        codec=arguments.codec,
        folder=arguments.dir.resolve() if arguments.dir else None,
        memory_latency=arguments.memory_latency,
        seed=arguments.seed,
        gating=not arguments.no_gating,
        timebase_ppm=arguments.timebase_ppm,
        faults=faults,
        board=arguments.board,
        dilation=arguments.dilation,
    )
    try:
        bench = VirtualBench(options, lambda text: print(text, file=sys.stderr, flush=True))
    except CodecError as error:
        print(f"error: --codec: {error}", file=sys.stderr)
        return 2
    try:
        bench.start()
        with contextlib.suppress(BrokenPipeError):
            os.write(out, json.dumps(bench.ready).encode() + b"\n")
        bench.wait(endings)
    except BenchDied as error:
        for line in error.log:
            print(f"  sim.log: {line.strip()}", file=sys.stderr)
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        bench.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
