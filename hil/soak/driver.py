# SPDX-License-Identifier: Apache-2.0
"""The driver goes while sound plays: rmmod, unbind, reboot. Nothing strange is heard meanwhile, and the next life plays.

A player that loses its driver is heard up to some frame: what is heard must be the beginning of what it played.
"""

from __future__ import annotations

from pathlib import Path

from . import compare, material
from .outcome import Findings
from .session import Session
from .workload import Files, Stream

SEED, AGAIN = 19, 23
STREAM = Stream(48000, 480, 4)
FRAMES, FRAMES_AGAIN = 24000, 4800
_PLAY_US = 120_000
_VIRTIO = "/sys/bus/virtio/drivers/virtio_snd"
_PLATFORM = "/sys/bus/platform/drivers/virtio-mmio"
_BOUND = {"virtio_snd": (_VIRTIO, "virtio0"), "virtio-mmio": (_PLATFORM, "10000000.virtio_mmio")}


def files(root: Path, **_: object) -> Files:
    del root
    return {
        "root/driver.wav": material.wav(material.noise(SEED, FRAMES), "S16", STREAM.rate),
        "root/again.wav": material.wav(material.noise(AGAIN, FRAMES_AGAIN), "S16", STREAM.rate),
    }


def aplay(name: str) -> str:
    return f"aplay -q -D hw:0,0 {STREAM.options} /root/{name}.wav"


def _play_again(session: Session, found: Findings) -> None:
    """The next stream, from a clean wire to a clean wire."""
    session.listener.begin()
    said = session.run(f"{aplay('again')} 2>&1; echo status $?", 2)
    found.demand(said.endswith("status 0"), f"after it aplay ended with {said.splitlines()[-1:]}")
    found.add(compare.exact(session.heard(), material.wire(material.noise(AGAIN, FRAMES_AGAIN), 16)), "the next stream")
    found.dry_ends += 1


def _broken_off(session: Session, found: Findings, what: str) -> None:
    """What is heard is the beginning of what was played, and silence after it."""
    comparison = compare.beginning(session.heard(), material.wire(material.noise(SEED, FRAMES), 16))
    found.add(comparison, what)
    found.demand(
        0 < comparison.compared < FRAMES,
        f"{what}: {comparison.compared} of {FRAMES} frames heard; it was to be broken off",
    )
    found.notes.append(f"{what} after {comparison.compared} frames")
    found.dry_ends += 1


def rmmod_refused(session: Session) -> Findings:
    """rmmod while the card is open is refused, and is not heard."""
    found = Findings(dry_ends=1)
    script = f"{aplay('driver')} & p=$!; usleep {_PLAY_US}; rmmod virtio_snd; echo rmmod $?; wait $p; echo status $?"
    said = session.run(f"sh -c '{script}' 2>&1", 3)
    found.demand("rmmod 0" not in said, "rmmod removed a module in use")
    found.demand("status 0" in said, f"aplay ended with {said.splitlines()[-1:]}")
    found.add(compare.exact(session.heard(), material.wire(material.noise(SEED, FRAMES), 16)))
    _play_again(session, found)
    return found


def rmmod(session: Session) -> Findings:
    """The player is killed in the middle and its driver removed at once."""
    found = Findings()
    script = f"{aplay('driver')} & p=$!; usleep {_PLAY_US}; kill -9 $p; wait $p; rmmod virtio_snd && insmod /modules/virtio_snd.ko; echo status $?"
    said = session.run(f"sh -c '{script}' 2>&1", 3)
    found.demand("status 0" in said, f"rmmod or insmod failed: {said.splitlines()[-2:]}")
    _broken_off(session, found, "rmmod")
    _play_again(session, found)
    return found


def unbind(session: Session, driver: str) -> Findings:
    """The driver is taken off the device under a running player, and put back."""
    found = Findings()
    folder, device = _BOUND[driver]
    script = (
        f"{aplay('driver')} & p=$!; usleep {_PLAY_US}; echo {device} > {folder}/unbind; echo unbind $?; wait $p; echo player $?; "
        f"echo {device} > {folder}/bind; echo bind $?"
    )
    said = session.run(f"sh -c '{script}' 2>&1", 4)
    found.demand("unbind 0" in said and "\nbind 0" in said, f"unbind or bind failed: {said.splitlines()[-4:]}")
    found.demand("player 0" not in said, "the player did not notice")
    _broken_off(session, found, f"unbind of {driver}")
    _play_again(session, found)
    return found


def restart(session: Session, command: str) -> Findings:
    """The machine is reset under a running player, on demand or by a panic of its kernel."""
    found = Findings()
    session.run(f"{aplay('driver')} > /dev/null 2>&1 & usleep {_PLAY_US}")
    session.restart(command)
    _broken_off(session, found, command)
    _play_again(session, found)
    return found
