# SPDX-License-Identifier: Apache-2.0
"""Files over the console of `sndprobe`, built for this machine: `put`, `get`, `rm`, and playing one."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pty
import subprocess
import time

import numpy as np
import pytest

from hil.guest.tests.native import SMALL, Native, built, native

__all__ = ["built", "native"]  # fixtures


# -- files ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, 1, 2, 3, 767, 768, 769, 100_000])
def test_files_come_back_as_they_went(native: Native, size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    assert native.put("some.raw", data)["status"] == 0
    assert (native.folder / "store" / "some.raw").read_bytes() == data
    head, *parts, _ = native.run("get", "some.raw")
    assert head == {"file": "some.raw", "size": size, "sha256": hashlib.sha256(data).hexdigest()}
    assert b"".join(base64.b64decode(part["data"], validate=True) for part in parts) == data
    native.run("rm", "some.raw")
    assert "there is no file some.raw" in native.error("get", "some.raw")


def test_a_damaged_file_does_not_appear(native: Native) -> None:
    native.put("a", b"what was there")
    wrong = native.put("a", b"x" * 3000, digest="0" * 64, status=2)
    assert "were announced; send it again" in wrong["error"]
    assert "3000 bytes" in native.put("a", b"x" * 3000, size=3001, status=2)["error"]
    digest = hashlib.sha256(b"").hexdigest()
    for line in ("AAA", "A===", "AA=A", "AA A", "****"):
        done = native.run("put", "a", 0, digest, text=f"{line}\n\n", status=2)[-1]
        assert "line 1 is no base64" in done["error"]
    assert [f.name for f in (native.folder / "store").iterdir()] == ["a"]
    assert (native.folder / "store" / "a").read_bytes() == b"what was there"


def test_a_put_file_is_played(native: Native) -> None:
    frames = np.random.default_rng(1).integers(-30000, 30000, (1000, 2), dtype=np.int16)
    native.put("noise", frames.tobytes())
    native.run("play", *SMALL, "--source", "noise")
    assert native.out.read_bytes()[: frames.nbytes] == frames.tobytes()
    assert "are no whole number of S24_3 frames of 6 bytes" in native.error(
        "play", *SMALL, "--format", "S24_3", "--source", "noise"
    )


def test_a_refused_put_swallows_the_lines(native: Native) -> None:
    """On a terminal whose shell would take them for commands."""
    leader, follower = pty.openpty()
    script = f"{native.program} put ../x 3 zz; read next; echo next=$next"
    with subprocess.Popen(
        ["sh", "-c", script], stdin=follower, stdout=subprocess.PIPE, text=True, env=native.environment()
    ) as child:
        time.sleep(0.3)
        os.write(leader, b"QUJD\nQUJD\n\n")
        time.sleep(0.5)
        os.write(leader, b"command\n")
        said, _ = child.communicate(timeout=10)
    os.close(leader)
    os.close(follower)
    refused, after = said.splitlines()
    assert json.loads(refused)["status"] == 2 and after == "next=command"
