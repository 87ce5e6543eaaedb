# SPDX-License-Identifier: Apache-2.0
"""A private folder for the length of a run, in the system's temporary folder.

Promise: `make` gives a new folder (mode 0700) that has its owner's process id in its name, and first removes those of the same prefix whose owner is
gone: whoever was killed could not do it himself. `run_folder` also removes it at the end. A folder of a living process, of another
user, or without an owner in its name is left alone.

The path is kept short, for sockets are made in it: prefix, process id, a dash and eight letters (sun_path of unix(7) has 108 bytes).
User's duty: one prefix for one kind of run, and the process that makes the folder outlives its use.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


def make(prefix: str, within: Path | None = None) -> Path:
    """A new folder of this process. `within`: where, if not in the system's temporary folder. OSError."""
    remove_left_over(prefix)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=within))


@contextlib.contextmanager
def run_folder(prefix: str) -> Iterator[Path]:
    """`make`, and removed at the end."""
    folder = make(prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_left_over(prefix: str) -> None:
    """Remove the folders of this prefix, in the system's temporary folder, whose owner is gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        owner = re.fullmatch(rf"{re.escape(prefix)}(\d+)-\w+", folder.name)
        with contextlib.suppress(FileNotFoundError):  # somebody else was quicker
            if owner and not Path("/proc", owner[1]).exists() and folder.lstat().st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)
