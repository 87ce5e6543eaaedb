# SPDX-License-Identifier: Apache-2.0
"""`sndprobe` built for this machine, with a stand-in for the kernel's stream: what its tests share."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

GUEST = Path(__file__).resolve().parents[1]
SMALL = ("--period", "480", "--periods", "4", "--probe", "none", "--scheduler", "other")


class Native:
    """The program with a folder of its own; `env` makes the stand-in misbehave."""

    def __init__(self, program: Path, fake: Path, folder: Path) -> None:
        self.program, self.fake, self.folder = program, fake, folder
        self.out = folder / "frames.raw"

    def environment(self, **env: object) -> dict[str, str]:
        said = {name: str(value) for name, value in env.items()}
        mine = {
            "LD_PRELOAD": str(self.fake),
            "FAKE_PCM_OUT": str(self.out),
            "SNDPROBE_FOLDER": str(self.folder / "store"),
        }
        return {**os.environ, **mine, **said}

    def run(self, *words: object, text: str = "", status: int = 0, **env: object) -> list[dict[str, Any]]:
        """Records of one command; its exit status must be `status`, and the one it prints."""
        done = subprocess.run(
            [self.program, *map(str, words)], input=text, capture_output=True, text=True, timeout=60, check=False,
            env=self.environment(**env),
        )  # fmt: skip
        assert done.stderr == ""
        records = [json.loads(line) for line in done.stdout.splitlines()]
        assert records[-1]["done"] is True and records[-1]["status"] == done.returncode == status, records[-1]
        assert (status == 0) == ("error" not in records[-1])
        return records

    def error(self, *words: object, status: int = 2, **env: object) -> str:
        return self.run(*words, status=status, **env)[-1]["error"]

    def raw(self, *words: object) -> bytes:
        return subprocess.run(
            [self.program, "stimulus", *map(str, words)], capture_output=True, timeout=60, check=True
        ).stdout

    def put(self, name: str, data: bytes, size: int | None = None, digest: str = "", status: int = 0) -> dict[str, Any]:
        lines = [base64.b64encode(data[k : k + 768]).decode() for k in range(0, len(data), 768)]
        digest = digest or hashlib.sha256(data).hexdigest()
        words = ("put", name, len(data) if size is None else size, digest)
        return self.run(*words, text="\n".join([*lines, "", ""]), status=status)[-1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/sound/asound.h").exists():
        pytest.skip("no native C compiler or no kernel headers (Debian: gcc, linux-libc-dev)")
    out = tmp_path_factory.mktemp("sndprobe")
    make = ["make", "-s", "-C", str(GUEST / "sndprobe"), "native", f"OUT={out}"]
    subprocess.run([*make, "CFLAGS=-O1 -Werror -fsanitize=undefined -fno-sanitize-recover"], check=True, timeout=120)
    fake = out / "fake_pcm.so"
    source = GUEST / "tests" / "fake_pcm.c"
    subprocess.run(
        [compiler, "-O1", "-Wall", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", fake, source, "-ldl"],
        check=True,
        timeout=60,
    )
    return out / "native" / "sndprobe", fake


@pytest.fixture
def native(built: tuple[Path, Path], tmp_path: Path) -> Native:
    return Native(*built, tmp_path)
