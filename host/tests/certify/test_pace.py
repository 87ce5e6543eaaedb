# SPDX-License-Identifier: Apache-2.0
"""A bench whose simulation is late now and then, or always: repetition, a slower bench, doubt."""

from __future__ import annotations

import json

import pytest

from tests.certify.fake_bench import FakeBench
from tests.certify.test_certify import PLANS, by_name
from virtone.bench.errors import CommandFailed
from virtone.bench.instruments.pace_meter import Pace
from virtone.certify import pace
from virtone.certify.acquisition import TooSlow
from virtone.certify.analysis import evaluate
from virtone.certify.plan import load_plan
from virtone.certify.procedure import certify
from virtone.certify.report import write_all

LIMIT_S = 0.5e-3  # of periods of 1 ms
ALONE = {"completion_jitter", "word_clock", "honesty_completion"}


class Meter:
    """Late in the readings whose number `late` says yes to; readings come in pairs, before and after a step is tried."""

    def __init__(self, late=lambda tried: False, dilation=20.0) -> None:
        self.late, self.readings, self.dilation = late, 0, dilation

    unanswered = 0

    def read(self) -> Pace:
        self.readings += 1
        worst = 0.6e-3 if self.readings % 2 == 0 and self.late(self.readings // 2) else 0.4e-3
        return Pace(self.dilation, 0.2, worst, 0.0, 1.0, 0.01, self.unanswered)


def bench_with(folder, late, **faults) -> FakeBench:
    bench = FakeBench(folder, **faults)
    bench.pace = Meter(late)
    bench.facts = {"kind": "linux", "qemu": "11.1", "dilation": 20.0}
    return bench


def played(bench: FakeBench) -> list[str]:
    return [command for command in bench.commands if "version" not in command]


def test_limit_is_half_a_period_or_half_a_millisecond():
    limits = {c.name: pace.limit_s(c) for c in load_plan(PLANS / "linux.toml").configurations}
    assert limits == {"s16-48k-10ms": 0.5e-3, "s24-48k-1ms": 0.5e-3, "s32-192k-0.5ms": 0.25e-3}


def test_a_step_that_was_late_is_played_again(tmp_path):
    plan = load_plan(PLANS / "quick.toml")
    bench = bench_with(tmp_path, lambda tried: tried in (1, 4))
    record = certify(bench, plan, tmp_path / "out", last_chance=False)
    tries = [entry["pace"]["attempts"] for entry in record.steps()]
    assert tries == [2, 1, 2] + [1] * (len(tries) - 3)
    assert len(played(bench)) == len(tries) + 2
    assert len(set(played(bench)[:2])) == 1 == len(set(played(bench)[3:5]))
    data = write_all(record, plan, bench.config)
    assert data["verdict"] == "PASS" and data["bench"]["pace"]["repeated"] == 2 and data["bench"]["pace"]["late"] == 0


def test_a_buffer_that_a_pause_of_the_machine_would_drain_wants_a_slower_bench(tmp_path):
    least = {c.name: pace.least_dilation(c) for c in load_plan(PLANS / "linux.toml").configurations}
    assert least == {"s16-48k-10ms": 2, "s24-48k-1ms": 20, "s32-192k-0.5ms": 18}
    plan, bench = load_plan(PLANS / "quick.toml"), FakeBench(tmp_path)
    bench.pace, bench.facts = Meter(dilation=19.0), {"kind": "linux", "qemu": "11.1", "dilation": 19.0}
    with pytest.raises(TooSlow, match=r"buffer of 4 ms outlasts a pause .* N = 20") as slow:
        certify(bench, plan, tmp_path / "out", last_chance=False)
    assert slow.value.wanted == 20 and not played(bench)
    bench.pace.dilation = slow.value.wanted
    data = write_all(certify(bench, plan, tmp_path / "out"), plan, bench.config)
    assert data["verdict"] == "PASS" and data["bench"]["pace"]["dilation"] == [20.0]
    assert "N = 19 for N = 20: a buffer of 4 ms" in data["bench"]["pace"]["given_up"][0]
    assert "Given up: N = 19" in (tmp_path / "out/certificate.html").read_text()


def test_a_simulation_that_is_always_late_wants_a_slower_bench(tmp_path):
    bench = bench_with(tmp_path, lambda tried: True)
    with pytest.raises(
        TooSlow, match=r"selftest/lost, 3 attempts, N = 20: .*behind .* by 0\.60 ms \(0\.5 ms are tolerated"
    ) as slow:
        certify(bench, load_plan(PLANS / "quick.toml"), tmp_path / "out", last_chance=False)
    assert slow.value.dilation == 20 and slow.value.wanted == 40 and len(played(bench)) == pace.ATTEMPTS
    again = bench_with(tmp_path, lambda tried: False)
    record = certify(again, load_plan(PLANS / "quick.toml"), tmp_path / "out")
    assert record.has("end") and played(again)[0] == played(bench)[0]


def test_what_stays_late_is_inconclusive_where_the_application_has_a_part(tmp_path):
    plan = load_plan(PLANS / "quick.toml")
    bench = bench_with(tmp_path, lambda tried: True)
    data = write_all(certify(bench, plan, tmp_path / "out", note="because"), plan, bench.config)
    assert data["verdict"] == "INCONCLUSIVE" and data["bench"]["note"] == "because"
    for name, row in by_name(data).items():
        if row["low"] is None and row["high"] is None:
            continue
        doubted = "behind the board's clock" in row["why"]
        assert doubted == (name not in ALONE) and (row["verdict"] == "INCONCLUSIVE") == doubted, name
    page = (tmp_path / "out/certificate.html").read_text()
    assert "because" in page and "QEMU 11.1" in page and "behind the board&#39;s clock" in page


def test_lateness_in_shots_alone_leaves_the_material_alone(tmp_path):
    plan = load_plan(PLANS / "quick.toml")
    bench = bench_with(tmp_path, lambda tried: tried in (6, 7, 8))  # the first batch of shots, every time
    record = certify(bench, plan, tmp_path / "out")
    rows = {m["name"]: m for m in evaluate(record, plan, bench.config)["configurations"][0]["measurands"]}
    doubted = {name for name, row in rows.items() if "behind the board's clock in 1 of" in row["why"]}
    assert {"latency_p50", "latency_max", "honesty_corrected", "xruns"} <= doubted
    assert not doubted & {"glitches", "cold_max", "notify_p50", "word_clock", "completion_jitter"}


class Refusing(FakeBench):
    """`status`: what commands end with that play material, on a bench whose N is below `until`."""

    status, until = 3, float("inf")

    def run(self, command, timeout_s=None, on_line=None):
        lines = super().run(command, timeout_s, on_line)
        if "material" in command and (self.pace is None or self.pace.dilation < self.until):
            return [json.dumps({"done": True, "status": self.status, "error": "underrun: the device has run dry"})]
        return lines


@pytest.mark.parametrize("late", [False, True])
def test_an_underrun_is_blamed_on_a_late_simulation_only(tmp_path, late):
    bench = Refusing(tmp_path)
    bench.pace = Meter(lambda tried: late)
    with pytest.raises(CommandFailed, match="status 3: underrun") as failed:
        certify(bench, load_plan(PLANS / "quick.toml"), tmp_path / "out")
    assert ("behind the board's clock" in str(failed.value)) == late and len(played(bench)) == pace.ATTEMPTS
    with pytest.raises(TooSlow, match="status 3: underrun"):
        certify(bench, load_plan(PLANS / "quick.toml"), tmp_path / "out", last_chance=False)


def on_benches(bench, plan, out, chances=4):
    """As the command does it: a bench with a larger N while one is too slow."""
    for left in reversed(range(chances)):
        try:
            return certify(bench, plan, out, last_chance=not left)
        except TooSlow as slow:
            bench.pace.dilation = slow.wanted
    raise AssertionError("unreachable")


def test_an_underrun_on_a_bench_that_was_given_up_leaves_the_xruns_in_doubt(tmp_path):
    plan, bench = load_plan(PLANS / "quick.toml"), Refusing(tmp_path)
    bench.pace, bench.until = Meter(), 160
    bench.facts = {"kind": "linux", "qemu": "11.1", "dilation": 20.0}
    data = write_all(on_benches(bench, plan, tmp_path / "out"), plan, bench.config)
    rows = by_name(data)
    assert rows["xruns"]["verdict"] == "INCONCLUSIVE" == data["verdict"]
    assert "played again 3 times" in rows["xruns"]["why"] and "run dry" in rows["xruns"]["why"]
    assert data["bench"]["pace"]["dilation"] == [160.0] and len(data["bench"]["pace"]["given_up"]) == 3


@pytest.mark.parametrize("status", [1, 2, 130])
def test_what_slowness_is_no_reason_for_ends_the_run(tmp_path, status):
    bench = Refusing(tmp_path)
    bench.pace, bench.status = Meter(), status
    with pytest.raises(CommandFailed, match=f"status {status}"):
        certify(bench, load_plan(PLANS / "quick.toml"), tmp_path / "out", last_chance=False)
    assert len(played(bench)) == 1


def test_no_bench_is_asked_for_an_n_that_it_does_not_take(tmp_path):
    plan, bench = load_plan(PLANS / "quick.toml"), bench_with(tmp_path, lambda tried: True)
    bench.pace.dilation = 300.0
    data = write_all(on_benches(bench, plan, tmp_path / "out"), plan, bench.config)
    assert data["verdict"] == "INCONCLUSIVE" and data["bench"]["pace"]["dilation"] == [pace.LARGEST]


def test_the_next_bench_does_for_all_that_is_left(tmp_path):
    text = (PLANS / "linux.toml").read_text().replace("period_frames = 96 ", "period_frames = 48 ")
    plan_file = tmp_path / "plan.toml"
    plan_file.write_text(text)
    bench = FakeBench(tmp_path)
    bench.pace = Meter(dilation=10.0)
    with pytest.raises(TooSlow) as slow:
        certify(bench, load_plan(plan_file), tmp_path / "out", last_chance=False)
    assert slow.value.wanted == 35, "the third configuration's, when the second wants 20"


def test_unanswered_interrupts_are_doubts(tmp_path):
    plan, bench = load_plan(PLANS / "quick.toml"), bench_with(tmp_path, lambda tried: False)
    bench.pace.unanswered = 2
    data = write_all(certify(bench, plan, tmp_path / "out"), plan, bench.config)
    assert data["verdict"] == "INCONCLUSIVE" and "interrupts unanswered" in by_name(data)["latency_max"]["why"]


def test_a_buffer_that_no_bench_is_slow_enough_for_is_in_doubt(tmp_path):
    plan, bench = load_plan(PLANS / "quick.toml"), bench_with(tmp_path, lambda tried: False)
    bench.pace.dilation = 10.0
    data = write_all(certify(bench, plan, tmp_path / "out"), plan, bench.config)
    assert "only at N = 20 would the buffer outlast" in by_name(data)["latency_max"]["why"]


def test_without_a_pace_meter_an_underrun_ends_the_run(tmp_path):
    bench = Refusing(tmp_path)
    with pytest.raises(CommandFailed, match="status 3: underrun"):
        certify(bench, load_plan(PLANS / "quick.toml"), tmp_path / "out")
    assert len(played(bench)) == 1


def test_what_was_refused_once_leaves_the_xruns_in_doubt(tmp_path):
    class Once(Refusing):
        def run(self, command, timeout_s=None, on_line=None):
            first = command not in self.commands
            return (Refusing if first and "--fault none" in command else FakeBench).run(
                self, command, timeout_s, on_line
            )

    plan, bench = load_plan(PLANS / "quick.toml"), Once(tmp_path)
    bench.pace = Meter()
    bench.facts = {"kind": "linux", "qemu": "11.1", "dilation": 20.0}
    data = write_all(certify(bench, plan, tmp_path / "out"), plan, bench.config)
    rows = by_name(data)
    assert data["bench"]["pace"]["repeated"] == 1 and data["verdict"] == "INCONCLUSIVE"
    assert [name for name, row in rows.items() if row["verdict"] == "INCONCLUSIVE"] == ["xruns"]
    assert "played again 1 times" in rows["xruns"]["why"] and "the device has run dry" in rows["xruns"]["why"]


@pytest.mark.parametrize("simulated", [True, False])
def test_a_slow_processor_is_the_machines_fault_in_a_simulation_only(tmp_path, simulated):
    """It makes what the application is told wrong, and what the device says right."""
    plan = load_plan(PLANS / "quick.toml")
    bench = FakeBench(tmp_path, wait_s=1.2e-3)
    if simulated:
        bench.pace = Meter()
        bench.facts = {"kind": "linux", "qemu": "11.1", "dilation": 20.0}
        with pytest.raises(TooSlow, match=r"let an interrupt wait 1\.[12]\d ms"):
            certify(bench, plan, tmp_path / "out", last_chance=False)
    data = write_all(certify(bench, plan, tmp_path / "out"), plan, bench.config)
    rows = by_name(data)
    assert rows["honesty_completion"]["verdict"] == "PASS" and rows["honesty_completion"]["value"] < 2
    assert rows["update_wait"]["value"] == pytest.approx(1200, abs=30)
    assert rows["honesty_corrected"]["verdict"] == ("INCONCLUSIVE" if simulated else "FAIL")
    assert ("emulated processor" in rows["honesty_corrected"]["why"]) == simulated


def test_a_plan_without_notify_shots_has_no_such_row(tmp_path):
    plan_file = tmp_path / "plan.toml"
    plan_file.write_text((PLANS / "quick.toml").read_text().replace("notify_shots = 3", "notify_shots = 0"))
    plan, bench = load_plan(plan_file), FakeBench(tmp_path)
    data = write_all(certify(bench, plan, tmp_path / "out"), plan, bench.config)
    assert "notify_p50" not in by_name(data) and data["verdict"] == "PASS"
    assert [row["series"] for row in data["configurations"][0]["stages"]] == ["shots", "cold"]
    assert data["configurations"][0]["stages"][0]["note"]["N"] == "not used: MSG_POLLING"
