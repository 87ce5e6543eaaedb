# SPDX-License-Identifier: Apache-2.0
"""A C compiler for arm64 on a machine that has none: Debian's own, unpacked into the user's cache, without root.

    python -m hil.guest.toolchain          print its path (fetch it first if it is not there); status 1 and one `error:` line if not

Promise: `obtain` returns at once when it is there. Else it fetches what toolchain.toml pins with the machine's own apt, checks each
package's hash, compiles a program with it, and renames last: a folder under its name works.

It runs on x86-64 and needs the libraries of a native gcc (isl, mpc, mpfr), which every machine that builds the simulation has.
Folder: `$XDG_CACHE_HOME/virtone/toolchain-KEY`, else `~/.cache/virtone/toolchain-KEY`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from hil.virtual.linux_board.apt import Apt, machine_source
from hil.virtual.linux_board.errors import BoardError, CacheBroken, PackageMissing, cache_failure
from hil.virtual.linux_board.packages import cache_folder

PINS = Path(__file__).with_name("toolchain.toml")
_LIMIT_S = 60
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_TRIAL = "#include <sound/asound.h>\n#include <math.h>\nint main(int c, char **v) { (void)v; return (int)sin(c); }\n"


def obtain(parent: Path | None = None) -> Path:
    """The compiler's path. Raises BoardError."""
    text = PINS.read_bytes()
    folder = (parent or cache_folder().parent) / f"toolchain-{hashlib.sha256(text).hexdigest()[:12]}"
    compiler = folder / "gcc"
    if compiler.exists():
        return compiler
    if os.uname().machine != "x86_64":
        raise PackageMissing(f"no cross compiler for {os.uname().machine}; give CROSS_CC")
    part = folder.with_name(f"{folder.name}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_name("toolchain.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not compiler.exists():
                shutil.rmtree(part, ignore_errors=True)
                _fetch(part, tomllib.loads(text.decode()))
                part.rename(folder)
    except OSError as error:
        raise cache_failure(error, part) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return compiler


def _fetch(folder: Path, pins: dict[str, Any]) -> None:
    _say(
        f"C compiler for arm64: fetching {pins['megabytes']} MB of Debian packages ({pins['unpacked_megabytes']} MB on disk, once)"
    )
    apt = Apt(folder / "apt", [pins["suite"]], machine_source())
    apt.update()
    chosen = {name: _choose(apt, name, version) for name, (version, _) in pins["packages"].items()}
    words = [f"{name}={version}" for name, version in chosen.items()]
    items = apt.plan(words, with_dependencies=False)
    apt.download(words, with_dependencies=False)
    for item in items:
        name = item.file.split("_")[0]
        deb = apt.archives / item.file
        version, wanted = pins["packages"][name]
        found = hashlib.sha256(deb.read_bytes()).hexdigest()
        if chosen[name] == version and found != wanted:
            raise CacheBroken(f"{item.file} has sha256 {found}; toolchain.toml says {wanted}")
        _run(["dpkg-deb", "-x", str(deb), str(folder)])
    shutil.rmtree(folder / "apt")
    script = folder / "gcc"
    script.write_text(
        '#!/bin/sh\nhere=$(dirname "$0")\n'
        f'LD_LIBRARY_PATH="$here/{_LIBRARIES}" exec "$here/usr/bin/{pins["program"]}" "$@"\n'
    )
    script.chmod(0o755)
    (folder / "trial.c").write_text(_TRIAL)
    _run([str(script), "-static", "-o", str(folder / "trial"), str(folder / "trial.c"), "-lm"])


def _choose(apt: Apt, name: str, version: str) -> str:
    there = apt.versions(name)
    if version in there:
        return version
    if not there:
        raise PackageMissing(f"the Debian archive has no {name}; install gcc-aarch64-linux-gnu or give CROSS_CC")
    _say(f"C compiler for arm64: the archive no longer has {name} {version}; taking {there[0]}")
    return there[0]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_LIMIT_S, check=False)
    if done.returncode:
        raise CacheBroken(f"{Path(command[0]).name} failed: {done.stderr.strip()[-300:] or done.returncode}")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{obtain()}\n")
    except BoardError as problem:
        sys.exit(f"error: {problem}")
