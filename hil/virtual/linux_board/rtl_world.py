# SPDX-License-Identifier: Apache-2.0
"""The simulated RTL behind the Linux board's register window (the cocotb side; `rtl_simulation` starts it).

Environment: BOARD_FOLDER (sockets `vfio.sock` and `control.sock`, the guest's `clock`, and `ready.json`, `report.json`), BOARD_DILATION (a number, or
empty: chosen from the speed measured here, at least BOARD_LEAST_DILATION), BOARD_OWN_FOLDER (1: it goes with the simulation, see
`ending`). BENCH_MEMORY is set by the simulation: where the guest's memory can be mapped.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import cocotb

from cocotb_tests.bfm.port import RegisterError, RtlPort

from ..ending import end_on_sigterm
from .bridge import ANSWER_NS, Bridge
from .control import Control
from .guest_clock import FILE, GuestClock
from .time import Pacer, choose_dilation
from .vfio_user import Server

_CALIBRATION_NS = 20e6
_MARGIN = 2.0  # the calibration has the simulator alone on the machine and the device at rest


async def speed(port: RtlPort) -> float:
    """Simulated ms per wall second while nothing happens but the audio clock and a callback per quantum."""
    await port.sleep_ns(1e6)
    wall, simulated = time.perf_counter(), port.now_ns()
    while port.now_ns() - simulated < _CALIBRATION_NS:
        await port.sleep_ns(20_000)
    return (port.now_ns() - simulated) / 1e6 / (time.perf_counter() - wall)


@cocotb.test()
async def serve_linux(dut: Any) -> None:
    folder = Path(os.environ["BOARD_FOLDER"])
    if os.environ.get("BOARD_OWN_FOLDER") == "1":
        end_on_sigterm(folder, True)
    port = RtlPort(dut)
    await port.reset()
    measured = await speed(port)
    wanted, least = os.environ.get("BOARD_DILATION", ""), float(os.environ.get("BOARD_LEAST_DILATION", "1"))
    dilation = float(wanted) if wanted else max(choose_dilation(measured, _MARGIN), least)
    pacer = Pacer(dilation, guest=GuestClock(folder / FILE))
    server, control = Server(folder / "vfio.sock"), Control(folder / "control.sock", pacer)
    page = port.page
    bridge = Bridge(
        server,
        port,
        lambda: bool(page.irq),
        pacer,
        answer_ns=ANSWER_NS,
        reset=port.reset,
        register_errors=(RegisterError,),
    )
    _write(
        folder / "ready.json",
        {"dilation": dilation, "simulated_ms_per_s": measured, "memory": os.environ["BENCH_MEMORY"]},
    )
    try:
        await bridge.run(control.serve, wake=control.sockets)
    finally:
        line = server.interrupt
        server.close()
        control.close()
        figures = {"accesses": bridge.accesses, "bus_errors": bridge.bus_errors, "unanswered": bridge.unanswered}
        _write(folder / "report.json", {**figures, "events": line.events, "withdrawn": line.withdrawn})


def _write(file: Path, content: dict[str, Any]) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.rename(file)
