# SPDX-License-Identifier: Apache-2.0
"""Renders the wire as the reference pages in docs/reference (called by `emit`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from virtone.virtio import mmio, probe, profile, ring, snd
from virtone.virtio.emit_sv import COMMAND
from virtone.virtio.layout import Pad, Struct, Union
from virtone.virtio.profile import Profile
from virtone.virtio.wire import Const, Group


def pages(device: Profile) -> dict[str, str]:
    """File name -> text of every reference page."""
    return {
        "registers.md": _registers(),
        "structures.md": _structures(),
        "sound-codes.md": _sound_codes(),
        "probe-registers.md": _probe(),
        "profile.md": _profile(device),
    }


def _page(title: str, source: str, *parts: str) -> str:
    made = f"<!-- Generated from {source} by `{COMMAND}`; do not edit. -->"
    return "\n\n".join([made, f"# {title}", *(part.strip("\n") for part in parts)]) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows)])


def _section(group: Group | Struct) -> str:
    if not group.section[0].isdigit():
        return ""
    held = f"; `<{group.header}>`" if group.header else ""
    return f"Virtio 1.4, {group.section}{held}."


def _constants(group: Group, extra: dict[str, str] | None = None, value: str = "Value") -> str:
    """A group as a section: title, source, table. `extra` maps a column's title to an attribute."""
    extra = extra or {}
    head = [value, "Name", *extra, "Meaning"]
    rows = [
        (_value(const), f"`{const.name}`", *(f"{getattr(const, key):g}" for key in extra.values()), const.doc)
        for const in group
    ]
    return "\n\n".join(part for part in (f"## {group.title}", _section(group), group.doc, _table(head, rows)) if part)


def _register_map(group: Group) -> str:
    rows = [(f"0x{int(reg):03x}", f"`{reg.name}`", reg.access, reg.doc) for reg in group]
    parts = (f"## {group.title}", _section(group), _table(("Offset", "Name", "Access", "Meaning"), rows))
    return "\n\n".join(part for part in parts if part)


def _value(const: Const) -> str:
    return f"0x{int(const):04x}" if const.radix == 16 else str(int(const))


def _registers() -> str:
    config = snd.virtio_snd_config
    space = [
        (f"0x{int(mmio.VIRTIO_MMIO_CONFIG) + field.offset:03x}", f"`{field.name}`", field.type.spelling, field.doc)
        for field in config
    ]
    return _page(
        "Registers",
        "host/virtone/virtio/mmio.py",
        "The virtio-mmio window, as the driver sees it. What the device does with each register is in\n"
        "[device.md](../device.md). All registers are 32 bits wide, little-endian.",
        _register_map(mmio.REGISTERS),
        f"## Configuration space\n\n{_section(config)}\n\n" + _table(("Offset", "Field", "Type", "Meaning"), space),
        *(_constants(group) for group in (mmio.IDENTITY, mmio.DEVICE_IDS, mmio.STATUS_BITS, mmio.INTERRUPT_BITS)),
        _constants(mmio.FEATURES, value="Bit"),
        _constants(mmio.RING_FEATURES, value="Bit"),
        _constants(mmio.NOTIFICATION, value="Bit"),
    )


def _structures() -> str:
    return _page(
        "Structures",
        "host/virtone/virtio/ring.py and snd_structs.py",
        "All integers are little-endian and unsigned. Offsets and sizes are in bytes.",
        "## Rings\n\nThe parts of a split virtqueue. After the last entry of the avail ring follows `used_event`, after the\n"
        "last element of the used ring `avail_event`, both le16 and used with `VIRTIO_RING_F_EVENT_IDX`.",
        *(_struct(struct) for struct in ring.STRUCTS),
        *(_constants(group).replace("## ", "### ") for group in ring.GROUPS),
        "## Sound device",
        *(_struct(struct) for struct in snd.STRUCTS),
    )


def _struct(struct: Struct) -> str:
    rows = _fields(struct, 0, "")
    return "\n\n".join(
        (
            f"### struct {struct.name}: {struct.size} bytes",
            _section(struct),
            _table(("Offset", "Type", "Field", "Meaning"), rows),
        )
    )


def _fields(struct: Struct, base: int, prefix: str) -> list[tuple[object, ...]]:
    """Rows of a table; unions and unnamed structures are opened, named ones are not."""
    rows: list[tuple[object, ...]] = []
    for field in struct:
        path, kind = prefix + field.name, field.type
        unnamed = isinstance(kind, Struct) and kind.name.startswith("(")
        spelling = "union" if isinstance(kind, Union) else "struct" if unnamed else kind.spelling
        if isinstance(kind, Pad):
            rows.append((base + field.offset, f"{kind.size} bytes", "", f"padding: {field.doc}"))
        else:
            rows.append((base + field.offset, spelling, f"`{path}`", field.doc))
        if unnamed:
            rows += _fields(kind, base + field.offset, path + ".")
    return rows


def _sound_codes() -> str:
    extra = {
        snd.FORMATS.title: {"Bits": "width", "Bits in memory": "physical_width"},
        snd.RATES.title: {"Rate in Hz": "hz"},
        snd.CTL_TYPES.title: {"Members at most": "count_max"},
    }
    parts = []
    for group in snd.GROUPS:
        value = "Bit" if "bit number" in group.title else "Value"
        part = _constants(group, extra.get(group.title), value)
        if group.title in extra:  # the columns say it all
            part = _without_last_column(part)
        parts.append(part)
    return _page("Sound device codes", "host/virtone/virtio/snd_codes.py", *parts)


def _without_last_column(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(line.rsplit("|", 2)[0] + "|" if line.startswith("|") else line for line in lines)


def _probe() -> str:
    return _page(
        "Probe registers",
        "host/virtone/virtio/probe.py",
        f"Our own page of registers, at 0x{int(probe.PROBE_BASE):04x} of the device's window. Nothing of virtio: the driver\n"
        "never claims it, so user space on the board may map it. All registers are 32 bits wide.",
        _register_map(probe.REGISTERS),
        *(_constants(group) for group in (probe.EVENTS, probe.VALUES)),
    )


def _profile(device: Profile) -> str:
    keys = []
    for table, entries in profile.TABLES.items():
        kinds = {int: "integer", str: "string", list: "array", bool: "boolean"}
        mark = f"## [{table}]" if table == "device" else f"## [[{table}]]"
        keys.append(
            mark
            + "\n\n"
            + _table(("Key", "Type", "Meaning"), [(f"`{k}`", kinds[t], doc) for k, (t, doc) in entries.items()])
        )
    shown = [f"## Profile {device.name}", f"Queue size: at most {device.queue_size_max}. Device features:"]
    shown.append(
        _table(("Bit", "Name"), [(int(b), f"`{b.name}`") for b in profile.DEVICE_FEATURES.bits(device.features)])
    )
    for number, stream in enumerate(device.streams):
        rates = sorted(rate.hz for rate in snd.RATES.bits(stream.rates))
        rows = [
            ("direction", snd.DIRECTIONS.short(stream.direction)),
            ("function group", stream.hda_fn_nid),
            ("channels", f"{stream.channels_min} to {stream.channels_max}"),
            ("formats", ", ".join(snd.FORMATS.short(bit) for bit in snd.FORMATS.bits(stream.formats))),
            ("rates in Hz", ", ".join(f"{hz:g}" for hz in rates)),
            ("features", ", ".join(snd.PCM_FEATURES.short(bit) for bit in snd.PCM_FEATURES.bits(stream.features))),
        ]
        shown.append(f"Stream {number}:\n\n" + _table(("", ""), rows))
    shown.append(f"Jacks: {len(device.jacks)}. Channel maps: {len(device.chmaps)}. Controls: {len(device.controls)}.")
    return _page(
        "Device profile",
        f"host/virtone/virtio/profile.py and rtl/profiles/{device.name}.toml",
        "What one build of the device offers is a TOML file in rtl/profiles. `make gen` renders the one that is built\n"
        "into rtl/pkg/profile_pkg.sv. Every key of a table must be given; an unknown one is an error.",
        *keys,
        *shown,
    )
