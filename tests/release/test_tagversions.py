"""Which versions tags stand for."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from agentoci.release.candidates import newest_first
from agentoci.release.tagversions import candidates_of


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
