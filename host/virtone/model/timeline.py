# SPDX-License-Identifier: Apache-2.0
"""Discrete-event world in plain Python: simulated time, tasks, events.

Promise: same program, same order, same times. Time is counted in ticks of 1/56448 ns, the coarsest
unit in which a nanosecond and every edge of the 24.576 MHz and 22.5792 MHz audio clocks are whole
numbers, so neither family drifts. What falls on the same tick runs in the order in which it was asked for.
A world in which nothing can happen any more raises `Deadlock`, naming what waits and for what.

User's duty: coroutines await only what this module hands out. Work that repeats for ever without
anybody's doing (polling) is scheduled with `background=True`, so that it does not hide a deadlock.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any

TICKS_PER_NS = 56_448
TICKS_PER_SECOND = TICKS_PER_NS * 1_000_000_000
# Background events that may follow each other without waking anything before the world counts as stuck.
BACKGROUND_LIMIT = 20_000


class TimelineError(RuntimeError):
    """The simulated world cannot go on."""


class Deadlock(TimelineError):
    """Nothing is scheduled and the awaited coroutine has not ended."""


class TimeLimit(TimelineError):
    """The bound given to `Timeline.run` was reached."""


class Handle:
    """A scheduled call; `cancel()` keeps it from happening."""

    __slots__ = ("_timeline", "action", "background")

    def __init__(self, timeline: Timeline, action: Callable[[], Any], background: bool) -> None:
        self._timeline = timeline
        self.action: Callable[[], Any] | None = action
        self.background = background
        timeline._foreground += not background

    def take(self) -> Callable[[], Any] | None:
        """The action, which from now on is no longer scheduled."""
        action, self.action = self.action, None
        self._timeline._foreground -= action is not None and not self.background
        return action

    def cancel(self) -> None:
        self.take()


class TimelineEvent:
    """A level tasks wait for (`virtone.model.port.Event`)."""

    def __init__(self, timeline: Timeline, name: str = "event") -> None:
        self._timeline = timeline
        self.name = name
        self._set = False
        self._waiters: list[TimelineTask] = []

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        waiters, self._waiters = self._waiters, []
        for task in waiters:
            task.wake()

    def clear(self) -> None:
        self._set = False

    async def wait(self) -> None:
        if not self._set:
            await _Wait(self)


class _Wait:
    """What a coroutine yields to the timeline: it goes on when the event is set, or after `ticks`."""

    __slots__ = ("_handle", "event", "ticks")

    def __init__(self, event: TimelineEvent | None, ticks: int = 0) -> None:
        self.event = event
        self.ticks = ticks
        self._handle: Handle | None = None

    def __await__(self) -> Generator[_Wait, None, None]:
        yield self

    def arm(self, task: TimelineTask) -> None:
        if self.event is not None:
            self.event._waiters.append(task)
        else:
            self._handle = task.timeline.call_later(self.ticks, task.wake)

    def disarm(self, task: TimelineTask) -> None:
        if self.event is not None and task in self.event._waiters:
            self.event._waiters.remove(task)
        if self._handle is not None:
            self._handle.cancel()

    def __str__(self) -> str:
        return f"event {self.event.name!r}" if self.event is not None else f"{self.ticks / TICKS_PER_NS:.0f} ns"


class TimelineTask:
    """A coroutine on the timeline. Awaiting it gives its result or raises its exception."""

    def __init__(self, timeline: Timeline, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.timeline = timeline
        self.name = getattr(coroutine, "__qualname__", repr(coroutine))
        self._coroutine = coroutine
        self._waits_for: _Wait | None = None
        self._finished = TimelineEvent(timeline, f"end of {self.name}")
        self._joined = False
        self._result: Any = None
        self._exception: BaseException | None = None

    def done(self) -> bool:
        return self._finished.is_set()

    def result(self) -> Any:
        if self._exception is not None:
            raise self._exception
        return self._result

    def cancel(self) -> None:
        if self.done() or self._coroutine.cr_running:  # type: ignore[attr-defined]
            return
        if self._waits_for is not None:
            self._waits_for.disarm(self)
        self._coroutine.close()
        self._finished.set()

    def wake(self) -> None:
        self._waits_for = None
        self.timeline._ready.append(self)

    def step(self) -> None:
        """Run up to the next await."""
        if self.done():
            return
        try:
            wait = self._coroutine.send(None)
        except StopIteration as end:
            self._result = end.value
            self._finished.set()
        except Exception as error:  # noqa: BLE001 - kept for whoever awaits the task, else it ends the run
            self._exception = error
            if not self._joined:
                self.timeline._failed.append(self)
            self._finished.set()
        else:
            if not isinstance(wait, _Wait):
                raise TimelineError(f"task {self.name} awaited {wait!r}; only what a Port hands out can be awaited")
            self._waits_for = wait
            wait.arm(self)

    def __await__(self) -> Generator[_Wait, None, Any]:
        self._joined = True
        if not self.done():
            yield from _Wait(self._finished).__await__()
        return self.result()

    def __str__(self) -> str:
        return f"{self.name} waits for {self._waits_for}"


class Timeline:
    """Clock, agenda and tasks of one simulated world."""

    def __init__(self) -> None:
        self.now = 0  # ticks
        self._sequence = 0
        self._foreground = 0  # scheduled calls that are no background
        self._agenda: list[tuple[int, int, Handle]] = []
        self._ready: deque[TimelineTask] = deque()
        self._tasks: list[TimelineTask] = []
        self._failed: list[TimelineTask] = []

    def now_ns(self) -> int:
        return self.now // TICKS_PER_NS

    def call_at(self, tick: int, action: Callable[[], Any], background: bool = False) -> Handle:
        """Call `action` at an absolute tick, not before now."""
        if tick < self.now:
            raise TimelineError(f"cannot schedule at tick {tick}: it is already {self.now}")
        handle = Handle(self, action, background)
        self._sequence += 1
        heapq.heappush(self._agenda, (tick, self._sequence, handle))
        return handle

    def call_later(self, ticks: int, action: Callable[[], Any], background: bool = False) -> Handle:
        return self.call_at(self.now + ticks, action, background)

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> TimelineTask:
        task = TimelineTask(self, coroutine)
        self._tasks.append(task)
        self._ready.append(task)
        return task

    def event(self, name: str = "event") -> TimelineEvent:
        return TimelineEvent(self, name)

    async def sleep_ns(self, duration_ns: float) -> None:
        if duration_ns < 0:
            raise ValueError(f"cannot sleep {duration_ns} ns: a duration is not negative")
        await _Wait(None, round(duration_ns * TICKS_PER_NS))

    def run(self, coroutine: Coroutine[Any, Any, Any], limit_ns: float = 60e9) -> Any:
        """Run the world until `coroutine` has ended; returns its result or raises its exception.

        Raises `Deadlock`, `TimeLimit` after `limit_ns` of simulated time, or the exception of a task nobody awaited.
        """
        limit = self.now + round(limit_ns * TICKS_PER_NS)
        main = self.spawn(coroutine)
        main._joined = True
        try:
            self._turn(main, limit)
        finally:
            if not main.done():
                main.cancel()
        return main.result()

    def advance_ns(self, duration_ns: float) -> None:
        """Let the world run on for a while with nobody waiting for it."""
        self.run(self.sleep_ns(duration_ns), limit_ns=duration_ns + 1)

    def close(self) -> None:
        """End every task that still waits."""
        for task in self._tasks:
            task.cancel()

    def _turn(self, main: TimelineTask, limit: int) -> None:
        idle_background = 0
        while not main.done():
            while self._ready and not main.done():
                idle_background = 0
                self._ready.popleft().step()
                if self._failed:
                    self._raise_failure()
            if main.done():
                return
            handle = self._next_handle(main, limit)
            if handle.background:
                idle_background += 1
                if idle_background > BACKGROUND_LIMIT and not self._foreground:
                    raise Deadlock(f"only polling is left at {self.now_ns()} ns: {self._waiting()}")
            else:
                idle_background = 0
            action = handle.take()
            if action is not None:
                action()

    def _next_handle(self, main: TimelineTask, limit: int) -> Handle:
        while self._agenda:
            tick, _, handle = heapq.heappop(self._agenda)
            if handle.action is None:
                continue
            if tick > limit:
                raise TimeLimit(f"{main.name} did not end within its bound, now {self.now_ns()} ns: {self._waiting()}")
            self.now = tick
            return handle
        raise Deadlock(f"nothing can happen any more at {self.now_ns()} ns: {self._waiting()}")

    def _raise_failure(self) -> None:
        task = self._failed.pop()
        assert task._exception is not None
        task._exception.add_note(f"in task {task.name} at {self.now_ns()} ns, which nobody awaited")
        raise task._exception

    def _waiting(self) -> str:
        self._tasks = [task for task in self._tasks if not task.done()]
        return "; ".join(str(task) for task in self._tasks) or "no task waits"
