# SPDX-License-Identifier: Apache-2.0
"""Fetching the Linux board's parts, broken off: apt killed, the fetching process killed, packages that are broken.

A small archive of real packages; `apt-get` and `apt-cache` on the PATH are programs of ours that serve it and break off when they are
told to, as apt does: `download` writes under the file's own name, `install` in partial/. Each time the cache has nothing that looks
finished and is not, and the next run succeeds.
"""

from __future__ import annotations

import io
import lzma
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from hil.virtual.linux_board import apt, deb, packages
from hil.virtual.linux_board.errors import CacheBroken, Interrupted

ROOT = Path(__file__).resolve().parents[1]
ENDS_S = 5.0
pytestmark = pytest.mark.skipif(
    shutil.which("apt-get") is None or not Path("/etc/debian_version").exists(), reason="no apt on this machine"
)
PINS = """
suites = ["one"]
[host.tool]
version = "1.0"
minimum = "1.0"
[kernel]
package = "kernel-1"
pattern = "^kernel-"
version = "1.0"
modules = ["snd"]
[guest.box]
architecture = "all"
version = "1.0"
minimum = "1.0"
files = ["usr/bin/box"]
"""
MODULE = bytes(range(256)) * 64
APT_GET = """
import os, signal, sys, time
from pathlib import Path
archive = Path(os.environ["FAKE_ARCHIVE"])
files = [next(archive.glob(word.split("=")[0].split(":")[0] + "_*")) for word in sys.argv[3:] if word[0] not in "-/" and "=1.0" in word]
for file in files:
    data = file.read_bytes()
    if "--print-uris" in sys.argv:
        print(f"'http://archive.example/{file.name}' {file.name} {len(data)} SHA256:0")
        continue
    half = Path("partial" if "install" in sys.argv else ".", file.name)
    if file.name.startswith(os.environ.get("BREAK_AT", "-")):
        half.write_bytes(data[: len(data) // 2])
        if os.environ["BREAK_HOW"] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        Path(os.environ["BREAK_FLAG"]).write_text(str(os.getpid()))
        time.sleep(1000)
    if not Path(file.name).exists() or Path(file.name).stat().st_size != len(data):
        half.write_bytes(data)
        half.rename(file.name)
"""
APT_CACHE = """
import sys
if "madison" in sys.argv:
    print(f"{sys.argv[-1]} | 1.0 | http://archive.example one/main Packages")
"""
DPKG_DEB = """
import os, subprocess, sys, time
from pathlib import Path
done = subprocess.run([os.environ["REAL_DPKG_DEB"], *sys.argv[1:]], stdout=subprocess.PIPE)
if os.environ.get("BREAK_HOW") == "unpacking":
    os.write(1, done.stdout[:len(done.stdout) // 2])
    Path(os.environ["BREAK_FLAG"]).write_text(str(os.getpid()))
    time.sleep(1000)
sys.stdout.buffer.write(done.stdout)
sys.exit(done.returncode)
"""
OBTAIN = """
import sys
from pathlib import Path
from hil.virtual.linux_board import packages
packages.PINS = Path(sys.argv[1])
packages.obtain(Path(sys.argv[2]))
"""


class Fetching:
    """The archive, the programs, the cache."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.cache, self.archive = folder, folder / "cache", folder / "archive"
        self.flag = folder / "flag"
        self.archive.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        for name, text in {"apt-get": APT_GET, "apt-cache": APT_CACHE, "dpkg-deb": DPKG_DEB}.items():
            (programs / name).write_text(f"#!{sys.executable}\n{text}")
            (programs / name).chmod(0o755)
        (folder / "pins.toml").write_text(PINS)
        monkeypatch.setattr(packages, "PINS", folder / "pins.toml")
        monkeypatch.setenv("REAL_DPKG_DEB", shutil.which("dpkg-deb") or "")
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_ARCHIVE", str(self.archive))
        monkeypatch.setenv("BREAK_FLAG", str(self.flag))
        monkeypatch.setenv(apt.MIRROR, "http://archive.example")
        module = lzma.compress(MODULE)
        boot = {"boot/vmlinuz-1": b"kernel", "boot/config-1": b"", "lib/modules/1/sound/snd.ko.xz": module}
        self.package("tool", "all", {"usr/bin/tool": b"tool"})
        self.package("kernel-1", "arm64", boot)
        self.package("box", "all", {"usr/bin/box": b"box"})

    def package(self, name: str, architecture: str, files: dict[str, bytes], compression: str = "none") -> Path:
        tree, file = self.folder / "tree", self.archive / f"{name}_1.0_{architecture}.deb"
        for path, data in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(data)
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN" / "control").write_text(
            f"Package: {name}\nVersion: 1.0\nArchitecture: {architecture}\nMaintainer: nobody <n@example.org>\nDescription: x\n"
        )
        words = ["dpkg-deb", f"-Z{compression}", "--root-owner-group", "--build", str(tree), str(file)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=60)
        shutil.rmtree(tree)
        return file

    def run(self) -> packages.Parts:
        return packages.obtain(self.cache, Console(file=io.StringIO(), width=200))

    def succeeds(self) -> None:
        """A whole run, and nothing but whole things left of all of them."""
        parts = self.run()
        assert parts.kernel.read_bytes() == b"kernel" and parts.versions == {
            "tool": "1.0",
            "kernel-1": "1.0",
            "box": "1.0",
        }
        assert [file.read_bytes() for file in parts.modules] == [MODULE]
        assert (parts.root / "usr/bin/box").read_bytes() == b"box"
        assert self.finished() == {"host", "guest"}
        assert {path.name.split("-")[0] for path in self.cache.iterdir()} == {"host", "guest", "lock"}
        assert not list(self.cache.glob("*.part"))

    def finished(self) -> set[str]:
        """What has its final name in the cache; it has to be whole."""
        places = [path for path in self.cache.glob("*-*") if path.suffix != ".part"]
        assert all(packages._manifest(place) for place in places), "a broken folder under its final name"
        return {place.name.split("-")[0] for place in places}

    def halves(self) -> list[str]:
        """Files that have been broken off."""
        found = [*self.cache.glob("apt/cache/archives/*.deb"), *self.cache.glob("apt/cache/archives/partial/*")]
        return [file.name for file in found if file.stat().st_size == (self.archive / file.name).stat().st_size // 2]


@pytest.fixture
def fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetching:
    return Fetching(tmp_path, monkeypatch)


AT = pytest.mark.parametrize(("at", "verb", "before"), [("tool", "install", set()), ("box", "download", {"host"})])


@AT
def test_apt_killed_in_a_file(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch, at: str, verb: str, before: set[str]
) -> None:
    monkeypatch.setenv("BREAK_AT", at)
    monkeypatch.setenv("BREAK_HOW", "killed")
    with pytest.raises(Interrupted, match=rf"apt-get {verb} .*{at}.* was killed by SIGKILL; run it again"):
        fetching.run()
    assert fetching.halves() == [f"{at}_1.0_all.deb"] and fetching.finished() == before
    monkeypatch.delenv("BREAK_AT")
    fetching.succeeds()


@pytest.mark.parametrize(
    ("at", "how", "before"), [("tool", "stuck", set()), ("box", "stuck", {"host"}), ("-", "unpacking", set())]
)
def test_fetching_process_killed(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch, at: str, how: str, before: set[str]
) -> None:
    """By SIGKILL, in the middle of a file or of unpacking one: its child ends with it, and the lock is free again."""
    path = os.pathsep.join([str(ROOT / "host"), str(ROOT)])
    fetcher = subprocess.Popen(
        [sys.executable, "-c", OBTAIN, str(fetching.folder / "pins.toml"), str(fetching.cache)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "BREAK_AT": at, "BREAK_HOW": how},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait(lambda: fetching.flag.exists() and fetching.flag.read_text(), 30)
        time.sleep(0.1)  # what was written is read
    finally:
        fetcher.kill()
        fetcher.wait()
    child = int(fetching.flag.read_text())
    try:
        assert wait(lambda: not alive(child), ENDS_S), "its child is still there"
    finally:
        if alive(child):
            os.kill(child, signal.SIGKILL)
    assert fetching.finished() == before
    if how == "stuck":
        assert fetching.halves() == [f"{at}_1.0_all.deb"]
    else:
        assert list(fetching.cache.glob("host-*.part")), "the test has not interrupted the unpacking"
    fetching.succeeds()


def test_module_that_cannot_be_decompressed(fetching: Fetching) -> None:
    """The package has the announced size, so that only throwing it away has the next run fetch it again."""
    file = fetching.archive / "kernel-1_1.0_arm64.deb"
    whole = file.read_bytes()
    xz = lzma.compress(MODULE)
    assert whole.count(xz) == 1
    file.write_bytes(whole.replace(xz, xz[:40] + bytes(8) + xz[48:]))
    with pytest.raises(CacheBroken, match=r"kernel-1_1\.0_arm64\.deb cannot be unpacked: .*; it has been thrown away"):
        fetching.run()
    assert fetching.finished() == {"host"} and not list(fetching.cache.glob("*.part"))
    file.write_bytes(whole)
    fetching.succeeds()


@pytest.mark.parametrize("compression", ["none", "xz"])
@pytest.mark.parametrize("cut", [0.5, 0.9, 0.99])
def test_broken_package(fetching: Fetching, tmp_path: Path, compression: str, cut: float) -> None:
    """From somewhere on it is something else, or, where no checksum of its own would tell, missing."""
    noise = b"".join(os.urandom(1 << 16) for _ in range(4))
    file = fetching.package("tool", "all", {"usr/bin/a": noise, "usr/bin/tool": noise}, compression)
    whole = file.read_bytes()
    keep = int(len(whole) * cut)
    file.write_bytes(whole[:keep] + (b"\xff" * (len(whole) - keep) if compression == "xz" else b""))
    with pytest.raises(CacheBroken, match=r"tool_1\.0_all\.deb cannot be unpacked: \S+"):
        fetching.run()
    assert fetching.finished() == set() and not list(fetching.cache.glob("*.part"))
    file.write_bytes(whole)
    fetching.succeeds()
    deb.unpack(file, tmp_path / "again", ["usr/bin/tool"])
    assert (tmp_path / "again/usr/bin/tool").read_bytes() == noise


def wait(holds, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(holds())


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
