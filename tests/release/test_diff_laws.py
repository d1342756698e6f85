"""Laws of the comparison: nothing in itself, the inverse the other way, all that is seen."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from agentoci.definition.read import check_document
from agentoci.release.changes import AgentDiff, Change, Side
from agentoci.release.compare import compare
from agentoci.release.documents import value_at
from agentoci.release.nextversion import bump
from agentoci.release.rules import Level, Sign, rules
from agentoci.release.verdict import judge
from agentoci.release.view import AgentView
from tests.release.agents import agent, agents, definitions, diff
from tests.release.diffcases import EVERYTHING_BUT_ONE

pytestmark = pytest.mark.property


def key_of(change: Change) -> str:
    """A change as a text; a move is told by both places."""
    subject = "" if change.rule.id.endswith(".moved") else change.subject
    return f"{change.rule.id} {subject} {json.dumps([change.before, change.after], sort_keys=True)}"


def mirrored(change: Change) -> str:
    inverse = rules()[change.rule.inverse]
    subject = "" if change.rule.id.endswith(".moved") else change.subject
    return f"{inverse.id} {subject} {json.dumps([change.after, change.before], sort_keys=True)}"


def twin(view: AgentView) -> AgentView:
    """The same agent, not known to be the same."""
    side = Side("twin", "sha256:" + "f" * 64, view.side.name, view.side.version)
    parts = (view.files, view.layers, view.base, view.reader)
    return AgentView(side, copy.deepcopy(dict(view.definition)), view.config, *parts)


@given(definitions)
def test_what_the_laws_are_tried_with_are_definitions(document: dict[str, Any]) -> None:
    check_document({"apiVersion": "agent/v1", "kind": "AgentDefinition", **document}, what="sample")


@given(agents)
def test_nothing_changes_from_an_agent_to_itself(one: AgentView) -> None:
    found = compare(one, twin(one))
    assert found.is_empty
    assert judge(found).level is Level.NONE


@given(agents, agents)
def test_the_other_way_round_is_the_inverse(one: AgentView, other: AgentView) -> None:
    there = Counter(mirrored(change) for change in diff(one, other).changes)
    back = Counter(key_of(change) for change in diff(other, one).changes)
    assert there == back


@given(agents, agents)
def test_signs_tell_which_side_has_it(one: AgentView, other: AgentView) -> None:
    for change in diff(one, other).changes:
        if change.rule.sign is Sign.ADDED:
            assert change.before is None, change
        if change.rule.sign is Sign.REMOVED:
            assert change.after is None, change


@given(agents, agents)
def test_the_order_is_that_of_the_table(one: AgentView, other: AgentView) -> None:
    found = diff(one, other).changes
    assert list(found) == sorted(found, key=lambda change: (change.rule.rank, change.subject))


@given(agents, agents)
def test_lists_say_nothing_by_their_order(one: AgentView, other: AgentView) -> None:
    """All but that of the models, which is a preference."""
    shuffled = turned(dict(one.definition))
    again = AgentView(one.side, shuffled, one.config, one.files, one.layers, one.base, one.reader)
    ids = Counter(key_of(change) for change in diff(one, other).changes)
    again_ids = Counter(key_of(change) for change in diff(again, other).changes)
    unordered = {"model.reordered", "agent.metadata-changed", "interface.reworded"}
    difference = (ids - again_ids) + (again_ids - ids)
    assert {key.partition(" ")[0] for key in difference} <= unordered | {
        "model.list-closed",
        "model.list-opened",
    }


def turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: turned(inner) for key, inner in reversed(value.items())}
    if isinstance(value, list):
        return [turned(inner) for inner in reversed(value)]
    return value


@given(agents, agents, st.data())
def test_one_more_change_never_lowers_the_verdict(
    one: AgentView, other: AgentView, data: st.DataObject
) -> None:
    whole = diff(one, other)
    chosen = data.draw(st.sets(st.integers(0, max(0, len(whole.changes) - 1))))
    fewer = tuple(change for at, change in enumerate(whole.changes) if at in chosen)
    part = AgentDiff(whole.before, whole.after, fewer)
    assert judge(part).level <= judge(whole).level
    for version in map(Version.parse, ("0.1.2", "1.2.3")):
        assert version <= bump(version, judge(part).level) <= bump(version, judge(whole).level)
    assert judge(whole).level == max((c.level for c in whole.changes), default=Level.NONE)


KEYS = [
    *("metadata", "name", "version", "parent", "spec", "interface", "requires", "tools", "mcp"),
    *("knowledge", "static", "behavior", "exploration", "config_template", "llm", "temperature"),
    *("supported_models", "min", "context_window", "api_endpoints", "constraints", "id"),
    *("invariants", "permissions", "execution", "actions", "resource_limits", "isolation"),
    *("health_check", "metrics", "logging", "outputs", "endpoint", "url", "required"),
]
scalars = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    st.sampled_from(["", "*", "1GB", "http://[", "https://a@b:1/", "### Input\n- x"]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=30,
)


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """A definition in which something is anything."""
    made: dict[str, Any] = copy.deepcopy(EVERYTHING_BUT_ONE)
    path = draw(st.sampled_from(list(leaves(made))))
    path = path[: draw(st.integers(1, len(path)))]
    around = made
    for step in path[:-1]:
        around = around[step]
    around[path[-1]] = draw(anything)
    return made


@given(spoiled(), spoiled())
def test_definitions_of_no_known_shape_are_compared_all_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """An image may hold any JSON as its definition."""
    bound = [{"requirements": value_at(each, "spec", "requires", "tools")} for each in (one, other)]
    views = agent(one, agentoci=bound[0]), agent(other, agentoci=bound[1])
    there = Counter(mirrored(change) for change in diff(*views).changes)
    assert there == Counter(key_of(change) for change in diff(*reversed(views)).changes)
    assert compare(views[0], twin(views[0])).is_empty


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for at, inner in enumerate(value):
            yield from leaves(inner, (*path, at))
    else:
        yield path


@pytest.mark.parametrize("path", list(leaves(EVERYTHING_BUT_ONE)), ids=str)
def test_no_value_of_a_definition_changes_unseen(path: tuple[Any, ...]) -> None:
    changed = copy.deepcopy(EVERYTHING_BUT_ONE)
    around = changed
    for step in path[:-1]:
        around = around[step]
    around[path[-1]] = other_than(around[path[-1]])
    found = diff(agent(EVERYTHING_BUT_ONE), agent(changed))
    assert not found.is_empty
    del around[path[-1]]
    default = path[-1] == "required" and path[3] == 0  # a tool is required unless it says no
    assert diff(agent(EVERYTHING_BUT_ONE), agent(changed)).is_empty is default


def other_than(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else f"{value}x"
