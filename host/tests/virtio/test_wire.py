# SPDX-License-Identifier: Apache-2.0
"""The declaration kit: constants, groups, packing and unpacking."""

from __future__ import annotations

import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtone.virtio import mmio, probe, ring, snd
from virtone.virtio.layout import Array, Int, Pad, Struct, Union, le16, le32, le64, u8
from virtone.virtio.wire import Const, Group, WireError, publish

STRUCTS = [*ring.STRUCTS, *snd.STRUCTS]
PADDING = ("padding", "pad")


def values_for(kind):
    """Values that a field of this type takes, as `unpack` gives them."""
    if isinstance(kind, Int):
        return st.integers(0, (1 << 8 * kind.size) - 1)
    if isinstance(kind, Array) and kind.item == u8:
        return st.binary(min_size=kind.count or 0, max_size=kind.count if kind.count is not None else 9)
    if isinstance(kind, Array):
        low, high = (0, 5) if kind.count is None else (kind.count, kind.count)
        return st.lists(values_for(kind.item), min_size=low, max_size=high).map(tuple)
    if isinstance(kind, Union):
        return st.sampled_from(sorted(kind.named)).flatmap(
            lambda name: values_for(kind.named[name].type).map(lambda value: {name: value})
        )
    return st.fixed_dictionaries({name: values_for(field.type) for name, field in kind.named.items()})


def plain(record, kind):
    """A record as the nested mapping it was packed from (a union by the one member given)."""
    if isinstance(kind, Array) and isinstance(kind.item, Struct):
        return tuple(plain(item, kind.item) for item in record)
    if not isinstance(kind, Struct):
        return record
    return {name: plain(record[name], field.type) for name, field in kind.named.items()}


def has_union(kind) -> bool:
    return isinstance(kind, Union) or (isinstance(kind, Struct) and any(has_union(field.type) for field in kind))


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.name)
@given(data=st.data())
def test_unpack_gives_back_what_was_packed(kind, data) -> None:
    values = data.draw(values_for(kind))
    packed = kind.pack(**values)
    assert len(packed) >= kind.size
    record = kind.unpack(packed)
    if not has_union(kind):
        assert plain(record, kind) == values
    assert kind.encode(record, "again") == packed


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.name)
@given(data=st.data())
def test_every_integer_lies_little_endian_at_its_offset(kind, data) -> None:
    raw = data.draw(st.binary(min_size=kind.size, max_size=kind.size))
    record = kind.unpack(raw)
    for path, offset, leaf in kind.leaves():
        if isinstance(leaf, Int):
            value = record
            for name in path.split("."):
                value = value[name]
            assert value == int.from_bytes(raw[offset : offset + leaf.size], "little")


def test_layouts_by_hand() -> None:
    """Python's own struct module as a second opinion on the structures of playback."""
    info = snd.virtio_snd_pcm_info.pack(
        hdr=7, features=0x14, formats=1 << 33 | 5, rates=1 << 40, direction=1, channels_min=2, channels_max=8
    )
    assert info == struct.pack("<IIQQBBB5x", 7, 0x14, 1 << 33 | 5, 1 << 40, 1, 2, 8)
    params = snd.virtio_snd_pcm_set_params.pack(
        hdr={"hdr": snd.VIRTIO_SND_R_PCM_SET_PARAMS, "stream_id": 3},
        buffer_bytes=1920,
        period_bytes=480,
        features=0x10,
        channels=2,
        format=snd.VIRTIO_SND_PCM_FMT_S16,
        rate=snd.VIRTIO_SND_PCM_RATE_48000,
    )
    assert params == struct.pack("<IIIIIBBBx", 0x101, 3, 1920, 480, 0x10, 2, 5, 7)
    desc = ring.vring_desc.pack(addr=0x1_2345_6789, len=64, flags=3, next=9)
    assert desc == struct.pack("<QIHH", 0x1_2345_6789, 64, 3, 9)


def test_sizes_of_the_specification() -> None:
    sizes = {kind.name: kind.size for kind in snd.STRUCTS}
    assert (sizes["virtio_snd_ctl_info"], sizes["virtio_snd_ctl_value"], sizes["virtio_snd_config"]) == (96, 512, 16)
    assert snd.virtio_snd_ctl_info.offset("value.integer64.max") == 80


def test_any_buffer_unpacks() -> None:
    raw = np.arange(8, dtype=np.uint8)
    assert snd.virtio_snd_pcm_status.unpack(raw).latency_bytes == 0x07060504
    assert snd.virtio_snd_pcm_status.unpack(np.array([0x8000, 5], dtype="<u4")).status == 0x8000
    assert snd.virtio_snd_hdr.unpack_from(bytearray(raw), 4).code == 0x07060504


def test_a_union_is_read_as_every_member_and_packs_back() -> None:
    value = snd.virtio_snd_ctl_value.unpack(bytes(range(256)) * 2)
    assert value.value.integer[1] == 0x07060504 and value.value.iec958.status == bytes(range(24))
    assert snd.virtio_snd_ctl_value.pack(value=value.value) == bytes(range(256)) * 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: snd.virtio_snd_hdr.pack(code=1 << 32),
            "virtio_snd_hdr.code: 4294967296 is out of range (le32 takes 0..4294967295)",
        ),
        (lambda: snd.virtio_snd_hdr.pack(code=-1), "virtio_snd_hdr.code: -1 is out of range"),
        (lambda: snd.virtio_snd_hdr.pack(code=1.5), "virtio_snd_hdr.code: 1.5 is not an integer"),
        (lambda: snd.virtio_snd_hdr.pack(code=True), "virtio_snd_hdr.code: True is not an integer"),
        (lambda: snd.virtio_snd_hdr.pack(), "virtio_snd_hdr.code: no value given (le32)"),
        (lambda: snd.virtio_snd_pcm_status.pack(status=0, latency=1), "virtio_snd_pcm_status has no field 'latency'"),
        (lambda: snd.virtio_snd_pcm_hdr.pack(hdr={"cod": 1}, stream_id=0), "(did you mean code?)"),
        (
            lambda: snd.virtio_snd_jack_remap.pack(hdr=5, association=0, sequence=0),
            "5 is not a mapping of hdr, jack_id",
        ),
        (lambda: snd.virtio_snd_pcm_hdr.pack(hdr=b"abc", stream_id=0), "3 bytes given, virtio_snd_hdr has 4"),
        (lambda: snd.virtio_snd_ctl_enum_item.pack(item=bytes(65)), "65 items are too many (u8[64] takes at most 64)"),
        (lambda: snd.virtio_snd_ctl_enum_item.pack(item="x"), "'x' is not a sequence"),
        (lambda: snd.virtio_snd_ctl_value.pack(value={}), "give exactly one of integer"),
        (lambda: snd.virtio_snd_ctl_value.pack(value={"integer": [0], "bytes": b""}), "give exactly one of integer"),
        (
            lambda: snd.virtio_snd_ctl_value.pack(value={"integer": [0, 1 << 32]}),
            "virtio_snd_ctl_value.value.integer[1]:",
        ),
        (lambda: snd.virtio_snd_pcm_status.unpack(bytes(7)), "virtio_snd_pcm_status: 7 bytes given, it has 8"),
        (lambda: snd.virtio_snd_pcm_status.unpack(bytes(9)), "virtio_snd_pcm_status: 9 bytes given, it has 8"),
        (lambda: snd.virtio_snd_ctl_tlv.unpack(bytes(7)), "7 bytes given, it has at least 8"),
        (lambda: snd.virtio_snd_pcm_info.offset("rate"), "(did you mean rates?)"),
        (lambda: snd.FORMATS["S16_LE"], "no 'S16_LE' (did you mean S16?)"),
        (lambda: snd.FORMATS.of(25), "no constant has the value 25"),
        (lambda: snd.FORMATS.bits(1 << 30), "no constant has the value 30"),
        (lambda: snd.rate_of(47999), "47999 Hz is no virtio rate"),
        (lambda: snd.frame_bytes(snd.VIRTIO_SND_PCM_FMT_IMA_ADPCM, 1), "no whole number of bytes (4 bits)"),
        (lambda: ring.used_ring_size(48), "queue size 48: it must be a power of two"),
        (lambda: Const("X", -1), "X = -1"),
        (lambda: Struct("s", "", None, [("a", u8), ("b", le32)]), "s.b: offset 1 is not aligned to 4"),
        (lambda: Struct("s", "", None, [("a", le64), ("b", u8)]), "s: size 9 is not a multiple of its alignment 8"),
        (lambda: Group("g", "", None, [Const("A", 1), Const("A", 2)]), "g: a name is declared twice"),
        (lambda: publish({"A": 1}, Group("g", "", None, [Const("A", 1)])), "A is declared twice"),
    ],
)
def test_a_bad_value_gets_one_clear_message(call, message) -> None:
    with pytest.raises(WireError) as error:
        call()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_constants_are_numbers_with_names() -> None:
    code = snd.VIRTIO_SND_R_PCM_START
    assert code == 0x104 and f"{code!r}" == "VIRTIO_SND_R_PCM_START (0x104)"
    assert pickle.loads(pickle.dumps(code)) == 0x104
    assert snd.STATUSES.short(0x8001) == "BAD_MSG" and snd.STATUSES.name_of(5) == "0x5"
    assert snd.FORMATS.mask(["S16", "VIRTIO_SND_PCM_FMT_S32", 0]) == 1 << 5 | 1 << 17 | 1
    assert [bit.name for bit in snd.PCM_FEATURES.bits(0x14)] == [
        "VIRTIO_SND_PCM_F_MSG_POLLING",
        "VIRTIO_SND_PCM_F_EVT_XRUNS",
    ]


def test_formats_and_rates() -> None:
    """Widths and rates against their names: U18_3 carries 18 bits in 3 bytes, S20 in 4, RATE_8000 is 8000 Hz."""
    for code in snd.FORMATS:
        digits, _, packed = code.name.removeprefix(snd.FORMATS.prefix).lstrip("US").partition("_")
        if digits.isdigit():
            width = int(digits)
            memory = 8 * int(packed) if packed else 32 if width in (18, 20, 24) else width
            assert (code.width, code.physical_width) == (width, memory), code.name
    for code in snd.RATES:
        assert code.name.endswith(f"_{code.nominal}")
        assert code.hz == (5512.5 if code.nominal == 5512 else code.nominal)
    assert snd.rate_of(5512.5) is snd.rate_of(5512) and int(snd.rate_of(24000)) == 15
    assert snd.frame_bytes(snd.VIRTIO_SND_PCM_FMT_S24_3, 2) == 6
    assert snd.frame_bytes(snd.VIRTIO_SND_PCM_FMT_IMA_ADPCM, 2) == 1


@given(st.integers(0, 15), st.integers(0, 1 << 20))
def test_parts_of_a_ring_do_not_overlap(shift, index) -> None:
    num = 1 << shift
    assert ring.avail_ring_size(num) == 6 + 2 * num and ring.used_ring_size(num) == 6 + 8 * num
    assert ring.avail_entry_offset(num, index) + 2 <= ring.used_event_offset(num)
    assert ring.used_elem_offset(num, index) + 8 <= ring.avail_event_offset(num)
    assert ring.avail_entry_offset(num, index) == 4 + 2 * (index % num)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 300))
def test_need_event_means_that_the_event_entry_was_just_added(event, old, added) -> None:
    added_entries = {(old + n) & 0xFFFF for n in range(added)}
    assert ring.vring_need_event(event, (old + added) & 0xFFFF, old) == (event in added_entries)


def test_notification_carries_queue_and_index() -> None:
    assert mmio.notification(2, 0x1_8003) == 0x8003_0002


def test_registers_are_words_that_do_not_overlap() -> None:
    for registers in (mmio.REGISTERS, probe.REGISTERS):
        offsets = [int(register) for register in registers]
        assert offsets == sorted(set(offsets)) and not any(offset % 4 for offset in offsets)
        assert all(register.access in ("R", "W", "RW") for register in registers)


def test_compiler_padding_is_written_as_zero() -> None:
    padded = Struct("s", "", None, [("a", le32), ("", Pad(4)), ("b", le64), ("c", le16), ("", Pad(6))])
    assert padded.pack(a=1, b=2, c=3) == struct.pack("<I4xQH6x", 1, 2, 3)
    assert vars(padded.unpack(b"\xff" * 24)) == {"a": 0xFFFFFFFF, "b": (1 << 64) - 1, "c": 0xFFFF}
