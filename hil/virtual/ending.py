# SPDX-License-Identifier: Apache-2.0
"""How a simulation ends with the bench: on SIGTERM, which the kernel also sends when the process that started it dies."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import threading
from pathlib import Path

PR_SET_PDEATHSIG = 1


def end_on_sigterm(folder: Path, own: bool) -> None:
    """A thread that cleans up and ends the process at SIGTERM, whatever the simulation is doing.

    The simulation loop runs no Python for long times, so the handler does nothing: the interpreter's own C handler writes to
    the pipe that the thread reads.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is for the supervisor
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)

    def wait() -> None:
        while int(signal.SIGTERM) not in os.read(reading, 64):
            pass
        if own:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    threading.Thread(target=wait, name="end", daemon=True).start()
