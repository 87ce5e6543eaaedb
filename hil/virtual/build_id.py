# SPDX-License-Identifier: Apache-2.0
"""Build id of the simulated device: which RTL it was made of.

Promise: the same sources give the same id in every checkout; another file, name or order in the source list, or another byte in
any of them, gives another one (but for the chance of 2**-32). The device shows it in PROBE_BUILD_ID of its probe page.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cocotb_tests.engine import sources


def build_id(source_list: Path = sources.SOURCE_LIST) -> int:
    """First 32 bits of the sha256 over name, length and content of every file of the source list, in its order."""
    digest = hashlib.sha256()
    for path in sources.read_list(source_list):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(sources.RTL_ROOT).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return int.from_bytes(digest.digest()[:4], "big")


def parameters() -> dict[str, str]:
    """What `bench_top` is built with."""
    return {"BuildId": f"32'h{build_id():08x}"}
