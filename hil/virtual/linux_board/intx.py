# SPDX-License-Identifier: Apache-2.0
"""A level interrupt (PCI INTx) over an eventfd that its receiver masks by itself (linux/vfio.h, VFIO_IRQ_INFO_AUTOMASKED).

Rule: an event means "the line is high"; after it the line counts as masked until the receiver unmasks it, which QEMU does at
the first register access after the event (its end of interrupt). If the line is still high then, the next event follows at once.
When the line drops, an event that was not consumed is withdrawn by reading the eventfd; then there will be no unmask either.
"""

from __future__ import annotations

import contextlib
import os

INFO_EVENTFD, INFO_MASKABLE, INFO_AUTOMASKED = 1, 2, 4  # VFIO_IRQ_INFO_*
SET_DATA_NONE, SET_DATA_EVENTFD = 1, 4  # VFIO_IRQ_SET_*
SET_ACTION_MASK, SET_ACTION_UNMASK, SET_ACTION_TRIGGER = 8, 16, 32
_ONE = (1).to_bytes(8, "little")


class IntxLine:
    """Counters: `events` sent, `withdrawn` before they were consumed."""

    def __init__(self) -> None:
        self.level = self.masked = False
        self.events = self.withdrawn = 0
        self._eventfd: int | None = None

    def connect(self, eventfd: int | None) -> None:
        """The receiver's eventfd (owned from now on), or None when it has gone."""
        if self._eventfd is not None:
            os.close(self._eventfd)
        self._eventfd, self.masked = eventfd, False
        if eventfd is not None:
            os.set_blocking(eventfd, False)
        self._fire()

    def set(self, level: bool) -> None:
        if level == self.level:
            return
        self.level = level
        if level:
            self._fire()
        elif self._eventfd is not None and self.masked:
            with contextlib.suppress(BlockingIOError):
                os.read(self._eventfd, 8)
                self.masked = False
                self.withdrawn += 1

    def mask(self) -> None:
        self.masked = True

    def unmask(self) -> None:
        self.masked = False
        self._fire()

    def _fire(self) -> None:
        if self.level and not self.masked and self._eventfd is not None:
            os.write(self._eventfd, _ONE)
            self.masked = True
            self.events += 1
