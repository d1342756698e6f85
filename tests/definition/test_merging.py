"""Laws of merging: the grouping of patches does not matter, what is taken away stays away."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.definition.difference import difference
from agentoci.definition.flat import flatten, unflatten
from agentoci.definition.inheritance import Part
from agentoci.definition.merging import PARTS, Contradiction, Patch, merge, taken
from agentoci.spec.jsonio import Json
from tests.definition.patches import definitions, patches

SETS_OF_PARTS = st.sets(st.sampled_from(sorted(PARTS)))


def document(**spec: Json) -> dict[str, Json]:
    return {
        "apiVersion": "agent/v1",
        "kind": "AgentDefinition",
        "metadata": {"name": "a", "version": "1.0.0"},
        "spec": dict(spec),
    }


def spec_of(*documents: dict[str, Any]) -> dict[str, Any]:
    """The `spec` of all, merged from left to right."""
    made: dict[str, Any] = {}
    for each in documents:
        made = merge(made, each)
    return made["spec"]  # type: ignore[no-any-return]


@given(patches(), patches(), patches())
def test_merging_is_associative(a: Any, b: Any, c: Any) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(patches())
def test_the_blank_patch_is_neutral(a: Any) -> None:
    normal = Patch.of(a).document()
    assert merge({}, a) == normal
    assert merge(a, {}) == normal


@given(patches())
def test_a_patch_is_read_back_as_it_was(a: Any) -> None:
    patch = Patch.of(a)
    again = Patch.of(patch.document())
    assert again == patch
    assert again.document() == patch.document()


@given(definitions())
def test_a_definition_is_its_table(a: Any) -> None:
    assert unflatten(flatten(a)) == a


@given(definitions())
def test_laying_a_definition_over_itself_changes_nothing(a: Any) -> None:
    assert merge(a, a) == a


@given(definitions(), definitions())
def test_a_difference_makes_one_of_the_other(a: Any, b: Any) -> None:
    patch = difference(a, b)
    assert unflatten(patch.over(Patch.of(a)).values) == b
    again = Patch.of(patch.document())
    assert unflatten(again.over(Patch.of(a)).values) == b, "as the config carries it"


@given(definitions())
def test_without_a_difference_there_is_no_patch(a: Any) -> None:
    assert difference(a, a) == Patch()


@given(patches(), patches(), SETS_OF_PARTS)
def test_taking_parts_of_a_sum_is_the_sum_of_the_parts(a: Any, b: Any, parts: set[str]) -> None:
    assert merge(taken(a, parts), taken(b, parts)) == Patch.of(taken(merge(a, b), parts)).document()


@given(patches(), SETS_OF_PARTS, SETS_OF_PARTS)
def test_parts_are_taken_in_any_order(a: Any, some: set[str], others: set[str]) -> None:
    assert taken(taken(a, some), others) == taken(a, some & others)


def test_the_parts_are_those_of_the_model() -> None:
    assert set(PARTS) == {part.value for part in Part if part is not Part.ALL}


def test_a_tool_is_changed_key_by_key() -> None:
    parent = document(requires={"tools": [{"name": "t", "version": ">=1.0", "interface": "old"}]})
    child = document(extensions={"tools": {"add": [{"name": "t", "interface": "new"}]}})
    assert spec_of(parent, child)["requires"]["tools"] == [
        {"name": "t", "version": ">=1.0", "interface": "new"}
    ]


def test_a_tool_that_becomes_another_kind_has_one_kind() -> None:
    parent = document(requires={"tools": [{"name": "t", "version": "1", "http": {"url": "x"}}]})
    child = document(requires={"tools": [{"name": "t", "mcp": {"command": ["y"]}}]})
    assert spec_of(parent, child)["requires"]["tools"] == [{"name": "t", "mcp": {"command": ["y"]}}]


def test_removed_and_added_is_put_in_its_place() -> None:
    parent = document(requires={"tools": [{"name": "t", "interface": "old"}, {"name": "u"}]})
    changes: Json = {"remove": ["t"], "add": [{"name": "t", "version": "2"}]}
    made = spec_of(parent, document(extensions={"tools": changes}))
    assert made["requires"]["tools"] == [{"name": "u"}, {"name": "t", "version": "2"}]


def test_a_removal_waits_for_what_it_removes() -> None:
    patch = merge(
        document(extensions={"tools": {"remove": ["t"]}, "knowledge": {"remove": ["k.md"]}}),
        document(interface="new"),
    )
    assert patch["spec"]["extensions"] == {  # type: ignore[index, call-overload]
        "tools": {"remove": ["t"]},
        "knowledge": {"remove": ["k.md"]},
    }
    parent = document(
        requires={"tools": [{"name": "t"}]}, knowledge={"static": ["k.md"], "principles": ["k.md"]}
    )
    made = merge(parent, patch)["spec"]
    assert made["requires"]["tools"] == []  # type: ignore[index, call-overload]
    assert made["knowledge"] == {"static": [], "principles": []}  # type: ignore[index, call-overload]


def test_knowledge_is_a_union_in_order() -> None:
    parent = document(knowledge={"static": ["b", "a"]})
    child = document(knowledge={"static": ["c", "b"]}, extensions={"knowledge": {"add": ["d"]}})
    assert spec_of(parent, child)["knowledge"]["static"] == ["b", "a", "c", "d"]


def test_other_lists_are_replaced() -> None:
    parent = document(config_template={"llm": {"supported_models": ["a", "b"]}})
    child = document(config_template={"llm": {"supported_models": ["c"]}})
    assert spec_of(parent, child)["config_template"]["llm"]["supported_models"] == ["c"]


def test_constraints_are_added_and_completed() -> None:
    parent = document(constraints=[{"id": "x", "description": "so"}])
    child = document(
        constraints=[{"id": "x", "validation": "a < 1"}],
        extensions={"constraints": {"add": [{"id": "y"}]}},
    )
    assert spec_of(parent, child)["constraints"] == [
        {"id": "x", "description": "so", "validation": "a < 1"},
        {"id": "y"},
    ]


@pytest.mark.parametrize("place", ["constraints", "extensions"])
def test_a_child_does_not_weaken_its_parent(place: str) -> None:
    parent = document(constraints=[{"id": "x", "validation": "a < 1"}])
    weaker: Json = [{"id": "x", "validation": "a < 100"}]
    spec: Json = weaker if place == "constraints" else {"constraints": {"add": weaker}}
    with pytest.raises(Contradiction, match="'x' is the parent's, and cannot get another valida"):
        merge(parent, document(**{place: spec}))


def test_metadata_is_each_definitions_own() -> None:
    parent: dict[str, Json] = {**document()}
    parent["metadata"] = {"name": "p", "version": "1.0.0", "author": "somebody"}
    assert merge(parent, document())["metadata"] == {"name": "a", "version": "1.0.0"}
    changed = merge(parent, {"metadata": {"version": "2.0.0"}})["metadata"]
    assert changed == {"name": "p", "version": "2.0.0", "author": "somebody"}


def test_blocks_beside_the_spec_merge_by_name() -> None:
    parent: dict[str, Json] = {
        **document(),
        "permissions": {
            "execution": [
                {"user": "admin", "actions": ["start", "stop"]},
                {"user": "viewer", "actions": ["read"]},
            ],
            "resource_limits": {"max_memory": "1GB", "max_disk": "2GB"},
        },
        "metrics": [{"name": "m", "type": "gauge", "labels": ["l"]}],
        "isolation": {"network": "isolated"},
    }
    child: dict[str, Json] = {
        **document(),
        "permissions": {
            "execution": [{"user": "admin", "actions": ["read"]}],
            "resource_limits": {"max_memory": "3GB"},
        },
        "metrics": [{"name": "m", "type": "counter"}],
        "isolation": {"filesystem": "sandboxed"},
    }
    made = merge(parent, child)
    assert made["permissions"] == {
        "execution": [
            {"user": "admin", "actions": ["read"]},
            {"user": "viewer", "actions": ["read"]},
        ],
        "resource_limits": {"max_memory": "3GB", "max_disk": "2GB"},
    }
    assert made["metrics"] == [{"name": "m", "type": "counter", "labels": ["l"]}]
    assert made["isolation"] == {"network": "isolated", "filesystem": "sandboxed"}
