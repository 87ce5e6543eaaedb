# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with the Linux board, by name. Every message says which part, what was found, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


class BoardError(Exception):
    """Base of all of them: catch this to end with one line."""


class BoardUnavailable(BoardError):
    """The board cannot be had on this machine as it is; everything that needs no Linux board still works."""


class NoApt(BoardUnavailable):
    """No apt, no dpkg, or no Debian source that packages could come from."""


class NoNetwork(BoardUnavailable):
    """The package archive cannot be reached."""


class PackageMissing(BoardUnavailable):
    """The archive has neither the pinned version of a package nor another one that fits."""


class Interrupted(BoardUnavailable):
    """What fetches a part was killed. The next run goes on where it stopped."""


class CacheRefused(BoardUnavailable):
    """The cache folder is not one that this user may write to."""


class CacheFull(BoardError):
    """The disk that holds the cache folder is full, or the user's share of it."""


class CacheBroken(BoardError):
    """A file of the cache folder or a package is not what it was; it has been thrown away."""


class ProtocolError(BoardError):
    """The other side of the vfio-user socket said something that the protocol does not allow."""


class QemuFailed(BoardError):
    """QEMU did not start, or ended by itself."""


class BootFailed(BoardError):
    """The board did not reach its prompt, or its kernel panicked."""


class Disconnected(BoardError):
    """The other side of the vfio-user socket has gone."""


class SimulationFailed(BoardError):
    """The simulation behind the register window did not start, or ended by itself."""


def cache_failure(error: OSError, place: Path) -> BoardError:
    """What an OSError is called that kept `place`, in the cache folder, from being made."""
    named = error.filename is not None and str(error.filename) != str(place)
    found = f"{error.strerror or error}{f': {error.filename}' if named else ''}"
    if error.errno in _FULL:
        return CacheFull(f"cannot write {place}: {found}; free room there or set XDG_CACHE_HOME")
    if error.errno in _REFUSED:
        return CacheRefused(
            f"cannot write {place}: {found}; set XDG_CACHE_HOME to a folder that this user may write to"
        )
    return CacheBroken(f"cannot make {place}: {found}; nothing half was kept, run it again")
