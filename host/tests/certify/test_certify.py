# SPDX-License-Identifier: Apache-2.0
"""The whole job on a bench without a device; plan errors, verdicts, intervals, resuming, tampering."""

import json
import os
import resource
import signal
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy as np
import psutil
import pytest

from tests.certify.fake_bench import FakeBench
from virtone.bench.errors import BenchError, ConfigError
from virtone.certify.ahead import Ahead
from virtone.certify.analysis import evaluate
from virtone.certify.plan import load_plan
from virtone.certify.procedure import certify
from virtone.certify.record import Record
from virtone.certify.report import schema, write_all
from virtone.certify.steps import all_steps
from virtone.certify.uncertainty import Budget, Component, highest_percentile, percentile, shots_needed
from virtone.certify.verdict import Verdict, judge, overall
from virtone.cli.verify import verify

PLANS = Path(__file__).parents[3] / "hil" / "plans"


def measured(folder, **faults):
    bench, plan = FakeBench(folder, **faults), load_plan(PLANS / "quick.toml")
    return write_all(certify(bench, plan, folder / "out"), plan, bench.config)


def by_name(data):
    return {m["name"]: m for m in data["configurations"][0]["measurands"]}


def test_a_good_bench_passes_and_is_confirmed(tmp_path):
    data = measured(tmp_path)
    assert data["verdict"] == "PASS" and all(d["found"] for d in data["detectors"])
    rows = by_name(data)
    assert abs(rows["honesty_corrected"]["value"] - 0.020) < 0.001  # the fake marks the hand-over 20 us early
    assert rows["latency_p99"]["interval"][1] is None and rows["latency_p99"]["n"] == 8  # eight shots bound no p99
    assert abs(rows["word_clock"]["value"]) < 0.1
    page = (tmp_path / "out/certificate.html").read_text()
    assert (
        page.count("SIMULATED") > 5
        and "<script" not in page
        and "http://" not in page.replace("http://www.w3.org", "")
        and page.count("<svg") == 3
    )
    assert ElementTree.parse(tmp_path / "out/certificate.xml").getroot().find(".//failure") is None
    assert verify(tmp_path / "out") == []
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_lying_device_fails(tmp_path):
    rows = by_name(measured(tmp_path, lie_frames=96))
    assert rows["honesty_completion"]["verdict"] == "FAIL" and abs(rows["honesty_completion"]["value"] - 2000) < 2
    assert rows["honesty_corrected"]["verdict"] == "FAIL" and abs(rows["honesty_corrected"]["value"] - 1.98) < 0.001


def test_a_glitch_fails(tmp_path):
    data = measured(tmp_path, fault="lost")
    assert (
        data["verdict"] == "FAIL"
        and by_name(data)["glitches"]["value"] == 1
        and data["configurations"][0]["faults"][0]["kind"] == "lost"
    )


def test_a_wrong_code_is_not_counted_and_leaves_doubt(tmp_path):
    data = measured(tmp_path, wrong_code=3)
    assert data["verdict"] == "INCONCLUSIVE" and data["configurations"][0]["not_identified"][0]["shot"] == 3
    assert by_name(data)["latency_p50"]["n"] == 7


def test_detectors_that_find_nothing_prove_nothing(tmp_path):
    data = measured(tmp_path, deaf=True)
    assert data["verdict"] == "INCONCLUSIVE" and not any(d["found"] for d in data["detectors"])


def test_an_interrupted_run_resumes(tmp_path):
    plan = load_plan(PLANS / "quick.toml")
    first = FakeBench(tmp_path, stop_after=4)
    with pytest.raises(KeyboardInterrupt):
        certify(first, plan, tmp_path / "out")
    with (tmp_path / "out/log.jsonl").open("ab") as file:
        file.write(b'{"kind": "st')  # power failed in the middle of a line
    second = FakeBench(tmp_path)
    record = certify(second, plan, tmp_path / "out")
    assert len(second.commands) == 1 + len(list(all_steps(plan))) - 3  # who are you, and what was left to play
    assert write_all(record, plan, second.config)["verdict"] == "PASS" and verify(tmp_path / "out") == []
    with pytest.raises(BenchError, match="another plan"):
        Record.create(tmp_path / "out", PLANS / "first-light.toml", second.config.file)


def test_a_run_is_not_resumed_on_another_board(tmp_path):
    plan = load_plan(PLANS / "quick.toml")
    with pytest.raises(KeyboardInterrupt):
        certify(FakeBench(tmp_path, stop_after=4), plan, tmp_path / "out")
    with pytest.raises(BenchError, match=r"began with board .*00000001.*, the bench now has .* 00000002"):
        certify(FakeBench(tmp_path, build_id="00000002"), plan, tmp_path / "out")


def test_what_was_measured_ahead_changes_nothing(tmp_path):
    bench, plan = FakeBench(tmp_path), load_plan(PLANS / "quick.toml")
    with Ahead(tmp_path / "out") as ahead:
        record = certify(bench, plan, tmp_path / "out", recorded=ahead.submit)
        known = ahead.results()
    assert not psutil.pid_exists(ahead.pid)
    assert set(known) == {step.key for step in all_steps(plan)}
    assert evaluate(record, plan, bench.config, known) == evaluate(record, plan, bench.config)
    with Ahead(tmp_path / "out") as ahead:  # one that dies costs time, and nothing else
        os.kill(ahead.pid, signal.SIGKILL)
        ahead.submit("selftest/lost")
        assert ahead.results() == {}


def test_a_notify_that_is_not_sent_says_why(tmp_path):
    data = measured(tmp_path)
    shots, notify, _ = data["configurations"][0]["stages"]
    assert shots["ms"]["N"] is None and shots["note"] == {"N": "not used: MSG_POLLING"}
    assert notify["ms"]["N"] == pytest.approx(0.02) and notify["note"] == {}
    assert "neither MSG_POLLING nor EVENT_IDX" in by_name(data)["notify_p50"]["text"]
    assert "not used: MSG_POLLING" in (tmp_path / "out/certificate.html").read_text()


@pytest.mark.parametrize("what", ["log", "capture", "certificate"])
def test_a_full_disk_is_one_message_and_loses_nothing(tmp_path, what, monkeypatch):
    """What the system refuses half way leaves no half file, and the next start goes on."""
    plan, out = load_plan(PLANS / "quick.toml"), tmp_path / "out"
    size = {"log": 1000, "capture": 20_000, "certificate": 0}[what]
    bench = FakeBench(tmp_path)
    if what == "certificate":
        record = certify(bench, plan, out)
        size = (out / "log.jsonl").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(BenchError, match=r"cannot be written .*right is an --out folder"):
            write_all(record, plan, bench.config) if what == "certificate" else certify(bench, plan, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(out.rglob("*.part"))
    assert not (out / "log.jsonl").exists() or (out / "log.jsonl").read_bytes()[-1:] in (b"", b"\n")
    assert write_all(certify(FakeBench(tmp_path), plan, out), plan, bench.config)["verdict"] == "PASS"


@pytest.mark.parametrize("what", ["capture", "number", "log", "plan"])
def test_verify_sees_what_was_changed(tmp_path, what):
    measured(tmp_path)
    out = tmp_path / "out"
    if what == "capture":
        file = out / "captures/s24-48k-1ms_shots_0000.npz"
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    elif what == "number":
        data = json.loads((out / "certificate.json").read_text())
        data["configurations"][0]["measurands"][0]["value"] -= 0.001
        (out / "certificate.json").write_text(json.dumps(data))
    else:
        file = out / {"log": "log.jsonl", "plan": "plan.toml"}[what]
        file.write_text(file.read_text().replace("1", "2", 1))
    found = verify(out)
    assert found and any(word in found[0] for word in ("sha256", "the captures give", "log.jsonl"))


def test_the_schema_refuses_a_simulated_certificate_without_the_word(tmp_path):
    data = measured(tmp_path)
    jsonschema.Draft202012Validator.check_schema(schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data | {"statement": "measured"}, schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({k: v for k, v in data.items() if k != "rule"}, schema())


@pytest.mark.parametrize(("old", "new", "message"), [
    ("seed = 1", "sead = 1", "sead: unknown key (value 1); did you mean seed?"),
    ("shots = 8", 'shots = "8"', 'shots: is "8"; right is a whole number'),
    ("shots = 8", "shots = 1", "shots: is 1; right is a whole number from 5"),
    ('format = "S24"', 'format = "S8"', "right is"),
    ("rate = 48000", "rate = 47999", "rate: is 47999; right is one of"),
    ("spacing_ms = 18", "spacing_ms = 6", "spacing_ms: is 6; right is at least"),
    ("low = 1.5", "low = 15", "low 15 is above high"),
    ("limits.xruns", "limits.xrun", "unknown measurand"),
    ("high = 50.0\n", "", "has neither low nor high"),
])  # fmt: skip
def test_plan_errors_name_file_key_value_and_right(tmp_path, old, new, message):
    text = (PLANS / "quick.toml").read_text()
    assert old in text
    file = tmp_path / "bad.toml"
    file.write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_plan(file)
    assert str(file) in str(caught.value) and message in str(caught.value)


def test_first_light_is_what_it_says():
    plan = load_plan(PLANS / "first-light.toml")
    assert plan.shots >= shots_needed(0.99) and len(plan.configurations) == 3
    codes = [s.facts["first_code"] + i for s in all_steps(plan) if s.kind == "shots" for i in range(s.segments)]
    assert len(set(codes)) == plan.shots


@pytest.mark.parametrize(("interval", "limits", "verdict"), [
    ((1, 2), (None, 3), "PASS"), ((1, 3), (None, 3), "PASS"), ((2, 4), (None, 3), "INCONCLUSIVE"), ((3.1, 4), (None, 3), "FAIL"),
    ((1, 2), (1.5, None), "INCONCLUSIVE"), ((1, 2), (2.5, None), "FAIL"), ((1, 2), (0, 3), "PASS"), ((1, 2), (None, None), "NO LIMIT"),
    ((float("nan"), 1), (None, 3), "INCONCLUSIVE"), ((1, float("inf")), (None, 3), "INCONCLUSIVE"),
])  # fmt: skip
def test_verdict_table(interval, limits, verdict):
    assert judge(interval, *limits)[0] == verdict
    if verdict == "PASS":
        assert judge(interval, *limits, doubts=["calibration expired"]) == (Verdict.INCONCLUSIVE, "calibration expired")
        assert "broken" in judge(interval, *limits, physics=9)[1]


def test_overall_verdict():
    assert overall([Verdict.PASS, Verdict.NONE]) == "PASS" and overall([]) == "INCONCLUSIVE"
    assert overall([Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]) == "FAIL"


def test_percentile_bounds_cover_without_a_distribution():
    rng, part, n = np.random.default_rng(2), 0.9, 60
    truth = -np.log(1 - part)
    bounds = [percentile(rng.exponential(size=n), part)[1:] for _ in range(3000)]
    above = np.mean([high >= truth for _, high in bounds])
    below = np.mean([low <= truth for low, _ in bounds])
    assert 0.94 < above <= 1 and 0.94 < below <= 1 and above + below < 1.999
    assert (shots_needed(0.99), shots_needed(0.999)) == (299, 2995)
    assert np.isinf(percentile(np.arange(298), 0.99)[2]) and np.isfinite(percentile(np.arange(299), 0.99)[2])
    assert abs(highest_percentile(299) - 0.99) < 1e-4


def test_budget_by_hand():
    budget = Budget((Component("a", "A", 3.0, dof=9), Component("b", "B", 4 * 3**0.5, "rectangular")))
    assert budget.u == pytest.approx(5.0) and budget.dof == pytest.approx(5**4 / (3**4 / 9))
    assert budget.k == 2.0 and Budget((Component("a", "A", 1.0, dof=4),)).k > 2.8


def test_expanded_uncertainty_covers():
    rng = np.random.default_rng(3)
    draws = rng.normal(0, 1.0, 20000) + rng.uniform(-2, 2, 20000)
    budget = Budget((Component("n", "A", 1.0), Component("r", "B", 2.0, "rectangular")))
    assert 0.94 < np.mean(np.abs(draws) <= budget.expanded) < 0.985
