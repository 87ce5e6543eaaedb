# SPDX-License-Identifier: Apache-2.0
"""Renders everything that follows from the wire: SystemVerilog packages and reference pages.

    python -m virtone.virtio.emit                  write the files that differ
    python -m virtone.virtio.emit --check          compare only; names each stale file, status 1 if any

Promise: a file is written aside and renamed, so nobody ever reads half of one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from virtone.virtio import emit_docs, emit_sv, profile

ROOT = Path(__file__).resolve().parents[3]


def render(root: Path, profile_name: str = profile.DEFAULT_PROFILE) -> dict[str, str]:
    """Every generated file: path below `root` -> text. The profile is read from `root`/rtl/profiles."""
    device = profile.load(root / "rtl" / "profiles" / f"{profile_name}.toml")
    files = {f"rtl/pkg/{name}": text for name, text in emit_sv.packages(device).items()}
    files |= {f"docs/reference/{name}": text for name, text in emit_docs.pages(device).items()}
    return files


def stale(root: Path, files: dict[str, str]) -> list[str]:
    """Paths whose file is missing or differs."""
    return [name for name, text in files.items() if _read(root / name) != text]


def write(root: Path, files: dict[str, str]) -> list[str]:
    """Write what differs; returns the paths written."""
    written = stale(root, files)
    for name in written:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(files[name])
            Path(aside).chmod(0o644)
            Path(aside).replace(target)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    return written


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m virtone.virtio.emit", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the files as they are, write nothing")
    parser.add_argument("--profile", default=profile.DEFAULT_PROFILE, help="device profile (default: %(default)s)")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to work in (default: this one)")
    args = parser.parse_args(argv)
    if not (args.root / "rtl" / "profiles").is_dir():
        sys.stderr.write(f"emit: {args.root} is no Virtone checkout (it has no rtl/profiles)\n")
        return 2
    try:
        files = render(args.root, args.profile)
        if args.check:
            names = stale(args.root, files)
            for name in names:
                sys.stderr.write(f"emit: {name} is stale; run `{emit_sv.COMMAND}` and commit it\n")
            return 1 if names else 0
        for name in write(args.root, files):
            sys.stdout.write(f"emit: wrote {name}\n")
    except (profile.ProfileError, OSError) as error:
        sys.stderr.write(f"emit: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
