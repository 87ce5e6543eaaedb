# SPDX-License-Identifier: Apache-2.0
"""A piece of guest memory that this process maps from a descriptor the virtual machine handed over.

Promise: `view` is the memory itself, not a copy; byte 0 is guest-physical address `base`. `fd` may be mapped by others
(at `offset`) as long as this object lives; both end with it.
"""

from __future__ import annotations

import mmap
import os


class SharedMemory:
    """`size` bytes at guest-physical `base`, from `offset` of `fd` (owned from now on). OSError if they cannot be mapped."""

    def __init__(self, fd: int, offset: int, base: int, size: int) -> None:
        self.fd, self.offset, self.base, self.size = fd, offset, base, size
        try:
            self.map = mmap.mmap(fd, size, offset=offset)
        except (OSError, ValueError) as error:
            os.close(fd)
            self.fd = -1
            raise OSError(22, f"cannot map {size} bytes: {error}") from error
        self.view = memoryview(self.map)

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
