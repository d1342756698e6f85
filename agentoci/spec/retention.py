"""How many versions to keep: the rules of `--keep-semver`.

`5` keeps the five highest releases. Levels keep by number instead: `major:2,minor:3` keeps, of the
two highest majors, the three highest minors each, and of each of those the highest release. Levels
above the first one that is named keep everything, levels below keep one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from agentoci.errors import Invalid
from agentoci.spec.version import TagVersion, newest_first

_LEVELS: Final = ("major", "minor", "patch")

Numbers: TypeAlias = tuple[int, int, int]


class InvalidRetention(Invalid):
    """Not a rule of `--keep-semver`."""


@dataclass(frozen=True, slots=True)
class Retention:
    """One rule: `newest` releases, or so many per level (None: all of them)."""

    text: str
    newest: int | None = None
    levels: tuple[int | None, int | None, int | None] = (None, None, None)

    @classmethod
    def parse(cls, text: str) -> Retention:
        """Read `N` or `LEVEL:N,…`; raises InvalidRetention."""
        if re.fullmatch(r"\d+", text):
            return cls(text, newest=_count(text, text))
        given: dict[str, int] = {}
        for part in text.split(","):
            level, colon, number = part.strip().partition(":")
            if level not in _LEVELS or not colon or level in given:
                raise _invalid(text)
            given[level] = _count(number, text)
        first = min(_LEVELS.index(level) for level in given)
        counts = [
            given.get(level, 1) if place >= first else None for place, level in enumerate(_LEVELS)
        ]
        return cls(text, levels=(counts[0], counts[1], counts[2]))

    def select(self, releases: Iterable[TagVersion]) -> set[str]:
        """The tags of the releases that it keeps; equal versions count once."""
        releases = list(releases)
        numbers = sorted({found.numbers for found in releases}, reverse=True)
        kept = set(
            numbers[: self.newest] if self.newest is not None else _by_level(numbers, self.levels)
        )
        return {found.tag for found in releases if found.numbers in kept}

    def __str__(self) -> str:
        return self.text


def _by_level(numbers: Sequence[Numbers], counts: Sequence[int | None]) -> list[Numbers]:
    """The highest `counts[0]` majors, in each the highest `counts[1]` minors, and so on."""
    groups: list[list[Numbers]] = [list(numbers)]
    for place, count in enumerate(counts):
        split: list[list[Numbers]] = []
        for group in groups:
            values = list(dict.fromkeys(found[place] for found in group))[:count]
            split += [[found for found in group if found[place] == value] for value in values]
        groups = split
    return [found for group in groups for found in group]


def _count(number: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", number) or int(number) == 0:
        raise _invalid(text)
    return int(number)


def _invalid(text: str) -> InvalidRetention:
    return InvalidRetention(
        f"{text!r} is not a number of versions to keep",
        hint="write 5, or levels as in major:2,minor:3",
    )


def upcoming(versions: Iterable[TagVersion]) -> set[str]:
    """The pre-releases that come after every release: what is still on its way."""
    ordered = newest_first(found for found in versions if found.is_full)
    tags: set[str] = set()
    for found in ordered:
        if found.is_release:
            break
        tags.add(found.tag)
    return tags
