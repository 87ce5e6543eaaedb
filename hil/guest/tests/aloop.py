# SPDX-License-Identifier: Apache-2.0
"""Debian's own `snd-aloop` for the kernel of the Linux board: a sound card whose output is its input.

Promise: `obtain` returns the module that belongs to exactly the board's kernel package. The board's parts do without it, so the first call
fetches that package again and keeps this one file of it in the board's cache folder; the next ones take no time.
Failures are those of `linux_board.errors`.
"""

from __future__ import annotations

import lzma
import tempfile
import tomllib
from pathlib import Path

from hil.virtual.linux_board import deb
from hil.virtual.linux_board.apt import Apt, machine_source
from hil.virtual.linux_board.errors import PackageMissing
from hil.virtual.linux_board.packages import PINS, Parts, cache_folder


def obtain(parts: Parts) -> Path:
    """Path of snd-aloop.ko; it needs snd, snd-timer and snd-pcm, which the board has."""
    package, version = next(item for item in parts.versions.items() if item[0].startswith("linux-image-"))
    package = package.split(":")[0]
    module = cache_folder() / f"snd-aloop-{parts.kernel_release}-{version}.ko"
    if module.is_file():
        return module
    with tempfile.TemporaryDirectory(prefix="aloop-", dir=module.parent) as folder:
        apt = Apt(Path(folder, "apt"), tomllib.loads(PINS.read_text())["suites"], machine_source())
        apt.update()
        if version not in apt.versions(f"{package}:arm64"):
            raise PackageMissing(f"snd-aloop: the archive no longer has {package} {version}, the board's kernel")
        apt.download([f"{package}:arm64={version}"], False)
        (file,) = apt.archives.glob("*.deb")
        deb.unpack(file, Path(folder), ["*/snd-aloop.ko*"])
        (found,) = (path for path in Path(folder).rglob("snd-aloop.ko*") if path.is_file())
        data = lzma.decompress(found.read_bytes()) if found.suffix == ".xz" else found.read_bytes()
        part = Path(folder, "part")
        part.write_bytes(data)
        part.rename(module)
    return module
