# SPDX-License-Identifier: Apache-2.0
"""The PCM lifecycle as data (docs/device.md "Lifecycle"; virtio 1.4, 5.14.6.6.1).

Promise: `TRANSITIONS[request]` gives the states a request is allowed in, the state after it, and the
states in which it flushes the stream first. A request that is not allowed leaves the state as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from virtone.virtio import snd


class State(Enum):
    """State of one PCM stream; the value is what people read."""

    INIT = "INIT"
    PARAMS = "PARAMS"
    PREPARED = "PREPARED"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    RELEASED = "RELEASED"


@dataclass(frozen=True)
class Transition:
    """`allowed` states, the state `after`, and the subset of states in which pending messages are flushed first."""

    allowed: frozenset[State]
    after: State
    flush_from: frozenset[State] = frozenset()


_ANY_BUT_RUNNING = frozenset(State) - {State.RUNNING}

TRANSITIONS: dict[int, Transition] = {
    snd.VIRTIO_SND_R_PCM_SET_PARAMS: Transition(
        _ANY_BUT_RUNNING, State.PARAMS, frozenset({State.PREPARED, State.STOPPED})
    ),
    snd.VIRTIO_SND_R_PCM_PREPARE: Transition(
        _ANY_BUT_RUNNING - {State.INIT}, State.PREPARED, frozenset({State.STOPPED})
    ),
    snd.VIRTIO_SND_R_PCM_START: Transition(frozenset({State.PREPARED, State.STOPPED}), State.RUNNING),
    snd.VIRTIO_SND_R_PCM_STOP: Transition(frozenset({State.RUNNING}), State.STOPPED),
    snd.VIRTIO_SND_R_PCM_RELEASE: Transition(
        frozenset({State.PREPARED, State.STOPPED}), State.RELEASED, frozenset({State.PREPARED, State.STOPPED})
    ),
}

# States in which messages for the stream are accepted, and in which MSG_POLLING reads the txq's avail index.
ACCEPTING = frozenset({State.PREPARED, State.RUNNING, State.STOPPED})
POLLING = frozenset({State.PREPARED, State.RUNNING})


def step(state: State, request: int) -> State | None:
    """State after `request` (a PCM request code) in `state`; None when it is not allowed there."""
    transition = TRANSITIONS[request]
    return transition.after if state in transition.allowed else None
