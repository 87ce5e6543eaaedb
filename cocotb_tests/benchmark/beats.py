# SPDX-License-Identifier: Apache-2.0
"""Figure: bus beats per payload beat in steady playback, for the configurations of the certificate.

The bound is what a period needs: its payload, one beat more for each 4 KiB page it may touch, and `READ_OVERHEAD`; besides, as MSG_POLLING
asks for it, one read of avail.idx per frame; written, `WRITE_OVERHEAD`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cocotb_tests.benchmark.figure import Figure, MeasurementError
from cocotb_tests.benchmark.simulation import simulate
from cocotb_tests.engine.sources import REPO_ROOT
from virtone.certify.plan import Configuration, load_plan
from virtone.signal.stimulus import FORMATS

GROUP = "bus beats per payload beat"
PLAN = REPO_ROOT / "hil" / "plans" / "first-light.toml"
BEAT_BYTES, PAGE_BYTES = 8, 4096
# avail.idx before and after avail_event is written, two beats of ring entries, four descriptors at the head and four of the
# indirect table (fetched in one burst each), the header, used_event.
READ_OVERHEAD = 2 + 2 + 2 * 8 + 1 + 1
# The status and the used element at any alignment, used.idx, avail_event.
WRITE_OVERHEAD = 2 + 2 + 1 + 1
PERIODS_COUNTED = 16


def alsa_name(plan_format: str) -> str:
    """ALSA's name of a plan's sample format."""
    return plan_format + ("LE" if plan_format.endswith("_3") else "_LE")


def stream(configuration: Configuration, polling: bool = True) -> dict[str, Any]:
    """The configuration as scenes take it."""
    return {
        "name": configuration.name, "format": alsa_name(configuration.format), "channels": configuration.channels,
        "rate": configuration.rate, "period": configuration.period_frames, "periods": configuration.periods,
        "policy": configuration.policy, "polling": polling, "periods_counted": PERIODS_COUNTED,
        "period_bytes": configuration.period_frames * configuration.channels * FORMATS[configuration.format],
    }  # fmt: skip


def streams(plan: Path = PLAN) -> list[dict[str, Any]]:
    """Every configuration of the plan, with and without MSG_POLLING."""
    return [stream(c, polling) for c in load_plan(plan).configurations for polling in (True, False)]


def allowed(wish: Mapping[str, Any], periods: int) -> tuple[float, float]:
    """Most beats read and written for `periods` periods of the stream."""
    pages = -(-wish["period_bytes"] // PAGE_BYTES) + 1
    read = wish["period_bytes"] / BEAT_BYTES + pages + READ_OVERHEAD + (wish["period"] if wish["polling"] else 0)
    return periods * read, periods * WRITE_OVERHEAD


def figures(wishes: Sequence[Mapping[str, Any]], counts: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Two figures per stream. Raises MeasurementError when less was read than was played."""
    result = []
    for wish, counted in zip(wishes, counts, strict=True):
        payload, periods = counted["payload_beats"], counted["periods"]
        if (
            payload * BEAT_BYTES != periods * wish["period_bytes"]
            or counted["read"] < payload
            or not counted["written"]
        ):
            raise MeasurementError(
                f"{wish['name']}: {dict(counted)} cannot be: {periods} periods of {wish['period_bytes']} bytes were played"
            )
        limits = allowed(wish, periods)
        what = f"{wish['name']}, {'MSG_POLLING' if wish['polling'] else 'notified'}"
        for verb, limit in zip(("read", "written"), limits, strict=True):
            extra = counted[verb] - (payload if verb == "read" else 0)
            result.append(Figure(
                GROUP, f"{what}, {verb}", counted[verb] / payload, "beats/beat", high=limit / payload,
                note=f"{extra / periods:.4g} beats a period besides {payload / periods:.4g} of payload", detail=counted,
            ))  # fmt: skip
    return result


def measure() -> list[Figure]:
    wishes = streams()
    return figures(wishes, simulate("beats", {"streams": wishes}, timeout_s=240))
