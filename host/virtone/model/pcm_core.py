# SPDX-License-Identifier: Apache-2.0
"""The ALSA core above the operators, as far as a playback application needs it (sound/core/pcm_lib.c, pcm_native.c).

Promise: `writei` blocks until all frames are in the buffer and starts the stream at `start_threshold`; an underrun
raises `Xrun`, and `prepare` recovers; `drain` plays everything, `drop` nothing more; `pause` loses nothing.
`status` says what an application is told: the next frame written is heard `delay` frames after the last hw_ptr
update.

User's duty: one task at a time calls a handle's methods, but `status` may be called by any.
"""

from __future__ import annotations

from typing import Any

from virtone.model.errors import BadState, DeviceIoError, DriverError, InvalidArgument, Xrun
from virtone.model.memory import PageList
from virtone.model.mutex import Mutex
from virtone.model.pcm_hw import HwParams
from virtone.model.pcm_state import ACTIVE, PcmState, PcmStatus
from virtone.model.pcm_substream import PcmSubstream, Runtime
from virtone.model.port import Port, wait_with_timeout

# ALSA gives a write or a drain up when nothing moves for this long.
STALL_TIMEOUT_NS = 10e9


class Pcm:
    """One playback handle."""

    def __init__(self, port: Port, substream: PcmSubstream) -> None:
        self._port = port
        self.substream = substream
        self.state = PcmState.CLOSED
        self.runtime: Runtime | None = None
        self.hw_ptr = 0  # frames since prepare, free-running
        self.xruns = 0
        self.tstamp_ns = 0
        self.start_threshold = self.avail_min = self.stop_threshold = 0
        self._base = 0
        self._stop_operating = False
        self._failure: DriverError | None = None
        self._moved = port.event()
        self._lock = Mutex(port)

    # Set-up.

    async def open(self) -> None:
        self._require("open", PcmState.CLOSED)
        await self.substream.open()
        self.substream.elapsed = self._period_elapsed
        self.state = PcmState.OPEN

    async def hw_params(self, params: HwParams | None = None, **wishes: Any) -> HwParams:
        """Set `params`, or what `PcmHardware.refine` makes of `wishes` (format, channels, rate, period_size, ...)."""
        self._require("hw_params", PcmState.OPEN, PcmState.SETUP, PcmState.PREPARED)
        if params is None:
            params = self.substream.hardware.refine(**wishes)
        await self._sync_stop()
        self._free_buffer()
        dma = PageList(self._port.memory, params.buffer_bytes, self.substream.driver.contiguous)
        self.runtime = self.substream.runtime = Runtime(params, dma)
        try:
            await self.substream.hw_params(params)
        except Exception:
            self.state = PcmState.OPEN
            raise
        self.sw_params(params.buffer_size, params.period_size, params.buffer_size)
        self.state = PcmState.SETUP
        return params

    def sw_params(
        self, start_threshold: int | None = None, avail_min: int | None = None, stop_threshold: int | None = None
    ) -> None:
        """Thresholds in frames; None leaves one. `hw_params` sets: start when full, wake per period, stop when empty."""
        self.start_threshold = self.start_threshold if start_threshold is None else start_threshold
        self.avail_min = max(1, self.avail_min if avail_min is None else avail_min)
        self.stop_threshold = self.stop_threshold if stop_threshold is None else stop_threshold

    async def prepare(self) -> None:
        """Ready to be written and started; recovers from an underrun."""
        self._require("prepare", PcmState.SETUP, PcmState.PREPARED, PcmState.XRUN)
        async with self._lock:
            await self._sync_stop()
            await self.substream.prepare()
            runtime = self._runtime()
            self.hw_ptr = self._base = runtime.appl_ptr = runtime.delay = 0
            self.state = PcmState.PREPARED

    async def hw_free(self) -> None:
        self._require("hw_free", PcmState.SETUP, PcmState.PREPARED, PcmState.XRUN, PcmState.OPEN)
        await self._sync_stop()
        await self.substream.hw_free()
        self._free_buffer()
        self.state = PcmState.OPEN

    async def close(self) -> None:
        """Stop at once and give everything back."""
        if self.state is PcmState.CLOSED:
            return
        if self.state in ACTIVE:
            await self.drop()
        await self.hw_free()
        await self.substream.close()
        self.substream.elapsed = None
        self.state = PcmState.CLOSED

    async def kill(self) -> None:
        """Close as Linux does for a killed program: STOP and RELEASE are sent, but a pending signal ends every wait.

        Messages the device still has stay pending; the next `open` of the stream releases them.
        """
        self.substream.interrupted = True
        try:
            await self.close()
        finally:
            self.substream.interrupted = False

    # Playing.

    def avail(self) -> int:
        """Frames that can be written without waiting, as of the last hw_ptr update."""
        runtime = self._runtime()
        return self.hw_ptr + runtime.params.buffer_size - runtime.appl_ptr

    async def writei(self, data: bytes | memoryview) -> int:
        """Write whole frames, waiting for room; returns how many. Raises `Xrun`, `BadState`."""
        runtime = self._runtime()
        size = runtime.params.frame_bytes
        total, rest = divmod(len(data), size)
        if rest:
            raise InvalidArgument(f"{len(data)} bytes are no whole number of frames of {size} bytes")
        data, done = memoryview(data), 0
        while done < total:
            async with self._lock:
                self._check_writable()
                if self.state is PcmState.RUNNING:
                    await self._update_hw_ptr()
                    self._check_writable()
                place = runtime.appl_ptr % runtime.params.buffer_size
                count = min(total - done, self.avail(), runtime.params.buffer_size - place)
                if count:
                    runtime.dma.write(place * size, data[done * size : (done + count) * size])
                    done += count
                    await self._advance(count)
                    if self.state is PcmState.PREPARED and runtime.appl_ptr - self.hw_ptr >= self.start_threshold:
                        await self._start()
            if not count:
                await self._wait_avail(min(total - done, self.avail_min))
        return done

    async def start(self) -> None:
        """Start by hand what `writei` has put into the buffer."""
        self._require("start", PcmState.PREPARED)
        async with self._lock:
            await self._start()

    async def drain(self, pad: bool = True) -> None:
        """Play everything written, then stop. `pad` fills the last period with silence; else `ack` never sends it."""
        self._require("drain", PcmState.PREPARED, PcmState.RUNNING, PcmState.SETUP)
        if self.state is PcmState.SETUP:
            return
        runtime = self._runtime()
        params = runtime.params
        missing = -runtime.appl_ptr % params.period_size if pad else 0
        if missing:
            await self.writei(bytes(missing * params.frame_bytes))
        async with self._lock:
            if self.state is PcmState.PREPARED:
                if runtime.appl_ptr == self.hw_ptr:
                    self.state = PcmState.SETUP
                    return
                await self._start()
            if self.state is PcmState.RUNNING:
                self._silence_free_room()
                self.state = PcmState.DRAINING
                await self._update_hw_ptr()
        while self.state is PcmState.DRAINING:
            await self._wait_move("drain")
        if self.state is PcmState.XRUN:
            raise Xrun(f"stream {self.substream.stream_id}: underrun while draining")

    async def drop(self) -> None:
        """Stop at once; what is not played is lost."""
        self._require("drop", PcmState.SETUP, PcmState.PREPARED, PcmState.XRUN, *ACTIVE)
        async with self._lock:
            if self.state is PcmState.PAUSED:
                await self.substream.trigger("pause_release")
                self.state = PcmState.RUNNING
            await self._stop(PcmState.SETUP)

    async def pause(self, push: bool = True) -> None:
        """Hold the stream, or go on with it."""
        self._require("pause" if push else "resume", PcmState.RUNNING if push else PcmState.PAUSED)
        async with self._lock:
            if push:
                await self._update_hw_ptr()
                if self.state is not PcmState.RUNNING:
                    raise Xrun(f"stream {self.substream.stream_id}: underrun before it could be paused")
            await self.substream.trigger("pause_push" if push else "pause_release")
            self.state = PcmState.PAUSED if push else PcmState.RUNNING

    async def status(self, sync: bool = True) -> PcmStatus:
        """What the application is told now; `sync` asks the driver for its position first."""
        async with self._lock:
            if sync and self.state in (PcmState.RUNNING, PcmState.DRAINING):
                await self._update_hw_ptr()
            runtime = self._runtime()
            delay = runtime.appl_ptr - self.hw_ptr + runtime.delay
            return PcmStatus(self.state, runtime.appl_ptr, self.hw_ptr, delay, self.avail(), self.xruns, self.tstamp_ns)

    # Inside.

    def _runtime(self) -> Runtime:
        if self.runtime is None:
            raise BadState(f"stream {self.substream.stream_id}: no hardware parameters are set")
        return self.runtime

    def _require(self, operation: str, *states: PcmState) -> None:
        if self.state not in states:
            wanted = ", ".join(state.value for state in states)
            raise BadState(
                f"stream {self.substream.stream_id}: {operation} in state {self.state.value}, it needs {wanted}"
            )

    def _check_writable(self) -> None:
        self._check_failure()
        if self.state is PcmState.XRUN:
            raise Xrun(f"stream {self.substream.stream_id}: underrun at frame {self.hw_ptr}; prepare it again")
        self._require("writei", PcmState.PREPARED, PcmState.RUNNING, PcmState.PAUSED)

    def _free_buffer(self) -> None:
        if self.runtime is not None:
            self.runtime.dma.free()
        self.runtime = None

    async def _sync_stop(self) -> None:
        if self._stop_operating:
            self._stop_operating = False
            await self.substream.sync_stop()

    async def _advance(self, count: int) -> None:
        self._runtime().appl_ptr += count
        await self.substream.ack()

    async def _start(self) -> None:
        runtime = self._runtime()
        if runtime.appl_ptr == self.hw_ptr:
            raise Xrun(f"stream {self.substream.stream_id}: nothing is written, it cannot start")
        await self.substream.trigger("start")
        self.state = PcmState.RUNNING
        self.tstamp_ns = self._port.now_ns()

    async def _stop(self, state: PcmState) -> None:
        active = self.state in ACTIVE
        self.state = state
        if active:
            await self.substream.trigger("stop")
            self._stop_operating = True
        self._moved.set()

    async def _period_elapsed(self) -> None:
        """Work item: an error in it reaches the application with its next call that waits or writes."""
        try:
            async with self._lock:
                if self.state in (PcmState.RUNNING, PcmState.DRAINING):
                    await self._update_hw_ptr()
        except DriverError as error:
            self._failure = error
            self._moved.set()

    def _check_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def _update_hw_ptr(self) -> None:
        runtime = self._runtime()
        position = self.substream.pointer()
        if position is not None:
            fresh = self._base + position
            if fresh < self.hw_ptr:
                self._base += runtime.params.buffer_size
                fresh += runtime.params.buffer_size
            if fresh != self.hw_ptr:
                self.hw_ptr = fresh
                self.tstamp_ns = self._port.now_ns()
        avail = self.avail()
        if self.state is PcmState.DRAINING and avail >= runtime.params.buffer_size:
            await self._stop(PcmState.SETUP)
        elif position is None or (self.state is PcmState.RUNNING and avail >= self.stop_threshold):
            self.xruns += 1
            await self._stop(PcmState.XRUN)
        self._moved.set()

    def _silence_free_room(self) -> None:
        runtime = self._runtime()
        size, frames = runtime.params.frame_bytes, runtime.params.buffer_size
        for k in range(self.avail()):
            runtime.dma.write((runtime.appl_ptr + k) % frames * size, bytes(size))

    async def _wait_avail(self, frames: int) -> None:
        while self.avail() < frames and self.state in (PcmState.RUNNING, PcmState.PREPARED, PcmState.PAUSED):
            await self._wait_move("write")

    async def _wait_move(self, what: str) -> None:
        self._check_failure()
        self._moved.clear()
        if not await wait_with_timeout(self._port, self._moved, STALL_TIMEOUT_NS):
            self.substream.driver.transport.check()
            raise DeviceIoError(
                f"stream {self.substream.stream_id}: {what} stalls in {self.state.value}, "
                f"no period elapsed for {STALL_TIMEOUT_NS / 1e9:g} s"
            )
