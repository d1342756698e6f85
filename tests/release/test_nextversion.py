"""The version of the next release, from what is there, what changed and what was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from agentoci.release.history import History
from agentoci.release.nextversion import (
    NOTHING,
    VersionTaken,
    VersionTooSmall,
    VersionUnclear,
    bump,
    choose,
    last_before,
)
from agentoci.release.rules import Level
from agentoci.release.versionrequest import InvalidVersionRequest, VersionRequest, parse_version

NONE, PATCH, MINOR, MAJOR = Level
TAGS = ("1.3.4", "1.4.0", "1.4.1", "2.0.0", "2.1.0-rc.1", "2.1.0-rc.2", "1.4", "1", "2", "latest")

numbers = st.integers(0, 30)
versions = st.builds(Version, numbers, numbers, numbers)
levels = st.sampled_from(Level)
histories = st.lists(versions, max_size=12, unique_by=str).map(
    lambda found: History.of(map(str, found))
)


def chosen(level: Level, *, tags: tuple[str, ...] = TAGS, declared: str = "", **asked: str) -> str:
    version = Version.parse(declared) if declared else NOTHING
    return str(choose(VersionRequest.parse(**asked), version, History.of(tags), level, ["that"]))


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("1.4.1", ("1.4.1", "1.4.2", "1.5.0", "2.0.0")),
        ("0.4.1", ("0.4.1", "0.4.2", "0.4.2", "0.5.0")),
        ("0.0.1", ("0.0.1", "0.0.2", "0.0.2", "0.1.0")),
    ],
)
def test_level_raises_the_version(last: str, expected: tuple[str, ...]) -> None:
    assert tuple(str(bump(Version.parse(last), level)) for level in Level) == expected


@pytest.mark.parametrize(
    ("level", "options", "expected"),
    [
        (PATCH, {}, "2.0.1"),
        (MINOR, {}, "2.1.0"),
        (MAJOR, {}, "3.0.0"),
        (PATCH, {"bump": "minor"}, "2.1.0"),
        (NONE, {"version": "2.0.1"}, "2.0.1"),
        (MINOR, {"version": "v2.2.0"}, "2.2.0"),
        (MINOR, {"version": "3.0.0-beta.1"}, "3.0.0-beta.1"),
        (PATCH, {"version": "1.3.5"}, "1.3.5"),
        (MINOR, {"line": "1"}, "1.5.0"),
        (PATCH, {"line": "1.3"}, "1.3.5"),
        (PATCH, {"line": "1.3", "pre": "rc"}, "1.3.5-rc.1"),
        (MINOR, {"pre": "rc"}, "2.1.0-rc.3"),
        (MINOR, {"pre": "stage"}, "2.1.0-stage.1"),
        (MAJOR, {"pre": "rc"}, "3.0.0-rc.1"),
        (PATCH, {"declared": "2.5.0"}, "2.5.0"),
        (PATCH, {"declared": "2.5.0", "bump": "major"}, "3.0.0"),
        (PATCH, {"declared": "2.5.0", "pre": "rc"}, "2.5.0-rc.1"),
        (PATCH, {"declared": "2.5.0-alpha"}, "2.5.0-alpha"),
        (PATCH, {"declared": "2.0.0"}, "2.0.1"),
        (PATCH, {"declared": "1.3.4"}, "2.0.1"),
        (PATCH, {"declared": "1.3.5", "line": "1.3"}, "1.3.5"),
        (MINOR, {"tags": ()}, "0.1.0"),
        (NONE, {"tags": ("latest", "1.0")}, "0.1.0"),
        (NONE, {"tags": (), "declared": "1.0.0"}, "1.0.0"),
        (NONE, {"tags": (), "bump": "major"}, "1.0.0"),
        (NONE, {"tags": (), "declared": "1.0.0", "pre": "rc"}, "1.0.0-rc.1"),
        (NONE, {"tags": ("1.0.0-rc.1",), "declared": "1.0.0"}, "1.0.0"),
        (PATCH, {"tags": ("1.0.0_build.7",)}, "1.0.1"),
        (NONE, {"tags": (), "declared": "0.3.0-dev"}, "0.3.0"),
        (NONE, {"tags": (), "declared": "0.0.0-dev"}, "0.1.0"),
        (NONE, {"tags": (), "declared": "0.3.0-dev", "pre": "rc"}, "0.3.0-rc.1"),
        (PATCH, {"declared": "2.5.0-dev.7+b"}, "2.5.0"),
        (PATCH, {"declared": "2.0.1-dev"}, "2.0.1"),
        (MINOR, {"declared": "2.0.1-dev"}, "2.1.0"),
        (PATCH, {"declared": "2.0.0-dev"}, "2.0.1"),
        (PATCH, {"declared": "1.3.5-dev"}, "2.0.1"),
        (PATCH, {"declared": "1.3.6-dev", "line": "1.3"}, "1.3.6"),
        (PATCH, {"declared": "3.0.0-dev", "line": "1.3"}, "1.3.5"),
        (MINOR, {"declared": "2.1.0-dev", "pre": "rc"}, "2.1.0-rc.3"),
        (PATCH, {"declared": "2.5.0-dev", "bump": "minor"}, "2.1.0"),
        (PATCH, {"declared": "2.5.0-dev", "version": "2.0.1"}, "2.0.1"),
    ],
)
def test_version_that_is_chosen(level: Level, options: dict[str, str], expected: str) -> None:
    assert chosen(level, **options) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "level", "options", "words"),
    [
        (VersionTooSmall, MAJOR, {"version": "2.0.1"}, r"since 2.0.0: it is MAJOR, so 3.0.0.*that"),
        (VersionTooSmall, MINOR, {"bump": "patch"}, "2.0.1 is too small"),
        (VersionTooSmall, MINOR, {"declared": "2.0.1"}, "2.0.1 is too small"),
        (VersionTooSmall, MAJOR, {"version": "2.1.0-rc.3"}, "2.1.0-rc.3 is too small"),
        (VersionTooSmall, MINOR, {"version": "1.3.5"}, "so 1.4.0 at least"),
        (VersionTooSmall, MAJOR, {"line": "1"}, "needs 2.0.0, which is not in the line 1"),
        (VersionTaken, PATCH, {"version": "2.0.0"}, "2.0.0 is released already"),
        (VersionTaken, PATCH, {"version": "1.3.3"}, "1.3.3 would come after 1.3.4"),
        (VersionTaken, PATCH, {"version": "2.0.0-rc.9"}, "after 2.0.0, which is released"),
        (VersionTaken, MINOR, {"version": "2.1.0-rc.2"}, "2.1.0-rc.2 is released already"),
        (VersionTaken, MINOR, {"pre": "beta"}, "2.1.0-beta.1 would come after 2.1.0-rc.2"),
        (VersionUnclear, PATCH, {"declared": "1.3.5"}, "declares 1.3.5.*and 2.0.0 is"),
        (InvalidVersionRequest, PATCH, {"line": "1.2"}, "nothing of the line 1.2 is released yet"),
    ],
)
def test_version_that_is_refused(
    error: type[Exception], level: Level, options: dict[str, str], words: str
) -> None:
    with pytest.raises(error, match=words):
        chosen(level, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "asked",
    [
        {"version": "1.0"},
        {"version": "latest"},
        {"version": "1.0.0+build"},
        {"version": "1.0.0", "bump": "major"},
        {"version": "1.0.0-rc.1", "pre": "rc"},
        {"version": "1.0.0", "line": "2"},
        {"pre": "1"},
        {"pre": "rc.1"},
        {"line": "1.0.0"},
        {"line": "x"},
    ],
)
def test_request_that_cannot_be(asked: dict[str, str]) -> None:
    with pytest.raises(InvalidVersionRequest):
        VersionRequest.parse(**asked)


def test_exit_codes_are_those_of_the_table() -> None:
    errors = (InvalidVersionRequest, VersionTooSmall, VersionTaken, VersionUnclear)
    assert [error.exit_code for error in errors] == [2, 3, 7, 7]


@given(versions, levels, levels)
def test_larger_change_never_gets_a_smaller_version(
    last: Version, one: Level, other: Level
) -> None:
    smaller, larger = sorted((one, other))
    assert last <= bump(last, smaller) <= bump(last, larger)
    assert (bump(last, larger) > last) == (larger > NONE)


@given(versions, versions, levels)
def test_later_version_never_gets_a_smaller_next_one(
    one: Version, other: Version, level: Level
) -> None:
    earlier, later = sorted((one, other))
    assert bump(earlier, level) <= bump(later, level)


@given(histories, levels.filter(bool))
def test_computed_version_is_news_and_the_least(history: History, level: Level) -> None:
    version = choose(VersionRequest(), NOTHING, history, level)
    assert history.named(version) is None
    assert all(one.version < version for one in history.releases)
    last = last_before(VersionRequest(), history)
    assert version == (Version(0, 1, 0) if last is None else bump(last.version, level))


@given(histories, levels.filter(bool), st.integers(1, 5))
def test_pre_releases_count_up_to_the_release(history: History, level: Level, count: int) -> None:
    release = choose(VersionRequest(), NOTHING, history, level)
    for number in range(1, count + 1):
        version = choose(VersionRequest(pre="rc"), NOTHING, history, level)
        assert version == release.replace(prerelease=f"rc.{number}")
        history = History.of([str(version), *(one.tag for one in history.versions)])
    assert choose(VersionRequest(), NOTHING, history, level) == release


@given(histories, versions, levels.filter(bool), st.sampled_from(["dev", "dev.1", "dev2"]))
def test_work_in_progress_is_never_refused(
    history: History, core: Version, level: Level, word: str
) -> None:
    """What it gets is the computed version, or what it is work on, when that is higher."""
    computed = choose(VersionRequest(), NOTHING, history, level)
    version = choose(VersionRequest(), core.replace(prerelease=word), history, level)
    if core == NOTHING or (history.releases and core < computed):
        assert version == computed
    else:
        assert version == core


@given(histories, versions, levels)
def test_requested_version_is_taken_or_refused(
    history: History, version: Version, level: Level
) -> None:
    """What is taken is new, above the release before it, and the highest of its minor line."""
    asked = VersionRequest(version)
    last = last_before(asked, history)
    try:
        taken = choose(asked, NOTHING, history, level)
    except VersionTaken:
        line = [
            one.version for one in history.releases if one.numbers[:2] == version.to_tuple()[:2]
        ]
        assert max(line) >= version
    except VersionTooSmall:
        assert last is not None
        assert version < bump(last.version, level)
    else:
        assert taken == version
        assert history.named(version) is None
        assert last is None or version >= bump(last.version, level)


@pytest.mark.parametrize(
    ("tags", "prefix"),
    [(("1.0.0",), ""), (("v1.0.0", "0.9.0"), "v"), ((), ""), (("v1.0.0-rc.1",), "v")],
)
def test_tags_go_on_as_they_began(tags: tuple[str, ...], prefix: str) -> None:
    assert History.of(tags).prefix == prefix


def test_version_is_read_with_its_v() -> None:
    assert parse_version("v1.2.3-rc.1") == Version(1, 2, 3, "rc.1")
