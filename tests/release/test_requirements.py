"""What annotations and configs say of the agents that an image requires."""

from __future__ import annotations

import pytest

from agentoci.release.candidates import Demand
from agentoci.release.requirements import (
    InvalidRequirements,
    annotated,
    annotation_of,
    requirements_of,
)
from agentoci.spec.jsonio import InvalidJson, Json

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
