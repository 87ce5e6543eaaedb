# SPDX-License-Identifier: Apache-2.0
"""HiSLIP and socket servers of the virtual instruments, and what a client makes of their seeded faults."""

from __future__ import annotations

import threading
import time

import pytest
import pyvisa

from hil.wire_rig import Rig, rig, setup, take
from virtone.bench import instruments
from virtone.bench.errors import InstrumentLost, InstrumentTimeout, NoTrigger, TruncatedBlock, WrongInstrument
from virtone.bench.transport import open_visa

__all__ = ["rig"]  # a fixture


# -- seeded faults: each has its name, and the next conversation is in step -----------------------------------------------


@pytest.mark.parametrize("kind", ["hislip", "socket"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("no_reply", InstrumentTimeout),
        ("late_reply", InstrumentTimeout),
        ("disconnect", InstrumentLost),
    ],
)
def test_reply_faults(rig: Rig, kind: str, fault: str, expected: type[Exception]) -> None:
    link = open_visa(rig.resource(kind), timeout_s=0.5)
    seeded = rig.faults.arm(fault, match="SRAT", delay_s=1.5)
    began = time.monotonic()
    with pytest.raises(expected, match=r"ACQuire:SRATe") as caught:
        link.query(":ACQuire:SRATe?")
    assert time.monotonic() - began < 2 and seeded.struck == 1
    assert rig.resource(kind) in str(caught.value)
    if expected is InstrumentTimeout:
        assert float(link.query(":ACQuire:POINts?")) > 0
        time.sleep(1.2)  # the late answer would be here by now
        assert link.query("*IDN?") == link.identity
    else:
        with pytest.raises(InstrumentLost):
            link.query("*IDN?")
    link.close()


@pytest.mark.parametrize("kind", ["hislip", "socket"])
@pytest.mark.parametrize(
    ("fault", "expected"), [("truncated_block", TruncatedBlock), ("disconnect_mid_block", InstrumentLost)]
)
def test_block_faults(rig: Rig, kind: str, fault: str, expected: type[Exception]) -> None:
    scope = instruments.InfiniiVision(open_visa(rig.resource(kind), timeout_s=1.0))
    take(rig, scope, setup())
    rig.faults.arm(fault)
    with pytest.raises(expected, match=r"WAVeform:DATA") as caught:
        scope.fetch()
    if expected is TruncatedBlock:
        assert "of 200000 bytes" in str(caught.value)
        assert scope.fetch().samples == 100_000  # the record is still there
    scope.close()


@pytest.mark.parametrize("kind", ["hislip", "socket"])
def test_never_triggers(rig: Rig, kind: str) -> None:
    scope = instruments.InfiniiVision(open_visa(rig.resource(kind)))
    rig.faults.arm("never_triggers")
    with pytest.raises(NoTrigger, match=r"0 of 1 records.*marker"):
        scope.configure(setup())
        scope.link.write(":SINGle")
        rig.wire.silence(0.01)
        rig.wire.pulse(rig.wire.next_ps)
        rig.wire.silence(0.1)
        scope.wait(0.3)
    scope.close()


@pytest.mark.parametrize("kind", ["hislip", "socket"])
def test_wrong_instrument(rig: Rig, kind: str) -> None:
    rig.faults.arm("wrong_idn")
    link = open_visa(rig.resource(kind))
    with pytest.raises(WrongInstrument, match="TOASTER"):
        instruments.InfiniiVision(link)
    link.close()
    link = open_visa(rig.resource(kind))
    with pytest.raises(WrongInstrument, match=r"serial 'SIM00000001'.*'MY1'"):
        instruments.InfiniiVision(link, serial="MY1")
    link.close()


# -- servers ----------------------------------------------------------------------------------------------------------


def test_plain_pyvisa_status_byte_clear_and_terminations(rig: Rig) -> None:
    """No code of ours on the client's side."""
    manager = pyvisa.ResourceManager("@py")
    scope = manager.open_resource(rig.resource("hislip"), open_timeout=3000)
    scope.timeout = 3000
    assert "DSOX3024T-SIM" in scope.query("*IDN?")
    scope.write("*ESE 255;*SRE 32;:NONSense 1")
    scope.query("*OPC?")  # the status byte comes over the other channel, and may overtake a command
    assert scope.read_stb() & 0x60 == 0x60
    assert scope.query(":SYSTem:ERRor?").startswith("-113")
    scope.query("*CLS;*OPC?")
    assert scope.read_stb() & 0x60 == 0
    scope.write(":DIGitize;*OPC?")  # nothing will ever trigger it
    scope.clear()
    assert scope.query("*OPC?").strip() == "1"
    scope.close()


def test_a_waiting_client_does_not_hold_up_another(rig: Rig) -> None:
    one, two = open_visa(rig.resource("hislip")), open_visa(rig.resource("socket"))
    one.write(":TRIGger:SWEep NORMal;:DIGitize")
    began = time.monotonic()
    for _ in range(20):
        assert two.query("*IDN?") == one.identity
    assert time.monotonic() - began < 2
    two.write(":STOP")
    assert one.query("*OPC?") == "1"
    one.close()
    two.close()


def test_write_then_query_on_a_socket_does_not_stall(rig: Rig) -> None:
    """40 ms each without TCP_NODELAY on both sides."""
    link = open_visa(rig.resource("socket"))
    began = time.monotonic()
    for _ in range(50):
        link.write(":TRIGger:SWEep NORMal")
        link.query(":TRIGger:SWEep?")
    assert time.monotonic() - began < 1.0
    link.close()


def test_close_ends_threads_and_frees_ports(rig: Rig) -> None:
    link = open_visa(rig.resource("hislip"))
    link.write(":TRIGger:SWEep NORMal;:DIGitize")
    for part in (rig.hislip, rig.socket, rig.device):
        part.close()
    deadline = time.monotonic() + 5
    mine = ("hislip", "scpi-", "oscilloscope")
    while (left := [t.name for t in threading.enumerate() if t.name.startswith(mine)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left
    with pytest.raises(InstrumentLost, match="nothing answers"):
        open_visa(rig.resource("hislip"), open_timeout_s=1)
    with pytest.raises(InstrumentLost):
        open_visa(rig.resource("socket"), open_timeout_s=1)
