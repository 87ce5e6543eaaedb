# SPDX-License-Identifier: Apache-2.0
"""Files out of a Debian package (deb(5)), without installing it."""

from __future__ import annotations

import fnmatch
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import CacheBroken

_LEFT_OUT = ("usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*", "usr/share/lintian/*")
_FILTER: dict[str, Any] = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}  # not before Python 3.11.4


def unpack(deb: Path, folder: Path, patterns: Sequence[str]) -> None:
    """The files of a package that match, below `folder`. CacheBroken if one pattern matches nothing."""
    missing = set(patterns)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        try:
            with tarfile.open(fileobj=reader.stdout, mode="r|") as archive:
                for member in archive:
                    name = member.name.removeprefix("./")
                    hits = {p for p in patterns if fnmatch.fnmatch(name, p)}
                    if hits and not member.isdir() and not any(fnmatch.fnmatch(name, p) for p in _LEFT_OUT):
                        archive.extract(member, folder, **_FILTER)
                        missing -= hits
        except tarfile.TarError as error:
            raise CacheBroken(f"{deb.name} cannot be unpacked: {error}; run it again") from error
    if missing - {"*"}:
        raise CacheBroken(f"{deb.name} has no {', '.join(sorted(missing))}; correct pins.toml")
