# SPDX-License-Identifier: Apache-2.0
"""Seeded faults of virtual instruments: what a bench must survive, on request and countable.

Promises: a fault strikes the next `count` replies whose command matches, and says how often it struck.
Its user arms faults in a test (`faults.arm("no_reply", match="*IDN?")`) or by name (`arm_text("no_reply:*IDN?")`, what `--fault` of the
virtual bench takes); servers ask `reply` what to send.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

KINDS = {
    "no_reply": "the query is never answered",
    "late_reply": "the answer comes delay_s late",
    "truncated_block": "a block announces its full length and ends half way",
    "wrong_idn": "*IDN? answers with another instrument's identity",
    "disconnect": "the connection closes instead of an answer",
    "disconnect_mid_block": "the connection closes half way through the answer",
    "never_triggers": "armed acquisitions never see their trigger",
}
WRONG_IDN = b"ACME,TOASTER-3000,0,1.0\n"


@dataclass
class Fault:
    """One armed fault; `struck` counts."""

    kind: str
    match: str = ""
    count: int = 1
    delay_s: float = 0.0
    struck: int = 0


@dataclass
class Reply:
    """What a server sends: data after delay_s (None: nothing), then perhaps an end of the connection."""

    data: bytes | None
    delay_s: float = 0.0
    close: bool = False


@dataclass
class Faults:
    """The faults armed on one instrument."""

    armed: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, kind: str, *, match: str = "", count: int = 1, delay_s: float = 0.0) -> Fault:
        """Arm a fault for the next `count` replies to commands that contain `match` (case does not matter)."""
        if kind not in KINDS:
            raise ValueError(f"fault {kind!r} is unknown; there are {', '.join(KINDS)}")
        fault = Fault(kind, match.upper(), count, delay_s)
        with self._lock:
            self.armed.append(fault)
        return fault

    def arm_text(self, text: str) -> Fault:
        """`KIND[*COUNT][@SECONDS][:MATCH]`: `no_reply`, `late_reply@3:*IDN?`, `truncated_block*2::WAVeform:DATA?`. Raises ValueError."""
        found = re.fullmatch(r"(\w+)(?:\*(\d+))?(?:@([\d.]+))?(?::(.*))?", text)
        if not found:
            raise ValueError(f"{text!r}: right is KIND[*COUNT][@SECONDS][:MATCH], KIND one of {', '.join(KINDS)}")
        kind, count, delay_s, match = found.groups()
        return self.arm(kind, match=match or "", count=int(count or 1), delay_s=float(delay_s or 0))

    def clear(self) -> None:
        with self._lock:
            self.armed.clear()

    def active(self, kind: str) -> bool:
        """Is a fault of this kind armed (for those that are states, not replies)?"""
        with self._lock:
            return any(fault.kind == kind for fault in self.armed)

    def reply(self, command: bytes, data: bytes | None) -> Reply:
        """The reply that goes out in place of `data`."""
        text = command.decode("latin-1").upper()
        with self._lock:
            for fault in self.armed:
                if (
                    fault.kind == "never_triggers"
                    or fault.match not in text
                    or data is None
                    or fault.struck >= fault.count
                ):
                    continue
                is_block, is_idn = data.startswith(b"#"), "*IDN?" in text
                if ("block" in fault.kind and not is_block) or (fault.kind == "wrong_idn" and not is_idn):
                    continue
                fault.struck += 1
                match fault.kind:
                    case "no_reply":
                        return Reply(None)
                    case "late_reply":
                        return Reply(data, delay_s=fault.delay_s)
                    case "truncated_block":
                        return Reply(data[: len(data) // 2])
                    case "wrong_idn":
                        return Reply(WRONG_IDN)
                    case "disconnect":
                        return Reply(None, close=True)
                    case "disconnect_mid_block":
                        return Reply(data[: len(data) // 2], close=True)
        return Reply(data)
