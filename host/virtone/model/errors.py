# SPDX-License-Identifier: Apache-2.0
"""What can go wrong on the guest's half, named as the kernel names it.

Promise: every error of the driver and of the PCM core is a `DriverError`; `errno` is the value and `errno_name` the
name Linux' driver returns for the same cause, the message says which thing and what would be right.
"""

from __future__ import annotations

import errno as _errno


class DriverError(OSError):
    """Base of all; `str()` begins with the errno name."""

    errno_name = "EIO"

    def __init__(self, message: str) -> None:
        super().__init__(getattr(_errno, self.errno_name), message)
        self.message = message

    def __str__(self) -> str:
        return f"{self.errno_name}: {self.message}"


class NoDevice(DriverError):
    """Wrong magic, version or device id (ENODEV)."""

    errno_name = "ENODEV"


class NoQueue(DriverError):
    """A queue is absent or already in use (ENOENT)."""

    errno_name = "ENOENT"


class QueueFull(DriverError):
    """Not enough free descriptors for the chain (ENOSPC)."""

    errno_name = "ENOSPC"


class InvalidArgument(DriverError):
    """Parameters outside what the stream offers, or BAD_MSG from the device (EINVAL)."""

    errno_name = "EINVAL"


class NotSupported(DriverError):
    """NOT_SUPP from the device (EOPNOTSUPP)."""

    errno_name = "EOPNOTSUPP"


class DeviceIoError(DriverError):
    """IO_ERR from the device, a cancelled request, or a broken transport (EIO)."""

    errno_name = "EIO"


class MessageTimeout(DriverError):
    """The device did not answer within msg_timeout_ms (ETIMEDOUT)."""

    errno_name = "ETIMEDOUT"


class BadState(DriverError):
    """The operation does not fit the state of the stream (EBADFD)."""

    errno_name = "EBADFD"


class Xrun(DriverError):
    """The application was late; `prepare` recovers (EPIPE)."""

    errno_name = "EPIPE"


class NeedsReset(DeviceIoError):
    """The device has set DEVICE_NEEDS_RESET; only a reset brings it back (EIO)."""
