"""Sets of versions as intervals in semver's order, exact under union, intersection and inclusion.

Every version has a next one (after `1.2.3-rc.1` comes `1.2.3-rc.1.0`, after `1.2.3` comes
`1.2.4-0`), so that half-open intervals say everything, and two sets are equal when they are spelt
equally.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

Numbers: TypeAlias = tuple[int, int, int]
Identifier: TypeAlias = tuple[int, int, str]
"""A part of a pre-release: numbers (0, number, "") come before words (1, 0, word)."""

Point: TypeAlias = tuple[Numbers, tuple[int, tuple[Identifier, ...]]]
"""A version without its build metadata; Python's order of points is semver's precedence."""

Interval: TypeAlias = tuple[Point, Point | None]
"""From the first point to before the second; None: without end."""

Intervals: TypeAlias = tuple[Interval, ...]
"""Not empty each, ordered, neither overlapping nor touching."""

_FIRST: Final[Identifier] = (0, 0, "")
_RELEASE: Final[tuple[int, tuple[Identifier, ...]]] = (1, ())


def point(numbers: Numbers, prerelease: str | None = None) -> Point:
    """The point of a version, such as (1, 2, 3) and `rc.1`."""
    if not prerelease:
        return numbers, _RELEASE
    return numbers, (0, tuple(map(_identifier, prerelease.split("."))))


def _identifier(part: str) -> Identifier:
    return (0, int(part), "") if part.isdecimal() else (1, 0, part)


def floor(numbers: Numbers) -> Point:
    """The lowest version with these numbers: the pre-release `0`."""
    return numbers, (0, (_FIRST,))


def after(found: Point) -> Point:
    """The next version."""
    (major, minor, patch), (released, parts) = found
    if released:
        return floor((major, minor, patch + 1))
    return (major, minor, patch), (0, (*parts, _FIRST))


EVERYTHING: Final[Intervals] = ((floor((0, 0, 0)), None),)


def interval(start: Point, end: Point | None) -> Intervals:
    """One interval; nothing when it ends before it starts."""
    return ((start, end),) if end is None or start < end else ()


def union(intervals: Iterable[Interval]) -> Intervals:
    """All that is in any of them."""
    made: list[Interval] = []
    for start, end in sorted(intervals, key=lambda one: one[0]):
        if made and _reaches(made[-1][1], start):
            first, last = made[-1]
            made[-1] = first, _later(last, end)
        else:
            made.append((start, end))
    return tuple(made)


def _reaches(end: Point | None, start: Point) -> bool:
    return end is None or end >= start


def _later(one: Point | None, other: Point | None) -> Point | None:
    return None if one is None or other is None else max(one, other)


def _earlier(one: Point | None, other: Point | None) -> Point | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


def intersection(one: Intervals, other: Intervals) -> Intervals:
    """All that is in both."""
    return tuple(
        part
        for start, end in one
        for second, last in other
        for part in interval(max(start, second), _earlier(end, last))
    )


def without(taken: Interval) -> Intervals:
    """All that is not in it."""
    start, end = taken
    return interval(EVERYTHING[0][0], start) + (interval(end, None) if end else ())


def includes(one: Intervals, other: Intervals) -> bool:
    """Whether all of the other is in the one."""
    return all(
        any(start <= second and _covers(end, last) for start, end in one) for second, last in other
    )


def _covers(end: Point | None, last: Point | None) -> bool:
    return end is None or (last is not None and last <= end)


def contains(one: Intervals, found: Point) -> bool:
    """Whether a version is in the set."""
    return any(start <= found and (end is None or found < end) for start, end in one)
