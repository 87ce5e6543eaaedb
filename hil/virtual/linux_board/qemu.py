# SPDX-License-Identifier: Apache-2.0
"""QEMU as the Linux board: started, watched, ended.

    server = vfio_user.Server(board.socket, window)     in this or in any other process, before `start`
    with Board(parts, dilation=10) as board:
        board.start(); ... board.console ...            somebody serves the socket meanwhile

Promise: `start` returns at once with the path of the console's pty; QEMU ends with `close`, with this process (also by SIGKILL), and
when it does not listen to SIGTERM because it waits for an answer of a dead server, by SIGKILL. Sockets and files are in a private
folder that goes with the board. `check` names what happened when it ended by itself.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from cocotb_tests.engine.process import die_with_parent, kill_group

from .. import run_folder
from . import device_tree, guest_clock, initramfs
from .errors import BootFailed, QemuFailed
from .packages import Parts
from .time import timer_rate

MEMORY_BASE = 0x4000_0000  # of the virt machine
_ANSWER_LIMIT_MS = 2_000_000_000  # none that matters: QEMU reckons it by the guest's clock and waits by the wall's, so what was held counts
_NO_ANSWER = "timed out waiting for reply"  # hw/vfio-user/proxy.c
_PTY = re.compile(r"char device redirected to (\S+)")
_PTY_LIMIT_S = 10.0
_PREFIX = "virtone-board-"
PANIC = "Kernel panic - not syncing"


class Board:
    """One board. `memory_file`: a file of `memory_mb` MiB that becomes the guest's memory (a simulation maps the same file);
    without it the memory is anonymous and reaches the server as a descriptor. `files`: see `initramfs.write`. `socket`: where the
    server listens, if not in the board's own folder; a `clock` (`guest_clock`) beside it is what the guest counts by.
    `within`: where that folder is made (default: the system's temporary one).
    """

    def __init__(
        self,
        parts: Parts,
        dilation: float = 1,
        memory_mb: int = 256,
        memory_file: Path | None = None,
        files: Mapping[str, bytes | Path] | None = None,
        parameters: str = "",
        socket: Path | None = None,
        within: Path | None = None,
    ) -> None:
        self.parts, self.dilation, self.memory_mb, self.memory_file = parts, dilation, memory_mb, memory_file
        self.rate = timer_rate(dilation)
        self.parameters = parameters
        self.folder = run_folder.make(_PREFIX, within)
        self.socket = socket or self.folder / "vfio.sock"
        self.log = self.folder / "qemu.log"
        self.console = ""
        self._files = files
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it; returns the path of the console's pty. QemuFailed."""
        if not self.socket.exists():
            raise QemuFailed(f"nobody listens at {self.socket}; start the server of the register window first")
        machine = self._machine()
        tree, root = self.folder / "board.dtb", self.folder / "root.cpio"
        device_tree.write(
            self.parts.fdtput, machine, self.parts.qemu.env, self.rate.claimed_hz if self.dilation != 1 else None, tree
        )
        initramfs.write(self.parts, root, self._files)
        device = (
            f'{{"driver":"vfio-user-pci","addr":"1","socket":{{"type":"unix","path":"{self.socket}"}},'
            f'"x-no-posted-writes":true,"x-msg-timeout":{_ANSWER_LIMIT_MS}}}'
        )
        command = [
            *machine,
            *("-nodefaults", "-display", "none", "-no-user-config"),
            *("-chardev", "pty,id=console", "-serial", "chardev:console"),
            *("-kernel", str(self.parts.kernel), "-initrd", str(root), "-dtb", str(tree)),
            *("-append", f"console=ttyAMA0 loglevel=4 panic=-1 {self.parameters}".strip()),
            *("-device", device),
        ]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **self.parts.qemu.env, **self._counting()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        deadline = time.monotonic() + _PTY_LIMIT_S
        while (pty := _PTY.search(self.log.read_text(errors="replace"))) is None:
            self.check()
            if time.monotonic() > deadline:
                self.close()
                raise QemuFailed(f"QEMU offered no console within {_PTY_LIMIT_S:.0f} s")
            time.sleep(0.01)
        if self.clock.exists() and guest_clock.user(self.clock) != self._process.pid:
            self.close()
            raise QemuFailed(
                f"QEMU does not count by {self.clock}: it has not taken {guest_clock.LIBRARY} from LD_PRELOAD "
                "(is it statically linked? right is a dynamically linked QEMU)"
            )
        self.console = pty[1]
        return self.console

    @property
    def clock(self) -> Path:
        return self.socket.with_name(guest_clock.FILE)

    def _counting(self) -> dict[str, str]:
        """What makes QEMU count by the shared clock. A path relative to its folder: LD_PRELOAD is divided at blanks and colons."""
        if not self.clock.exists():
            return {}
        shutil.copy(guest_clock.library(), self.folder / guest_clock.LIBRARY)
        return {"LD_PRELOAD": f"./{guest_clock.LIBRARY}", guest_clock.VARIABLE: str(self.clock)}

    def check(self) -> None:
        """Raise QemuFailed if QEMU has ended, or has given the register window up."""
        status = self.status
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        if status is not None:
            said = [line for line in text.splitlines() if line and not _PTY.search(line)]
            raise QemuFailed(f"QEMU ended by itself (status {status}); it said: {' | '.join(said[-3:]) or 'nothing'}")
        if _NO_ANSWER in text:
            raise QemuFailed(f"QEMU has given the register window up: its log says {_NO_ANSWER!r}; the board is lost")

    @property
    def status(self) -> int | None:
        """How QEMU ended (negative: by that signal); None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End QEMU and remove its folder; safe to call twice."""
        if self._process is not None:
            kill_group(self._process)
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder)

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _machine(self) -> list[str]:
        cpu = (
            "cortex-a53"
            if self.rate.counter_hz == timer_rate(1).counter_hz
            else f"cortex-a53,cntfrq={self.rate.counter_hz}"
        )
        backend = f"memory-backend-memfd,id=mem,size={self.memory_mb}M,share=on"
        if self.memory_file is not None:
            backend = f"memory-backend-file,id=mem,size={self.memory_mb}M,share=on,mem-path={self.memory_file}"
        return [
            *self.parts.qemu.argv,
            *("-M", "virt,gic-version=3,highmem=off,memory-backend=mem", "-cpu", cpu, "-smp", "1"),
            *("-m", str(self.memory_mb), "-object", backend),
        ]


def raise_on_panic(text: str) -> None:
    """BootFailed if console text shows that the board's kernel panicked."""
    at = text.find(PANIC)
    if at >= 0:
        raise BootFailed(f"the board's kernel panicked: {text[at:].splitlines()[0]}")
