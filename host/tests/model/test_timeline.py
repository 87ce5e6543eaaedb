# SPDX-License-Identifier: Apache-2.0
"""The plain-Python world: order, exact time, deadlocks that say what waits."""

from __future__ import annotations

import pytest

from virtone.model.mutex import Mutex
from virtone.model.port import Event, Port, Task, wait_with_timeout
from virtone.model.timeline import (
    BACKGROUND_LIMIT,
    TICKS_PER_NS,
    TICKS_PER_SECOND,
    Deadlock,
    TimeLimit,
    Timeline,
    TimelineError,
)
from virtone.model.word_clock import WordClock, frame_ticks
from virtone.virtio import snd


def test_contract(world):
    assert isinstance(world.port, Port)
    assert isinstance(world.port.event(), Event)

    async def main():
        task = world.port.spawn(world.port.sleep_ns(1))
        assert isinstance(task, Task)
        await task

    world.run(main())


def test_same_tick_runs_in_the_order_asked_for():
    timeline, seen = Timeline(), []

    async def sleeper(name):
        await timeline.sleep_ns(10)
        seen.append(name)

    async def main():
        for name in "abc":
            timeline.spawn(sleeper(name))
        await timeline.sleep_ns(10)
        seen.append("main")

    timeline.run(main())
    assert seen == ["a", "b", "c"] or seen == ["main"]  # main asked first: it ends the run
    timeline.advance_ns(1)
    assert seen == ["main", "a", "b", "c"]


def test_tasks_give_results_raise_and_are_cancelled():
    timeline = Timeline()

    async def value():
        await timeline.sleep_ns(5)
        return 42

    async def fault():
        await timeline.sleep_ns(5)
        raise KeyError("x")

    async def main():
        assert await timeline.spawn(value()) == 42
        with pytest.raises(KeyError):
            await timeline.spawn(fault())
        task = timeline.spawn(timeline.sleep_ns(1e9))
        await timeline.sleep_ns(1)
        task.cancel()
        task.cancel()
        assert task.done()

    timeline.run(main())
    assert timeline.now_ns() == 11


def test_a_task_nobody_awaits_ends_the_run_with_its_exception():
    timeline = Timeline()

    async def fault():
        raise KeyError("lost")

    async def main():
        timeline.spawn(fault())
        await timeline.sleep_ns(100)

    with pytest.raises(KeyError, match="lost") as caught:
        timeline.run(main())
    assert "which nobody awaited" in caught.value.__notes__[0]


def test_deadlock_names_what_waits():
    timeline = Timeline()

    async def main():
        await timeline.event("used buffer").wait()

    with pytest.raises(Deadlock, match=r"main waits for event 'used buffer'"):
        timeline.run(main())


def test_polling_does_not_hide_a_deadlock():
    timeline = Timeline()

    def poll():
        timeline.call_later(10, poll, background=True)

    poll()
    with pytest.raises(Deadlock, match="only polling is left"):
        timeline.run(timeline.event("never").wait())


def test_polling_is_no_deadlock_while_somebody_sleeps():
    timeline = Timeline()

    def poll():
        timeline.call_later(10, poll, background=True)

    poll()
    timeline.call_later(5, lambda: None).cancel()
    timeline.run(timeline.sleep_ns(3 * BACKGROUND_LIMIT * 10 / TICKS_PER_NS))


def test_limit_and_foreign_awaitables():
    timeline = Timeline()
    with pytest.raises(TimeLimit, match="did not end"):
        timeline.run(timeline.sleep_ns(1e6), limit_ns=10)

    class Foreign:
        def __await__(self):
            yield "something else"

    async def main():
        await Foreign()

    with pytest.raises(TimelineError, match="only what a Port hands out"):
        timeline.run(main())
    with pytest.raises(TimelineError, match="already"):
        timeline.call_at(timeline.now - 1, lambda: None)


def test_wait_with_timeout(world):
    async def main():
        event = world.port.event()
        assert not await wait_with_timeout(world.port, event, 1000)
        assert world.port.now_ns() == 1000
        world.timeline.call_later(500 * TICKS_PER_NS, event.set)
        assert await wait_with_timeout(world.port, event, 1000)
        assert world.port.now_ns() == 1500

    world.run(main())


def test_mutex_is_first_come_first_served(world):
    mutex, seen = Mutex(world.port), []

    async def user(name, hold_ns):
        async with mutex:
            seen.append(name)
            await world.sleep(hold_ns)
            seen.append(name)

    async def main():
        tasks = [world.port.spawn(user(name, 10)) for name in "abcd"]
        await world.sleep(1)
        tasks[1].cancel()
        for task in (tasks[0], tasks[2], tasks[3]):
            await task

    world.run(main())
    assert seen == list("aaccdd")


def test_mutex_seeded_fault_would_be_seen(world):
    """Without the lock the same users interleave."""
    seen = []

    async def user(name):
        seen.append(name)
        await world.sleep(10)
        seen.append(name)

    async def main():
        for task in [world.port.spawn(user(name)) for name in "ab"]:
            await task

    world.run(main())
    assert seen == list("abab")


@pytest.mark.parametrize("rate", [rate for rate in snd.RATES if rate.nominal <= 192000], ids=lambda rate: rate.name)
def test_every_frame_is_a_whole_number_of_ticks(rate):
    assert frame_ticks(rate.hz) * rate.hz == TICKS_PER_SECOND


def test_word_clock_changes_rate_at_a_boundary():
    clock = WordClock()
    assert clock.after(0) == clock.period == TICKS_PER_SECOND // 48000
    assert clock.after(clock.period * 10**9) == clock.period * (10**9 + 1)  # no drift after six hours
    now = clock.period * 3 + 1
    old = clock.after(now)
    clock.set_rate(snd.VIRTIO_SND_PCM_RATE_44100, now)
    assert clock.after(now) == old and clock.after(old) - old == TICKS_PER_SECOND // 44100
    with pytest.raises(ValueError, match="divide"):
        frame_ticks(47999)
