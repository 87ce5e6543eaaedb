# SPDX-License-Identifier: Apache-2.0
"""Which virtual bench this machine can have: `python -m hil.virtual.prepare --board linux|model|auto`.

Fetches and builds what the Linux board needs (progress on standard error) and prints three lines: bench file, plan file, and why it is not
the Linux board although it might have been (empty otherwise). `linux` ends with status 1 and one line if it cannot be had; `auto`
then takes the reference driver.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from .benched import BOARDS, BenchDied

FILES = {
    "linux": ("hil/benches/linux.toml", "hil/plans/linux.toml"),
    "model": ("hil/benches/virtual.toml", "hil/plans/first-light.toml"),
}


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hil.virtual.prepare", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--board", choices=BOARDS, default="auto", help="which one is wanted (default: %(default)s)")
    wanted = parser.parse_args(words).board
    why, taken = "", wanted
    if wanted != "model":
        from .benched_linux import Parts

        began = time.monotonic()
        try:
            Parts.obtain()
            taken = "linux"
        except BenchDied as error:
            why = f"no Linux board on this machine, the reference driver took its place: {error}".replace("\n", " ")
            print(
                f"{'error' if wanted == 'linux' else 'certify'}: {why if wanted == 'auto' else error}", file=sys.stderr
            )
            if wanted == "linux":
                print("the reference driver needs none of it: make certify BOARD=model", file=sys.stderr)
                return 1
            taken = "model"
        if time.monotonic() - began > 5:
            print(f"set-up: Linux board after {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(*FILES[taken], why, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
