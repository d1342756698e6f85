"""The lifecycle of an agent, as one table (architecture, "Agent状态机").

Two additions to the picture: a process that ends by itself (`exit`) stops its instance, and
removing an instance leaves the definition alone. Stopping what does not run changes nothing, as
people know it from docker.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from agentoci.errors import Conflict


class State(StrEnum):
    """Where an agent is in its life; the value is what stands in the document."""

    DEFINED = "defined"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class Event(StrEnum):
    """What can happen to an agent."""

    INSTANTIATE = "instantiate"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    EXIT = "exit"
    RESTART = "restart"
    REMOVE = "remove"


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.DEFINED, Event.INSTANTIATE): State.CREATED,
    (State.CREATED, Event.START): State.RUNNING,
    (State.CREATED, Event.RESTART): State.RUNNING,
    (State.CREATED, Event.STOP): State.CREATED,
    (State.CREATED, Event.REMOVE): State.DEFINED,
    (State.RUNNING, Event.PAUSE): State.PAUSED,
    (State.RUNNING, Event.STOP): State.STOPPED,
    (State.RUNNING, Event.EXIT): State.STOPPED,
    (State.RUNNING, Event.RESTART): State.RUNNING,
    (State.PAUSED, Event.RESUME): State.RUNNING,
    (State.PAUSED, Event.STOP): State.STOPPED,
    (State.PAUSED, Event.EXIT): State.STOPPED,
    (State.STOPPED, Event.START): State.RUNNING,
    (State.STOPPED, Event.RESTART): State.RUNNING,
    (State.STOPPED, Event.STOP): State.STOPPED,
    (State.STOPPED, Event.REMOVE): State.DEFINED,
}

LIVE: Final = frozenset(state for state, event in TRANSITIONS if event is Event.EXIT)
"""The states in which a process exists."""

_REMEDIES: Final[dict[tuple[State, Event], str]] = {
    (State.RUNNING, Event.START): "stop it first, or start another instance",
    (State.RUNNING, Event.REMOVE): "stop it first, or force the removal",
    (State.PAUSED, Event.START): "resume it",
    (State.PAUSED, Event.REMOVE): "stop it first, or force the removal",
    (State.STOPPED, Event.RESUME): "start it",
}


class WrongState(Conflict):
    """The event is not possible in this state."""

    def __init__(self, state: State, event: Event, *, what: str = "the instance") -> None:
        possible = ", ".join(sorted(allowed(state)))
        super().__init__(
            f"{what} is {state}: cannot {event} (possible: {possible})",
            hint=_REMEDIES.get((state, event)),
        )
        self.state = state
        self.event = event


def allowed(state: State) -> frozenset[Event]:
    """The events that are possible in a state."""
    return frozenset(event for found, event in TRANSITIONS if found is state)


def advance(state: State, event: Event, *, what: str = "the instance") -> State:
    """The state after the event; raises WrongState, which names `what`."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise WrongState(state, event, what=what) from None
