"""The versions of a repository, as its tags tell them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from semver import Version

from agentoci.spec.version import TagVersion, newest_first

Line: TypeAlias = tuple[int, ...]
"""The numbers that the versions of a release line begin with: `(1, 3)`; all versions: `()`."""


@dataclass(frozen=True, slots=True)
class History:
    """The full versions of a repository, newest first; `prefix` is what its tags begin with."""

    versions: tuple[TagVersion, ...]

    @classmethod
    def of(cls, tags: Iterable[str]) -> History:
        """Of all tags: those that are no full versions tell nothing."""
        read = (TagVersion.parse(tag) for tag in tags)
        return cls(tuple(newest_first(one for one in read if one is not None and one.is_full)))

    @property
    def releases(self) -> tuple[TagVersion, ...]:
        """Those that are no pre-releases."""
        return tuple(one for one in self.versions if one.is_release)

    @property
    def prefix(self) -> str:
        """`v` where the newest release is called so (`v1.4.2`), else nothing."""
        newest = next(iter(self.releases or self.versions), None)
        return newest.tag[0] if newest is not None and newest.tag[0] in "vV" else ""

    def last(self, *, below: Version | None = None, line: Line = ()) -> TagVersion | None:
        """The highest release of a line; `below` a version, of which `-rc.1` does not count."""
        limit = None if below is None else below.finalize_version()
        for one in self.releases:
            if one.numbers[: len(line)] == line and (limit is None or release_of(one) < limit):
                return one
        return None

    def named(self, version: Version) -> TagVersion | None:
        """The tag that is this version, however it is written."""
        return next((one for one in self.versions if is_same(one, version)), None)

    def newest_pre(self, base: Version, word: str) -> TagVersion | None:
        """The newest `BASE-WORD.N`."""
        counted = [one for one in self.versions if count_of(one, base, word) is not None]
        return max(counted, key=lambda one: count_of(one, base, word) or 0, default=None)


def count_of(one: TagVersion, base: Version, word: str) -> int | None:
    """The N of a tag that is `BASE-WORD.N`; None for all others."""
    if one.numbers != base.to_tuple()[:3]:
        return None
    match = re.fullmatch(rf"{re.escape(word)}\.(\d{{1,9}})", one.prerelease or "")
    return None if match is None else int(match[1])


def begins(version: Version, line: Line) -> bool:
    """Whether a version belongs to a line."""
    return version.to_tuple()[: len(line)] == line


def release_of(one: TagVersion) -> Version:
    """The version without build metadata, which says nothing of order."""
    return Version(*one.numbers, prerelease=one.prerelease)


def is_same(one: TagVersion, version: Version) -> bool:
    """Whether a tag is this version, whatever its build metadata."""
    return (*one.numbers, one.prerelease) == version.to_tuple()[:4]
