# SPDX-License-Identifier: Apache-2.0
"""Scene: one message to an idle, prepared stream; bus cycles from the QueueNotify write to its first payload beat.

Case: `latencies` (of the memory, bus cycles). Findings: a list of shots, each {latency, indirect, notification_data,
event_idx, offset, cycles}. Framing as Linux has it: header, payload, status, one descriptor each; the payload begins at
`offset` in its page. The stream has neither MSG_POLLING nor anything fetched, so the notify is what starts the fetch.
"""

from __future__ import annotations

import itertools
from typing import Any

import cocotb

from cocotb_tests.benchmark.scenes.stage import Stage, case, found
from virtone.virtio import mmio, snd

OFFSETS = (0, 4, 0x123)
PAYLOAD_BYTES = 192
_PATIENCE_NS = 40_000
_REMOVABLE = {
    "indirect": int(mmio.VIRTIO_RING_F_INDIRECT_DESC),
    "notification_data": int(mmio.VIRTIO_F_NOTIFICATION_DATA),
    "event_idx": int(mmio.VIRTIO_RING_F_EVENT_IDX),
}


async def shot(stage: Stage, offset: int) -> int:
    """Cycles from notify to the first payload beat of one message, whose payload begins `offset` bytes into a page."""
    driver, port = stage.driver, stage.port
    assert driver is not None
    page = port.page
    stream = {"hdr": snd.VIRTIO_SND_R_PCM_SET_PARAMS, "stream_id": 0}
    await driver.control.request(snd.virtio_snd_pcm_set_params.pack(
        hdr=stream, buffer_bytes=4 * PAYLOAD_BYTES, period_bytes=PAYLOAD_BYTES, features=0, channels=2,
        format=snd.VIRTIO_SND_PCM_FMT_S16, rate=snd.VIRTIO_SND_PCM_RATE_48000,
    ))  # fmt: skip
    await driver.control.request(snd.virtio_snd_pcm_hdr.pack(hdr=snd.VIRTIO_SND_R_PCM_PREPARE, stream_id=0))
    await port.sleep_ns(_PATIENCE_NS)
    header, status = port.memory.alloc(snd.virtio_snd_pcm_xfer.size), port.memory.alloc(snd.virtio_snd_pcm_status.size)
    (space,) = port.memory.alloc_pages(1)
    port.memory.write(header, snd.virtio_snd_pcm_xfer.pack(stream_id=0))
    page.watch_base, page.watch_size = (space + offset) & ~7, PAYLOAD_BYTES
    try:
        driver.txq.add(
            [
                (header, snd.virtio_snd_pcm_xfer.size, False),
                (space + offset, PAYLOAD_BYTES, False),
                (status, snd.virtio_snd_pcm_status.size, True),
            ],
            "shot",
        )
        assert await driver.transport.kick(driver.txq), "an idle queue has to be notified"
        notified = page.notify_cycle
        await port.sleep_ns(_PATIENCE_NS)
        assert page.first_beat_cycle, f"no payload beat within {_PATIENCE_NS} ns of the notify"
        return page.first_beat_cycle - notified
    finally:
        page.watch_size = 0
        await stage.leave()
        for address in (header, status, space):
            port.memory.free(address)


@cocotb.test(timeout_time=500, timeout_unit="ms")
async def notify(dut: Any) -> None:
    stage = Stage(dut)
    await stage.port.reset()
    page = stage.port.page
    shots = []
    for latency in case()["latencies"]:
        page.read_latency = page.write_latency = latency
        for taken in itertools.product((True, False), repeat=len(_REMOVABLE)):
            without = [bit for bit, take in zip(_REMOVABLE.values(), taken, strict=True) if not take]
            for offset in OFFSETS:
                await stage.probe(without=without)
                cycles = await shot(stage, offset)
                shots.append({"latency": latency, **dict(zip(_REMOVABLE, taken, strict=True)), "offset": offset,
                              "cycles": cycles})  # fmt: skip
    found(shots)
