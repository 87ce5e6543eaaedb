# SPDX-License-Identifier: Apache-2.0
"""Device profiles: what loads, what is refused and how, and that the one we build is the one documented."""

from __future__ import annotations

import copy
import re
import tomllib
from pathlib import Path

import pytest

from virtone.virtio import profile, snd

ROOT = Path(__file__).resolve().parents[3]
STEREO = ROOT / "rtl" / "profiles" / "stereo_out.toml"

GOOD = {
    "device": {"queue_size_max": 256, "features": ["VIRTIO_F_VERSION_1"]},
    "stream": [
        {
            "direction": "OUTPUT",
            "hda_fn_nid": 0,
            "formats": ["S16", "VIRTIO_SND_PCM_FMT_S32"],
            "rates": [48000, 5512.5],
            "channels_min": 1,
            "channels_max": 2,
            "features": ["EVT_XRUNS"],
        },
        {
            "direction": "INPUT",
            "hda_fn_nid": 1,
            "formats": ["S24"],
            "rates": [192000],
            "channels_min": 8,
            "channels_max": 8,
            "features": [],
        },
    ],
    "jack": [{"hda_fn_nid": 1, "features": ["REMAP"], "hda_reg_defconf": 9, "hda_reg_caps": 8, "connected": True}],
    "chmap": [{"hda_fn_nid": 1, "direction": "INPUT", "positions": ["FL", "FR"]}],
}


def parse(doc: dict) -> profile.Profile:
    return profile.parse(doc, name="test", where="test.toml")


def test_a_full_profile() -> None:
    device = parse(GOOD)
    assert device.config() == bytes([1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    first = snd.virtio_snd_pcm_info.unpack(device.streams[0].info())
    assert (first.formats, first.rates, first.features) == (1 << 5 | 1 << 17, 1 << 7 | 1 << 0, 1 << 4)
    assert snd.virtio_snd_pcm_info.unpack(device.streams[1].info()).direction == 1
    jack = snd.virtio_snd_jack_info.unpack(device.jacks[0].info())
    assert (jack.hdr.hda_fn_nid, jack.features, jack.hda_reg_caps, jack.connected) == (1, 1, 8, 1)
    chmap = snd.virtio_snd_chmap_info.unpack(device.chmaps[0].info())
    assert (chmap.channels, chmap.positions) == (2, bytes([3, 4]) + bytes(16))


DELETE = object()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("devise",), {}, "test.toml: devise: unknown table (did you mean device?); there are device, stream"),
        (("device",), DELETE, "device: there must be one [device] table"),
        (("device", "queue_size"), 4, "device.queue_size: unknown key (did you mean queue_size_max?)"),
        (("device", "queue_size_max"), 48, "device.queue_size_max: 48 is not a power of two"),
        (("device", "queue_size_max"), 65536, "device.queue_size_max: 65536 is out of range (8..32768)"),
        (("device", "queue_size_max"), True, "device.queue_size_max: True is not an integer"),
        (("device", "features"), ["VIRTIO_F_VERSION_2"], "did you mean VIRTIO_F_VERSION_1?"),
        (("device", "features"), [], "device.features: VIRTIO_F_VERSION_1 must be offered"),
        (("stream",), [], "stream: 0 streams; there must be 1..256"),
        (("stream",), {}, "stream: write it as [[stream]], once for each"),
        (("stream", 0), 5, "stream[0]: 5 is not a table"),
        (("stream", 0, "channel_min"), 1, "stream[0].channel_min: unknown key (did you mean channels_min?)"),
        (("stream", 0, "rates"), DELETE, "stream[0].rates: missing (frame rates in Hz"),
        (("stream", 0, "rates"), 48000, "stream[0].rates: 48000 is not an array"),
        (("stream", 0, "rates"), [48001], "stream[0].rates: 48001 is no virtio frame rate; there are 5512, 8000"),
        (("stream", 0, "rates"), ["48000"], "stream[0].rates: '48000' is no virtio frame rate"),
        (("stream", 0, "rates"), [48000, 48000], "stream[0].rates: 48000 is given twice"),
        (("stream", 0, "rates"), [], "stream[0].rates: is empty"),
        (("stream", 0, "formats"), [], "stream[0].formats: is empty"),
        (("stream", 0, "formats"), ["S16_LE"], "no 'S16_LE' (did you mean S16?)"),
        (("stream", 0, "formats"), [5], "stream[0].formats: 5 is not a string"),
        (("stream", 0, "direction"), "PLAYBACK", "stream[0].direction: Data flow directions: no 'PLAYBACK'"),
        (("stream", 0, "channels_min"), 0, "stream[0].channels_min: 0 is out of range (1..255)"),
        (("stream", 1, "channels_max"), 7, "stream[1].channels_max: 7 is out of range (8..255)"),
        (("stream", 1, "channels_max"), 256, "stream[1].channels_max: 256 is out of range (8..255)"),
        (("stream", 0, "hda_fn_nid"), 1 << 32, "stream[0].hda_fn_nid: 4294967296 is out of range"),
        (("stream", 0, "features"), ["SHMEM_HOST"], "SHMEM_HOST needs shared memory"),
        (("jack", 0, "connected"), 1, "jack[0].connected: 1 is not true or false"),
        (("chmap", 0, "positions"), ["FL"] * 19, "chmap[0].positions: 19 positions; 1..18 fit"),
        (("chmap", 0, "positions"), ["FX"], "chmap[0].positions: Channel positions: no 'FX'"),
    ],
)
def test_a_bad_profile_gets_one_clear_message(path, value, message) -> None:
    doc = copy.deepcopy(GOOD)
    *way, last = path
    place = doc
    for step in way:
        place = place[step]
    if value is DELETE:
        del place[last]
    else:
        place[last] = value
    with pytest.raises(profile.ProfileError) as error:
        parse(doc)
    assert str(error.value).startswith("test.toml: ") and message in str(error.value), str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(profile.ProfileError, match="no such file; a profile is a TOML file"):
        profile.load(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[device\n")
    with pytest.raises(profile.ProfileError, match=r"broken\.toml: not TOML"):
        profile.load(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(profile.ProfileError, match="cannot be read"):
        profile.load(broken)


def test_the_profile_we_build_is_the_one_documented() -> None:
    """docs/device.md names the features, formats and rates; the profile must offer exactly those."""
    device = profile.load(STEREO)
    text = (ROOT / "docs" / "device.md").read_text()
    offered = re.search(r"Features offered.*?:(.*?)\n\*", text, re.S).group(1)
    assert {bit.name for bit in profile.DEVICE_FEATURES.bits(device.features)} == set(re.findall(r"`(\w+)`", offered))
    (stream,) = device.streams
    output = text[text.index("## Output stream") :]
    formats, rates = re.search(r"Formats ([\w, ]+);.*?the rates (.*?)\. Features", output, re.S).groups()
    assert {snd.FORMATS.short(bit) for bit in snd.FORMATS.bits(stream.formats)} == set(formats.split(", "))
    numbers = [int(number) for number in re.findall(r"\d+", re.sub(r"\(.*?\)", "", rates))]
    assert stream.rates == sum(1 << snd.rate_of(number) for number in numbers) and len(numbers) == 15
    assert (stream.channels_min, stream.channels_max, stream.hda_fn_nid) == (1, 2, 0)
    assert stream.features == snd.PCM_FEATURES.mask(["MSG_POLLING", "EVT_XRUNS"])
    assert (device.queue_size_max, device.jacks, device.chmaps, device.controls) == (1024, (), (), ())
    assert tomllib.loads(STEREO.read_text())["stream"][0]["direction"] == "OUTPUT"
