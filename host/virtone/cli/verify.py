# SPDX-License-Identifier: Apache-2.0
"""Recompute every number of a certificate from its raw captures and compare.

Exit codes: 0 confirmed, 1 something differs or was changed, 2 no usable record.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from virtone.bench.config import load_bench
from virtone.bench.errors import BenchError
from virtone.signal.capture import CaptureError, file_sha256

from ..certify.plan import load_plan
from ..certify.record import Record, RecordError
from ..certify.report import certificate

TOLERANCE = 1e-6  # relative; results carry nine digits, the last ones depend on the machine's own arithmetic


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder that virtone certify wrote")


def run(options: argparse.Namespace) -> int:
    differences = verify(options.folder)
    for line in differences[:50]:
        print(line)
    if differences:
        print(f"NOT CONFIRMED: {len(differences)} differences in {options.folder}")
        return 1
    print(f"CONFIRMED: every number of {options.folder / 'certificate.json'} follows from the raw captures")
    return 0


def verify(folder: Path) -> list[str]:
    """What differs, one line each. Raises BenchError when there is no certificate or record to compare."""
    path = folder / "certificate.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(f"{path}: no such certificate; right is the folder that virtone certify wrote") from None
    except ValueError as error:
        raise RecordError(f"{path}: is no JSON ({error})") from None
    record = Record(folder)
    changed = []
    for name in ("plan", "bench"):
        digest = file_sha256(folder / f"{name}.toml")
        if digest != record.begin[f"{name}_sha256"]:
            changed.append(
                f"{name}.toml: sha256 {digest[:16]}..., the log says {record.begin[f'{name}_sha256'][:16]}..."
            )
    if record.log_sha256 != stored.get("inputs", {}).get("log_sha256"):
        changed.append("log.jsonl: is not the log that the certificate names")
    if changed:
        return changed
    try:
        again = certificate(record, load_plan(folder / "plan.toml"), load_bench(folder / "bench.toml"))
    except (BenchError, CaptureError) as error:
        return [str(error)]
    return compare(stored, json.loads(json.dumps(again)))


def compare(stored: Any, again: Any, place: str = "") -> list[str]:
    """Differences between two JSON values; numbers agree within TOLERANCE of the larger."""
    if isinstance(stored, dict) and isinstance(again, dict):
        keys = sorted(stored.keys() | again.keys())
        return [
            line
            for k in keys
            for line in compare(stored.get(k, "(absent)"), again.get(k, "(absent)"), f"{place}.{k}" if place else k)
        ]
    if isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        return [
            line for i, (a, b) in enumerate(zip(stored, again, strict=True)) for line in compare(a, b, f"{place}[{i}]")
        ]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (stored, again))
    if numbers and abs(stored - again) <= TOLERANCE * max(abs(stored), abs(again), 1e-3):
        return []
    return [] if stored == again else [f"{place}: the certificate says {stored!r}, the captures give {again!r}"]
