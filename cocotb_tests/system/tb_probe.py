# SPDX-License-Identifier: Apache-2.0
"""The probe step by step as Linux does it: every register access of the guest, with the value read, as the oracle gives it."""

from __future__ import annotations

import cocotb

from cocotb_tests.engine.system import run_system
from cocotb_tests.system.witness import same_registers
from cocotb_tests.system.world import RING_RESET, compare
from virtone.model.driver import LINUX_FEATURES
from virtone.virtio import mmio, snd


async def probe(world):
    await world.probe()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def linux_probe_register_by_register(dut):
    rtl, model = await compare(dut, probe)
    same_registers("probe", rtl, model)
    assert len(rtl.registers) > 50
    offsets = [offset for kind, offset, _ in rtl.registers]
    assert offsets[:4] == [0x000, 0x004, 0x008, 0x00C], "magic, version, device, vendor"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def probe_again_after_reset(dut):
    async def twice(world):
        for _ in range(3):
            world.driver.substreams.clear()
            await world.driver.probe()
            world.note("features", hex(world.driver.transport.offered), hex(world.driver.transport.features))
            await world.driver.transport.reset()

    rtl, _ = await compare(dut, twice, features=LINUX_FEATURES | RING_RESET)
    assert len({note for note in rtl.notes}) == 1, "the same features after every reset"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def config_space_in_every_width(dut):
    async def widths(world):
        await world.probe()
        base = int(mmio.VIRTIO_MMIO_CONFIG)
        for offset in range(0, snd.virtio_snd_config.size, 4):
            world.note("32", offset, await world.port.read32(base + offset))
            world.note("16", offset, [await world.port.read16(base + offset + k) for k in (0, 2)])
            world.note("8", offset, [await world.port.read8(base + offset + k) for k in range(4)])

    rtl, model = await compare(dut, widths)
    same_registers("config", rtl, model)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def every_control_request(dut):
    """Every code, whole and cut short, with ids in and out of range."""

    async def requests(world):
        await world.probe()
        codes = [int(code) for code in snd.REQUESTS] + [0, 0x7FF, 0xFFFF_FFFF]
        for code in codes:
            for tail in (b"", bytes(4), (1).to_bytes(4, "little"), bytes(12), bytes(20), bytes(28)):
                response = await world.control(code.to_bytes(4, "little") + tail, more=72)
                world.note(hex(code), len(tail), response.hex())
        for count, size, more in (
            (1, 32, 32),
            (1, 40, 40),
            (1, 8, 8),
            (1, 32, 10),
            (2, 32, 64),
            (1, 0, 4),
            (1, 4096, 4),
            (0, 0, 4),
        ):
            query = snd.virtio_snd_query_info.pack(hdr=snd.VIRTIO_SND_R_PCM_INFO, start_id=0, count=count, size=size)
            world.note("info", count, size, (await world.control(query, more=more)).hex())

    rtl, _ = await compare(dut, requests)
    assert len(rtl.notes) > 100


def test_probe() -> None:
    run_system(__file__)
