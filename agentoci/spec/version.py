"""Tags that are versions, and their order (semver.org, with what people write in tags).

A tag may begin with `v`, leave out parts (`1.0`), and write `_` for the `+` of build metadata,
which no tag can hold (as helm does).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from semver import Version

_FORM: Final = (
    r"[vV]?(\d{1,19})(?:\.(\d{1,19}))?(?:\.(\d{1,19}))?"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:[+_]([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_LONGEST_LONE_NUMBER: Final = 4
"""Digits of a lone number that is a version (`2`, `2024`); dates and commit ids are none."""


@dataclass(frozen=True)
class TagVersion:
    """A tag read as a version; `given` is how many of its three numbers the tag has."""

    tag: str
    numbers: tuple[int, int, int]
    given: int
    prerelease: str | None = None
    build: str | None = None

    @classmethod
    def parse(cls, tag: str) -> TagVersion | None:
        """Read a tag; None when it is not a version."""
        match = re.fullmatch(_FORM, tag)
        if match is None:
            return None
        numbers = [part for part in match.group(1, 2, 3) if part is not None]
        lone = len(numbers) == 1
        if (lone and len(numbers[0]) > _LONGEST_LONE_NUMBER) or any(map(_is_padded, numbers)):
            return None
        if any(_is_padded(part) for part in (match[4] or "").split(".") if part.isdecimal()):
            return None
        major, minor, patch = (*map(int, numbers), 0, 0)[:3]
        return cls(tag, (major, minor, patch), len(numbers), match[4], match[5])

    @property
    def is_full(self) -> bool:
        """Whether it has all three numbers: it names one release, `1.0` moves along."""
        return self.given == len(self.numbers)

    @property
    def is_release(self) -> bool:
        """Whether it is a full version and no pre-release."""
        return self.is_full and self.prerelease is None

    @cached_property
    def version(self) -> Version:
        """The version in semver's terms, missing numbers read as 0."""
        from semver import Version

        return Version(*self.numbers, prerelease=self.prerelease, build=self.build)

    def __str__(self) -> str:
        return str(self.version)


def _is_padded(number: str) -> bool:
    """Leading zeros make dates of numbers, and semver forbids them."""
    return len(number) > 1 and number.startswith("0")


def newest_first(versions: Iterable[TagVersion]) -> list[TagVersion]:
    """Highest precedence first; of equals the one that says more (`1.0.0`, `1.0`, `1`)."""
    by_name = sorted(versions, key=lambda found: (-found.given, found.build or "", found.tag))
    return sorted(by_name, key=_rank, reverse=True)


def _rank(found: TagVersion) -> tuple[tuple[int, int, int], bool, Version | None]:
    """Precedence; semver's own comparison is slow, and only pre-releases need it."""
    if found.prerelease is None:
        return found.numbers, True, None
    return found.numbers, False, found.version


def sort_tags(tags: Iterable[str]) -> list[str]:
    """Versions first, the newest leading; then all other tags by name."""
    read = {tag: TagVersion.parse(tag) for tag in tags}
    versions = newest_first(found for found in read.values() if found is not None)
    return [
        *(found.tag for found in versions),
        *sorted(tag for tag, found in read.items() if found is None),
    ]
