# SPDX-License-Identifier: Apache-2.0
"""The board's device tree: QEMU's own, plus the virtio-mmio window at the address of the PCI function, plus the stretched timer.

Device tree specification 0.4; Linux Documentation/devicetree/bindings/virtio/mmio.yaml and timer/arm,arch_timer.yaml. The tree is
edited with fdtput of the device tree compiler.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cocotb_tests.engine.process import die_with_parent

from .errors import QemuFailed
from .packages import Program

WINDOW_ADDRESS = 0x1000_0000  # where the virt machine's 32-bit PCI memory begins: BAR0 of the only function goes there
WINDOW_BYTES = 0x200  # what the virtio_mmio driver claims: registers and configuration space; not the probe page
SPI = 4  # 3 + (slot + pin - 1) mod 4 for INTA of slot 1 (QEMU hw/arm/virt.c, create_pcie)
_LEVEL_HIGH = 4
_LIMIT_S = 30


def write(fdtput: Program, qemu: Sequence[str], env: dict[str, str], claimed_timer_hz: int | None, file: Path) -> None:
    """Make `file`. `qemu`: the command with its machine, processor and memory arguments. `claimed_timer_hz`: None leaves the timer alone.

    Raises QemuFailed if QEMU or fdtput refuses.
    """
    part = file.with_suffix(".part")
    at = qemu.index("-M")
    _run([*qemu[: at + 1], f"{qemu[at + 1]},dumpdtb={part}", *qemu[at + 2 :], "-nodefaults", "-display", "none"], env)
    node = f"/virtio_mmio@{WINDOW_ADDRESS:x}"
    edit = list(fdtput.argv)
    _run([*edit, "-c", str(part), node], fdtput.env)
    for name, kind, values in (
        ("compatible", "s", ["virtio,mmio"]),
        ("reg", "x", ["0", f"{WINDOW_ADDRESS:x}", "0", f"{WINDOW_BYTES:x}"]),
        ("interrupts", "x", ["0", f"{SPI:x}", f"{_LEVEL_HIGH:x}"]),
        ("dma-coherent", "s", []),
    ):
        _run([*edit, "-t", kind, str(part), node, name, *values], fdtput.env)
    if claimed_timer_hz is not None:
        _run([*edit, "-t", "u", str(part), "/timer", "clock-frequency", str(claimed_timer_hz)], fdtput.env)
    part.rename(file)


def _run(command: Sequence[str], env: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            list(command),
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
            preexec_fn=die_with_parent(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise QemuFailed(f"{command[0]} could not make the device tree: {error}") from error
    if done.returncode:
        raise QemuFailed(
            f"{command[0]} could not make the device tree: {done.stderr.strip()[-300:] or done.returncode}"
        )
