# SPDX-License-Identifier: Apache-2.0
"""Device profiles: what one build of the device offers, read from `rtl/profiles/*.toml`.

Promise: a `Profile` that loaded is one the device may announce (virtio 1.4, 5.14.6: only defined formats,
rates, features and positions, channel counts within limits). Anything else, an unknown key, a wrong type
or a value out of range, is one `ProfileError` that names file, place, value and what would be right.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtone.virtio import mmio, snd
from virtone.virtio.wire import Group, WireError, suggest

DEFAULT_PROFILE = "stereo_out"

# Every key of a table: (type, what it means). Rendered into docs/reference/profile.md.
DEVICE_KEYS = {
    "queue_size_max": (int, "largest size of each virtqueue: a power of two, 8..32768"),
    "features": (list, "names of the feature bits offered, in full"),
}
STREAM_KEYS = {
    "direction": (str, "OUTPUT or INPUT"),
    "hda_fn_nid": (int, "function group, 0..2^32-1; Linux takes it as the PCM device number"),
    "formats": (list, "sample formats, as VIRTIO_SND_PCM_FMT_* without the prefix"),
    "rates": (list, "frame rates in Hz, as in VIRTIO_SND_PCM_RATE_* (5512 means 5512.5 Hz)"),
    "channels_min": (int, "fewest channels, 1..255"),
    "channels_max": (int, "most channels, channels_min..255"),
    "features": (list, "stream features, as VIRTIO_SND_PCM_F_* without the prefix"),
}
JACK_KEYS = {
    "hda_fn_nid": (int, "function group, 0..2^32-1"),
    "features": (list, "jack features, as VIRTIO_SND_JACK_F_* without the prefix"),
    "hda_reg_defconf": (int, "pin default configuration (HDA 7.3.3.31), 0..2^32-1"),
    "hda_reg_caps": (int, "pin capabilities (HDA 7.3.4.9), 0..2^32-1"),
    "connected": (bool, "whether something is plugged in after reset"),
}
CHMAP_KEYS = {
    "hda_fn_nid": (int, "function group, 0..2^32-1"),
    "direction": (str, "OUTPUT or INPUT"),
    "positions": (list, "1..18 channel positions, as VIRTIO_SND_CHMAP_* without the prefix"),
}
TABLES = {"device": DEVICE_KEYS, "stream": STREAM_KEYS, "jack": JACK_KEYS, "chmap": CHMAP_KEYS}

DEVICE_FEATURES = Group(
    "device features", "6", None, [*mmio.FEATURES, *mmio.RING_FEATURES, *snd.FEATURES], doc="all that have a name"
)
_PLACEHOLDERS = ("SHMEM_HOST", "SHMEM_GUEST", "EVT_SHMEM_PERIODS")
_WORD = (1 << 32) - 1


class ProfileError(ValueError):
    """A profile cannot be used; the message says where, which value, and what would be right."""


@dataclass(frozen=True)
class Stream:
    """One PCM stream. `formats`, `rates` and `features` are bit maps, as in `virtio_snd_pcm_info`."""

    direction: int
    hda_fn_nid: int
    formats: int
    rates: int
    channels_min: int
    channels_max: int
    features: int

    def info(self) -> bytes:
        """Its `virtio_snd_pcm_info`, 32 bytes."""
        return snd.virtio_snd_pcm_info.pack(
            hdr=self.hda_fn_nid,
            features=self.features,
            formats=self.formats,
            rates=self.rates,
            direction=self.direction,
            channels_min=self.channels_min,
            channels_max=self.channels_max,
        )


@dataclass(frozen=True)
class Jack:
    """One jack, as in `virtio_snd_jack_info`; `connected` is its state after reset."""

    hda_fn_nid: int
    features: int
    hda_reg_defconf: int
    hda_reg_caps: int
    connected: bool

    def info(self) -> bytes:
        """Its `virtio_snd_jack_info`, 24 bytes."""
        return snd.virtio_snd_jack_info.pack(
            hdr=self.hda_fn_nid,
            features=self.features,
            hda_reg_defconf=self.hda_reg_defconf,
            hda_reg_caps=self.hda_reg_caps,
            connected=int(self.connected),
        )


@dataclass(frozen=True)
class ChannelMap:
    """One channel map, as in `virtio_snd_chmap_info`."""

    hda_fn_nid: int
    direction: int
    positions: tuple[int, ...]

    def info(self) -> bytes:
        """Its `virtio_snd_chmap_info`, 24 bytes."""
        return snd.virtio_snd_chmap_info.pack(
            hdr=self.hda_fn_nid, direction=self.direction, channels=len(self.positions), positions=self.positions
        )


@dataclass(frozen=True)
class Profile:
    """What one device offers. `features` is the 64-bit map of device feature bits."""

    name: str
    queue_size_max: int
    features: int
    streams: tuple[Stream, ...]
    jacks: tuple[Jack, ...] = ()
    chmaps: tuple[ChannelMap, ...] = ()
    controls: tuple[()] = ()

    def config(self) -> bytes:
        """The device's configuration space, `virtio_snd_config`, 16 bytes."""
        return snd.virtio_snd_config.pack(
            jacks=len(self.jacks), streams=len(self.streams), chmaps=len(self.chmaps), controls=len(self.controls)
        )


def load(path: Path | str) -> Profile:
    """The profile in a TOML file; its name is the file's stem. `ProfileError` if it cannot be used."""
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProfileError(f"{path}: no such file; a profile is a TOML file in rtl/profiles") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{path}: not TOML: {error}") from None
    return parse(table, name=path.stem, where=str(path))


def parse(table: Mapping[str, Any], *, name: str, where: str) -> Profile:
    """The profile in a parsed TOML document; `where` begins every error message."""
    return _Reader(where).profile(table, name)


class _Reader:
    """Checks one document; every method raises `ProfileError` or returns what is asked for."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, place: str, text: str) -> ProfileError:
        return ProfileError(f"{self.where}: {place}: {text}")

    def profile(self, doc: Mapping[str, Any], name: str) -> Profile:
        for key in doc:
            if key not in TABLES:
                raise self.fail(key, f"unknown table{suggest(key, TABLES)}; there are {', '.join(TABLES)}")
        if not isinstance(doc.get("device"), Mapping):
            raise self.fail("device", "there must be one [device] table")
        device = self.table(doc["device"], "device", DEVICE_KEYS)
        size = self.number(device, "queue_size_max", "device", 8, 32768)
        if size & (size - 1):
            raise self.fail("device.queue_size_max", f"{size} is not a power of two (8..32768)")
        features = self.mask(device, "features", "device", DEVICE_FEATURES)
        if not features >> int(DEVICE_FEATURES["VIRTIO_F_VERSION_1"]) & 1:
            raise self.fail("device.features", "VIRTIO_F_VERSION_1 must be offered")
        streams = tuple(self.stream(entry, f"stream[{n}]") for n, entry in enumerate(self.tables(doc, "stream")))
        if not 1 <= len(streams) <= 256:
            raise self.fail("stream", f"{len(streams)} streams; there must be 1..256 [[stream]] tables")
        return Profile(
            name=name,
            queue_size_max=size,
            features=features,
            streams=streams,
            jacks=tuple(self.jack(entry, f"jack[{n}]") for n, entry in enumerate(self.tables(doc, "jack"))),
            chmaps=tuple(self.chmap(entry, f"chmap[{n}]") for n, entry in enumerate(self.tables(doc, "chmap"))),
        )

    def stream(self, entry: Any, place: str) -> Stream:
        entry = self.table(entry, place, STREAM_KEYS)
        low = self.number(entry, "channels_min", place, 1, 255)
        high = self.number(entry, "channels_max", place, low, 255)
        for feature in entry["features"]:
            if str(feature).removeprefix(snd.PCM_FEATURES.prefix) in _PLACEHOLDERS:
                raise self.fail(
                    f"{place}.features", f"{feature} needs shared memory, which virtio 1.4 leaves undefined"
                )
        return Stream(
            direction=self.name(entry["direction"], f"{place}.direction", snd.DIRECTIONS),
            hda_fn_nid=self.number(entry, "hda_fn_nid", place, 0, _WORD),
            formats=self.mask(entry, "formats", place, snd.FORMATS, at_least=1),
            rates=self.rates(entry["rates"], f"{place}.rates"),
            channels_min=low,
            channels_max=high,
            features=self.mask(entry, "features", place, snd.PCM_FEATURES),
        )

    def jack(self, entry: Any, place: str) -> Jack:
        entry = self.table(entry, place, JACK_KEYS)
        return Jack(
            hda_fn_nid=self.number(entry, "hda_fn_nid", place, 0, _WORD),
            features=self.mask(entry, "features", place, snd.JACK_FEATURES),
            hda_reg_defconf=self.number(entry, "hda_reg_defconf", place, 0, _WORD),
            hda_reg_caps=self.number(entry, "hda_reg_caps", place, 0, _WORD),
            connected=entry["connected"],
        )

    def chmap(self, entry: Any, place: str) -> ChannelMap:
        entry = self.table(entry, place, CHMAP_KEYS)
        positions = entry["positions"]
        if not 1 <= len(positions) <= snd.VIRTIO_SND_CHMAP_MAX_SIZE:
            raise self.fail(f"{place}.positions", f"{len(positions)} positions; 1..18 fit a channel map")
        return ChannelMap(
            hda_fn_nid=self.number(entry, "hda_fn_nid", place, 0, _WORD),
            direction=self.name(entry["direction"], f"{place}.direction", snd.DIRECTIONS),
            positions=tuple(self.name(item, f"{place}.positions", snd.CHMAP_POSITIONS) for item in positions),
        )

    def tables(self, doc: Mapping[str, Any], key: str) -> Sequence[Any]:
        found = doc.get(key, [])
        if not isinstance(found, list):
            raise self.fail(key, f"write it as [[{key}]], once for each")
        return found

    def table(self, entry: Any, place: str, keys: Mapping[str, tuple[type, str]]) -> Mapping[str, Any]:
        if not isinstance(entry, Mapping):
            raise self.fail(place, f"{entry!r} is not a table")
        for key in entry:
            if key not in keys:
                raise self.fail(f"{place}.{key}", f"unknown key{suggest(key, keys)}; there are {', '.join(keys)}")
        for key, (kind, doc) in keys.items():
            if key not in entry:
                raise self.fail(f"{place}.{key}", f"missing ({doc})")
            if type(entry[key]) is not kind:
                names = {int: "an integer", str: "a string", list: "an array", bool: "true or false"}
                raise self.fail(f"{place}.{key}", f"{entry[key]!r} is not {names[kind]} ({doc})")
        return entry

    def number(self, entry: Mapping[str, Any], key: str, place: str, low: int, high: int) -> int:
        if not low <= entry[key] <= high:
            raise self.fail(f"{place}.{key}", f"{entry[key]} is out of range ({low}..{high})")
        return entry[key]

    def name(self, item: Any, place: str, group: Group) -> int:
        if not isinstance(item, str):
            raise self.fail(place, f"{item!r} is not a string with a name")
        try:
            return int(group[item])
        except WireError as error:
            raise self.fail(place, str(error)) from None

    def mask(self, entry: Mapping[str, Any], key: str, place: str, group: Group, at_least: int = 0) -> int:
        bits = [self.name(item, f"{place}.{key}", group) for item in entry[key]]
        return self.once(bits, entry[key], f"{place}.{key}", at_least)

    def rates(self, items: Sequence[Any], place: str) -> int:
        bits = []
        for item in items:
            try:
                bits.append(int(snd.rate_of(item if type(item) in (int, float) else -1)))
            except WireError:
                nominal = ", ".join(str(rate.nominal) for rate in snd.RATES)
                raise self.fail(place, f"{item!r} is no virtio frame rate; there are {nominal}") from None
        return self.once(bits, items, place, 1)

    def once(self, bits: Sequence[int], items: Sequence[Any], place: str, at_least: int) -> int:
        for index, bit in enumerate(bits):
            if bit in bits[:index]:
                raise self.fail(place, f"{items[index]!r} is given twice")
        if len(bits) < at_least:
            raise self.fail(place, "is empty; there must be at least one")
        return sum(1 << bit for bit in bits)
