from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.errors import Conflict
from agentoci.instances.state import LIVE, TRANSITIONS, Event, State, WrongState, advance, allowed


def test_the_architectures_picture_is_in_the_table() -> None:
    path = [Event.INSTANTIATE, Event.START, Event.PAUSE, Event.RESUME, Event.STOP, Event.RESTART]
    state, seen = State.DEFINED, []
    for event in path:
        state = advance(state, event)
        seen.append(state.value)
    assert seen == ["created", "running", "paused", "running", "stopped", "running"]


@given(st.lists(st.sampled_from(Event), max_size=40))
def test_no_sequence_of_events_leaves_the_table(events: list[Event]) -> None:
    state = State.DEFINED
    for event in events:
        if (state, event) in TRANSITIONS:
            state = advance(state, event)
            assert state in State
        else:
            with pytest.raises(WrongState) as caught:
                advance(state, event)
            assert (caught.value.state, caught.value.event) == (state, event)


def test_every_state_can_be_reached_and_left() -> None:
    assert set(TRANSITIONS.values()) == set(State)
    assert all(allowed(state) for state in State)


def test_only_states_with_a_process_can_end_by_themselves() -> None:
    assert {State.RUNNING, State.PAUSED} == LIVE


def test_a_refusal_names_the_thing_and_what_is_possible() -> None:
    with pytest.raises(WrongState) as caught:
        advance(State.RUNNING, Event.START, what="coord_001")
    assert isinstance(caught.value, Conflict)
    assert str(caught.value).startswith("coord_001 is running: cannot start (possible: exit, pause")
    assert caught.value.hint == "stop it first, or start another instance"


def test_stopping_what_does_not_run_changes_nothing() -> None:
    assert advance(State.STOPPED, Event.STOP) is State.STOPPED
    assert advance(State.CREATED, Event.STOP) is State.CREATED
