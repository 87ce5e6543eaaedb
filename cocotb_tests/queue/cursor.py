# SPDX-License-Identifier: Apache-2.0
"""`cursor_t` and `chain_t` of vsnd_pkg, packed."""

from __future__ import annotations

CURSOR_BITS = 114


def cursor(table: int, entries: int, index: int, budget: int, *, indirect: bool = False, valid: bool = True) -> int:
    """A place in a chain: descriptor `index` of the table at `table`, of `entries` entries."""
    return int(valid) << 113 | int(indirect) << 112 | table << 48 | entries << 32 | index << 16 | budget


def chain(head: int, writable: int) -> int:
    """A chain to be answered: its head and the cursor of its first writable descriptor."""
    return head << CURSOR_BITS | writable
