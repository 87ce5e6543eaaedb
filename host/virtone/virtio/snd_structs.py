# SPDX-License-Identifier: Apache-2.0
"""Structures of the virtio sound device (import them from `virtone.virtio.snd`).

Source: virtio 1.4, 5.14 "Sound Device"; names of linux/virtio_snd.h. Layouts are those of a 64-bit guest:
`virtio_snd_ctl_info` holds 4 bytes before its union that the specification does not mention.
"""

from __future__ import annotations

from virtone.virtio.layout import Array, Pad, Struct, Union, le16, le32, le64, u8
from virtone.virtio.snd_codes import SND_H

_OPERATION, _ITEM = "5.14.6 Device Operation", "5.14.6.1 Item Information Request"
_JACK, _PCM = "5.14.6.4 Jack Control Messages", "5.14.6.6 PCM Control Messages"
_IO, _CHMAP, _CTL = "5.14.6.8 PCM I/O Messages", "5.14.6.9 Channel Map Control Messages", "5.14.6.10 Control Elements"


def _struct(name: str, section: str, *fields: tuple[object, ...]) -> Struct:
    return Struct(name, section, SND_H, fields)


virtio_snd_config = _struct(
    "virtio_snd_config",
    "5.14.4 Device Configuration Layout",
    ("jacks", le32, "number of jacks"),
    ("streams", le32, "number of PCM streams"),
    ("chmaps", le32, "number of channel maps"),
    ("controls", le32, "number of control elements (VIRTIO_SND_F_CTLS)"),
)

virtio_snd_hdr = _struct("virtio_snd_hdr", _OPERATION, ("code", le32, "VIRTIO_SND_R_*, _EVT_* or _S_*"))
virtio_snd_event = _struct(
    "virtio_snd_event",
    _OPERATION,
    ("hdr", virtio_snd_hdr, "VIRTIO_SND_EVT_*"),
    ("data", le32, "jack or stream id"),
)

virtio_snd_query_info = _struct(
    "virtio_snd_query_info",
    _ITEM,
    ("hdr", virtio_snd_hdr, "VIRTIO_SND_R_*_INFO"),
    ("start_id", le32, "first item"),
    ("count", le32, "number of items"),
    ("size", le32, "bytes the driver has for one item"),
)
virtio_snd_info = _struct(
    "virtio_snd_info", _ITEM, ("hda_fn_nid", le32, "function group: items with equal ids belong together")
)

virtio_snd_jack_hdr = _struct(
    "virtio_snd_jack_hdr", _JACK, ("hdr", virtio_snd_hdr, "VIRTIO_SND_R_JACK_*"), ("jack_id", le32, "jack")
)
virtio_snd_jack_info = _struct(
    "virtio_snd_jack_info",
    _JACK,
    ("hdr", virtio_snd_info, "function group"),
    ("features", le32, "bit map of VIRTIO_SND_JACK_F_*"),
    ("hda_reg_defconf", le32, "pin default configuration (HDA 7.3.3.31)"),
    ("hda_reg_caps", le32, "pin capabilities (HDA 7.3.4.9)"),
    ("connected", u8, "1: something is plugged in"),
    ("padding", Array(u8, 7), "0"),
)
virtio_snd_jack_remap = _struct(
    "virtio_snd_jack_remap",
    _JACK,
    ("hdr", virtio_snd_jack_hdr, "VIRTIO_SND_R_JACK_REMAP"),
    ("association", le32, "association number"),
    ("sequence", le32, "sequence number"),
)

virtio_snd_pcm_hdr = _struct(
    "virtio_snd_pcm_hdr", _PCM, ("hdr", virtio_snd_hdr, "VIRTIO_SND_R_PCM_*"), ("stream_id", le32, "stream")
)
virtio_snd_pcm_info = _struct(
    "virtio_snd_pcm_info",
    _PCM,
    ("hdr", virtio_snd_info, "function group"),
    ("features", le32, "bit map of VIRTIO_SND_PCM_F_*"),
    ("formats", le64, "bit map of VIRTIO_SND_PCM_FMT_*"),
    ("rates", le64, "bit map of VIRTIO_SND_PCM_RATE_*"),
    ("direction", u8, "VIRTIO_SND_D_*"),
    ("channels_min", u8, "fewest channels"),
    ("channels_max", u8, "most channels"),
    ("padding", Array(u8, 5), "0"),
)
virtio_snd_pcm_set_params = _struct(
    "virtio_snd_pcm_set_params",
    _PCM,
    ("hdr", virtio_snd_pcm_hdr, "VIRTIO_SND_R_PCM_SET_PARAMS and the stream"),
    ("buffer_bytes", le32, "bytes of the driver's buffer"),
    ("period_bytes", le32, "bytes of a period; divides buffer_bytes"),
    ("features", le32, "bit map of VIRTIO_SND_PCM_F_*"),
    ("channels", u8, "number of channels"),
    ("format", u8, "VIRTIO_SND_PCM_FMT_*"),
    ("rate", u8, "VIRTIO_SND_PCM_RATE_*"),
    ("padding", u8, "0"),
)

virtio_snd_pcm_xfer = _struct("virtio_snd_pcm_xfer", _IO, ("stream_id", le32, "stream"))
virtio_snd_pcm_status = _struct(
    "virtio_snd_pcm_status",
    _IO,
    ("status", le32, "VIRTIO_SND_S_*"),
    ("latency_bytes", le32, "the device's latency"),
)

virtio_snd_chmap_hdr = _struct(
    "virtio_snd_chmap_hdr", _CHMAP, ("hdr", virtio_snd_hdr, "VIRTIO_SND_R_CHMAP_*"), ("chmap_id", le32, "channel map")
)
virtio_snd_chmap_info = _struct(
    "virtio_snd_chmap_info",
    _CHMAP,
    ("hdr", virtio_snd_info, "function group"),
    ("direction", u8, "VIRTIO_SND_D_*"),
    ("channels", u8, "number of valid positions"),
    ("positions", Array(u8, 18), "VIRTIO_SND_CHMAP_*"),
)

virtio_snd_ctl_hdr = _struct(
    "virtio_snd_ctl_hdr", _CTL, ("hdr", virtio_snd_hdr, "VIRTIO_SND_R_CTL_*"), ("control_id", le32, "control element")
)


def _range(name: str, number: object) -> Struct:
    texts = ("smallest value", "largest value", "fixed step, or 0")
    return _struct(
        name, _CTL, *((field, number, text) for field, text in zip(("min", "max", "step"), texts, strict=True))
    )


virtio_snd_ctl_info = _struct(
    "virtio_snd_ctl_info",
    _CTL,
    ("hdr", virtio_snd_info, "function group"),
    ("role", le32, "0, or VIRTIO_SND_CTL_ROLE_* shifted left by one, and the direction in bit 0"),
    ("type", le32, "VIRTIO_SND_CTL_TYPE_*"),
    ("access", le32, "bit map of VIRTIO_SND_CTL_ACCESS_*"),
    ("count", le32, "members of the value"),
    ("index", le32, "tells elements of equal name apart"),
    ("name", Array(u8, 44), "0-terminated ASCII"),
    ("", Pad(4), "compilers of 64-bit guests align the union to 8"),
    (
        "value",
        Union(
            "(value of virtio_snd_ctl_info)",
            _CTL,
            None,
            [
                ("integer", _range("(integer range)", le32), "for INTEGER"),
                ("integer64", _range("(integer64 range)", le64), "for INTEGER64"),
                ("enumerated", _struct("(options)", _CTL, ("items", le32, "number of options")), "for ENUMERATED"),
            ],
        ),
        "depends on type",
    ),
)
virtio_snd_ctl_enum_item = _struct("virtio_snd_ctl_enum_item", _CTL, ("item", Array(u8, 64), "0-terminated ASCII"))
virtio_snd_ctl_iec958 = _struct(
    "virtio_snd_ctl_iec958",
    _CTL,
    ("status", Array(u8, 24), "channel status"),
    ("subcode", Array(u8, 147), "subcode"),
    ("pad", u8, "nothing"),
    ("dig_subframe", Array(u8, 4), "subframe"),
)
virtio_snd_ctl_value = _struct(
    "virtio_snd_ctl_value",
    _CTL,
    (
        "value",
        Union(
            "(value of virtio_snd_ctl_value)",
            _CTL,
            None,
            [
                ("integer", Array(le32, 128), "BOOLEAN or INTEGER"),
                ("integer64", Array(le64, 64), "INTEGER64"),
                ("enumerated", Array(le32, 128), "ENUMERATED: option numbers"),
                ("bytes", Array(u8, 512), "BYTES"),
                ("iec958", virtio_snd_ctl_iec958, "IEC958"),
            ],
        ),
        "depends on the element's type",
    ),
)
virtio_snd_ctl_tlv = _struct(
    "virtio_snd_ctl_tlv",
    _CTL,
    ("type", le32, "metadata type"),
    ("length", le32, "bytes of value, a multiple of 4, at most 65536"),
    ("value", Array(le32, None), "metadata"),
)
virtio_snd_ctl_event = _struct(
    "virtio_snd_ctl_event",
    _CTL,
    ("hdr", virtio_snd_hdr, "VIRTIO_SND_EVT_CTL_NOTIFY"),
    ("control_id", le16, "control element"),
    ("mask", le16, "bit map of VIRTIO_SND_CTL_EVT_MASK_*"),
)

STRUCTS = (
    *(virtio_snd_config, virtio_snd_hdr, virtio_snd_event, virtio_snd_query_info, virtio_snd_info),
    *(virtio_snd_jack_hdr, virtio_snd_jack_info, virtio_snd_jack_remap),
    *(virtio_snd_pcm_hdr, virtio_snd_pcm_info, virtio_snd_pcm_set_params, virtio_snd_pcm_xfer, virtio_snd_pcm_status),
    *(virtio_snd_chmap_hdr, virtio_snd_chmap_info),
    *(virtio_snd_ctl_hdr, virtio_snd_ctl_info, virtio_snd_ctl_enum_item, virtio_snd_ctl_iec958),
    *(virtio_snd_ctl_value, virtio_snd_ctl_tlv, virtio_snd_ctl_event),
)
