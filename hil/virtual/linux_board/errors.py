# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with the Linux board, by name. Every message says which part, what was found, and what to do."""

from __future__ import annotations


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


class CacheFull(BoardError):
    """The disk that holds the cache folder is full."""


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
