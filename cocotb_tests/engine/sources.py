# SPDX-License-Identifier: Apache-2.0
"""Which source files a top level needs, out of the one source list `rtl/vsnd.f`.

`closure` follows names, not grammar: a file is needed when a needed file mentions a module, package or interface that
it declares. A mention in a comment costs a file too many, never one too few. So a bench is rebuilt only when a file
it uses has changed, and a file that is being worked on elsewhere cannot break it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[2]
# The RTL may be read from a copy of the tree (VIRTONE_RTL_ROOT): the mutants are run so.
RTL_ROOT = Path(os.environ.get("VIRTONE_RTL_ROOT") or REPO_ROOT)
SOURCE_LIST = RTL_ROOT / "rtl" / "vsnd.f"

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DECLARATION = re.compile(r"^\s*(?:module|package|interface)\s+(?:automatic\s+|static\s+)?(\w+)", re.MULTILINE)
_WORD = re.compile(r"\b[A-Za-z_]\w*")
_INCLUDE = re.compile(r'^\s*`include\s+"([^"]+)"', re.MULTILINE)


class SourceError(ValueError):
    """A source list or top level that cannot be resolved."""


def read_list(path: Path = SOURCE_LIST) -> list[Path]:
    """Source files of a `.f` list in its order, as absolute paths.

    One path per line, relative to the repository root; `//` and `#` begin a comment. Options (`-I`, `+incdir+`) are
    refused, because lint, formal and synthesis read the same list.
    """
    if not path.is_file():
        raise SourceError(f"source list {path} does not exist; it names every RTL file, one path per line")
    files = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        name = re.split(r"//|#", line, maxsplit=1)[0].strip()
        if not name:
            continue
        if name[0] in "-+":
            raise SourceError(f"{path.name} line {number}: {name!r} is an option; only file paths may stand here")
        files.append(RTL_ROOT / name)
    return files


def closure(top: str, files: Sequence[Path], extra_tops: Iterable[str] = ()) -> list[Path]:
    """Those of `files`, in their order, that the module `top` (and `extra_tops`) needs.

    Raises SourceError when no file declares the top level, or a file does not exist that would be needed.
    """
    texts = {path: _COMMENT.sub(" ", path.read_text()) for path in files if path.is_file()}
    owner: dict[str, Path] = {}
    for path, text in texts.items():
        for name in _DECLARATION.findall(text):
            owner.setdefault(name, path)
    wanted = [top, *extra_tops]
    for name in wanted:
        if name not in owner:
            missing = [str(path) for path in files if not path.is_file()]
            hint = f"; these files do not exist: {', '.join(missing)}" if missing else ""
            raise SourceError(f"no source file declares module {name!r} (looked in {len(texts)} files){hint}")
    needed: set[Path] = set()
    while wanted:
        path = owner[wanted.pop()]
        if path not in needed:
            needed.add(path)
            wanted += [name for name in set(_WORD.findall(texts[path])) if name in owner]
    return [path for path in texts if path in needed]


def included(files: Sequence[Path]) -> list[Path]:
    """Files that `files` include by name from their own folder or from `rtl/`."""
    found: list[Path] = []
    queue = list(files)
    while queue:
        path = queue.pop()
        for name in _INCLUDE.findall(path.read_text()):
            for folder in (path.parent, RTL_ROOT / "rtl"):
                candidate = folder / name
                if candidate.is_file() and candidate not in found:
                    found.append(candidate)
                    queue.append(candidate)
    return found
