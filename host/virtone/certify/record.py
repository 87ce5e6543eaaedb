# SPDX-License-Identifier: Apache-2.0
"""Record: one folder with everything that was asked, seen and said, from which every number can be computed again.

``log.jsonl`` is append-only, one JSON object a line, on disk before `append` returns; a run that was interrupted goes on after
its last whole line. Beside it: ``plan.toml``, ``bench.toml`` as used, ``captures/*.npz``. Entries: ``{"kind": "begin",
...identities}`` first, then ``{"kind": "step", "key", "step", "configuration", "captures": {"file", "sha256"}, "board": [...],
"done": {...}, "pace"}``, ``{"kind": "slower", "configuration", "from", "to", "why", "refused"}`` where a bench was given up for one with a
larger N, and ``{"kind": "end"}``. The user opens a folder with one plan and one bench for its whole life.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from virtone.bench.errors import BenchError
from virtone.signal.capture import Capture, file_sha256, load_captures, save_captures


class RecordError(BenchError):
    """A record that cannot be used: names the file and what would be right."""

    @classmethod
    def unwritable(cls, path: Path, error: OSError) -> RecordError:
        """The system refuses to write there."""
        return cls(
            f"{path}: cannot be written ({error.strerror or error}); right is an --out folder that you may write to, on a disk with room; "
            "what was recorded before is kept, and a new start goes on after it"
        )


@contextlib.contextmanager
def writing(path: Path, aside: Path | None = None) -> Iterator[None]:
    """What the system refuses comes out as a RecordError that names `path`; whatever happens, `aside` does not stay."""
    try:
        yield
    except OSError as error:
        raise RecordError.unwritable(path, error) from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)


class Record:
    """An open record folder."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.entries: list[dict[str, Any]] = []
        self._end = 0
        log = self.folder / "log.jsonl"
        if log.exists():
            whole = log.read_bytes()
            end = whole.rfind(b"\n") + 1
            for number, line in enumerate(whole[:end].splitlines(), 1):
                try:
                    self.entries.append(json.loads(line))
                except ValueError as error:
                    raise RecordError(
                        f"{log}: line {number} is no JSON ({error}); restore the file or remove the folder {self.folder}"
                    ) from None
            self._end = end

    @classmethod
    def create(cls, folder: Path | str, plan: Path, bench: Path) -> Record:
        """Open ``folder`` for these two files: new, or the same run to be resumed. Raises RecordError when it holds another run."""
        folder = Path(folder)
        try:
            (folder / "captures").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError.unwritable(folder, error) from error
        for left in (*folder.glob(".*.part"), *folder.glob("captures/.*.part")):  # of a run that was killed
            left.unlink(missing_ok=True)
        for name, source in (("plan.toml", plan), ("bench.toml", bench)):
            kept = folder / name
            if (folder / "log.jsonl").exists() and (not kept.exists() or file_sha256(kept) != file_sha256(source)):
                raise RecordError(
                    f"{folder}: holds a run with another {name} than {source}; right is the same {name}, or another --out"
                )
            aside = folder / f".{name}.part"
            with writing(kept, aside):
                shutil.copyfile(source, aside)
                aside.replace(kept)
        return cls(folder)

    @classmethod
    def put_aside(cls, folder: Path | str) -> Path | None:
        """Move a run that has its certificate into ``earlier/`` of its folder, so that a new one can begin there; where to, or None."""
        folder = Path(folder)
        if not (folder / "certificate.json").is_file() or not cls(folder).has("end"):
            return None
        names = (
            "log.jsonl",
            "plan.toml",
            "bench.toml",
            "captures",
            *(f"certificate.{kind}" for kind in ("json", "html", "xml")),
        )
        number = 1 + max((int(p.name) for p in folder.glob("earlier/[0-9]*") if p.name.isdecimal()), default=0)
        place = folder / "earlier" / str(number)
        with writing(place):
            place.mkdir(parents=True)
            for name in names:  # the log first: without it the rest is no run
                if (folder / name).exists():
                    (folder / name).rename(place / name)
        return place

    @property
    def begin(self) -> dict[str, Any]:
        """The first entry. Raises RecordError on an empty record."""
        if not self.entries or self.entries[0].get("kind") != "begin":
            raise RecordError(
                f"{self.folder}: no run recorded in log.jsonl; right is a folder that virtone certify wrote"
            )
        return self.entries[0]

    def steps(self, step: str | None = None, configuration: str | None = None) -> list[dict[str, Any]]:
        """Step entries in order, all or those of one kind and configuration."""
        return [
            e
            for e in self.entries
            if e.get("kind") == "step"
            and (step is None or e["step"] == step)
            and (configuration is None or e["configuration"] == configuration)
        ]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in self.entries if e.get("kind") == kind]

    def has(self, key: str) -> bool:
        return any(e.get("key") == key for e in self.entries)

    def append(self, entry: dict[str, Any]) -> None:
        """Write one entry; it is on the disk when this returns."""
        log = self.folder / "log.jsonl"
        line = json.dumps(entry, sort_keys=True).encode() + b"\n"
        with writing(log), log.open("r+b" if log.exists() else "xb", buffering=0) as file:
            file.truncate(self._end)  # the rest of a line that an interruption cut
            file.seek(self._end)
            try:
                if (written := file.write(line)) != len(line):
                    raise OSError(errno.ENOSPC, f"{written} of {len(line)} bytes taken")
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(self._end)
                raise
        self._end += len(line)
        self.entries.append(entry)

    def keep(self, key: str, captures: Sequence[Capture]) -> dict[str, str]:
        """Store captures under a step's key; returns ``{"file", "sha256"}`` for its entry."""
        name = f"captures/{key.replace('/', '_')}.npz"
        with writing(self.folder / name):
            return {"file": name, "sha256": save_captures(self.folder / name, captures)}

    def captures(self, entry: dict[str, Any]) -> list[Capture]:
        """Captures of a step. Raises RecordError when the file is not the one that was recorded."""
        kept = entry["captures"]
        path = self.folder / kept["file"]
        if not path.exists():
            raise RecordError(f"{path}: missing; the record is not complete")
        digest = file_sha256(path)
        if digest != kept["sha256"]:
            raise RecordError(
                f"{path}: sha256 is {digest[:16]}..., the log says {kept['sha256'][:16]}...: the capture was changed"
            )
        return load_captures(path)

    @property
    def log_sha256(self) -> str:
        return file_sha256(self.folder / "log.jsonl")
