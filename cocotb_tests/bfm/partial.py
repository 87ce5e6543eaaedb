# SPDX-License-Identifier: Apache-2.0
"""Models of whole ports on modules that have only a part of them."""

from __future__ import annotations

from typing import Any

from cocotb_tests.bfm.cycle import Cycles

# Of docs/architecture.md, section 2, as `Channel` drives and reads them.
_REPLY = "ready_i pop_i done_i valid_o chain_o push_o count_o data_o last_o"
_MESSAGE = "valid_i head_i data_i count_i end_i chain_i take_o skip_o ready_o"
REPLY_PORT = frozenset(f"reply_{name}" for name in _REPLY.split())
MESSAGE_PORT = frozenset(f"msg_{name}" for name in _MESSAGE.split())


class PartialCycles(Cycles):
    """`Cycles` for a module without the signals `absent`: what is driven there goes nowhere, what is read is 0."""

    def __init__(self, dut: Any, absent: frozenset[str]) -> None:
        super().__init__(dut)
        self.absent = absent

    def drive(self, **inputs: int) -> None:
        super().drive(**{name: value for name, value in inputs.items() if name not in self.absent})

    def get(self, name: str) -> int:
        return 0 if name in self.absent else super().get(name)
