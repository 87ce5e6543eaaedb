# SPDX-License-Identifier: Apache-2.0
"""The certificate as JSON (with a published schema), self-contained HTML with plots, and JUnit XML.

Promise: `write_all` writes certificate.json, certificate.html and certificate.xml beside the record, each aside and renamed; the JSON is
checked against `certify/schema.json` before it is written. The numbers come from `analysis.evaluate` and are not touched here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from virtone.bench.config import BenchConfig

from .. import pace
from ..analysis import evaluate
from ..measure import Result
from ..plan import Plan
from ..record import Record, writing
from ..verdict import RULE

KIND = "virtone-certificate-1"


def certificate(
    record: Record, plan: Plan, config: BenchConfig, known: Mapping[str, Result] | None = None
) -> dict[str, Any]:
    """The certificate as plain data: identities, hashes, and everything that `evaluate` computes (`known`: see there)."""
    begin = record.begin
    results = evaluate(record, plan, config, known)
    end = next(e for e in record.entries if e.get("kind") == "end")
    return {
        "kind": KIND, "id": f"VTN-{record.log_sha256[:12]}", "title": plan.title, "simulated": bool(begin["simulated"]),
        "statement": "SIMULATED - no physical measurement" if begin["simulated"] else "Test report, not accredited",
        "verdict": results["verdict"], "rule": RULE, "started": begin["started"], "finished": end["finished"],
        "item": {"name": config.board.name, "serial": config.board.serial, "revision": config.board.revision, "codec": config.board.codec,
                 "bitstream_sha256": config.board.bitstream_sha256, "says": begin["board"]},
        "bench": {"title": config.title, "instrument": begin["instrument"], "calibration_due": begin["calibration_due"],
                  "calibration_certificate": begin["calibration_certificate"], "calibrated": begin["calibrated"], "host": begin["host"],
                  "note": begin.get("note", ""), "simulation": begin.get("simulation"), "pace": pace.summary(record.steps(), record.of_kind("slower"))},
        "inputs": {"plan_sha256": begin["plan_sha256"], "bench_sha256": begin["bench_sha256"], "log_sha256": record.log_sha256,
                   "captures": [entry["captures"] for entry in record.steps()]},
        "detectors": results["detectors"], "configurations": results["configurations"],
    }  # fmt: skip


def schema() -> dict[str, Any]:
    """The published JSON schema of a certificate."""
    return json.loads(resources.files("virtone.certify").joinpath("schema.json").read_text())


def write_all(
    record: Record, plan: Plan, config: BenchConfig, known: Mapping[str, Result] | None = None
) -> dict[str, Any]:
    """Compute and write the certificate in its three forms; returns it."""
    from . import html, junit  # matplotlib takes a second to import

    data = certificate(record, plan, config, known)
    jsonschema.validate(data, schema())
    put(record.folder / "certificate.json", json.dumps(data, indent=1, sort_keys=True) + "\n")
    put(record.folder / "certificate.xml", junit.render(data))
    put(record.folder / "certificate.html", html.render(data, record, config))
    return data


def put(path: Path, text: str) -> None:
    """Write aside, then rename."""
    aside = path.with_name(f".{path.name}.part")
    with writing(path, aside):
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
