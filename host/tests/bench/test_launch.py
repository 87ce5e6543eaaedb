# SPDX-License-Identifier: Apache-2.0
"""Starting and ending a virtual bench, with small programs in its place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from virtone.bench.errors import VirtualBenchError
from virtone.bench.launch import VirtualBench

READY = '{"ready": true, "console": "/dev/pts/99", "instruments": {"oscilloscope": "TCPIP::127.0.0.1::1::SOCKET"}}'


def program(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "bench.py"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return ["{python}", str(file)]


def gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_start_resolve_close(tmp_path: Path) -> None:
    command = program(
        tmp_path, f"import sys\nprint('building', flush=True)\nprint('{READY}', flush=True)\nsys.stdin.read()"
    )
    with VirtualBench.start(command, 10) as bench:
        assert bench.resolve("virtual:oscilloscope") == "TCPIP::127.0.0.1::1::SOCKET"
        assert bench.resolve("virtual:console") == "/dev/pts/99"
        assert bench.resolve("/dev/ttyUSB0") == "/dev/ttyUSB0"
        with pytest.raises(VirtualBenchError, match="no 'i2s'; it has console, oscilloscope"):
            bench.resolve("virtual:i2s")
        bench.check()
        pid = bench.process.pid
    assert gone(pid)


def test_grandchildren_end_too(tmp_path: Path) -> None:
    command = program(
        tmp_path,
        f"""
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print('{{"pid": %d}}' % child.pid, flush=True)
        open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
        print('{READY}', flush=True)
        sys.stdin.read()
        """,
    )
    VirtualBench.start(command, 10).close()
    assert gone(int((tmp_path / "pid").read_text(encoding="utf-8")))


def test_dies_before_ready(tmp_path: Path) -> None:
    command = program(tmp_path, "import sys\nsys.exit('verilator: no such file')")
    with pytest.raises(
        VirtualBenchError, match=r"ended before it was ready \(status 1\); it said: verilator: no such file"
    ):
        VirtualBench.start(command, 10)


def test_never_ready(tmp_path: Path) -> None:
    command = program(tmp_path, "import sys, time\nprint('compiling', file=sys.stderr, flush=True)\ntime.sleep(600)")
    began = time.monotonic()
    with pytest.raises(VirtualBenchError, match=r"not ready after 1 s; it said: compiling"):
        VirtualBench.start(command, 1.0)
    assert time.monotonic() - began < 8


def test_dies_later(tmp_path: Path) -> None:
    command = program(tmp_path, f"import os\nprint('{READY}', flush=True)\nos.abort()")
    with VirtualBench.start(command, 10) as bench:
        time.sleep(0.5)
        with pytest.raises(VirtualBenchError, match=r"ended by itself.*SIGABRT.*said nothing"):
            bench.check()


def test_no_such_program() -> None:
    with pytest.raises(VirtualBenchError, match=r"cannot start .*virtual\.command"):
        VirtualBench.start(["/no/such/program"], 1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
def test_ends_with_a_killed_parent(tmp_path: Path) -> None:
    """The child ignores its standard input and must end all the same."""
    command = program(tmp_path, f"import time\nprint('{READY}', flush=True)\ntime.sleep(600)")
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from virtone.bench.launch import VirtualBench as V; "
            "b = V.start(sys.argv[1:], 10); print(b.process.pid, flush=True); time.sleep(600)",
            *command,
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(10)
    parent.stdout.close()
    assert gone(pid)
