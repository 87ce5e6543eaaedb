# SPDX-License-Identifier: Apache-2.0
"""The wire against the kernel's own headers: a C program prints what they say, every number is compared.

Two steps. First each name is compiled on its own line, and the compiler's complaints tell which names the
installed headers lack. Those must be whole families of `YOUNGER` (a header either has a family or it has
not), so that a renamed or misspelt constant cannot drop out. Then the rest is compiled, run and compared.
VIRTONE_KERNEL_HEADERS=<folder that holds linux/virtio_snd.h> compares with other headers than those
installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from virtone.virtio import mmio, ring, snd
from virtone.virtio.layout import Array, Struct, le16, le32
from virtone.virtio.snd_codes import SND_H

HEADERS = ("virtio_snd.h", "virtio_ring.h", "virtio_mmio.h", "virtio_config.h", "virtio_ids.h")
MODULES = (mmio, ring, snd)

# Names younger than some headers: family -> patterns of names.
YOUNGER = {
    "notification data": ("VIRTIO_F_NOTIFICATION_DATA",),
    "notification configuration data": ("VIRTIO_F_NOTIF_CONFIG_DATA",),
    "administration queue": ("VIRTIO_F_ADMIN_VQ",),
    "suspend": ("VIRTIO_F_SUSPEND", "VIRTIO_CONFIG_S_SUSPEND"),
    "mmio queue reset": ("VIRTIO_MMIO_QUEUE_RESET",),
    "rates of virtio 1.4": ("VIRTIO_SND_PCM_RATE_12000", "VIRTIO_SND_PCM_RATE_24000"),
    "control elements": (
        *("VIRTIO_SND_F_CTLS", "VIRTIO_SND_R_CTL_*", "VIRTIO_SND_EVT_CTL_NOTIFY", "VIRTIO_SND_CTL_*"),
        *("virtio_snd_config.controls", "virtio_snd_ctl_*"),
    ),
}
# In no header: the specification alone defines the layout of metadata.
NEVER = ("virtio_snd_ctl_tlv*",)
# What the headers of a kernel version are known to lack. A version that is not listed may lack any family.
LACKING = {(6, 1): set(YOUNGER), (7, 2): {"suspend", "mmio queue reset", "rates of virtio 1.4"}}

# Names of the headers that the wire leaves out on purpose.
LEFT_OUT = (
    *("VIRTIO_MMIO_GUEST_PAGE_SIZE", "VIRTIO_MMIO_QUEUE_ALIGN", "VIRTIO_MMIO_QUEUE_PFN"),  # legacy interface
    *("VIRTIO_F_IOMMU_PLATFORM", "VIRTIO_TRANSPORT_F_*"),  # an old name; bounds of a range
    *("VRING_PACKED_*", "vring_packed_*"),  # the packed ring is not offered
    "vring",  # the driver's bookkeeping
)


@dataclass(frozen=True)
class Check:
    """`expression` in C must have the value `expected`; `name` is what a header may lack."""

    name: str
    expression: str
    expected: int


def checks_of(struct: Struct) -> list[Check]:
    c_name = f"struct {struct.name}"
    checks = [Check(struct.name, f"sizeof({c_name})", struct.size)]
    for path, offset, kind in struct.leaves():
        checks.append(Check(f"{struct.name}.{path}", f"offsetof({c_name}, {path})", offset))
        if not (isinstance(kind, Array) and kind.count is None):
            checks.append(Check(f"{struct.name}.{path}", f"sizeof((({c_name} *)0)->{path})", kind.size))
    return checks


def all_checks() -> list[Check]:
    checks = []
    for module in MODULES:
        for group in module.GROUPS:
            if group.header:
                checks += [Check(const.name, const.name, int(const)) for const in group]
        for struct in module.STRUCTS:
            checks += checks_of(struct)
    return checks


def matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


class Compiler:
    """gcc or g++ as a C compiler, with `overlay` searched before the system's headers."""

    def __init__(self, folder: Path, overlay: Path | None = None) -> None:
        tool = shutil.which("gcc") or shutil.which("g++")
        assert tool, "no gcc and no g++ on this machine; on Debian: apt install g++"
        self.folder = folder
        include = [f"-I{overlay}"] if overlay else []
        if other := os.environ.get("VIRTONE_KERNEL_HEADERS"):
            include.append(f"-isystem{other}")
        self.command = [tool, "-x", "c", "-std=gnu11", "-w", *include]

    def run(self, *args: str, source: str) -> subprocess.CompletedProcess[str]:
        path = self.folder / "oracle.c"
        path.write_text(source)
        environment = os.environ | {"LC_ALL": "C"}
        return subprocess.run(
            [*self.command, *args, str(path)], capture_output=True, text=True, env=environment, timeout=60, check=False
        )

    @staticmethod
    def includes() -> str:
        lines = [f"#include <linux/{name}>\n" for name in HEADERS]
        return "#include <stddef.h>\n#include <stdio.h>\n#include <linux/version.h>\n" + "".join(lines)

    def lacking(self, checks: list[Check]) -> set[str]:
        """Names that the headers do not know: those whose own line does not compile."""
        head = self.includes()
        body = "".join(f"unsigned long long f{n}(void) {{ return {c.expression}; }}\n" for n, c in enumerate(checks))
        result = self.run("-fsyntax-only", "-fmax-errors=0", source=head + body)
        first = head.count("\n") + 1
        lines = [int(line) for line in re.findall(r"oracle\.c:(\d+):\d+: error:", result.stderr)]
        assert len(lines) == len(re.findall(r"error:", result.stderr)), result.stderr  # the headers themselves compile
        assert bool(lines) == bool(result.returncode), result.stderr
        return {checks[line - first].name for line in lines}

    def values(self, checks: list[Check]) -> list[int]:
        body = "".join(f'  printf("%llu\\n", (unsigned long long)({check.expression}));\n' for check in checks)
        program = self.folder / "oracle"
        result = self.run("-o", str(program), source=f"{self.includes()}int main(void) {{\n{body}  return 0;\n}}\n")
        assert result.returncode == 0, result.stderr
        output = subprocess.run([str(program)], capture_output=True, text=True, timeout=10, check=True).stdout
        return [int(line) for line in output.split()]

    def version(self) -> tuple[int, int]:
        code = self.values([Check("", "LINUX_VERSION_CODE", 0)])[0]
        return code >> 16, code >> 8 & 0xFF

    def names(self) -> set[str]:
        """Every name of the families we declare that the headers define, macros, enumerators, structures."""
        macros = self.run("-E", "-dM", source=self.includes()).stdout
        text = self.run("-E", "-P", source=self.includes()).stdout
        found = set(re.findall(r"#define ((?:VIRTIO_(?:MMIO|F|RING_F|CONFIG_S|TRANSPORT_F)|VRING)_\w+) \S", macros))
        found |= set(re.findall(r"\bVIRTIO_SND_\w+", text + " ".join(re.findall(r"#define (\w+) \S", macros))))
        return found | set(re.findall(r"\bstruct ((?:virtio_snd_|vring)\w*) \{", text))


def faults(compiler: Compiler, checks: list[Check]) -> list[str]:
    """Everything that is wrong, one sentence each."""
    lacking = compiler.lacking(checks)
    declared = {check.name for check in checks}
    found = []
    families = set()
    for family, patterns in YOUNGER.items():
        members = {name for name in declared if matches(name, patterns) and not matches(name, NEVER)}
        gone = members & lacking
        if gone and gone != members:
            found.append(f"{family}: the headers have {sorted(members - gone)} but lack {sorted(gone)}")
        families |= {family} if gone else set()
    known = [pattern for patterns in YOUNGER.values() for pattern in patterns]
    found += [f"{name}: not in the headers" for name in sorted(lacking) if not matches(name, (*known, *NEVER))]
    version = compiler.version()
    if families != LACKING.get(version, families):
        found.append(f"headers {version} lack {sorted(families)}, expected {sorted(LACKING[version])}")

    present = [check for check in checks if check.name not in lacking]
    shorter = {}  # a structure whose last fields are younger than the headers ends where they begin
    for check in checks:
        if check.name in lacking and check.expression.startswith("offsetof"):
            shorter.setdefault(check.name.split(".")[0], check.expected)
    for check, value in zip(present, compiler.values(present), strict=True):
        expected = shorter.get(check.name, check.expected) if "." not in check.name else check.expected
        if value != expected:
            found.append(f"{check.expression}: declared {expected}, the headers say {value}")

    undeclared = {name for name in compiler.names() if not matches(name, LEFT_OUT)} - declared
    found += [f"{name}: in the headers, not declared" for name in sorted(undeclared)]
    return found


@pytest.fixture
def overlay(tmp_path: Path):
    """A compiler that sees one header with some lines added to it."""

    def make(header: str, lines: str) -> Compiler:
        folder = tmp_path / "overlay" / "linux"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / header).write_text(f"#include_next <linux/{header}>\n{lines}\n")
        return Compiler(tmp_path, folder.parent)

    return make


def test_every_size_offset_and_value_is_that_of_the_headers(tmp_path: Path) -> None:
    checks = all_checks()
    compiler = Compiler(tmp_path)
    assert faults(compiler, checks) == []
    # Nothing is compared by accident: most of what is declared is in the headers.
    assert len({check.name for check in checks} - compiler.lacking(checks)) >= 250


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("VIRTIO_SND_PCM_FMT_S16", "VIRTIO_SND_PCM_FMT_S16"),
        ("VIRTIO_MMIO_QUEUE_NOTIFY", "VIRTIO_MMIO_QUEUE_NOTIFY"),
        ("VIRTIO_F_RING_RESET", "VIRTIO_F_RING_RESET"),
        ("virtio_snd_config", "sizeof(struct virtio_snd_config)"),
    ],
)
def test_a_wrong_number_is_found(tmp_path: Path, name: str, expression: str) -> None:
    checks = [
        replace(check, expected=check.expected + 1) if check.expression == expression else check
        for check in all_checks()
    ]
    if name == "virtio_snd_config":  # its declared size counts only where `controls` is known; shift the field too
        checks = [replace(c, expected=16) if c.expression.endswith("_config, controls)") else c for c in checks]
    found = faults(Compiler(tmp_path), checks)
    assert any(expression in fault and "the headers say" in fault for fault in found), found


def test_a_wrong_layout_is_found(tmp_path: Path) -> None:
    swapped = Struct("virtio_snd_pcm_status", "", SND_H, [("latency_bytes", le32), ("status", le32)])
    split = Struct("vring_used_elem", "", ring.RING_H, [("id", le16), ("len", le16)])
    for struct in (swapped, split):
        checks = [c for c in all_checks() if c.name.split(".")[0] != struct.name] + checks_of(struct)
        found = faults(Compiler(tmp_path), checks)
        assert len(found) >= 2 and all(struct.name in fault for fault in found), found


def test_a_renamed_constant_is_found(tmp_path: Path) -> None:
    checks = [
        replace(c, name="VIRTIO_SND_R_PCM_BEGIN", expression="VIRTIO_SND_R_PCM_BEGIN")
        if c.name == "VIRTIO_SND_R_PCM_START"
        else c
        for c in all_checks()
    ]
    assert faults(Compiler(tmp_path), checks) == [
        "VIRTIO_SND_R_PCM_BEGIN: not in the headers",
        "VIRTIO_SND_R_PCM_START: in the headers, not declared",
    ]


def test_a_header_that_loses_a_name_is_found(overlay) -> None:
    found = faults(overlay("virtio_mmio.h", "#undef VIRTIO_MMIO_STATUS"), all_checks())
    assert found == ["VIRTIO_MMIO_STATUS: not in the headers"]


def test_a_header_that_gains_a_name_is_found(overlay) -> None:
    found = faults(overlay("virtio_config.h", "#define VIRTIO_F_TELEPATHY 55"), all_checks())
    assert found == ["VIRTIO_F_TELEPATHY: in the headers, not declared"]


def test_a_younger_header_is_compared(overlay) -> None:
    lines = "#undef VIRTIO_MMIO_QUEUE_RESET\n#define VIRTIO_MMIO_QUEUE_RESET "
    found = faults(overlay("virtio_mmio.h", lines + "0x0c4"), all_checks())
    assert "VIRTIO_MMIO_QUEUE_RESET: declared 192, the headers say 196" in found, found
    found = faults(overlay("virtio_mmio.h", lines + "0x0c0"), all_checks())
    assert not any(fault.startswith("VIRTIO_MMIO_QUEUE_RESET") for fault in found), found


def test_half_a_family_is_found(overlay) -> None:
    lines = "#undef VIRTIO_F_SUSPEND\n#define VIRTIO_F_SUSPEND 43\n#undef VIRTIO_CONFIG_S_SUSPEND"
    found = faults(overlay("virtio_config.h", lines), all_checks())
    half = "suspend: the headers have ['VIRTIO_F_SUSPEND'] but lack ['VIRTIO_CONFIG_S_SUSPEND']"
    assert half in found, found
