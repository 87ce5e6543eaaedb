# SPDX-License-Identifier: Apache-2.0
"""One short job on QEMU's sound device and on the RTL: everything that the side-by-side table needs is there."""

from __future__ import annotations

import json

import pytest

from hil.peer import __main__ as command
from hil.peer import boards, guest, report, sink, trials
from hil.virtual.linux_board import packages
from hil.virtual.linux_board.errors import BoardUnavailable, CacheFull


@pytest.mark.timeout(600)  # the first run builds sndprobe and the simulation
@pytest.mark.parametrize("key", ["qemu", "virtone"])
def test_one_job_on_each_board(key: str) -> None:
    """A quarter of a second; what is known of either device shows."""
    try:
        parts, program = packages.obtain(), command.build_sndprobe()
    except (BoardUnavailable, CacheFull) as error:
        pytest.skip(f"no Linux board on this machine: {error}")
    noise = command.noise(trials.SCREENING_S)
    files = {"usr/bin/sndprobe": program}
    files |= {f"root/{name}": frames.tobytes() for name, frames in trials.sources(noise).items()}
    made = boards.QemuDevice(parts, files) if key == "qemu" else boards.RtlDevice(parts, files, 15)
    with made as one:
        offers = guest.offers(one)
        found = trials.Bench(one, sink.watch_for(one), noise, print).figures(command.COMMON)
    print(json.dumps(found, indent=1))
    assert "S16_LE" in offers["formats"] and 48000 in offers["rates"] and offers["driver"] == "virtio_snd"
    if key == "qemu" and any(
        word in found.get("missing", "") for word in ("underrun", "stands")
    ):  # it runs in real time
        pytest.skip(f"inconclusive, the machine is too busy: {found['missing']}")
    assert found["frames"] == "exact"
    if key == "qemu":
        assert offers["period_bytes"][0] == 50
        assert found["honesty_error_s"]["mean"] > 5e-3, "its delay counts what is queued twice"
    else:
        assert offers["period_bytes"][0] == 100
        assert abs(found["honesty_error_s"]["low"]) <= report.FRAME_S >= abs(found["honesty_error_s"]["high"])
        assert found["used_ring_interval_s"]["sd"] < report.FRAME_S
