"""Which tags a release moves: property tests over any set of tags."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from agentoci.release.history import History
from agentoci.release.tagplan import TagPlan, plan_tags
from agentoci.spec.version import TagVersion

numbers = st.integers(0, 4)
releases = st.builds(Version, numbers, numbers, numbers)
pre_releases = st.builds(Version, numbers, numbers, numbers, st.just("rc.1"))
others = st.sampled_from(["latest", "1", "1.4", "2", "2.0", "stable", "edge"])
tag_lists = st.lists(st.one_of(releases.map(str), pre_releases.map(str), others), max_size=15)


@pytest.mark.parametrize(
    ("existing", "version", "moves", "kept"),
    [
        ([], "1.4.2", ["1.4", "1", "latest"], []),
        (["1.4.1", "1.4", "1", "latest"], "1.4.2", ["1.4", "1", "latest"], []),
        (["1.4.2"], "1.4.2", ["1.4", "1", "latest"], []),
        (["2.0.0", "1.3.4"], "1.3.5", ["1.3", "1"], ["latest"]),
        (["2.0.0", "1.4.0"], "1.3.5", ["1.3"], ["1", "latest"]),
        (["2.0.0-rc.1"], "1.3.5", ["1.3", "1", "latest"], []),
        (["1.4.3"], "1.4.2", [], ["1.4", "1", "latest"]),
        (["1.4.2"], "1.5.0-rc.1", [], ["1.5", "1", "latest"]),
        (["0.3.0"], "0.4.0", ["0.4", "latest"], []),
        (["v1.4.1"], "1.4.2", ["v1.4", "v1", "latest"], []),
    ],
)
def test_plan(existing: list[str], version: str, moves: list[str], kept: list[str]) -> None:
    plan = plan_tags(existing, Version.parse(version))
    assert list(plan.moves) == moves
    assert [one.tag for one in plan.kept] == kept


def test_plan_says_why() -> None:
    plan = plan_tags(["2.0.0"], Version.parse("1.3.5"))
    assert [(one.tag, one.reason) for one in plan.kept] == [("latest", "2.0.0 is higher")]
    [reason] = {one.reason for one in plan_tags([], Version.parse("1.0.0-rc.1")).kept}
    assert reason == "1.0.0-rc.1 is a pre-release"


def test_version_keeps_the_name_that_it_has() -> None:
    assert plan_tags(["v1.0.0"], Version(1, 0, 0)).version == "v1.0.0"
    assert plan_tags(["1.0.0", "v1.1.0"], Version(1, 2, 0)).version == "v1.2.0"


def released(meaning: dict[str, str], version: Version) -> dict[str, str]:
    """What the tags mean when the plan was carried out."""
    plan = plan_tags(meaning, version)
    return meaning | dict.fromkeys((plan.version, *plan.moves), str(version))


def released_all(versions: Iterable[Version]) -> dict[str, str]:
    meaning: dict[str, str] = {}
    for version in versions:
        meaning = released(meaning, version)
    return meaning


@given(tag_lists, st.one_of(releases, pre_releases))
def test_plan_depends_on_no_order(tags: list[str], version: Version) -> None:
    expected = plan_tags(tags, version)
    assert plan_tags(reversed(tags), version) == expected
    assert plan_tags([*tags, *tags], version) == expected


@given(tag_lists, st.one_of(releases, pre_releases))
def test_plan_is_the_same_when_it_was_carried_out_in_part(
    tags: list[str], version: Version
) -> None:
    """Whoever is killed between two tags goes on with the same plan."""
    plan = plan_tags(tags, version)
    done: list[str] = []
    for tag in (plan.version, *plan.moves):
        done.append(tag)
        assert plan_tags([*tags, *done], version) == plan


@given(tag_lists, pre_releases)
def test_pre_release_moves_nothing(tags: list[str], version: Version) -> None:
    assert plan_tags(tags, version).moves == ()


@given(st.permutations([Version(*n) for n in [(1, 3, 4), (1, 3, 5), (1, 4, 0), (2, 0, 0)]]))
def test_tags_end_at_the_highest_in_whatever_order_releases_come(order: list[Version]) -> None:
    meaning = released_all(order)
    expected = {"1.3": "1.3.5", "1.4": "1.4.0", "1": "1.4.0", "2": "2.0.0", "latest": "2.0.0"}
    assert {tag: meaning[tag] for tag in expected} == expected


@given(st.lists(st.one_of(releases, pre_releases), max_size=12))
def test_no_tag_ever_moves_back(versions: list[Version]) -> None:
    meaning: dict[str, str] = {}
    for version in versions:
        after = released(meaning, version)
        for tag, before in meaning.items():
            assert Version.parse(after[tag]) >= Version.parse(before)
        meaning = after
    assert meaning == released_all(sorted(versions, key=lambda one: (one, str(one))))


@given(tag_lists, releases)
def test_every_line_is_accounted_for(tags: list[str], version: Version) -> None:
    plan: TagPlan = plan_tags(tags, version)
    said = [*plan.moves, *(one.tag for one in plan.kept)]
    assert len(said) == len(set(said)) == (3 if version.major else 2)
    highest = max([*(one.version for one in History.of(tags).releases), version])
    assert ("latest" in plan.moves) == (highest == version)
    assert TagVersion.parse(plan.version) is not None
