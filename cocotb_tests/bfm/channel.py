# SPDX-License-Identifier: Apache-2.0
"""The queue's side of a message port and a reply port (docs/architecture.md, section 2), for benches of their consumers.

Chains are opaque numbers. Every rule that the consumer has to keep is checked in every cycle.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from cocotb_tests.bfm.cycle import Cycles

CHAIN_BITS = 130


@dataclass
class Message:
    """A chain to deliver: its readable bytes, and the chain_t that goes with msg_end."""

    data: bytes
    chain: int
    given: int = 0  # bytes consumed
    window: int = 0  # bytes on offer
    skipping: bool = False


@dataclass
class Reply:
    """A chain answered: its chain_t and the response bytes."""

    chain: int
    data: bytearray = field(default_factory=bytearray)
    complete: bool = False  # the last byte was pushed


class Channel:
    """Call `drive` before `Cycles.look`, `observe` after it, once per cycle. `replies` holds what is on the used ring.

    `pace` is the chance that anything that may happen in a cycle does happen (1.0: at once).
    """

    def __init__(self, clock: Cycles, rng: random.Random, pace: float = 1.0) -> None:
        self.clock, self.rng, self.pace = clock, rng, pace
        self.clearing = False
        self.replies: deque[Reply] = deque()
        self.taken: deque[int] = deque()  # chains handed over
        self.waiting: deque[Message] = deque()
        self.message: Message | None = None
        self.reply: Reply | None = None
        self._offered: int | None = None  # chain on reply_valid that was not accepted yet
        self._beat: tuple[int, ...] | None = None  # beat pushed that was not popped yet
        self._ready = self._pop = self._done = self._end = False

    @staticmethod
    def idle_inputs() -> dict[str, int]:
        """Inputs of the consumer with nothing going on."""
        names = ("msg_valid", "msg_head", "msg_data", "msg_count", "msg_end", "msg_chain")
        return {f"{name}_i": 0 for name in (*names, "reply_ready", "reply_pop", "reply_done")}

    def send(self, data: bytes) -> int:
        """Make a chain available; gives its chain_t."""
        chain = self.rng.getrandbits(CHAIN_BITS)
        self.waiting.append(Message(data, chain))
        return chain

    def clear(self) -> None:
        """The queue is reset: nothing of before is delivered or answered any more."""
        self.waiting.clear()
        self.message = self.reply = self._offered = self._beat = None
        self._done = self._end = False

    def _luck(self) -> bool:
        return self.rng.random() < self.pace

    def drive(self) -> None:
        """Inputs of this cycle."""
        if self.message is None and self.waiting and self._luck() and not self.clearing:
            self.message, self._end = self.waiting.popleft(), False
        message = self.message
        head, data, chain, count = 0, 0, 0, 0
        if message is not None:
            left = len(message.data) - message.given
            if message.skipping and self._luck():
                message.given, left, message.window = len(message.data), 0, 0
            if message.window < min(8, left) and self._luck():
                message.window = self.rng.randint(message.window + 1, min(8, left))
            count = message.window
            self._end = self._end or (left == 0 and self._luck())
            shown = message.data[message.given : message.given + count]
            data = int.from_bytes(shown, "little") | (0xA5A5A5A5_A5A5A5A5 << 8 * count) & (1 << 64) - 1
            head, chain = message.chain >> (CHAIN_BITS - 16), message.chain if self._end else 0
        self._ready = self.reply is None and self._offered is not None and self._luck()
        self._pop = self.reply is not None and not self.reply.complete and self._luck()
        self._done = self.reply is not None and self.reply.complete and self._luck()
        self.clock.drive(
            msg_valid_i=message is not None,
            msg_head_i=head,
            msg_data_i=data,
            msg_count_i=count,
            msg_end_i=message is not None and self._end,
            msg_chain_i=chain,
            reply_ready_i=self._ready,
            reply_pop_i=self._pop,
            reply_done_i=self._done,
        )

    def observe(self) -> None:
        """What the consumer does in this cycle."""
        self._observe_message()
        self._observe_reply()

    def _observe_message(self) -> None:
        get, message = self.clock.get, self.message
        take, skip, ready = get("msg_take_o"), get("msg_skip_o"), get("msg_ready_o")
        if message is None:
            assert not take and not skip, "takes from no message"
            return
        assert take <= message.window, f"takes {take} of {message.window} bytes"
        assert not (ready and not self._end), "msg_ready before msg_end"
        assert skip or not message.skipping or self._end, "msg_skip must hold until msg_end"
        message.skipping = bool(skip)
        message.given += take
        message.window -= take
        if ready:
            self.taken.append(message.chain)
            self.message = None

    def _observe_reply(self) -> None:
        get = self.clock.get
        if self._done:
            assert self.reply is not None
            self.replies.append(self.reply)
            self.reply = None
        if get("reply_valid_o"):
            chain = get("reply_chain_o")
            assert self.reply is None, "begins an answer within another"
            assert self._offered in (None, chain), "reply_chain changes while it waits"
            if self._ready:
                assert chain in self.taken, "answers a chain it does not hold"
                self.taken.remove(chain)
                self.reply, self._offered = Reply(chain), None
            else:
                self._offered = chain
        else:
            assert self._offered is None, "reply_valid must hold until reply_ready"
        if get("reply_push_o"):
            assert self.reply is not None and not self.reply.complete, "a beat outside an answer"
            count = get("reply_count_o")
            assert count <= 8
            beat = (get("reply_data_o") & (1 << 8 * count) - 1, count, get("reply_last_o"))
            assert self._beat in (None, beat), "a beat changes while it waits"
            self._beat = None if self._pop else beat
            if self._pop:
                self.reply.data += beat[0].to_bytes(8, "little")[:count]
                self.reply.complete = bool(beat[2])
        else:
            assert self._beat is None, "reply_push must hold until reply_pop"
