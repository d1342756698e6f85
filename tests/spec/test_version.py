"""Tags as versions."""

from __future__ import annotations

import itertools

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from agentoci.spec.version import TagVersion, newest_first, sort_tags

NUMBERS = st.integers(0, 30).map(str)
PRERELEASES = st.lists(st.sampled_from(["alpha", "rc", "0", "2", "10", "x-y"]), max_size=3)
VERSIONS = st.builds(
    lambda numbers, prerelease: ".".join(numbers) + ("-" if prerelease else "") + prerelease,
    st.lists(NUMBERS, min_size=3, max_size=3),
    PRERELEASES.map(".".join),
)


def test_versions_come_first_and_the_newest_leads():
    tags = ["latest", "1.0", "1", "1.0.0", "v1.2.0", "1.10.0", "1.2.0-rc.1", "main", "2"]
    assert sort_tags(tags) == [
        *["2", "1.10.0", "v1.2.0", "1.2.0-rc.1", "1.0.0", "1.0", "1"],
        *["latest", "main"],
    ]


def test_prereleases_are_ordered_by_their_parts():
    tags = ["1.0.0-rc.10", "1.0.0-rc.2", "1.0.0-alpha.1", "1.0.0-alpha", "1.0.0"]
    expected = ["1.0.0", "1.0.0-rc.10", "1.0.0-rc.2", "1.0.0-alpha.1", "1.0.0-alpha"]
    assert sort_tags(tags) == expected


def test_build_metadata_decides_nothing_but_gives_an_order():
    assert sort_tags(["1.0.0_b2", "1.0.0", "1.0.0_b1"]) == ["1.0.0", "1.0.0_b1", "1.0.0_b2"]
    assert str(TagVersion.parse("1.0.0_b2")) == "1.0.0+b2"


@pytest.mark.parametrize(
    ("tag", "text", "full", "release"),
    [
        ("1.2.3", "1.2.3", True, True),
        ("v1.2.3", "1.2.3", True, True),
        ("V1.2", "1.2.0", False, False),
        ("1", "1.0.0", False, False),
        ("2024", "2024.0.0", False, False),
        ("1.2.3-rc.1", "1.2.3-rc.1", True, False),
        ("1.2-rc.1", "1.2.0-rc.1", False, False),
    ],
)
def test_tags_are_read_as_versions(tag: str, text: str, full: bool, release: bool):
    found = TagVersion.parse(tag)
    assert found is not None
    assert (str(found), found.is_full, found.is_release) == (text, full, release)


@pytest.mark.parametrize(
    "tag",
    [
        *["latest", "main", "deadbeef", "1234567", "20240115", "01.2.3", "1.02.3", "1.2.3.4"],
        *["1.2.3-01", "1.2.3-", "1.x", "version1", "1..2", "1." + "9" * 20],
    ],
)
def test_other_tags_are_no_versions(tag: str):
    assert TagVersion.parse(tag) is None


@given(st.lists(VERSIONS, unique=True))
def test_order_is_that_of_semver(tags: list[str]):
    read = [found for tag in tags if (found := TagVersion.parse(tag)) is not None]
    assert len(read) == len(tags)
    ordered = [semver.Version.parse(found.tag) for found in newest_first(read)]
    assert all(higher >= lower for higher, lower in itertools.pairwise(ordered))


@given(st.lists(st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}\Z"), unique=True))
def test_no_tag_is_lost(tags: list[str]):
    assert sorted(sort_tags(tags)) == sorted(tags)
    assert sort_tags(reversed(tags)) == sort_tags(tags)
