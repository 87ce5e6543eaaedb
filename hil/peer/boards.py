# SPDX-License-Identifier: Apache-2.0
"""The two boards that are compared: the same kernel, initial file system, processor and QEMU; only the sound device differs.

    with QemuDevice(parts, files) as side: ...     virtio-sound-device on virtio-mmio, host backend `wav` at 48 kHz, guest at real time
    with RtlDevice(parts, files) as side: ...      the simulated RTL behind vfio-user, guest time stretched by `side.dilation`

Promise: inside `with`, `side.console` stands at the prompt, the stock drivers are bound, and QEMU logs each access to the device's
registers and each interrupt into `side.log` (see `trace`). No module parameters are given. Everything ends with `with` and with this process.
Errors: those of `linux_board.errors`; BootFailed if the sound card does not appear.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from hil.virtual.engine import die_with_parent
from hil.virtual.linux_board import initramfs, qemu
from hil.virtual.linux_board.errors import BootFailed, QemuFailed
from hil.virtual.linux_board.packages import Parts, Program
from hil.virtual.linux_board.rtl_simulation import RtlSimulation
from hil.virtual.run_folder import run_folder
from virtone.bench.console import Console
from virtone.bench.transport import SerialLine

BACKEND_HZ = 48000  # of the host's sink; another rate would put QEMU's resampler into the way
_PTY = re.compile(r"char device redirected to (\S+)")
_BOOT_LIMIT_S = 90.0
_PTY_LIMIT_S = 10.0
_MODULES = "for m in $(cat /modules/order); do insmod /modules/$m || break; done 2>&1; ls -d /proc/asound/card0"
_QEMU_EVENTS = (
    "virtio_mmio_read virtio_mmio_write_offset virtio_queue_notify virtio_notify virtqueue_fill audio_out_played"
)
_RTL_EVENTS = "vfio_region_read vfio_region_write vfio_intx_interrupt"
_CAPTURE = {"BENCH_CAPTURE_FRAMES": 1 << 20, "BENCH_CAPTURE_MARKERS": 1 << 18}  # 21 s of frames; 2 changes a period


class Side:
    """What both have. `name`: for the table; `key`: in the stored file; `irq`: the device's name in /proc/interrupts."""

    key = name = ""
    irq = "virtio0"
    dilation = 1.0
    board: qemu.Board
    console: Console

    def __init__(self, parts: Parts, files: Mapping[str, bytes | Path]) -> None:
        self.parts, self.files = parts, files
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Side:
        try:
            self._start()
            self.console = Console(SerialLine(self.board.console), timeout_s=_BOOT_LIMIT_S)
            self._stack.callback(self.console.close)
            self.console.reach_prompt()
            self._bring_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def log(self) -> Path:
        return self.board.folder / "trace.log"

    def run(self, command: str, timeout_s: float | None = None) -> list[str]:
        """A shell command on the board; BootFailed if its kernel panicked."""
        lines = self.console.run(command, timeout_s)
        qemu.raise_on_panic("\n".join(lines))
        return lines

    def _start(self) -> None:
        raise NotImplementedError

    def _bring_up(self) -> None:
        if self.run("ls -d /proc/asound/card0 2>&1; true")[-1:] != ["/proc/asound/card0"]:
            raise BootFailed(f"{self.name}: no sound card; {self._kernel_said()}")

    def _kernel_said(self) -> str:
        return "the kernel said: " + " | ".join(self.run("dmesg | grep -iE 'virtio|snd|sound' | tail -n 3; true"))


def _log_bus(board: qemu.Board, events: str) -> None:
    """Have QEMU write these events, with the time, into trace.log of the board's folder."""
    words = [word for event in events.split() for word in ("-trace", event)]
    argv = (*board.parts.qemu.argv, *words, "-D", str(board.folder / "trace.log"), "-msg", "timestamp=on")
    board.parts = dataclasses.replace(board.parts, qemu=Program(argv, board.parts.qemu.env))


class QemuDevice(Side):
    """QEMU's own device. `sink`: the file its backend writes; begun afresh each time the stream is opened."""

    key, name = "qemu", "QEMU virtio-sound-device"

    @property
    def sink(self) -> Path:
        return self.board.folder / "sink.wav"

    def _start(self) -> None:
        self.board = self._stack.enter_context(_DeviceBoard(self.parts, files=self.files))
        _log_bus(self.board, _QEMU_EVENTS)
        self.board.start()

    def _bring_up(self) -> None:
        self.run(
            _MODULES
        )  # the board's init leaves them out, for it misses the PCI function that carries the window of the other one
        super()._bring_up()


class _DeviceBoard(qemu.Board):
    """The Linux board with QEMU's sound device in a virtio-mmio slot of the machine, instead of the vfio-user window."""

    def start(self) -> str:
        root = self.folder / "root.cpio"
        initramfs.write(self.parts, root, self._files)
        command = [
            *self._machine(),
            *("-nodefaults", "-display", "none", "-no-user-config"),
            *("-chardev", "pty,id=console", "-serial", "chardev:console"),
            *("-kernel", str(self.parts.kernel), "-initrd", str(root)),
            *("-append", f"console=ttyAMA0 loglevel=4 panic=-1 {self.parameters}".strip()),
            *("-audiodev", f"wav,id=sink,path=sink.wav,out.frequency={BACKEND_HZ}"),
            *("-global", "virtio-mmio.force-legacy=false", "-device", "virtio-sound-device,audiodev=sink"),
        ]
        with (self.folder / "qemu.log").open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **self.parts.qemu.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
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
        self.console = pty[1]
        return self.console


class RtlDevice(Side):
    """This project's RTL, simulated. `dilation` None: chosen from the simulation's speed."""

    key, name = "virtone", "Virtone (RTL)"

    def __init__(self, parts: Parts, files: Mapping[str, bytes | Path], dilation: float | None = None) -> None:
        super().__init__(parts, files)
        self._wanted = dilation
        self.rtl: RtlSimulation

    def _start(self) -> None:
        folder = self._stack.enter_context(run_folder("vpeer-"))
        saved = {name: os.environ.get(name) for name in _CAPTURE}
        os.environ.update({name: str(size) for name, size in _CAPTURE.items()})
        try:
            self.rtl = self._stack.enter_context(RtlSimulation(folder, self._wanted))
        finally:
            for name, value in saved.items():
                os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
        self.dilation = self.rtl.dilation
        self.board = self._stack.enter_context(
            qemu.Board(
                self.parts,
                dilation=self.dilation,
                memory_mb=self.rtl.memory_mb,
                memory_file=self.rtl.memory,
                socket=self.rtl.socket,
                files=self.files,
            )
        )
        _log_bus(self.board, _RTL_EVENTS)
        self.board.start()
