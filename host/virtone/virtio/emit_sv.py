# SPDX-License-Identifier: Apache-2.0
"""Renders the wire as SystemVerilog packages (called by `emit`).

Promise: a constant keeps its name; it is `int unsigned` when 32 bits hold it. A structure gives
`<STRUCT>_SIZE` and `<STRUCT>_<FIELD>_OFS`, a nested field the path of names. No name appears twice. The
packages are clean under Verilator -Wall, used or not, and readable by Yosys' slang reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from virtone.virtio import mmio, probe, profile, ring, snd
from virtone.virtio.layout import Struct
from virtone.virtio.profile import Profile
from virtone.virtio.wire import Const, Group, WireError

COMMAND = "python -m virtone.virtio.emit"


def packages(device: Profile) -> dict[str, str]:
    """File name -> text of every generated package."""
    return {
        "virtio_mmio_pkg.sv": _package(
            "virtio_mmio_pkg", "virtio-mmio registers, status, interrupt and feature bits (virtio 1.4)", mmio
        ),
        "virtio_ring_pkg.sv": _package("virtio_ring_pkg", "the split virtqueue (virtio 1.4)", ring),
        "virtio_snd_pkg.sv": _package("virtio_snd_pkg", "the virtio sound device (virtio 1.4)", snd),
        "probe_pkg.sv": _package("probe_pkg", "the probe page", probe),
        "profile_pkg.sv": _profile(device),
    }


def _frame(name: str, promise: str, source: str, body: Iterable[str]) -> str:
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        f"// {name} - {promise}.",
        "//",
        f"// Generated from {source} by `{COMMAND}`; do not edit.",
        f"package {name};",
        "",
        "  // A design uses some of these constants, hardly ever all.",
        "  /* verilator lint_off UNUSEDPARAM */",
        *body,
        "",
        "  /* verilator lint_on UNUSEDPARAM */",
        "",
        "endpackage",
    ]
    return "\n".join(lines) + "\n"


def _package(name: str, promise: str, module: object) -> str:
    groups: Sequence[Group] = module.GROUPS  # type: ignore[attr-defined]
    structs: Sequence[Struct] = module.STRUCTS  # type: ignore[attr-defined]
    source = f"host/virtone/virtio/{module.__name__.rsplit('.', 1)[1]}.py"  # type: ignore[attr-defined]
    seen: set[str] = set()
    body: list[str] = []
    for title, rows in [*map(_group_rows, groups), *map(_struct_rows, structs)]:
        width = max(len(row[0]) for row in rows)
        body += ["", f"  // {title}"]
        for label, value, text in rows:
            if label in seen:
                raise WireError(f"{name}: {label} would be declared twice")
            seen.add(label)
            line = f"  localparam int unsigned {label.ljust(width)} = {value};"
            body.append(f"{line}  // {text}" if text else line)
    return _frame(name, promise, source, body)


def _group_rows(group: Group) -> tuple[str, list[tuple[str, str, str]]]:
    return f"{group.title} ({group.section})", [(const.name, _literal(const), const.doc) for const in group]


def _struct_rows(struct: Struct) -> tuple[str, list[tuple[str, str, str]]]:
    name = struct.name.upper()
    rows = [(f"{name}_SIZE", str(struct.size), "bytes")]
    rows += [(f"{name}_{path.upper().replace('.', '_')}_OFS", str(ofs), kind) for path, ofs, kind in _fields(struct)]
    return f"struct {struct.name} ({struct.section})", rows


def _fields(struct: Struct) -> Iterator[tuple[str, int, str]]:
    for path, offset, kind in struct.leaves():
        yield path, offset, kind.spelling.replace("struct (", "(")


def _literal(const: Const) -> str:
    if int(const) >= 1 << 32:
        raise WireError(f"{const.name} = {int(const):#x} needs more than 32 bits")
    return f"32'h{int(const):08x}" if const.radix == 16 else str(int(const))


def _profile(device: Profile) -> str:
    streams = device.streams
    body = [
        "",
        f"  localparam int unsigned QUEUE_SIZE_MAX = {device.queue_size_max};  // of every queue",
        "",
        "  // Configuration space: struct virtio_snd_config.",
        f"  localparam int unsigned NUM_JACKS    = {len(device.jacks)};",
        f"  localparam int unsigned NUM_STREAMS  = {len(streams)};",
        f"  localparam int unsigned NUM_CHMAPS   = {len(device.chmaps)};",
        f"  localparam int unsigned NUM_CONTROLS = {len(device.controls)};",
        "",
        "  // Device feature bits offered:",
        *(f"  //   {int(bit):2} {bit.name}" for bit in profile.DEVICE_FEATURES.bits(device.features)),
        f"  localparam logic [63:0] DEVICE_FEATURES = {_hex(device.features, 64)};",
        "",
        "  // Streams: element s describes stream s.",
    ]
    columns = [
        ("STREAM_NID", 32, [s.hda_fn_nid for s in streams], "hda_fn_nid"),
        ("STREAM_FEATURES", 32, [s.features for s in streams], "bit map of VIRTIO_SND_PCM_F_*"),
        ("STREAM_FORMATS", 64, [s.formats for s in streams], "bit map of VIRTIO_SND_PCM_FMT_*"),
        ("STREAM_RATES", 64, [s.rates for s in streams], "bit map of VIRTIO_SND_PCM_RATE_*"),
        ("STREAM_DIRECTION", 8, [s.direction for s in streams], "VIRTIO_SND_D_*"),
        ("STREAM_CHANNELS_MIN", 8, [s.channels_min for s in streams], ""),
        ("STREAM_CHANNELS_MAX", 8, [s.channels_max for s in streams], ""),
    ]
    for name, bits, values, text in columns:
        body += _array(name, "NUM_STREAMS", bits, values, text)
    body += [
        "",
        "  // What the *_INFO requests answer for each item, as a little-endian image: first byte in [7:0].",
        "  // A kind of which there is none has one element of zeros.",
    ]
    body += _array("STREAM_INFO", "NUM_STREAMS", 256, _images(s.info() for s in streams), "struct virtio_snd_pcm_info")
    for kind, items, text in (("JACK", device.jacks, "jack"), ("CHMAP", device.chmaps, "chmap")):
        count = f"NUM_{kind}S" if items else "1"
        images = _images(item.info() for item in items) or [0]
        body += _array(f"{kind}_INFO", count, 192, images, f"struct virtio_snd_{text}_info")
    source = f"rtl/profiles/{device.name}.toml"
    return _frame("profile_pkg", f"what this device offers: profile {device.name}", source, body)


def _array(name: str, count: str, bits: int, values: Sequence[int], text: str) -> list[str]:
    """A packed array, so that simulation and synthesis index it alike; the last element comes first."""
    items = ", ".join(_hex(value, bits) for value in reversed(values))
    high = f"{count}-1" if count != "1" else "0"
    line = f"  localparam logic [{high}:0][{bits - 1}:0] {name} = {{{items}}};"
    return [f"{line}  // {text}" if text else line]


def _images(items: Iterable[bytes]) -> list[int]:
    return [int.from_bytes(item, "little") for item in items]


def _hex(value: int, bits: int) -> str:
    digits = f"{value:0{bits // 4}x}"
    groups = [digits[max(0, end - 8) : end] for end in range(len(digits), 0, -8)]
    return f"{bits}'h" + "_".join(reversed(groups))
