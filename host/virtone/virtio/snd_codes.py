# SPDX-License-Identifier: Apache-2.0
"""Codes and enumerations of the virtio sound device (import them from `virtone.virtio.snd`).

Source: virtio 1.4, 5.14 "Sound Device"; names of linux/virtio_snd.h. What the specification defines as a
bit map (features, formats, rates, access, event reasons) is declared as bit numbers.
"""

from __future__ import annotations

from virtone.virtio.wire import Const, Group

SND_H = "linux/virtio_snd.h"
_CHMAP, _CTL = "5.14.6.9 Channel Map Control Messages", "5.14.6.10 Control Elements"
_PCM, _JACK = "5.14.6.6 PCM Control Messages", "5.14.6.4 Jack Control Messages"


class Format(Const):
    """A PCM sample format. `width`: bits that carry the sample; `physical_width`: bits in memory."""

    width: int
    physical_width: int


class Rate(Const):
    """A PCM frame rate. `nominal`: the number in its name; `hz`: the true rate (5512 means 5512.5 Hz)."""

    nominal: int
    hz: float


class ControlType(Const):
    """A control element's value type. `count_max`: the most members a value may have."""

    count_max: int


def _codes(prefix: str, first: int, names: str, docs: tuple[str, ...] = ()) -> list[Const]:
    """Consecutive codes; `names` without the prefix, in order."""
    texts = docs or ("",) * len(names.split())
    radix = 16 if first >= 0x100 else 10
    return [
        Const(prefix + name, first + index, text, radix=radix)
        for index, (name, text) in enumerate(zip(names.split(), texts, strict=True))
    ]


FEATURES = Group(
    "Feature bits of the sound device (bit numbers)",
    "5.14.3 Feature Bits",
    SND_H,
    [Const("VIRTIO_SND_F_CTLS", 0, "control elements")],
)

QUEUES = Group(
    "Virtqueues",
    "5.14.2 Virtqueues",
    SND_H,
    _codes(
        "VIRTIO_SND_VQ_",
        0,
        "CONTROL EVENT TX RX MAX",
        ("control requests", "notifications", "output streams", "input streams", "number of queues"),
    ),
    prefix="VIRTIO_SND_VQ_",
)

DIRECTIONS = Group(
    "Data flow directions",
    "5.14.6 Device Operation",
    SND_H,
    _codes("VIRTIO_SND_D_", 0, "OUTPUT INPUT", ("playback", "capture")),
    prefix="VIRTIO_SND_D_",
)

REQUESTS = Group(
    "Control request codes",
    "5.14.6 Device Operation",
    SND_H,
    [
        Const("VIRTIO_SND_R_JACK_INFO", 0x0001, "describe jacks", radix=16),
        Const("VIRTIO_SND_R_JACK_REMAP", 0x0002, "change a jack's association and sequence", radix=16),
        Const("VIRTIO_SND_R_PCM_INFO", 0x0100, "describe streams", radix=16),
        Const("VIRTIO_SND_R_PCM_SET_PARAMS", 0x0101, "choose a stream's parameters", radix=16),
        Const("VIRTIO_SND_R_PCM_PREPARE", 0x0102, "prepare a stream", radix=16),
        Const("VIRTIO_SND_R_PCM_RELEASE", 0x0103, "release a stream: all its messages complete first", radix=16),
        Const("VIRTIO_SND_R_PCM_START", 0x0104, "start a stream", radix=16),
        Const("VIRTIO_SND_R_PCM_STOP", 0x0105, "stop a stream", radix=16),
        Const("VIRTIO_SND_R_CHMAP_INFO", 0x0200, "describe channel maps", radix=16),
        Const("VIRTIO_SND_R_CTL_INFO", 0x0300, "describe control elements", radix=16),
        Const("VIRTIO_SND_R_CTL_ENUM_ITEMS", 0x0301, "list the options of an enumerated element", radix=16),
        Const("VIRTIO_SND_R_CTL_READ", 0x0302, "read an element's value", radix=16),
        Const("VIRTIO_SND_R_CTL_WRITE", 0x0303, "write an element's value", radix=16),
        Const("VIRTIO_SND_R_CTL_TLV_READ", 0x0304, "read an element's metadata", radix=16),
        Const("VIRTIO_SND_R_CTL_TLV_WRITE", 0x0305, "write an element's metadata", radix=16),
        Const("VIRTIO_SND_R_CTL_TLV_COMMAND", 0x0306, "execute a command on an element's metadata", radix=16),
    ],
    prefix="VIRTIO_SND_R_",
)

EVENTS = Group(
    "Event codes",
    "5.14.6 Device Operation",
    SND_H,
    [
        Const("VIRTIO_SND_EVT_JACK_CONNECTED", 0x1000, "data: jack id", radix=16),
        Const("VIRTIO_SND_EVT_JACK_DISCONNECTED", 0x1001, "data: jack id", radix=16),
        Const("VIRTIO_SND_EVT_PCM_PERIOD_ELAPSED", 0x1100, "data: stream id", radix=16),
        Const("VIRTIO_SND_EVT_PCM_XRUN", 0x1101, "data: stream id", radix=16),
        Const("VIRTIO_SND_EVT_CTL_NOTIFY", 0x1200, "struct virtio_snd_ctl_event", radix=16),
    ],
    prefix="VIRTIO_SND_EVT_",
)

STATUSES = Group(
    "Status codes",
    "5.14.6 Device Operation",
    SND_H,
    _codes(
        "VIRTIO_SND_S_",
        0x8000,
        "OK BAD_MSG NOT_SUPP IO_ERR",
        ("success", "malformed request or invalid parameter", "not supported", "input/output error"),
    ),
    prefix="VIRTIO_SND_S_",
)

JACK_FEATURES = Group(
    "Jack features (bit numbers)",
    _JACK,
    SND_H,
    [Const("VIRTIO_SND_JACK_F_REMAP", 0, "the jack can be remapped")],
    prefix="VIRTIO_SND_JACK_F_",
)

PCM_FEATURES = Group(
    "PCM stream features (bit numbers)",
    _PCM,
    SND_H,
    _codes(
        "VIRTIO_SND_PCM_F_",
        0,
        "SHMEM_HOST SHMEM_GUEST MSG_POLLING EVT_SHMEM_PERIODS EVT_XRUNS",
        (
            "placeholder, must not be selected",
            "placeholder, must not be selected",
            "no notifications on txq and rxq: the device polls",
            "period events for shared memory",
            "underrun and overrun events",
        ),
    ),
    prefix="VIRTIO_SND_PCM_F_",
)


def _format(code: int, name: str, width: int, physical_width: int) -> Format:
    text = f"{width} bits in {physical_width}"
    made = Format(f"VIRTIO_SND_PCM_FMT_{name}", code, text, width=width, physical_width=physical_width)
    return made  # type: ignore[return-value]


FORMATS = Group(
    "PCM sample formats (bit numbers in `formats`)",
    _PCM,
    SND_H,
    [
        _format(0, "IMA_ADPCM", 4, 4),
        _format(1, "MU_LAW", 8, 8),
        _format(2, "A_LAW", 8, 8),
        _format(3, "S8", 8, 8),
        _format(4, "U8", 8, 8),
        _format(5, "S16", 16, 16),
        _format(6, "U16", 16, 16),
        _format(7, "S18_3", 18, 24),
        _format(8, "U18_3", 18, 24),
        _format(9, "S20_3", 20, 24),
        _format(10, "U20_3", 20, 24),
        _format(11, "S24_3", 24, 24),
        _format(12, "U24_3", 24, 24),
        _format(13, "S20", 20, 32),
        _format(14, "U20", 20, 32),
        _format(15, "S24", 24, 32),
        _format(16, "U24", 24, 32),
        _format(17, "S32", 32, 32),
        _format(18, "U32", 32, 32),
        _format(19, "FLOAT", 32, 32),
        _format(20, "FLOAT64", 64, 64),
        _format(21, "DSD_U8", 8, 8),
        _format(22, "DSD_U16", 16, 16),
        _format(23, "DSD_U32", 32, 32),
        _format(24, "IEC958_SUBFRAME", 32, 32),
    ],
    prefix="VIRTIO_SND_PCM_FMT_",
)

_NOMINAL_RATES = (
    *(5512, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000, 384000),
    *(12000, 24000),  # appended by virtio 1.4
)

RATES = Group(
    "PCM frame rates (bit numbers in `rates`)",
    _PCM,
    SND_H,
    [
        Rate(
            f"VIRTIO_SND_PCM_RATE_{nominal}",
            code,
            f"{5512.5 if nominal == 5512 else nominal} Hz",
            nominal=nominal,
            hz=5512.5 if nominal == 5512 else float(nominal),
        )
        for code, nominal in enumerate(_NOMINAL_RATES)
    ],
    prefix="VIRTIO_SND_PCM_RATE_",
)

_POSITIONS = """
    NONE undefined|NA silent|MONO mono stream|FL front left|FR front right|RL rear left|RR rear right|
    FC front center|LFE low frequency|SL side left|SR side right|RC rear center|FLC front left center|
    FRC front right center|RLC rear left center|RRC rear right center|FLW front left wide|
    FRW front right wide|FLH front left high|FCH front center high|FRH front right high|TC top center|
    TFL top front left|TFR top front right|TFC top front center|TRL top rear left|TRR top rear right|
    TRC top rear center|TFLC top front left center|TFRC top front right center|TSL top side left|
    TSR top side right|LLFE left low frequency|RLFE right low frequency|BC bottom center|
    BLC bottom left center|BRC bottom right center"""

CHMAP_POSITIONS = Group(
    "Channel positions",
    _CHMAP,
    SND_H,
    [
        Const("VIRTIO_SND_CHMAP_" + entry.split()[0], code, " ".join(entry.split()[1:]))
        for code, entry in enumerate(_POSITIONS.split("|"))
    ],
    prefix="VIRTIO_SND_CHMAP_",
)

CHMAP_LIMITS = Group(
    "Channel map limit",
    _CHMAP,
    SND_H,
    [Const("VIRTIO_SND_CHMAP_MAX_SIZE", 18, "most channels in a map")],
)

CTL_ROLES = Group(
    "Control roles",
    _CTL,
    SND_H,
    _codes("VIRTIO_SND_CTL_ROLE_", 0, "UNDEFINED VOLUME MUTE GAIN", ("no role", "volume", "mute switch", "gain")),
    prefix="VIRTIO_SND_CTL_ROLE_",
    doc="On the wire a role other than UNDEFINED is shifted left by one; bit 0 is the direction.",
)

CTL_TYPES = Group(
    "Control value types",
    _CTL,
    SND_H,
    [
        ControlType(f"VIRTIO_SND_CTL_TYPE_{name}", code, f"at most {count_max} members", count_max=count_max)
        for code, (name, count_max) in enumerate(
            dict(BOOLEAN=128, INTEGER=128, INTEGER64=64, ENUMERATED=128, BYTES=512, IEC958=1).items()
        )
    ],
    prefix="VIRTIO_SND_CTL_TYPE_",
)

CTL_ACCESS = Group(
    "Control access rights (bit numbers)",
    _CTL,
    SND_H,
    _codes(
        "VIRTIO_SND_CTL_ACCESS_",
        0,
        "READ WRITE VOLATILE INACTIVE TLV_READ TLV_WRITE TLV_COMMAND",
        (
            "the value can be read",
            "the value can be written",
            "the value may change without an event",
            "the element has no effect",
            "metadata can be read",
            "metadata can be written",
            "metadata commands can be executed",
        ),
    ),
    prefix="VIRTIO_SND_CTL_ACCESS_",
)

CTL_EVENT_REASONS = Group(
    "Control event reasons (bit numbers)",
    _CTL,
    SND_H,
    _codes("VIRTIO_SND_CTL_EVT_MASK_", 0, "VALUE INFO TLV", ("value", "information", "metadata")),
    prefix="VIRTIO_SND_CTL_EVT_MASK_",
)

GROUPS = (
    *(FEATURES, QUEUES, DIRECTIONS, REQUESTS, EVENTS, STATUSES, JACK_FEATURES, PCM_FEATURES, FORMATS, RATES),
    *(CHMAP_POSITIONS, CHMAP_LIMITS, CTL_ROLES, CTL_TYPES, CTL_ACCESS, CTL_EVENT_REASONS),
)
