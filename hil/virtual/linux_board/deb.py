# SPDX-License-Identifier: Apache-2.0
"""Files out of a Debian package (deb(5)), without installing it.

Promise: a package that is not whole is never taken for one that is: it is named and thrown away, so that the next run fetches it again.
"""

from __future__ import annotations

import contextlib
import fnmatch
import lzma
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cocotb_tests.engine.process import die_with_parent

from .errors import CacheBroken

_LEFT_OUT = ("usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*", "usr/share/lintian/*")
_FILTER: dict[str, Any] = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}  # not before Python 3.11.4


@contextlib.contextmanager
def intact(deb: Path) -> Iterator[None]:
    """CacheBroken, and the package is thrown away, if its contents turn out to be broken (TarError, LZMAError) inside `with`."""
    try:
        yield
    except (tarfile.TarError, lzma.LZMAError) as error:
        deb.unlink(missing_ok=True)
        raise CacheBroken(f"{deb.name} cannot be unpacked: {error}; it has been thrown away, run it again") from error


def unpack(deb: Path, folder: Path, patterns: Sequence[str]) -> None:
    """The files of a package that match, below `folder`. CacheBroken if it is not whole or one pattern matches nothing; OSError."""
    missing = set(patterns)
    with (
        intact(deb),
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(deb)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            preexec_fn=die_with_parent(),
        ) as reader,
    ):
        assert reader.stdout is not None
        with tarfile.open(fileobj=reader.stdout, mode="r|") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                hits = {p for p in patterns if fnmatch.fnmatch(name, p)}
                if hits and not member.isdir() and not any(fnmatch.fnmatch(name, p) for p in _LEFT_OUT):
                    archive.extract(member, folder, **_FILTER)
                    missing -= hits
        while reader.stdout.read(
            1 << 16
        ):  # what is behind the archive's end; unread it would be an error of dpkg-deb's
            pass
        if reader.wait():
            said.seek(0)
            words = said.read().decode(errors="replace").split("\n", 1)[0]
            raise tarfile.ReadError(words or f"dpkg-deb ended with status {reader.returncode}")
    if missing - {"*"}:
        raise CacheBroken(f"{deb.name} has no {', '.join(sorted(missing))}; correct pins.toml")
