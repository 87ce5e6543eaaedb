# SPDX-License-Identifier: Apache-2.0
"""apt as an ordinary user, in a folder of its own.

Promise: packages of other Debian releases and architectures than the machine's are found and downloaded with the machine's own apt
(its sources, proxies, keys), nothing outside the folder is touched, and signatures and checksums are apt's usual ones: the files are whole
when `download` returns. A download that was broken off leaves half a file, also under its own name; the next one goes on where it stopped.
Failures are named: `NoApt`, `NoNetwork`, `PackageMissing`, `Interrupted`, `CacheFull`, `CacheRefused`, `CacheBroken`.

An address of an archive is never written here: it comes from the machine's sources (sources.list(5)), or from the environment
variable VIRTONE_DEBIAN_MIRROR on a machine that runs another distribution.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from cocotb_tests.engine.process import die_with_parent, kill_group

from .errors import (
    BoardUnavailable,
    CacheBroken,
    CacheFull,
    Interrupted,
    NoApt,
    NoNetwork,
    PackageMissing,
    cache_failure,
)

MIRROR = "VIRTONE_DEBIAN_MIRROR"
OFFLINE_HINT = "connect this machine, or copy the folder {folder} from one where it worked"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_DOWNLOAD_LIMIT_S = 1800.0


class Source(NamedTuple):
    """One archive: its address and the key file that signs it (empty: apt's own)."""

    uri: str
    signed_by: str


class Item(NamedTuple):
    """One file that apt would download."""

    file: str
    size: int


def machine_source() -> Source:
    """The Debian archive that this machine's packages come from. NoApt if there is none."""
    for tool in ("apt-get", "apt-cache", "apt-config", "dpkg", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NoApt(
                f"{tool} not found: QEMU and the board's kernel come as Debian packages; run this on Debian 12 or newer"
            )
    if mirror := os.environ.get(MIRROR):
        return Source(mirror, str(_KEYRING) if _KEYRING.exists() else "")
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(), re.MULTILINE))
    if release.get("ID") != "debian":
        raise NoApt(
            f"this machine runs {release.get('ID', 'an unknown system')}: its apt sources have no Debian packages; "
            f"install debian-archive-keyring and name an archive in {MIRROR}"
        )
    places = _run(["apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"])
    named = dict(word.split("=", 1) for word in shlex.split(places))
    files = [Path(named.get("LIST", "/etc/apt/sources.list"))]
    parts = Path(named.get("PARTS", "/etc/apt/sources.list.d"))
    files += sorted(parts.glob("*.list")) + sorted(parts.glob("*.sources")) if parts.is_dir() else []
    for file in files:
        if file.is_file() and (source := find_source(file.read_text(), release.get("VERSION_CODENAME", ""))):
            return source
    raise NoApt(
        f"no apt source for Debian {release.get('VERSION_CODENAME')} main in {', '.join(map(str, files))}; "
        f"add one, or name an archive in {MIRROR}"
    )


def find_source(text: str, codename: str) -> Source | None:
    """The first archive of component main for a release in a sources file, in either of its two formats (sources.list(5))."""
    for line in text.splitlines():
        words = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)", line.strip())
        if words and words[3] == codename and "main" in words[4].split():
            options = dict(o.split("=", 1) for o in (words[1] or "").split() if "=" in o)
            return Source(words[2], options.get("signed-by", ""))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[key] = f"{fields.get(key, '')}\n{line}"
            elif ":" in line:
                key, value = line.split(":", 1)
                key = key.strip().lower()
                fields[key] = value.strip()
        wanted = codename in fields.get("suites", "").split() and "main" in fields.get("components", "").split()
        if wanted and "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            return Source(fields["uris"].split()[0], fields.get("signed-by", ""))
    return None


class Apt:
    """A private apt below `folder`, for packages of the host's architecture and of arm64."""

    def __init__(self, folder: Path, suites: Sequence[str], source: Source) -> None:
        self.folder, self.suites = folder, suites
        self.archives = folder / "cache" / "archives"
        self.architecture = _run(["dpkg", "--print-architecture"]).strip()
        architectures = dict.fromkeys((self.architecture, "arm64"))
        try:
            for name in ("lists/partial", "cache/archives/partial", "sources", "none/partial", "log"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / "status").write_text("")
            signed = f"\nSigned-By:{' ' if not source.signed_by.startswith(chr(10)) else ''}{source.signed_by}"
            (folder / "sources" / "virtone.sources").write_text(
                f"Types: deb\nURIs: {source.uri}\nSuites: {' '.join(suites)}\nComponents: main\n"
                f"Architectures: {' '.join(architectures)}{signed if source.signed_by else ''}\n"
            )
            hooks = ("APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success", "APT::Update::Pre-Invoke")
            (folder / "apt.conf").write_text(
                "".join(f"#clear {hook};\n" for hook in (*hooks, "DPkg::Pre-Install-Pkgs", "APT::Architectures"))
                + f'Dir::State "{folder}"; Dir::State::status "{folder}/status"; Dir::State::lists "{folder}/lists";\n'
                f'Dir::Cache "{folder}/cache"; Dir::Log "{folder}/log";\n'
                f'Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "{folder}/sources";\n'
                f'Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "{folder}/none";\n'
                f'APT::Architecture "{self.architecture}"; APT::Architectures {{ {" ".join(f"{chr(34)}{a}{chr(34)};" for a in architectures)} }};\n'
                'APT::Install-Recommends "false"; APT::Sandbox::User ""; APT::Default-Release "";\n'
                'Acquire::Languages "none"; Acquire::Retries "2"; Acquire::http::Timeout "20"; Acquire::https::Timeout "20";\n'
                'Acquire::IndexTargets::deb::DEP-11 { DefaultEnabled "false"; };\n'
            )
        except OSError as error:
            raise cache_failure(error, folder) from error

    def update(self) -> None:
        """Fetch the package lists of the suites (about 20 MB)."""
        self._get(["update", "--error-on=any"])

    def versions(self, package: str) -> list[str]:
        """Versions of a package the archive has, the newest first; `package` may end in :ARCHITECTURE."""
        text = self._cache(["madison", package])
        found = {
            line.split("|")[1].strip() for line in text.splitlines() if line.count("|") == 2 and "Packages" in line
        }
        return sort_versions(found)

    def names(self, pattern: str) -> list[str]:
        """Names of packages that match a regular expression."""
        return [line.split(" - ")[0] for line in self._cache(["search", "--names-only", pattern]).splitlines()]

    def plan(self, packages: Sequence[str], with_dependencies: bool) -> list[Item]:
        """The files `download` would fetch for `NAME[:ARCH]=VERSION` ..., those already here included."""
        verb = ["install", "-t", self.suites[-1]] if with_dependencies else ["download"]
        empty = f"Dir::Cache::archives={self.folder / 'none'}"  # apt leaves out what it finds among its archives
        text = self._get([*verb, "--print-uris", "-qq", "-o", empty, *packages])
        return [Item(m[1], int(m[2])) for m in re.finditer(r"^'[^']*' (\S+) (\d+)", text, re.MULTILINE)]

    def download(
        self, packages: Sequence[str], with_dependencies: bool, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        """Bring the packages into `archives`; `progress` receives the bytes that are there, several times a second."""
        if with_dependencies:
            self._get(["install", "-t", self.suites[-1], "--download-only", "-y", "-qq", *packages], progress)
        else:
            self._get(["download", "-qq", *packages], progress)

    # -- parts --------------------------------------------------------------------------------------------------------
    def _cache(self, arguments: Sequence[str]) -> str:
        return _run(["apt-cache", "-c", str(self.folder / "apt.conf"), *arguments])

    def _get(self, arguments: Sequence[str], progress: Callable[[int], None] | None = None) -> str:
        command = ["apt-get", "-c", str(self.folder / "apt.conf"), *arguments]
        deadline = time.monotonic() + _DOWNLOAD_LIMIT_S
        output = self.folder / "log" / "output"
        try:
            with output.open("wb") as log:
                child = subprocess.Popen(
                    command,
                    cwd=self.archives,
                    env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=die_with_parent(),
                )
        except OSError as error:
            raise cache_failure(error, self.folder) from error
        try:
            while child.poll() is None:
                if time.monotonic() > deadline:
                    raise NoNetwork(f"apt-get {arguments[0]} took longer than {_DOWNLOAD_LIMIT_S:.0f} s; run it again")
                if progress is not None:
                    progress(self._here())
                time.sleep(0.02 if progress is None else 0.1)
        finally:
            if child.poll() is None:
                kill_group(child)
        text = output.read_text(errors="replace")
        if child.returncode < 0:
            what = " ".join([arguments[0], *(word for word in arguments if "=" in word and "::" not in word)])
            raise Interrupted(
                f"apt-get {what} was killed by {signal.Signals(-child.returncode).name}; run it again, it goes on where it stopped"
            )
        if child.returncode:
            raise named_failure(text, arguments[0], self.folder)
        return text

    def _here(self) -> int:
        total = 0
        for file in (*self.archives.glob("*.deb"), *self.archives.glob("partial/*")):
            try:
                total += file.stat().st_size
            except FileNotFoundError:  # renamed in this moment
                continue
        return total


def named_failure(text: str, verb: str, folder: Path) -> Exception:
    """apt's complaint as an error of ours."""
    said = [
        line for line in text.splitlines() if line.startswith(("E:", "Err:", "W: Failed", "W: GPG error"))
    ] or text.splitlines()[-1:]
    end = "; ".join(line.strip() for line in said[:2])
    if "No space left on device" in text or "don't have enough free space" in text:
        return CacheFull(
            f"the disk of {folder} is full; free 600 MB there or set XDG_CACHE_HOME to a folder with room ({end})"
        )
    if re.search(
        r"Unable to locate package|Version '.*' for '.*' was not found|no installation candidate|Can't find", text
    ):
        return PackageMissing(f"the Debian archive no longer has what was asked for: {end}; correct pins.toml")
    if re.search(r"Hash Sum mismatch|BADSIG|NO_PUBKEY|is not signed|has unexpected size", text):
        return CacheBroken(
            f"what the archive sent does not match its signature or checksum: {end}; run it again, or install debian-archive-keyring where a key is missing"
        )
    if re.search(
        r"Could not resolve|Temporary failure|Could not connect|Failed to fetch|Unable to connect|timed out|Network is unreachable|Connection refused",
        text,
    ):
        return NoNetwork(f"the Debian archive cannot be reached: {end}; {OFFLINE_HINT.format(folder=folder.parent)}")
    return BoardUnavailable(f"apt-get {verb} failed: {end}")


def sort_versions(versions: set[str]) -> list[str]:
    """Debian versions, the newest first, in dpkg's order."""
    ordered: list[str] = []
    for version in sorted(versions):
        at = next((i for i, other in enumerate(ordered) if at_least(version, other)), len(ordered))
        ordered.insert(at, version)
    return ordered


def at_least(version: str, minimum: str) -> bool:
    """Whether a Debian version is `minimum` or newer."""
    return (
        subprocess.run(["dpkg", "--compare-versions", version, "ge", minimum], timeout=30, check=False).returncode == 0
    )


def _run(command: Sequence[str]) -> str:
    return subprocess.run(
        list(command), capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "LC_ALL": "C"}
    ).stdout
