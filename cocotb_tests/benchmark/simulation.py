# SPDX-License-Identifier: Apache-2.0
"""Runs of the simulation for the benchmark.

Promise: `simulate` runs one scene on `bench_top` and returns what the scene found; the child is bounded in time and
ends with this process. Raises `BenchFailure` or `BuildError`, as the engine does.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cocotb_tests.benchmark.scenes.stage import CASE, FOUND
from cocotb_tests.engine.runner import BenchFailure
from cocotb_tests.engine.system import run_system

SCENES = Path(__file__).resolve().parent / "scenes"


def simulate(
    scene: str, case: Mapping[str, Any] | None = None, *, env: Mapping[str, str] | None = None, timeout_s: float = 120.0
) -> Any:
    """Findings of `scenes/<scene>.py` for `case`; `env` as `run_system` takes it."""
    with tempfile.TemporaryDirectory(prefix="virtone-benchmark-") as folder:
        file = Path(folder) / "found.json"
        given = {CASE: json.dumps(case or {}), FOUND: str(file), **(env or {})}
        with contextlib.redirect_stdout(io.StringIO()):  # the engine names each run; here the progress bar does
            run_system(str(SCENES / f"{scene}.py"), env=given, timeout_s=timeout_s, seed=1)
        if not file.is_file():
            raise BenchFailure(f"scene {scene} found nothing; it has to call `found`")
        return json.loads(file.read_text())
