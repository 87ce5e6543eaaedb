# SPDX-License-Identifier: Apache-2.0
"""pytest set-up of the benches: the repository root and `host/` are importable from wherever pytest starts."""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
for _folder in (_ROOT / "host", _ROOT):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))
