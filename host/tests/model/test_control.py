# SPDX-License-Identifier: Apache-2.0
"""Control requests and lifecycle of docs/device.md, line by line, as the driver's queue sees them."""

from __future__ import annotations

import itertools

import pytest

from virtone.model.device_profile import DEFAULT
from virtone.model.errors import DeviceIoError, InvalidArgument, MessageTimeout, NotSupported
from virtone.model.lifecycle import TRANSITIONS, State, step
from virtone.virtio import snd

OK, BAD_MSG, NOT_SUPP = snd.VIRTIO_SND_S_OK, snd.VIRTIO_SND_S_BAD_MSG, snd.VIRTIO_SND_S_NOT_SUPP
SET_PARAMS, PREPARE = snd.VIRTIO_SND_R_PCM_SET_PARAMS, snd.VIRTIO_SND_R_PCM_PREPARE
START, STOP, RELEASE = snd.VIRTIO_SND_R_PCM_START, snd.VIRTIO_SND_R_PCM_STOP, snd.VIRTIO_SND_R_PCM_RELEASE
INFO_CODES = [code for code in snd.REQUESTS if code.name.endswith("_INFO")]
CTL_CODES = [code for code in snd.REQUESTS if code.name.startswith("VIRTIO_SND_R_CTL_") and code not in INFO_CODES]


def word(value):
    return value.to_bytes(4, "little")


def ask(world, request, more=0, header=4):
    async def main():
        await world.driver.probe()
        return await world.control(request, more, header)

    return world.run(main())


def status_of(response):
    return snd.virtio_snd_hdr.unpack_from(response).code


def query(code, start=0, count=1, size=32):
    return snd.virtio_snd_query_info.pack(hdr=code, start_id=start, count=count, size=size)


# The page's table of transitions, written down once more by hand.
ALLOWED = {
    SET_PARAMS: ("INIT PARAMS PREPARED RELEASED STOPPED", "PARAMS"),
    PREPARE: ("PARAMS PREPARED RELEASED STOPPED", "PREPARED"),
    START: ("PREPARED STOPPED", "RUNNING"),
    STOP: ("RUNNING", "STOPPED"),
    RELEASE: ("PREPARED STOPPED", "RELEASED"),
}
WAY = {
    "INIT": (),
    "PARAMS": (SET_PARAMS,),
    "PREPARED": (SET_PARAMS, PREPARE),
    "RUNNING": (SET_PARAMS, PREPARE, START),
    "STOPPED": (SET_PARAMS, PREPARE, START, STOP),
    "RELEASED": (SET_PARAMS, PREPARE, RELEASE),
}


def test_table_is_the_pages():
    assert set(TRANSITIONS) == set(map(int, ALLOWED))
    for code, (states, after) in ALLOWED.items():
        for state in State:
            assert step(state, code) == (State[after] if state.value in states.split() else None)


@pytest.mark.parametrize("state,code", list(itertools.product(WAY, ALLOWED)), ids=lambda x: getattr(x, "name", x))
def test_lifecycle(world, state, code):
    async def send(request):
        return await (world.set_params() if request == SET_PARAMS else world.pcm_command(request))

    async def main():
        await world.driver.probe()
        for request in WAY[state]:
            assert await send(request) == OK
        assert world.stream.state.value == state
        return await send(code)

    states, after = ALLOWED[code]
    assert world.run(main()) == (OK if state in states.split() else BAD_MSG)
    assert world.stream.state.value == (after if state in states.split() else state)


@pytest.mark.parametrize("size", range(1, 4))
def test_shorter_than_a_header(world, size):
    assert status_of(ask(world, bytes([0, 1, 0, 0][:size]))) == BAD_MSG


SIZES = {
    **{code: 16 for code in INFO_CODES},
    **{code: 8 for code in (*ALLOWED, *CTL_CODES)},
    SET_PARAMS: 24,
    snd.VIRTIO_SND_R_JACK_REMAP: 16,
}


@pytest.mark.parametrize("code", list(snd.REQUESTS), ids=lambda code: code.name)
def test_one_byte_short_of_its_structure(world, code):
    """With count 0 or a stream in INIT everything else about the request is right, so only its length can be wrong."""
    body = word(code) + bytes(SIZES[code] - 4)
    assert status_of(ask(world, body[:-1])) == BAD_MSG


def test_surplus_is_ignored(world):
    response = ask(world, query(snd.VIRTIO_SND_R_PCM_INFO) + b"surplus" * 50, more=32)
    assert status_of(response) == OK and response[4:] == DEFAULT.streams[0].info()[:4] + response[8:]


@pytest.mark.parametrize("code", (0, 3, 0xFF, 0x106, 0x201, 0x307, 0x8000, 0xFFFFFFFF, 0x01000100))
def test_unknown_code(world, code):
    assert status_of(ask(world, word(code))) == NOT_SUPP


@pytest.mark.parametrize("code", INFO_CODES, ids=lambda code: code.name)
@pytest.mark.parametrize(
    "start,count,size",
    [(0, 2, 32), (1, 1, 32), (2, 0, 32), (0xFFFFFFFF, 1, 32), (1, 0xFFFFFFFF, 32), (0, 0xFFFFFFFF, 32), (0, 99, 0)],
)
def test_info_beyond_the_items(world, code, start, count, size):
    assert ask(world, query(code, start, count, size), more=64) == word(BAD_MSG)


@pytest.mark.parametrize("size", (0, 4096, 0xFFFFFFFF))
def test_info_of_impossible_size(world, size):
    assert ask(world, query(snd.VIRTIO_SND_R_PCM_INFO, size=size), more=64) == word(BAD_MSG)


@pytest.mark.parametrize("code", INFO_CODES, ids=lambda code: code.name)
@pytest.mark.parametrize("size", (0, 32, 0xFFFFFFFF))
def test_info_of_nothing_is_a_header(world, code, size):
    assert ask(world, query(code, count=0, size=size), more=64) == word(OK)


@pytest.mark.parametrize("size", (1, 4, 31, 32, 33, 96, 4095))
def test_info_items_are_truncated_or_filled_to_size(world, size):
    item = world.device.profile.streams[0].info()
    response = ask(world, query(snd.VIRTIO_SND_R_PCM_INFO, size=size), more=size)
    assert response == word(OK) + item[:size].ljust(size, b"\0")


@pytest.mark.parametrize("room", range(0, 40, 3))
def test_a_small_response_gets_the_first_bytes(world, room):
    full = word(OK) + world.device.profile.streams[0].info()
    assert ask(world, query(snd.VIRTIO_SND_R_PCM_INFO), more=room, header=0) == full[:room]
    assert world.device.ctlq.used_log[-1].length == min(room, len(full))


@pytest.mark.parametrize("code", (snd.VIRTIO_SND_R_JACK_REMAP, *CTL_CODES), ids=lambda code: code.name)
def test_no_such_jack_or_control(world, code):
    assert status_of(ask(world, word(code) + bytes(28), more=512)) == BAD_MSG


@pytest.mark.parametrize("code", ALLOWED, ids=lambda code: code.name)
@pytest.mark.parametrize("stream_id", (1, 0x80000000, 0xFFFFFFFF))
def test_no_such_stream(world, code, stream_id):
    assert status_of(ask(world, word(code) + word(stream_id) + bytes(16))) == BAD_MSG


NOT_OFFERED = [
    dict(format=int(f)) for f in snd.FORMATS if f.name.rsplit("_FMT_")[1] not in ("S16", "S24_3", "S24", "S32")
] + [
    dict(format=25), dict(format=64), dict(format=255), dict(rate=13), dict(rate=16), dict(rate=255),
    dict(channels=0), dict(channels=3), dict(channels=255),
    dict(features=1), dict(features=2), dict(features=1 << 3), dict(features=1 << 5), dict(features=1 << 31),
    dict(rate=255, period_bytes=0), dict(channels=0, buffer_bytes=0),
]  # fmt: skip


@pytest.mark.parametrize("changes", NOT_OFFERED, ids=str)
def test_set_params_not_offered(world, changes):
    check_refused(world, changes, NOT_SUPP)


@pytest.mark.parametrize(
    "changes",
    [
        dict(period_bytes=0),
        dict(buffer_bytes=0),
        dict(buffer_bytes=0, period_bytes=0),
        dict(buffer_bytes=1919),
        dict(period_bytes=1921),
        dict(period_bytes=3840),
        dict(period_bytes=2, buffer_bytes=8),
        dict(period_bytes=6, buffer_bytes=12),
        dict(format=int(snd.VIRTIO_SND_PCM_FMT_S24_3), period_bytes=8, buffer_bytes=16),
    ],
    ids=str,
)
def test_set_params_with_broken_sizes(world, changes):
    check_refused(world, changes, BAD_MSG)


def check_refused(world, changes, status):
    async def main():
        await world.driver.probe()
        assert await world.set_params(**changes) == status
        assert world.stream.state is State.INIT and world.stream.params is None
        assert await world.set_params() == OK
        kept = world.stream.params
        assert await world.pcm_command(PREPARE) == OK
        assert await world.set_params(**changes) == status
        assert world.stream.state is State.PREPARED and world.stream.params is kept

    world.run(main())


def test_set_params_offered_is_accepted(world):
    async def main():
        await world.driver.probe()
        for stream_format in (5, 11, 15, 17):
            for rate in (*range(13), 14, 15):
                for channels in (1, 2):
                    frame = snd.frame_bytes(stream_format, channels)
                    sizes = dict(period_bytes=frame, buffer_bytes=3 * frame)
                    assert await world.set_params(format=stream_format, rate=rate, channels=channels, **sizes) == OK
        assert await world.set_params(padding=255, features=snd.PCM_FEATURES.mask(["EVT_XRUNS"])) == OK

    world.run(main())


def test_answers_become_named_errors(world):
    async def main():
        await world.driver.probe()
        control = world.driver.control
        with pytest.raises(NotSupported, match=r"EOPNOTSUPP: 0x999 was answered VIRTIO_SND_S_NOT_SUPP"):
            await control.request(word(0x999))
        with pytest.raises(InvalidArgument, match="EINVAL: VIRTIO_SND_R_PCM_START was answered VIRTIO_SND_S_BAD_MSG"):
            await control.request(word(START) + word(0))
        with pytest.raises(DeviceIoError, match="EIO"):
            control.check(int(START), word(snd.VIRTIO_SND_S_IO_ERR))
        with pytest.raises(DeviceIoError, match="at least 4"):
            control.check(int(START), b"\0")

    world.run(main())


def test_a_request_without_answer_times_out_and_keeps_its_memory(world):
    async def main():
        await world.driver.probe()
        before = world.memory.allocated()
        world.device.ctlq.serve = lambda: None
        start = world.port.now_ns()
        with pytest.raises(MessageTimeout, match="ETIMEDOUT: control message 0x0104 was not answered within 1000 ms"):
            await world.driver.control.request(word(START) + word(0))
        assert 1e9 <= world.port.now_ns() - start < 1.001e9
        assert world.memory.allocated() > before
        world.device.ctlq.serve = world.device._serve_control
        world.device.ctlq.serve()
        await world.sleep(10_000)
        assert world.memory.allocated() == before

    world.run(main())
