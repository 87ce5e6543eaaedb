# SPDX-License-Identifier: Apache-2.0
"""A lock between tasks of one `Port`, first come first served: `async with mutex:`.

Promise: one holder at a time, across awaits. A task cancelled while it waits leaves the queue.
"""

from __future__ import annotations

from collections import deque

from virtone.model.port import Event, Port


class Mutex:
    """Not re-entrant: a task that takes it twice waits for ever."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._held = False
        self._waiters: deque[Event] = deque()

    async def __aenter__(self) -> None:
        if self._held:
            turn = self._port.event()
            self._waiters.append(turn)
            try:
                await turn.wait()
            except BaseException:
                if turn in self._waiters:
                    self._waiters.remove(turn)
                else:
                    self._hand_on()
                raise
        self._held = True

    async def __aexit__(self, *_: object) -> None:
        self._hand_on()

    def _hand_on(self) -> None:
        if self._waiters:
            self._waiters.popleft().set()  # stays held: it passes to the one woken
        else:
            self._held = False
