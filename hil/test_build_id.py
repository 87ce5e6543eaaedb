# SPDX-License-Identifier: Apache-2.0
"""The build id follows the sources."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hil.virtual.build_id import build_id, parameters, sources


def test_a_copy_has_the_same_id_and_any_change_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [build_id()]
    shutil.copytree(sources.RTL_ROOT / "rtl", tmp_path / "rtl")
    monkeypatch.setattr(sources, "RTL_ROOT", tmp_path)
    listed, top = tmp_path / "rtl/vsnd.f", tmp_path / "rtl/vsnd_top.sv"
    assert build_id(listed) == ids[0]
    top.write_text(top.read_text() + "\n")
    ids.append(build_id(listed))
    lines = listed.read_text().splitlines()
    for changed in ([lines[0], *lines[:0:-1]], lines[:-1]):  # another order, a file less
        listed.write_text("\n".join(changed))
        ids.append(build_id(listed))
    assert len(set(ids)) == 4


def test_it_is_a_verilog_number() -> None:
    assert parameters() == {"BuildId": f"32'h{build_id():08x}"}
