# SPDX-License-Identifier: Apache-2.0
"""Renders sndprobe/probe_regs.h, the probe page for the C program on the board, from `virtone.virtio.probe`.

    python -m hil.guest.gen_header                 write it if it differs
    python -m hil.guest.gen_header --check         compare only; status 1 if it is stale

Promise: every constant of the page under its own name; the file is written aside and renamed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from virtone.virtio import probe
from virtone.virtio.emit import stale, write

FOLDER = Path(__file__).resolve().parent / "sndprobe"
NAME = "probe_regs.h"
COMMAND = "python -m hil.guest.gen_header"


def render() -> str:
    """The header's text. Offsets are from the start of the page."""
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        f"// Made by `{COMMAND}` from host/virtone/virtio/probe.py; not to be edited.",
        "#ifndef PROBE_REGS_H",
        "#define PROBE_REGS_H",
    ]
    for group in probe.GROUPS:
        lines += ["", f"// {group.title}: {group.section}."]
        width = max(len(const.name) for const in group)
        lines += [f"#define {const.name:{width}} {const.text + 'u':10} // {const.doc}" for const in group]
    return "\n".join([*lines, "", "#endif", ""])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the file as it is, write nothing")
    files = {NAME: render()}
    if parser.parse_args(argv).check:
        if stale(FOLDER, files):
            sys.stderr.write(f"gen_header: {NAME} is stale; run `{COMMAND}` and commit it\n")
            return 1
        return 0
    for name in write(FOLDER, files):
        sys.stdout.write(f"gen_header: wrote {name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
