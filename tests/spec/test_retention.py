"""The rules of `--keep-semver`."""

from __future__ import annotations

import pytest

from agentoci.spec.retention import InvalidRetention, Retention, upcoming
from agentoci.spec.version import TagVersion

TAGS = ["3.0.0", "2.2.1", "2.2.0", "2.1.0", "2.0.9", "1.9.0", "1.8.1", "1.8.0", "0.1.0", "v3.0.0"]


def read(tags: list[str]) -> list[TagVersion]:
    return [found for tag in tags if (found := TagVersion.parse(tag)) is not None]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("1", "3.0.0 v3.0.0"),
        ("3", "3.0.0 v3.0.0 2.2.1 2.2.0"),
        ("99", " ".join(TAGS)),
        ("major:2", "3.0.0 v3.0.0 2.2.1"),
        ("major:2,minor:2", "3.0.0 v3.0.0 2.2.1 2.1.0"),
        ("minor:1", "3.0.0 v3.0.0 2.2.1 1.9.0 0.1.0"),
        ("minor:2", "3.0.0 v3.0.0 2.2.1 2.1.0 1.9.0 1.8.1 0.1.0"),
        ("patch:1", "3.0.0 v3.0.0 2.2.1 2.1.0 2.0.9 1.9.0 1.8.1 0.1.0"),
        ("major:3, minor:1, patch:2", "3.0.0 v3.0.0 2.2.1 2.2.0 1.9.0"),
        ("patch:2,major:1", "3.0.0 v3.0.0"),
    ],
)
def test_rules_keep_the_highest(rule: str, kept: str):
    found = Retention.parse(rule)
    assert found.select(read(TAGS)) == set(kept.split())
    assert str(found) == rule


@pytest.mark.parametrize(
    "rule",
    ["", "0", "-1", "x", "major", "major:", "major:0", "major:x", "major:1,major:2", "week:3",
     "1,2", "major:1;minor:2", "1" * 7, "\N{ARABIC-INDIC DIGIT FIVE}"],
)  # fmt: skip
def test_other_rules_are_refused(rule: str):
    with pytest.raises(InvalidRetention, match="not a number of versions"):
        Retention.parse(rule)


def test_upcoming_are_the_prereleases_after_every_release():
    tags = ["2.0.0-rc.1", "2.0.0-beta", "1.0.0-rc.1", "1.0.0", "0.9.0-rc.1", "3-rc.1"]
    assert upcoming(read(tags)) == {"2.0.0-rc.1", "2.0.0-beta"}
    assert upcoming(read(["1.0.0-rc.1", "0.1.0-a"])) == {"1.0.0-rc.1", "0.1.0-a"}
