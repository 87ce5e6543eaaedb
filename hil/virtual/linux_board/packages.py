# SPDX-License-Identifier: Apache-2.0
"""What the Linux board is made of, from Debian packages into the user's cache folder, without root.

Promise: `obtain` returns at once when everything is there. Else it fetches what is missing (pins.toml; about 140 MB), shows
sizes and progress, unpacks aside and renames last, so that a broken-off run leaves nothing half: the next one goes on where it
stopped. A QEMU on the PATH that has vfio-user-pci is taken instead of the packaged one. Versions taken are in `versions`.
Failures are those of `errors.py`.

Folder: `$XDG_CACHE_HOME/virtone/linux_board`, else `~/.cache/virtone/linux_board`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from . import deb
from .apt import Apt, at_least, machine_source
from .errors import CacheBroken, CacheFull, PackageMissing, cache_failure

PINS = Path(__file__).with_name("pins.toml")
QEMU = "qemu-system-aarch64"
QEMU_MINIMUM = (10, 1)
_UNPACKED = {"host": 140e6, "guest": 60e6}  # bytes on disk, measured
_LOADER = {
    "amd64": ("usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"),
    "arm64": ("usr/lib/ld-linux-aarch64.so.1", "usr/lib/aarch64-linux-gnu"),
}


@dataclass(frozen=True)
class Program:
    """How to start a program: words before its arguments, and what its environment needs."""

    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """Everything that makes the board. `versions` maps each part to the version used; `modules` are in loading order."""

    qemu: Program
    fdtput: Program
    kernel: Path
    kernel_release: str
    modules: tuple[Path, ...]
    root: Path
    versions: dict[str, str]


def cache_folder() -> Path:
    """Where the parts are kept (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "virtone" / "linux_board"


def obtain(folder: Path | None = None, console: Console | None = None) -> Parts:
    """The board's parts, fetched if they are not there. Messages and progress go to `console` (default: standard error)."""
    folder = folder or cache_folder()
    console = console or Console(stderr=True)
    pins = tomllib.loads(PINS.read_text())
    on_path = _on_path()
    wanted = [name for name in pins["host"] if name not in on_path]
    host = folder / f"host-{_key(os.uname().machine, [pins['host'][name] for name in wanted])}"
    guest = folder / f"guest-{_key(pins['kernel'], pins['guest'])}"
    manifests = {place: _manifest(place) for place in (host, guest) if place is guest or wanted}
    if not all(manifests.values()):
        with _locked(folder):
            fetch = _Fetch(folder, pins, console)
            if wanted and not _manifest(host):
                fetch.host(host, wanted)
            if not _manifest(guest):
                fetch.guest(guest)
            shutil.rmtree(folder / "apt", ignore_errors=True)
        manifests = {place: _manifest(place) for place in manifests}
    versions = {name: version for name, (_, version) in on_path.items()}
    for place, manifest in manifests.items():
        if manifest is None:
            raise CacheBroken(f"{place} is not complete although it was just made; remove it and run again")
        versions |= manifest["versions"]
    return _parts(host, guest, pins, {name: program for name, (program, _) in on_path.items()}, versions)


def _key(*what: object) -> str:
    """Part of a folder's name that changes with the pins."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]


def _parts(host: Path, guest: Path, pins: dict[str, Any], found: dict[str, Program], versions: dict[str, str]) -> Parts:
    (kernel,) = guest.glob("vmlinuz-*")
    return Parts(
        qemu=found.get("qemu-system-arm") or _packaged(host, QEMU),
        fdtput=found.get("device-tree-compiler") or _packaged(host, "fdtput"),
        kernel=kernel,
        kernel_release=kernel.name.removeprefix("vmlinuz-"),
        modules=tuple(guest / "modules" / f"{name}.ko" for name in pins["kernel"]["modules"]),
        root=guest / "root",
        versions=versions,
    )


# -- what the machine has ---------------------------------------------------------------------------------------------
def _on_path() -> dict[str, tuple[Program, str]]:
    """Host packages whose program the PATH has, with its version."""
    found = {}
    if (qemu := shutil.which(QEMU)) and (version := _qemu_version(qemu)):
        found["qemu-system-arm"] = (Program((qemu,)), f"{version} ({qemu})")
    if fdtput := shutil.which("fdtput"):
        said = subprocess.run([fdtput, "--version"], capture_output=True, text=True, timeout=30, check=False)
        found["device-tree-compiler"] = (Program((fdtput,)), f"{(said.stdout + said.stderr).strip()} ({fdtput})")
    return found


def _qemu_version(qemu: str) -> str | None:
    """Version of a QEMU that is new enough and was built with vfio-user-pci, else None."""
    asked = [[qemu, "--version"], [qemu, "-device", "vfio-user-pci,help"]]
    version, device = (subprocess.run(a, capture_output=True, text=True, timeout=30, check=False) for a in asked)
    number = re.search(r"version (\d+)\.(\d+)\S*", version.stdout)
    if number is None or (int(number[1]), int(number[2])) < QEMU_MINIMUM or device.returncode:
        return None
    return number[0].removeprefix("version ")


def _packaged(host: Path, program: str) -> Program:
    """A program of the unpacked packages, started through the loader and the libraries that came with it."""
    loader, libraries = _LOADER["arm64" if os.uname().machine == "aarch64" else "amd64"]
    argv = (
        str(host / loader),
        "--library-path",
        str(host / libraries),
        "--argv0",
        program,
        str(host / "usr/bin" / program),
    )
    if program != QEMU:
        return Program(argv)
    return Program((*argv, "-L", str(host / "usr/share/qemu")), {"QEMU_MODULE_DIR": str(host / libraries / "qemu")})


# -- fetching ---------------------------------------------------------------------------------------------------------
class _Fetch:
    """One run of downloads; the package lists are fetched once."""

    def __init__(self, folder: Path, pins: dict[str, Any], console: Console) -> None:
        self.folder, self.pins, self.console = folder, pins, console
        if os.uname().machine not in ("x86_64", "aarch64"):
            raise PackageMissing(f"no packages for {os.uname().machine}; right is x86_64 or aarch64")
        console.print(f"Linux board: fetching its parts into {folder} (once)")
        self.apt = Apt(folder / "apt", pins["suites"], machine_source())
        self.apt.update()

    def host(self, place: Path, names: Sequence[str]) -> None:
        """QEMU and the device tree compiler with all they depend on."""
        chosen = {name: self._choose(name, self.pins["host"][name]) for name in names}
        debs = self._download([f"{n}={v}" for n, v in chosen.items()], True, "host", " and ".join(names))
        with self._aside(place, chosen) as part:
            for file in debs:
                deb.unpack(file, part, ["*"])

    def guest(self, place: Path) -> None:
        """Kernel, modules and user space of the board."""
        kernel = self.pins["kernel"]
        package, version = self._choose_kernel(kernel)
        full = {n: n if pin.get("architecture") == "all" else f"{n}:arm64" for n, pin in self.pins["guest"].items()}
        chosen = {name: self._choose(full[name], pin) for name, pin in self.pins["guest"].items()}
        words = [f"{package}:arm64={version}", *(f"{full[n]}={v}" for n, v in chosen.items())]
        debs = self._download(words, False, "guest", "kernel and user space of the board")
        by_name = {file.name.split("_")[0]: file for file in debs}
        with self._aside(place, {package: version, **chosen}) as part:
            wanted = [f"*/{name}.ko*" for name in kernel["modules"]]
            deb.unpack(by_name[package], part / "kernel", ["boot/vmlinuz-*", "boot/config-*", *wanted])
            for file in (part / "kernel/boot").iterdir():
                file.rename(part / file.name)
            (part / "modules").mkdir()
            for file in sorted((part / "kernel").rglob("*.ko*")):
                with deb.intact(by_name[package]):
                    data = lzma.decompress(file.read_bytes()) if file.suffix == ".xz" else file.read_bytes()
                (part / "modules" / (file.name.split(".")[0] + ".ko")).write_bytes(data)
            shutil.rmtree(part / "kernel")
            for name, pin in self.pins["guest"].items():
                deb.unpack(by_name[name], part / "root", pin["files"])

    def _choose(self, package: str, pin: dict[str, Any]) -> str:
        """The pinned version, else the newest that fits."""
        there = self.apt.versions(package)
        if pin["version"] in there:
            return str(pin["version"])
        fitting = [v for v in there if at_least(v, pin["minimum"])]
        if not fitting:
            raise PackageMissing(
                f"{package}: the archive has {', '.join(there) or 'none'}; needed is {pin['minimum']} or newer"
            )
        self._moved_on(package, pin["version"], fitting[0])
        return fitting[0]

    def _choose_kernel(self, pin: dict[str, Any]) -> tuple[str, str]:
        if pin["version"] in self.apt.versions(f"{pin['package']}:arm64"):
            return pin["package"], pin["version"]
        found = {v: name for name in self.apt.names(pin["pattern"]) for v in self.apt.versions(f"{name}:arm64")[:1]}
        newest = next((v for v in found if all(at_least(v, other) for other in found)), None)
        if newest is None:
            raise PackageMissing(f"kernel: the archive has no package that matches {pin['pattern']}; correct pins.toml")
        self._moved_on("kernel", pin["version"], newest)
        return found[newest], newest

    def _moved_on(self, package: str, pinned: str, taken: str) -> None:
        self.console.print(f"Linux board: the archive no longer has {package} {pinned}; taking {taken}")

    def _download(self, words: Sequence[str], closure: bool, what: str, title: str) -> list[Path]:
        items = self.apt.plan(words, closure)
        total = sum(item.size for item in items)
        free = shutil.disk_usage(self.folder).free
        if free < total + _UNPACKED[what]:
            raise CacheFull(
                f"the disk of {self.folder} has {free / 1e6:.0f} MB free; {(total + _UNPACKED[what]) / 1e6:.0f} MB are "
                f"needed; free room there or set XDG_CACHE_HOME"
            )
        for stale in self.apt.archives.glob("*.deb"):  # of an earlier, broken-off run with other versions
            if stale.name not in {item.file for item in items}:
                stale.unlink()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            bar = progress.add_task(f"{title} ({len(items)} packages)", total=total)
            self.apt.download(words, closure, lambda done: progress.update(bar, completed=done))
            progress.update(bar, completed=total)
        debs = [self.apt.archives / item.file for item in items]
        for file, item in zip(debs, items, strict=True):
            if not file.is_file() or file.stat().st_size != item.size:
                file.unlink(missing_ok=True)
                raise CacheBroken(f"{file.name} is not what the archive announced ({item.size} bytes); run it again")
        return debs

    @contextlib.contextmanager
    def _aside(self, place: Path, versions: dict[str, str]) -> Iterator[Path]:
        """A folder to fill; at the end it gets its manifest and its name, or is removed."""
        part = place.with_name(f"{place.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir()
            yield part
            files = {str(f.relative_to(part)): f.stat().st_size for f in part.rglob("*") if f.is_file()}
            (part / "manifest.json").write_text(json.dumps({"versions": versions, "files": files}, indent=1))
            shutil.rmtree(place, ignore_errors=True)
            part.rename(place)
        except OSError as error:
            raise cache_failure(error, part) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _manifest(place: Path) -> dict[str, Any] | None:
    """The manifest of a finished folder whose files are all there in their size, else None."""
    try:
        manifest: dict[str, Any] = json.loads((place / "manifest.json").read_text())
        whole = all((place / name).stat().st_size == size for name, size in manifest["files"].items())
    except (OSError, ValueError, KeyError):
        return None
    return manifest if whole else None


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One fetch at a time; who comes second waits and finds everything there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise cache_failure(error, folder) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
