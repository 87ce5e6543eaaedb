# SPDX-License-Identifier: Apache-2.0
"""The reference driver does to the device what Linux does: held against recordings of Linux, and those against Linux itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hil.recordings import board, faults
from hil.recordings.actions import ACTIONS, SECTIONS
from hil.recordings.compare import differences, outline, story
from hil.recordings.records import Access, Exposed, Recording, RecordingError, Segment, load, parse, text
from hil.recordings.reference import replay
from hil.virtual.linux_board.errors import BoardUnavailable, CacheFull
from virtone.model.driver import SoundDriver
from virtone.model.memory import PAGE_SIZE
from virtone.model.pcm_hw import LINUX_RATES
from virtone.virtio import mmio, snd

FILES = sorted((Path(__file__).parent / "recordings").glob("linux-*.txt"))
EVENT_IDX = 1 << int(mmio.VIRTIO_RING_F_EVENT_IDX)
INDIRECT = 1 << int(mmio.VIRTIO_RING_F_INDIRECT_DESC)
TX = int(snd.VIRTIO_SND_VQ_TX)


@pytest.fixture(scope="module", params=FILES, ids=lambda file: file.stem)
def linux(request: pytest.FixtureRequest) -> Recording:
    return load(request.param)


@pytest.fixture(scope="module")
def sections(linux: Recording) -> dict[str, list[Any]]:
    return linux.sections()


def test_there_is_a_recording() -> None:
    assert FILES


def test_reference_driver_does_what_linux_does(linux: Recording) -> None:
    assert differences(linux, replay(linux)) == []


# -- what the recording has to show, or the comparison would be empty ----------------------------------------------------
def test_every_action_is_in_it(linux: Recording, sections: dict[str, list[Any]]) -> None:
    assert tuple(sections) == SECTIONS and linux.head["kernel"] and linux.head["warnings in the kernel's log"] == ""
    for action in ACTIONS:
        sent = [r for r in sections[action.name] if isinstance(r, Exposed) and r.queue == TX]
        flushed = action.name in ("remove", "probe-again")
        assert len(sent) == 0 if flushed else len(sent) >= action.sound.chunks or action.name == "kill"


def test_event_queue_is_filled_silently_before_driver_ok(sections: dict[str, list[Any]]) -> None:
    records = sections["probe"]
    ok = next(
        k for k, r in enumerate(records) if isinstance(r, Access) and r.write and (r.offset, r.value) == (0x70, 15)
    )
    before = records[:ok]
    assert sum(isinstance(r, Exposed) and r.queue == snd.VIRTIO_SND_VQ_EVENT for r in before) == 1024
    assert not any(isinstance(r, Access) and r.offset == mmio.VIRTIO_MMIO_QUEUE_NOTIFY for r in before)


def test_polled_queue_is_never_notified(linux: Recording) -> None:
    notified = [r.value & 0xFFFF for r in linux.records if isinstance(r, Access) and r.write and r.offset == 0x50]
    assert notified and TX not in notified


def test_pages_are_merged_where_they_are_neighbours(sections: dict[str, list[Any]]) -> None:
    payload = [
        s
        for r in sections["large"] + sections["pages"]
        if isinstance(r, Exposed) and r.queue == TX
        for s in r.segments
        if s.address
    ]
    assert any(s.address // PAGE_SIZE != (s.address + s.length - 1) // PAGE_SIZE for s in payload)
    assert any(s.address % PAGE_SIZE and s.address % PAGE_SIZE + s.length > PAGE_SIZE for s in payload)
    assert sum(s.length == PAGE_SIZE for s in payload) > 3


def test_alsa_sees_the_limits_that_the_reference_driver_derives(linux: Recording) -> None:
    def limits(name: str) -> list[int]:
        return [int(word) for word in re.findall(r"\d+", linux.head[name])]

    hardware = _hardware(linux)
    frame = 2 * hardware.channels_min
    assert set(linux.head["FORMAT"].split()) == set(hardware.formats)
    assert limits("CHANNELS") == [hardware.channels_min, hardware.channels_max]
    assert limits("RATE") == [min(hardware.rates), max(hardware.rates)] and len(LINUX_RATES) == 13
    assert limits("PERIODS") == [hardware.periods_min, hardware.periods_max]
    assert limits("PERIOD_BYTES") == [-(-hardware.period_bytes_min // frame) * frame, hardware.period_bytes_max]
    assert limits("BUFFER_BYTES")[1] == hardware.buffer_bytes_max


def _hardware(linux: Recording) -> Any:
    made: list[Any] = []

    def keep(driver: SoundDriver) -> None:
        build = driver._describe_streams

        async def describe() -> None:
            await build()
            made.append(driver.substreams[0].hardware)

        driver._describe_streams = describe  # type: ignore[method-assign]

    replay(linux.until("brief"), keep)
    return made[0]


# -- seeded faults ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (faults.one_kick_too_many, r"play: story \d+: .*reference driver write QUEUE_NOTIFY"),
        (faults.notifies_the_polled_queue, r"play: story \d+: .*reference driver write QUEUE_NOTIFY 0x\w+0002"),
        (faults.never_kicks_for_events, r"play: story \d+: Linux has write QUEUE_NOTIFY 0x\w+0001"),
        (faults.splits_the_header, r"play: story \d+: .*\[1r 3r 1920r 8w\]"),
        (faults.does_not_merge_pages, r"large: story \d+: .*chain"),
        (faults.no_release, r"play: story \d+: Linux has controlq: VIRTIO_SND_R_PCM_RELEASE"),
        (faults.prepares_twice, r"play: story \d+: .*reference driver controlq: VIRTIO_SND_R_PCM_PREPARE"),
        (faults.starts_before_it_sends, r"play: story \d+: .*reference driver controlq: VIRTIO_SND_R_PCM_START"),
        (faults.first_in_first_out, r"play: heads, txq"),
        (faults.asks_for_no_interrupt, r"play: used_event, eventq 0: .*reference driver -2"),
        (faults.acknowledges_too_much, r"play: interrupts: the reference driver does not acknowledge"),
        (faults.serves_twice, r"play: interrupts"),
        (faults.reads_config_first, r"probe: story \d+: .*reference driver read config\+0x8"),
        (faults.smaller_queue, r"probe: story \d+: .*QUEUE_NUM 0x400 .*QUEUE_NUM 0x40 "),
        (faults.without(EVENT_IDX), r"probe: story \d+: .*DRIVER_FEATURES"),
        (faults.without(INDIRECT), r"probe: story \d+: .*DRIVER_FEATURES"),
        (faults.resets_before_it_takes_queues_back, r"remove: story 0: Linux has write QUEUE_SEL"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_driver_that_differs_is_found(
    linux: Recording, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None], seen: str
) -> None:
    section = seen.split(":")[0]
    part = linux.until("play" if section == "probe" else section)
    found = differences(part, replay(part, lambda driver: fault(driver, monkeypatch)))
    assert re.search(seen, "\n".join(found)), found


# -- the text ---------------------------------------------------------------------------------------------------------
def test_text_is_the_recording(linux: Recording) -> None:
    assert parse(text(linux)) == linux
    assert text(linux) == FILES[0].read_text() or len(FILES) > 1


@pytest.mark.parametrize(
    "line", ["x 1", "r 70", "a 1 0 q 8w", "a 1 0 d", "a 1 0 d 8x", "a 0 0 i 4r ; 0g", "u 0 0 4", "i one", "# no colon"]
)
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(RecordingError, match=r"some, line 2: .* cannot be read"):
        parse(f"= probe\n{line}\n", "some")


def test_a_recording_that_lacks_something_is_refused(linux: Recording) -> None:
    with pytest.raises(RecordingError, match="lacks the section 'play'"):
        replay(parse("= probe\n"))
    with pytest.raises(RecordingError, match="lacks the section 'play'"):
        replay(parse("= probe\n= brief\n"))
    with pytest.raises(RecordingError, match="first record must be a section"):
        parse("i 1\n").sections()
    with pytest.raises(RecordingError, match="'a' comes twice"):
        parse("= a\n= a\n").sections()
    moved = Segment(1920, False, 0x7000_0000)
    at, record = next(
        (k, r) for k, r in reversed(list(enumerate(linux.records))) if isinstance(r, Exposed) and r.queue == TX
    )
    broken = [*linux.records[:at], record._replace(segments=(record.segments[0], moved)), *linux.records[at + 1 :]]
    with pytest.raises(RecordingError, match="in two places"):
        replay(Recording({}, broken))


# -- Linux again ------------------------------------------------------------------------------------------------------
@pytest.mark.timeout(600)
def test_linux_still_does_what_was_recorded() -> None:
    """A fresh recording says the same as the kept one, and the reference driver follows it as well."""
    try:
        fresh = board.record()
    except (BoardUnavailable, CacheFull) as error:
        pytest.skip(f"no Linux board on this machine: {error}")
    kept = load(FILES[-1])
    print(f"kernel {fresh.head['kernel']} against the recording of {kept.head['kernel']}")
    now, then = fresh.sections(), kept.sections()
    for name in SECTIONS:
        assert outline(now[name]) == outline(then[name]), name
    assert {key: fresh.head[key] for key in kept.head if key != "kernel"} == {
        key: kept.head[key] for key in kept.head if key != "kernel"
    }
    assert differences(fresh, replay(fresh)) == []
    assert list(story(now["probe"])) == list(story(then["probe"]))
