# SPDX-License-Identifier: Apache-2.0
"""What both arbiters promise, as a cycle-by-cycle account: who was served, who waits, whose answer comes next."""

from __future__ import annotations

from collections import deque


class Arbitration:
    """The contract of read_arbiter and write_arbiter: work-conserving round robin, at most `depth` outstanding."""

    def __init__(self, requesters: int, depth: int) -> None:
        self.requesters, self.depth = requesters, depth
        self.order: deque[int] = deque()  # who gets the answers, oldest first
        self.waits = [0] * requesters  # others served since a requester began to ask
        self.served = [0] * requesters
        self.most = 0

    def check_offer(self, asking: int, offered: bool) -> None:
        """Something is offered exactly when somebody asks and there is room."""
        wanted = bool(asking) and len(self.order) < self.depth
        assert offered == wanted, f"offers {offered}; asking {asking:#b}, {len(self.order)} outstanding"

    def check_grant(self, asking: int, ready: int, out_ready: bool, offered: bool) -> int | None:
        """Ready goes to exactly one that asks, in the cycle in which the offer is taken; gives that one."""
        if not (offered and out_ready):
            assert ready == 0, f"ready {ready:#b} without a transfer"
            return None
        assert ready.bit_count() == 1 and ready & asking == ready, f"ready {ready:#b}, asking {asking:#b}"
        who = ready.bit_length() - 1
        for other in range(self.requesters):
            if other == who or not asking >> other & 1:
                self.waits[other] = 0
            else:
                self.waits[other] += 1
                assert self.waits[other] < self.requesters, (
                    f"requester {other} was passed over {self.waits[other]} times"
                )
        self.served[who] += 1
        self.order.append(who)
        self.most = max(self.most, len(self.order))
        return who
