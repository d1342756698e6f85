"""Ranges of versions, as npm and pip write them.

| written | allows |
|---|---|
| `*` | every release |
| `1`, `1.0`, `1.x`, `==1.2.*` | every release with these numbers |
| `1.2.3`, `=1.2.3`, `==1.2.3` | that version |
| `^1.2.3` | from there to before the next number that breaks: `2`, `^0.2` to before `0.3` |
| `~1.2.3`, `~1` | from there to before the next minor (`~1`: major) |
| `~=1.2`, `~=1.2.3` | pip's: from there to before `2`, before `1.3` |
| `>1.2`, `>=1.2`, `<1.2`, `<=1.2`, `!=1.2` | compared with all of `1.2.z` |
| `1.0 - 2` | from `1.0.0`, all of `2.y.z` included |
| `>=1.0 <2`, `>=1.0,<2` | both hold |
| `1 || 3` | one of them holds |

A pre-release is allowed only where a version beside it in the range is a pre-release of the same
three numbers: `>=1.2.0-rc.1` allows `1.2.0-rc.2`, `>=1.0` does not (npm's rule).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agentoci.errors import Invalid
from agentoci.spec import intervals
from agentoci.spec.intervals import Intervals, Numbers, Point, after, floor, interval, point

if TYPE_CHECKING:
    from semver import Version

MAX_RANGE: Final = 256
"""Characters of a range, as npm has it: each comparison costs."""

_NUMBER: Final = r"(?:0|[1-9][0-9]{0,15})"
_PART: Final = rf"(?:{_NUMBER}|[xX*])"
_IDENTIFIERS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_PARTIAL: Final = (
    rf"[vV]?{_PART}(?:\.{_PART}){{0,2}}(?:-{_IDENTIFIERS})?(?:\+{_IDENTIFIERS})?(?![0-9A-Za-z.*+-])"
)
_SPLIT: Final = rf"[vV]?(?P<numbers>[^-+]+)(?:-(?P<prerelease>{_IDENTIFIERS}))?(?:\+.*)?"
_COMPARISON: Final = rf"(?P<operator>[<>]=?|[=!~]=|~>|[=~^])?[ \t]*(?P<version>{_PARTIAL})"
_HYPHEN: Final = rf"[ \t]*(?P<first>{_PARTIAL})[ \t]+-[ \t]+(?P<last>{_PARTIAL})[ \t]*"
_BETWEEN: Final = r"[ \t]*,[ \t]*|[ \t]+"
_WILD: Final = frozenset("xX*")


class InvalidRange(Invalid):
    """Not a version, and not a range of versions."""


@dataclass(frozen=True, slots=True)
class VersionRange:
    """A range as it was written, and the versions that it allows.

    `releases` speaks of releases only; `prereleases` of those numbers of which pre-releases are
    allowed at all.
    """

    text: str
    releases: Intervals = field(compare=False, repr=False)
    prereleases: tuple[tuple[Numbers, Intervals], ...] = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Read a range; raises InvalidRange."""
        if len(text) > MAX_RANGE:
            raise InvalidRange(f"{text[:40]!r}…: longer than {MAX_RANGE} characters")
        alternatives = [_alternative(text, part) for part in text.split("||")]
        releases = intervals.union(part for found, _ in alternatives for part in _releases(found))
        numbers = sorted({one for _, unlocked in alternatives for one in unlocked})
        prereleases = ((one, _prereleases_of(one, alternatives)) for one in numbers)
        return cls(text, releases, tuple((one, found) for one, found in prereleases if found))

    def allows(self, version: Version) -> bool:
        """Whether the version will do."""
        found = point_of(version)
        if version.prerelease is None:
            return intervals.contains(self.releases, found)
        return intervals.contains(dict(self.prereleases).get(found[0], ()), found)

    def best(self, versions: Iterable[Version]) -> Version | None:
        """The highest of the versions that will do; of equal ones that with the later build."""
        fitting = filter(self.allows, versions)
        return max(fitting, key=lambda one: (point_of(one), one.build or ""), default=None)

    def includes(self, other: VersionRange) -> bool:
        """Whether every version that the other allows is allowed here."""
        here = dict(self.prereleases)
        return intervals.includes(self.releases, other.releases) and all(
            intervals.includes(here.get(numbers, ()), found) for numbers, found in other.prereleases
        )

    def overlaps(self, other: VersionRange) -> bool:
        """Whether any version is allowed by both."""
        there = dict(other.prereleases)
        return bool(intervals.intersection(self.releases, other.releases)) or any(
            intervals.intersection(found, there.get(numbers, ()))
            for numbers, found in self.prereleases
        )

    @property
    def is_empty(self) -> bool:
        """Whether no version at all will do, as with `>2 <1`."""
        return not self.releases and not self.prereleases

    def __str__(self) -> str:
        return self.text


def point_of(version: Version) -> Point:
    """Where a version stands in the order of versions; build metadata does not count."""
    return point((version.major, version.minor, version.patch), version.prerelease)


_Alternative = tuple[Intervals, frozenset[Numbers]]
"""Versions that hold all comparisons, and the numbers of which pre-releases are allowed."""


def _alternative(text: str, part: str) -> _Alternative:
    hyphen = re.fullmatch(_HYPHEN, part)
    if hyphen:
        first, last = _Written.read(text, hyphen["first"]), _Written.read(text, hyphen["last"])
        return interval(first.start, last.end), _unlocked((first, last))
    found = intervals.EVERYTHING
    written: list[_Written] = []
    for operator, version in _comparisons(text, part):
        read = _Written.read(text, version)
        found = intervals.intersection(found, _compared(text, operator, read))
        written += [read] if operator != "!=" else []
    return found, _unlocked(written)


def _comparisons(text: str, part: str) -> Iterator[tuple[str, str]]:
    """The operator and the version of each comparison."""
    part = part.strip(" \t")
    at = 0
    while True:
        match = re.compile(_COMPARISON).match(part, at)
        if match is None:
            raise _not_a_range(text)
        yield match["operator"] or "=", match["version"]
        if match.end() == len(part):
            return
        between = re.compile(_BETWEEN).match(part, match.end())
        if between is None:
            raise _not_a_range(text)
        at = between.end()


@dataclass(frozen=True, slots=True)
class _Written:
    """A version of which not all numbers need be given."""

    given: tuple[int, ...]
    prerelease: str | None

    @classmethod
    def read(cls, text: str, version: str) -> _Written:
        match = re.fullmatch(_SPLIT, version)
        if match is None:
            raise _not_a_range(text)
        parts = match["numbers"].split(".")
        given = [int(part) for part in parts if part not in _WILD]
        wild = [part for part in parts if part in _WILD]
        prerelease = match["prerelease"]
        if parts[len(given) :] != wild or (wild and prerelease) or _is_padded(prerelease):
            raise _not_a_range(text)
        return cls((*given, 0, 0)[:3] if prerelease else tuple(given), prerelease)

    @property
    def numbers(self) -> Numbers:
        """The numbers, those not given as 0."""
        major, minor, patch = (*self.given, 0, 0, 0)[:3]
        return major, minor, patch

    @property
    def start(self) -> Point:
        """The first version that it means."""
        return point(self.numbers, self.prerelease)

    @property
    def end(self) -> Point | None:
        """The first version after all that it means."""
        return after(self.start) if len(self.given) == 3 else self.next(len(self.given))

    def next(self, place: int) -> Point | None:
        """The lowest version with the number at `place` (1: major) one higher; None: no end."""
        return floor(_raised(self.numbers, place)) if place else None

    @property
    def breaking(self) -> int:
        """Which number must rise for a change that breaks: the first that is not 0."""
        for place, number in enumerate(self.given, start=1):
            if number:
                return place
        return len(self.given)


def _raised(numbers: Numbers, place: int) -> Numbers:
    kept = [*numbers[: place - 1], numbers[place - 1] + 1, 0, 0][:3]
    return kept[0], kept[1], kept[2]


def _compared(text: str, operator: str, found: _Written) -> Intervals:
    """The versions that hold one comparison."""
    start, end = found.start, found.end
    match operator:
        case "=" | "==":
            return interval(start, end)
        case "!=":
            low = start if found.prerelease else floor(found.numbers)
            return intervals.without((low if len(found.given) < 3 else start, end))
        case ">=":
            return interval(start, None)
        case ">":
            return interval(end, None) if end else ()
        case "<":
            return interval(intervals.EVERYTHING[0][0], _below(found))
        case "<=":
            return interval(intervals.EVERYTHING[0][0], end)
        case "^":
            return interval(start, found.next(found.breaking))
        case "~" | "~>":
            return interval(start, found.next(min(2, len(found.given))))
        case _ if len(found.given) > 1:  # ~=
            return interval(start, found.next(len(found.given) - 1))
        case _:
            raise _not_a_range(text, hint="~= takes two or three numbers: ~=1.2 is >=1.2,<2")


def _below(found: _Written) -> Point:
    return found.start if len(found.given) == 3 else floor(found.numbers)


def _unlocked(written: Iterable[_Written]) -> frozenset[Numbers]:
    return frozenset(one.numbers for one in written if one.prerelease)


def _releases(found: Intervals) -> Intervals:
    """The same releases, in the one way of spelling a set of releases: from floor to floor."""
    return tuple(
        part
        for start, end in found
        for part in interval(_floor_of(start), None if end is None else _floor_of(end))
    )


def _floor_of(bound: Point) -> Point:
    """Where the first release from a bound on begins: pre-releases below it count for it."""
    return floor(bound[0])


def _prereleases_of(numbers: Numbers, alternatives: Iterable[_Alternative]) -> Intervals:
    """The pre-releases of these numbers that any alternative allows."""
    own = interval(floor(numbers), point(numbers))
    return intervals.union(
        part
        for found, unlocked in alternatives
        if numbers in unlocked
        for part in intervals.intersection(found, own)
    )


def _is_padded(prerelease: str | None) -> bool:
    """Semver forbids leading zeros."""
    parts = (prerelease or "").split(".")
    return any(part.isdecimal() and len(part) > 1 and part[0] == "0" for part in parts)


def _not_a_range(text: str, *, hint: str | None = None) -> InvalidRange:
    return InvalidRange(
        f"{text[:60]!r} is not a version or a range of versions",
        hint=hint or "such as '1.0', '>=1.0', '^1.2', '~1.2', '1.x' or '*'",
    )
