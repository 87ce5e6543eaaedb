# SPDX-License-Identifier: Apache-2.0
"""Getting the Linux board's parts: sources, choice of versions, and every way it can fail. Nothing here needs the network."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import tomllib
from pathlib import Path

import pytest
from rich.console import Console

from hil.virtual.linux_board import apt, deb, initramfs, packages
from hil.virtual.linux_board.errors import (
    BoardError,
    BoardUnavailable,
    CacheBroken,
    CacheFull,
    CacheRefused,
    NoApt,
    NoNetwork,
    PackageMissing,
)

needs_apt = pytest.mark.skipif(
    shutil.which("apt-get") is None or not Path("/etc/debian_version").exists(), reason="no apt on this machine"
)

ONE_LINE = """
# deb https://archive.example/commented bookworm main
deb [signed-by=/k.gpg arch=amd64] https://archive.example/debian bookworm main contrib
deb https://other.example/debian bookworm-updates main
"""
STANZAS = """
Types: deb
URIs: https://node.example
Suites: nodistro
Components: main

# a comment in between
Types: deb deb-src
URIs: https://archive.example/debian https://second.example
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
"""


def test_sources_in_both_formats() -> None:
    assert apt.find_source(ONE_LINE, "bookworm") == ("https://archive.example/debian", "/k.gpg")
    assert apt.find_source(ONE_LINE, "sid") is None
    found = apt.find_source(STANZAS, "bookworm")
    assert found is not None and found.uri == "https://archive.example/debian"
    assert found.signed_by.startswith("\n -----BEGIN") and found.signed_by.endswith("abc")
    assert apt.find_source(STANZAS.replace("Types: deb deb-src", "Types: deb-src"), "bookworm") is None
    assert apt.find_source(STANZAS.replace("Suites: bookworm", "Enabled: no\nSuites: bookworm"), "bookworm") is None


@needs_apt
def test_versions_in_dpkgs_order() -> None:
    versions = {"1.9", "1:0.1", "1.10", "1.10~rc1"}
    assert apt.sort_versions(versions) == ["1:0.1", "1.10", "1.10~rc1", "1.9"]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("E: Failed to fetch X  Could not resolve 'archive.example'", NoNetwork),
        ("E: Failed to fetch X  Connection timed out", NoNetwork),
        ("E: Write error - write (28: No space left on device)", CacheFull),
        ("E: You don't have enough free space in /c/archives/.", CacheFull),
        ("E: Failed to fetch X  Hash Sum mismatch", CacheBroken),
        ("W: GPG error: X InRelease: NO_PUBKEY 0123\nE: The repository 'X' is not signed.", CacheBroken),
        ("E: Version '9' for 'qemu-system-arm' was not found", PackageMissing),
        ("E: Unable to locate package nothing", PackageMissing),
        ("E: something new", BoardUnavailable),
        ("", BoardUnavailable),
    ],
)
def test_complaints_of_apt_by_name(said: str, error: type[Exception]) -> None:
    failure = apt.named_failure(said, "update", Path("/c/apt"))
    assert type(failure) is error and said[3:30] in str(failure)


def test_no_apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoApt, match="apt-get not found"):
        packages.obtain(tmp_path / "cache", quiet())


@needs_apt
def test_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A whole run against an archive that nobody serves; nothing that looks finished is left."""
    monkeypatch.setenv(apt.MIRROR, "http://127.0.0.1:9/debian")
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    with pytest.raises((NoNetwork, CacheBroken)) as seen:
        packages.obtain(tmp_path / "cache", quiet())
    assert isinstance(seen.value, NoNetwork) and "copy the folder" in str(seen.value)
    assert not list((tmp_path / "cache").glob("host-*")) and not list((tmp_path / "cache").glob("guest-*"))


def test_cache_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        CacheRefused, match=r"Not a directory.*; set XDG_CACHE_HOME to a folder that this user may write"
    ):
        packages.obtain(tmp_path / "file" / "cache", quiet())


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert packages.cache_folder() == tmp_path / "virtone" / "linux_board"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification
    assert packages.cache_folder() == Path.home() / ".cache" / "virtone" / "linux_board"


class Archive:
    """An archive with chosen versions, in place of `apt.Apt`."""

    def __init__(self, folder: Path, there: dict[str, list[str]]) -> None:
        self.there, self.archives = there, folder
        self.items = [apt.Item("a_1_all.deb", 5)]

    def versions(self, package: str) -> list[str]:
        return self.there.get(package, [])

    def names(self, pattern: str) -> list[str]:
        return ["linux-image-6.12.94+deb13-arm64", "linux-image-6.12.120+deb13-arm64"]

    def plan(self, words: list[str], closure: bool) -> list[apt.Item]:
        return self.items

    def download(self, words: list[str], closure: bool, progress: object) -> None:
        (self.archives / "a_1_all.deb").write_bytes(b"1234")


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def fetch(folder: Path, there: dict[str, list[str]]) -> tuple[packages._Fetch, Console]:
    one = packages._Fetch.__new__(packages._Fetch)
    one.folder, one.pins, one.console = folder, tomllib.loads(packages.PINS.read_text()), quiet()
    one.apt = Archive(folder, there)
    return one, one.console


@needs_apt
def test_choice_of_versions(tmp_path: Path) -> None:
    pin = {"version": "1:11.1.3", "minimum": "1:10.1"}
    one, console = fetch(tmp_path, {"qemu": ["1:12.0", "1:11.1.3"]})
    assert one._choose("qemu", pin) == "1:11.1.3"
    assert console.file.getvalue() == ""
    one, console = fetch(tmp_path, {"qemu": ["1:12.0", "1:11.2", "1:10.0"]})
    assert one._choose("qemu", pin) == "1:12.0"
    assert "no longer has qemu 1:11.1.3; taking 1:12.0" in console.file.getvalue()
    one, _ = fetch(tmp_path, {"qemu": ["1:10.0"]})
    with pytest.raises(PackageMissing, match=r"the archive has 1:10.0; needed is 1:10.1 or newer"):
        one._choose("qemu", pin)


@needs_apt
def test_choice_of_kernel(tmp_path: Path) -> None:
    there = {
        "linux-image-6.12.94+deb13-arm64:arm64": ["6.12.94-1"],
        "linux-image-6.12.120+deb13-arm64:arm64": ["6.12.120-1"],
    }
    one, console = fetch(tmp_path, there)
    assert one._choose_kernel(one.pins["kernel"]) == ("linux-image-6.12.120+deb13-arm64", "6.12.120-1")
    assert "taking 6.12.120-1" in console.file.getvalue()
    one, _ = fetch(tmp_path, {})
    with pytest.raises(PackageMissing, match="kernel"):
        one._choose_kernel(one.pins["kernel"])


def test_download_of_another_size(tmp_path: Path) -> None:
    one, _ = fetch(tmp_path, {})
    with pytest.raises(CacheBroken, match="is not what the archive announced"):
        one._download(["a=1"], False, "guest", "a")


def test_too_little_room(tmp_path: Path) -> None:
    one, _ = fetch(tmp_path, {})
    one.apt.items = [apt.Item("a_1_all.deb", 1 << 60)]
    with pytest.raises(CacheFull, match="MB are needed"):
        one._download(["a=1"], False, "guest", "a")


@pytest.mark.parametrize(
    ("number", "name", "advice"),
    [
        (errno.ENOSPC, CacheFull, "No space left on device; free room there"),
        (errno.EDQUOT, CacheFull, "quota exceeded; free room there"),
        (errno.EACCES, CacheRefused, "Permission denied; set XDG_CACHE_HOME to a folder that this user may write to"),
        (
            errno.EROFS,
            CacheRefused,
            "Read-only file system; set XDG_CACHE_HOME to a folder that this user may write to",
        ),
        (errno.EIO, CacheBroken, "Input/output error; nothing half was kept"),
        (errno.ENOENT, CacheBroken, "No such file or directory; nothing half was kept"),
    ],
)
def test_what_the_disk_says_by_name(number: int, name: type[BoardError], advice: str, tmp_path: Path) -> None:
    one, _ = fetch(tmp_path, {})
    with pytest.raises(name, match=f"guest-1.part: .*{advice}") as seen, one._aside(tmp_path / "guest-1", {}) as part:
        (part / "half").write_text("x")
        raise OSError(number, os.strerror(number))
    assert type(seen.value) is name and list(tmp_path.iterdir()) == []


def test_a_program_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No full disk is blamed for it."""
    one, _ = fetch(tmp_path, {})
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(CacheBroken, match="No such file or directory: dpkg-deb"),
        one._aside(tmp_path / "a", {}) as part,
    ):
        deb.unpack(tmp_path / "a.deb", part, ["*"])


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    one, _ = fetch(tmp_path, {})
    place = tmp_path / "guest-1"
    with pytest.raises(CacheFull, match="No space left"), one._aside(place, {}) as part:
        (part / "half").write_text("x")
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []
    with one._aside(place, {"a": "1"}) as part:
        (part / "file").write_text("whole")
    manifest = packages._manifest(place)
    assert manifest is not None and manifest["versions"] == {"a": "1"}
    (place / "file").write_text("wh")
    assert packages._manifest(place) is None, "a file of another size is noticed"
    (place / "file").unlink()
    assert packages._manifest(place) is None
    (place / "manifest.json").write_text(json.dumps({})[:1])
    assert packages._manifest(place) is None


def test_cpio_archive(tmp_path: Path) -> None:
    """Names, modes, contents and alignment, read back by hand (newc: 110 bytes of head, name and data to multiples of 4)."""
    entries = {"a/b/c": (0o100755, b"hello"), "l": (0o120777, b"a/b"), "a/b": (0o040700, b"")}
    data = b"".join(initramfs.archive(entries))
    seen, at = [], 0
    while True:
        assert data[at : at + 6] == b"070701" and at % 4 == 0
        numbers = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110 : at + 110 + numbers[11] - 1].decode()
        begin = at + (110 + numbers[11] + 3) // 4 * 4
        if name == "TRAILER!!!":
            break
        seen.append((name, numbers[1], data[begin : begin + numbers[6]]))
        at = begin + (numbers[6] + 3) // 4 * 4
    assert seen == [
        ("a", 0o040755, b""),
        ("a/b", 0o040700, b""),
        ("a/b/c", 0o100755, b"hello"),
        ("l", 0o120777, b"a/b"),
    ]
