"""Ranges of versions."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from agentoci.spec.ranges import MAX_RANGE, InvalidRange, VersionRange

UNIVERSE = [
    Version(major, minor, patch, prerelease)
    for major, minor, patch in itertools.product(range(4), repeat=3)
    for prerelease in (None, "0", "1", "alpha", "beta", "rc.1", "rc.1.0", "rc.2", "rc.3")
]
"""Every bound that the ranges below can have, with a version to each side of it."""

NUMBERS = st.lists(st.integers(0, 2).map(str), min_size=1, max_size=3).map(".".join)
PRERELEASES = st.sampled_from(["", "", "", "-0", "-alpha", "-rc.1", "-rc.2"])
FULL = st.builds("{}.{}.{}{}".format, *[st.integers(0, 2)] * 3, PRERELEASES)
WRITTEN = NUMBERS | FULL | st.sampled_from(["*", "1.x", "1.2.*", "x", "v1"])
OPERATORS = st.sampled_from(["", "=", "==", "!=", ">", ">=", "<", "<=", "^", "~", "~>"])
COMPARISONS = st.builds(str.__add__, OPERATORS, WRITTEN)
ALTERNATIVES = st.lists(COMPARISONS, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([",", " ", ", "]).map(lambda between: between.join(parts))
) | st.builds("{} - {}".format, WRITTEN, WRITTEN)
RANGES = st.lists(ALTERNATIVES, min_size=1, max_size=3).map(" || ".join).map(VersionRange.parse)


def allowed(found: VersionRange) -> set[str]:
    return {str(version) for version in UNIVERSE if found.allows(version)}


def allows(text: str, version: str) -> bool:
    return VersionRange.parse(text).allows(Version.parse(version))


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("*", "0.0.0 1.0.0 99.1.2", "1.0.0-rc.1"),
        ("1", "1.0.0 1.9.9", "0.9.9 2.0.0 1.0.0-rc.1 2.0.0-rc.1"),
        ("1.0", "1.0.0 1.0.7", "1.1.0 1.1.0-rc.1"),
        ("1.0.0", "1.0.0 1.0.0+build", "1.0.1 1.0.0-rc.1"),
        ("1.x", "1.0.0 1.9.9", "2.0.0"),
        ("1.2.*", "1.2.0 1.2.9", "1.3.0"),
        ("x.x.x", "1.2.0", "1.2.0-a"),
        ("v1.2", "1.2.3", "1.3.0"),
        ("==1.2.*", "1.2.0 1.2.9", "1.3.0 1.1.9"),
        ("=1.2.3", "1.2.3", "1.2.4"),
        ("^1.2", "1.2.0 1.99.0", "1.1.9 2.0.0 2.0.0-0"),
        ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.4 0.0.2"),
        ("^0.0", "0.0.0 0.0.9", "0.1.0"),
        ("^0", "0.0.0 0.9.0", "1.0.0"),
        ("^1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.10 1.2.3 1.9.0", "1.2.4-beta.3 1.2.3-beta.1"),
        ("~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"),
        ("~1.2", "1.2.0 1.2.9", "1.3.0"),
        ("~1", "1.0.0 1.9.0", "2.0.0"),
        ("~>1.2", "1.2.0 1.2.9", "1.3.0"),
        ("~=1.2", "1.2.0 1.9.0", "2.0.0 1.1.9"),
        ("~=1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"),
        (">1.2", "1.3.0", "1.2.9 1.2.0"),
        (">=1.2", "1.2.0 3.0.0", "1.1.9 2.0.0-rc.1"),
        ("<1.2", "1.1.9", "1.2.0 1.2.0-rc.1"),
        ("<=1.2", "1.2.9", "1.3.0"),
        ("!=1.3", "1.2.9 1.4.0", "1.3.0 1.3.9"),
        ("!=1.3.1", "1.3.0 1.3.2", "1.3.1"),
        (">=1.0 <2", "1.0.0 1.9.9", "2.0.0 0.9.0"),
        (">=1.0,<2", "1.0.0 1.9.9", "2.0.0 0.9.0"),
        (">= 1.0 , < 2, != 1.3", "1.0.0 1.4.0", "2.0.0 1.3.5"),
        ("1.0 - 2", "1.0.0 2.9.9", "3.0.0 0.9.0"),
        ("1.2.3 - 2.3.4", "1.2.3 2.3.4", "2.3.5"),
        ("1 || 3", "1.0.0 3.1.0", "2.0.0"),
        ("<1 || >=2.0.0-rc.1", "0.9.0 2.0.0-rc.1 2.0.0-rc.2 2.0.0", "1.0.0 2.0.0-beta 2.1.0-rc.1"),
        (">1.2.3-rc.1 <1.2.3", "1.2.3-rc.1.0 1.2.3-rc.2", "1.2.3-rc.1 1.2.3 1.2.2"),
        ("1.2-rc.1", "1.2.0-rc.1", "1.2.0 1.2.0-rc.2"),
        (">2 <1", "", "0.0.0 1.0.0 1.5.0 2.0.0 3.0.0"),
    ],
)
def test_what_ranges_allow(text: str, inside: str, outside: str) -> None:
    assert [one for one in inside.split() if not allows(text, one)] == []
    assert [one for one in outside.split() if allows(text, one)] == []
    assert str(VersionRange.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", ">=", "latest", "1..2", "1.2.3.4", "1.0,", ",1.0", "||", "1 ||", "> = 1", "=>1"],
        *[">=1.0 foo", "01.2", "1.02", "1.0.0-01", "1.x.3", "x.1", "1.x-rc.1", "1.0.0-", "~=1"],
        *["1 - ", "- 1", "1-2_", "1.2.3_b2", "sha256:00", "^", "1.0 - 2 - 3", "1." + "9" * 17],
        *["1 " * MAX_RANGE, "\u0661", "1\u0661"],
    ],
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(InvalidRange) as caught:
        VersionRange.parse(text)
    assert caught.value.exit_code == 2


@given(st.text(alphabet="0123.xX*^~<>=!|, -vrc+", max_size=20))
def test_any_text_is_a_range_or_refused(text: str) -> None:
    try:
        found = VersionRange.parse(text)
    except InvalidRange:
        return
    assert VersionRange.parse(str(found)) == found
    assert found.includes(found)


@given(ALTERNATIVES, ALTERNATIVES)
def test_alternatives_allow_what_either_allows(one: str, other: str) -> None:
    both = VersionRange.parse(f"{one} || {other}")
    apart = [VersionRange.parse(one), VersionRange.parse(other)]
    assert allowed(both) == allowed(apart[0]) | allowed(apart[1])
    assert all(both.includes(part) for part in apart)


@given(COMPARISONS, COMPARISONS)
def test_releases_must_hold_every_comparison(one: str, other: str) -> None:
    both = VersionRange.parse(f"{one} {other}")
    for version in (version for version in UNIVERSE if version.prerelease is None):
        assert both.allows(version) == (
            VersionRange.parse(one).allows(version) and VersionRange.parse(other).allows(version)
        )


@given(RANGES, RANGES)
def test_inclusion_is_that_of_the_sets(one: VersionRange, other: VersionRange) -> None:
    """Exact, not only sound: the universe tells any two sets apart that the ranges can make."""
    assert one.includes(other) == (allowed(one) >= allowed(other))
    assert one.overlaps(other) == bool(allowed(one) & allowed(other))
    assert other.is_empty == (not allowed(other))


@given(RANGES, st.lists(st.sampled_from(UNIVERSE)))
def test_best_is_the_highest_that_fits(found: VersionRange, versions: list[Version]) -> None:
    best = found.best(versions)
    fitting = [version for version in versions if found.allows(version)]
    assert (best is None) == (not fitting)
    if best is not None:
        assert best in fitting
        assert all(best >= version for version in fitting)
    random.Random(1).shuffle(versions)
    assert found.best(versions) == best


def test_best_of_equal_versions_does_not_depend_on_the_order() -> None:
    builds = [Version.parse(f"1.0.0+{build}") for build in ("b1", "b2", "b10")]
    found = VersionRange.parse("^1")
    assert {str(found.best(order)) for order in itertools.permutations(builds)} == {"1.0.0+b2"}


@pytest.mark.parametrize(
    ("one", "other", "includes"),
    [
        (">=1.0", "^1.2", True),
        ("^1.2", ">=1.0", False),
        ("1.0 || 1.1", "~1.0.3", True),
        (">=1.0 <1.1 || >=1.1 <2", "^1.0", True),
        (">=1.0 !=1.3", "^1.0", False),
        (">=1.0 !=1.3", "1.4.x", True),
        ("*", ">=1.0.0-rc.1", False),
        (">=1.0.0-rc.1", "*", False),
        ("<=1.2.3", "<1.2.4", True),
        ("*", ">=0", True),
    ],
)
def test_inclusion(one: str, other: str, *, includes: bool) -> None:
    assert VersionRange.parse(one).includes(VersionRange.parse(other)) is includes
