# SPDX-License-Identifier: Apache-2.0
"""The board's root file system, as a cpio archive for the kernel (Linux Documentation/driver-api/early-userspace/buffer-format.rst).

Promise: made without root and without touching anything but the file named; the same parts give the same bytes. What is in it:
the packages' user space, the kernel modules in /modules (named in /modules/order), hil/guest/init and the caller's files.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from .packages import Parts

GUEST = Path(__file__).resolve().parents[2] / "guest"
_APPLETS = """
ash awk base64 basename cat chmod chrt cp cttyhack cut date dd devmem df dirname dmesg echo env expr false find free grep gunzip gzip
head hexdump hostname id insmod kill killall ln ls lsmod md5sum mkdir mknod mktemp mount mv nice nohup od pgrep pidof poweroff printf
ps pwd reboot rm rmdir rmmod sed seq setsid sh sha256sum sleep sort stat strings stty sync sysctl tail tar taskset tee test time
timeout top touch tr true tty umount uname uniq uptime usleep vi wc which xargs xxd yes [
"""
_FOLDERS = ("dev", "proc", "sys", "tmp", "root", "run", "etc", "modules", "usr/bin", "usr/lib")
_LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/bin",
    "lib": "usr/lib",
    "usr/lib/ld-linux-aarch64.so.1": "aarch64-linux-gnu/ld-linux-aarch64.so.1",
}


def write(parts: Parts, file: Path, files: Mapping[str, bytes | Path] | None = None) -> None:
    """Make `file`. `files`: what else goes on the board, by its path there; those in a `bin` folder are executable."""
    entries: dict[str, tuple[int, bytes]] = {name: (stat.S_IFDIR | 0o755, b"") for name in _FOLDERS}
    entries |= {name: (stat.S_IFLNK | 0o777, target.encode()) for name, target in _LINKS.items()}
    for source in sorted(parts.root.rglob("*")):
        name = str(source.relative_to(parts.root))
        if source.is_symlink():
            entries[name] = (stat.S_IFLNK | 0o777, str(source.readlink()).encode())
        elif source.is_file():
            entries[name] = (stat.S_IFREG | stat.S_IMODE(source.stat().st_mode), source.read_bytes())
    entries |= {f"usr/bin/{name}": (stat.S_IFLNK | 0o777, b"busybox") for name in _APPLETS.split()}
    for module in parts.modules:
        entries[f"modules/{module.name}"] = (stat.S_IFREG | 0o644, module.read_bytes())
    entries["modules/order"] = (stat.S_IFREG | 0o644, "".join(f"{m.name}\n" for m in parts.modules).encode())
    entries["init"] = (stat.S_IFREG | 0o755, (GUEST / "init").read_bytes())
    for name, content in (files or {}).items():
        path = name.strip("/")
        if not path or ".." in path.split("/"):
            raise ValueError(f"file {name!r} for the board; right is an absolute path without '..'")
        data = content.read_bytes() if isinstance(content, Path) else content
        entries[path] = (stat.S_IFREG | (0o755 if "bin" in path.split("/")[:-1] else 0o644), data)
    part = file.with_suffix(".part")
    with part.open("wb") as output:
        for piece in archive(entries):
            output.write(piece)
    part.rename(file)


def archive(entries: Mapping[str, tuple[int, bytes]]) -> Iterator[bytes]:
    """A "newc" cpio archive of path -> (mode, content or link target), folders of each path before it."""
    whole = dict(entries)
    for name in entries:
        for depth in range(1, name.count("/") + 1):
            whole.setdefault("/".join(name.split("/")[:depth]), (stat.S_IFDIR | 0o755, b""))
    for number, name in enumerate(sorted(whole, key=lambda path: path.split("/")), start=1):
        mode, data = whole[name]
        yield _record(number, name, mode, data)
    yield _record(0, "TRAILER!!!", 0, b"")


def _record(number: int, name: str, mode: int, data: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    #         inode, mode, uid, gid, links, mtime, size, device and rdevice (major, minor), name's length, no checksum
    numbers = (number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % value for value in numbers) + encoded
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
