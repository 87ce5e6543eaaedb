# SPDX-License-Identifier: Apache-2.0
"""The main job on the Linux board, how that bench ends, and what happens where it cannot be had."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hil.guest import build
from hil.virtual.linux_board import packages
from hil.virtual.linux_board.errors import BoardError
from virtone.bench.config import load_bench
from virtone.bench.errors import BoardPanicked, ConfigError, VirtualBenchError
from virtone.bench.launch import VirtualBench
from virtone.bench.session import open_bench
from virtone.certify.plan import load_plan
from virtone.certify.procedure import certify
from virtone.certify.report import write_all
from virtone.cli.verify import verify

pytestmark = pytest.mark.timeout(600)  # the first run fetches and builds
ROOT = Path(__file__).resolve().parents[1]
BENCH, PLAN = ROOT / "hil/benches/linux.toml", ROOT / "hil/plans/linux.toml"
READY_S = 400.0
N = 30  # far more than the simulation needs by itself: tests run beside each other
FEW = (("shots = 60", "shots = 6"), ("batch = 12", "batch = 6"), ("cold_shots = 5", "cold_shots = 3"),
       ("material_s = 1.0", "material_s = 0.1"), ("selftest_s = 0.25", "selftest_s = 0.05"))  # fmt: skip


@pytest.fixture(scope="module")
def linux() -> packages.Parts:
    try:
        build.sndprobe()
        return packages.obtain()
    except BoardError as error:
        pytest.skip(f"no Linux board on this machine: {error}")


def until(what: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def left_nothing(ready: dict[str, Any]) -> bool:
    assert set(ready["pids"]) == {"supervisor", "simulation", "qemu"}
    gone = until(lambda: all(ended(pid) for pid in ready["pids"].values()), 20)
    return gone and until(lambda: not Path(ready["folder"]).exists(), 5)


def short_plan(folder: Path) -> Path:
    """One configuration of the plan, and few shots."""
    text = PLAN.read_text()
    for old, new in FEW:
        assert f"\n{old}\n" in text
        text = text.replace(f"\n{old}\n", f"\n{new}\n")
    tables = text.split('\n[configurations."')
    head = tables[0]
    kept = [table for table in tables[1:] if table.startswith('s24-48k-1ms"')]
    file = folder / "plan.toml"
    file.write_text('\n[configurations."'.join([head, *kept]))
    return file


# The main job.


def test_certificate_of_an_unmodified_kernel(linux: packages.Parts, tmp_path: Path) -> None:
    """And at the end, on the same bench, a kernel that panics."""
    plan, config = load_plan(short_plan(tmp_path)), load_bench(BENCH)
    with open_bench(config, more=("--dilation", str(N))) as bench:
        assert bench.virtual is not None
        ready = bench.virtual.ready
        assert ready["board"]["kind"] == "linux" and "fallback" not in ready["board"]
        assert bench.seconds(1.0) == config.time_scale * N
        record = certify(bench, plan, tmp_path / "out")
        with pytest.raises(BoardPanicked, match=r"kernel panicked.*sysrq"):
            bench.board.console.run("echo c > /proc/sysrq-trigger", 60)
    assert left_nothing(ready)
    data = write_all(record, plan, config)
    says, simulation = data["item"]["says"], data["bench"]["simulation"]
    assert says["driver"] == "virtio_snd" and says["kernel"] == linux.kernel_release == simulation["kernel"]
    assert says["parameters"]["pcm_periods_min"] == "2" and says["policy"] == "ack" and simulation["dilation"] == N
    assert simulation["qemu"] == linux.versions["qemu-system-arm"] and says["build_id"] == ready["versions"]["build_id"]
    (configuration,) = data["configurations"]
    assert configuration["granted"] == {"period": 48, "buffer": 192}
    for row in configuration["stages"]:
        ms = row["ms"]
        assert row["note"] == {"N": "not used: MSG_POLLING"} and ms["A"] == 0 < ms["F"] < ms["W"] < ms["O"] < ms["C"]
    pace = data["bench"]["pace"]
    print(data["verdict"], pace)
    for m in configuration["measurands"]:
        if m["low"] is None and m["high"] is None:
            continue
        late, few = "behind the board's clock" in m["why"], "support this percentile" in m["why"]
        assert m["verdict"] == ("INCONCLUSIVE" if late or few else "PASS"), m
        assert not late or pace["late"]
    assert all(d["found"] for d in data["detectors"])
    assert verify(tmp_path / "out") == []
    page = (tmp_path / "out/certificate.html").read_text()
    for shown in (
        linux.kernel_release,
        simulation["qemu"],
        "pcm_periods_min=2",
        f"N = {N} times",
        "not used: MSG_POLLING",
        "period 48, buffer 192",
    ):
        assert shown in page, shown


# Ways to end.


def started(*options: str) -> VirtualBench:
    return VirtualBench.start(
        [sys.executable, "-m", "hil.virtual", "--board", "linux", "--dilation", str(N), *options], READY_S
    )


@pytest.mark.parametrize(("victim", "name"), [("qemu", "QEMU"), ("simulation", "the simulation")])
def test_a_part_that_is_killed_is_named(linux: packages.Parts, victim: str, name: str) -> None:
    bench = started()
    try:
        os.kill(bench.ready["pids"][victim], signal.SIGKILL)
        assert bench.process.wait(20) == 1
        with pytest.raises(VirtualBenchError, match=f"error: {name} was killed by SIGKILL"):
            bench.check()
        assert left_nothing(bench.ready)
    finally:
        bench.close()


def test_all_of_it_ends_with_a_killed_supervisor(linux: packages.Parts) -> None:
    bench = started()
    try:
        facts = bench.ready["board"]
        assert (
            facts["dilation"] == bench.time_scale == N
            and facts["simulated_ms_per_s"] > 0
            and facts["processor_watched"]
        )
        assert {"kernel", "qemu", "versions"} <= set(facts)
        os.kill(bench.process.pid, signal.SIGKILL)
        bench.process.wait(20)
        assert left_nothing(bench.ready)
    finally:
        bench.close()


# Where it cannot be had.


@pytest.fixture
def without_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything on the PATH but apt and QEMU, and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*") if place else ():
            if not program.name.startswith(("apt", "qemu-system")) and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert shutil.which("apt-get") is None and shutil.which("sh") is not None


def prepare(board: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hil.virtual.prepare", "--board", board]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_without_apt_the_reference_driver_takes_its_place(without_apt: None) -> None:
    began = time.monotonic()
    done = prepare("auto")
    assert time.monotonic() - began < 20
    bench, plan, why = done.stdout.splitlines()
    assert (bench, plan) == ("hil/benches/virtual.toml", "hil/plans/first-light.toml") and done.returncode == 0
    assert why.startswith("no Linux board on this machine") and "apt-get not found" in why and why in done.stderr
    assert prepare("model").stdout.splitlines() == [bench, plan, ""]


def test_without_apt_linux_says_what_is_missing(without_apt: None) -> None:
    done = prepare("linux")
    assert done.returncode == 1 and done.stdout == ""
    assert "error: apt-get not found" in done.stderr and "make certify BOARD=model" in done.stderr
    with pytest.raises(VirtualBenchError, match="error: apt-get not found"):
        started()


def test_auto_says_in_its_ready_line_what_it_is(without_apt: None) -> None:
    with VirtualBench.start([sys.executable, "-m", "hil.virtual", "--board", "auto"], READY_S) as bench:
        assert bench.ready["board"]["kind"] == "reference driver" and bench.time_scale == 1
        assert "apt-get not found" in bench.ready["board"]["fallback"] and "pace" not in bench.ready["instruments"]
        with pytest.raises(VirtualBenchError, match="has no 'pace'; it has console, oscilloscope"):
            bench.resolve("virtual:pace")


def test_with_everything_there_it_is_the_linux_board(linux: packages.Parts) -> None:
    assert prepare("auto").stdout.splitlines() == ["hil/benches/linux.toml", "hil/plans/linux.toml", ""]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('driver = "pace_meter"', 'driver = "pace"', "instruments.pace.driver: is \"pace\"; did you mean pace_meter?"),
        ('resource = "virtual:pace"', 'resource = "TCPIP::192.0.2.1::5025::SOCKET"', "physical and simulated parts do not mix"),
        ("time_scale = 2.0", "time_scale = 0", "time_scale: is 0; right is a number from 0.01 to 10000"),
    ],
)  # fmt: skip
def test_bench_file_errors(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = BENCH.read_text()
    assert text.count(old) == 1
    (tmp_path / "bench.toml").write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as refused:
        load_bench(tmp_path / "bench.toml")
    assert expected in str(refused.value)


@pytest.mark.parametrize("words", [["--board", "windows"], ["--board", "linux", "--dilation", "0.5"]])
def test_bad_options_are_refused(words: list[str]) -> None:
    with pytest.raises(VirtualBenchError, match="status 2"):
        VirtualBench.start([sys.executable, "-m", "hil.virtual", *words], READY_S)
