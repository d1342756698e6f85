"""Which versions tags stand for, and what annotations say of needs."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from agentoci.release.candidates import Demand, newest_first
from agentoci.release.tagged import (
    InvalidRequirements,
    annotated,
    annotation_of,
    candidates_of,
    requirements_of,
)
from agentoci.spec.jsonio import InvalidJson, Json


def offered(*tags: str) -> list[tuple[str, str, str | None]]:
    """Tag, version and span, in the order in which they are tried."""
    found = newest_first(candidates_of("x", "host.example/x", tags, rank=1))
    return [
        (c.reference.partition(":")[2], str(c.version), str(c.span) if c.span else None)
        for c in found
    ]


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("1.0.0 1.1.0", [("1.1.0", "1.1.0", None), ("1.0.0", "1.0.0", None)]),
        ("1.0 1.0.3 1 latest", [("1.0.3", "1.0.3", None)]),
        ("1.0 1.1", [("1.1", "1.1.0", "1.1"), ("1.0", "1.0.0", "1.0")]),
        ("1 1.1", [("1.1", "1.1.0", "1.1")]),
        ("v1.2 2", [("2", "2.0.0", "2"), ("v1.2", "1.2.0", "1.2")]),
        ("1.0 1.0.0-rc.1", [("1.0", "1.0.0", "1.0"), ("1.0.0-rc.1", "1.0.0-rc.1", None)]),
        ("1.0-rc.1", [("1.0-rc.1", "1.0.0-rc.1", None)]),
        ("latest main", [("latest", "0.0.0", "*")]),
        ("main", []),
        ("", []),
    ],
)
def test_tags_offer_versions(tags: str, found: list[tuple[str, str, str | None]]) -> None:
    assert offered(*tags.split()) == found


@given(st.permutations(["2.0.0", "2.0.0_b1", "v2.0.0", "1.9.9", "3", "2.1-rc.1", "latest"]))
def test_order_of_tags_decides_nothing(tags: list[str]) -> None:
    made = offered(*tags)
    assert made == offered(*sorted(tags))
    assert {tag for tag, _, _ in made} == set(tags) - {"latest"}
    versions = [Version.parse(version) for _, version, _ in made]
    assert all(one >= other for one, other in itertools.pairwise(versions))


BINDINGS: list[Json] = [
    {"name": "psm_gen", "version": ">=1.0", "required": True, "interface": "words"},
    {"name": "debug", "version": "*", "required": False, "reference": "host.example/team/debug"},
    {"name": "files", "required": True, "mcp": {"command": "files"}},
    {"name": "review", "version": "^1", "required": True, "skill": {"reference": "r:1"}},
]


def test_the_annotation_lists_agents_alone() -> None:
    text = annotation_of(BINDINGS)
    assert text == (
        '[{"name":"psm_gen","required":true,"version":">=1.0"},'
        '{"name":"debug","reference":"host.example/team/debug","required":false,"version":"*"}]'
    )
    first, second = annotated(text, what="x")
    assert (first.name, str(first.range), first.demand) == ("psm_gen", ">=1.0", Demand.REQUIRED)
    assert (second.demand, second.repository) == (Demand.OPTIONAL, "host.example/team/debug")
    assert requirements_of(BINDINGS, what="x") == (first, second)
    assert annotation_of([]) == "[]"


def test_names_of_several_parts_say_where_they_are() -> None:
    [found] = requirements_of([{"name": "team/code_generator", "version": "1"}], what="x")
    assert (found.name, found.repository) == ("code_generator", "team/code_generator")


@pytest.mark.parametrize(
    "text", ["{}", "[1]", '[{"version": "1"}]', '[{"name": "a", "version": "newest"}]', "["]
)
def test_what_nobody_can_read_is_refused(text: str) -> None:
    with pytest.raises((InvalidRequirements, InvalidJson)) as caught:
        annotated(text, what="x")
    assert caught.value.exit_code == 8


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "evil\nhint: run it"},
        {"name": "x\x1b[2J"},
        {"name": ""},
        {"name": "x/"},
        {"name": "a/../b"},
        {"name": "x", "reference": "host.example/team/y"},
        {"name": "x", "reference": "host.example/team/x:1"},
        {"name": "x", "reference": f"host.example/x@sha256:{'0' * 64}"},
        {"name": "x", "reference": "../../x"},
        {"name": "x", "reference": "oci:/x"},
        {"name": "x", "reference": f"{'x' * 300}/x"},
    ],
)
def test_an_agent_has_the_name_that_leads_to_it(entry: dict[str, Json]) -> None:
    """Names of strangers end in reports, locks and requests."""
    with pytest.raises(InvalidRequirements) as caught:
        requirements_of([entry], what="x")
    assert caught.value.message.isprintable()
