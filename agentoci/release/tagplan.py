"""Which tags a release moves: its version, and those that stand for a line of versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from semver import Version

from agentoci.release.history import History, Line

LATEST: Final = "latest"


@dataclass(frozen=True, slots=True)
class Kept:
    """A tag that stays where it is, and why: `higher` is the release that it stands for."""

    tag: str
    reason: str
    higher: str | None = None


@dataclass(frozen=True, slots=True)
class TagPlan:
    """The tags that are to mean a release, in the order in which they are given, and the others.

    `version` is the first and never moves again; `moves` are `1.4`, `1` and `latest`.
    """

    version: str
    moves: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()


def plan_tags(existing: Iterable[str], version: Version) -> TagPlan:
    """The plan for a release in a repository that has these tags; itself may be among them.

    A tag that stands for a line moves to the highest release of the line only, so never back.
    Pre-releases move none. `0` is none: below 1.0.0 every minor version may break.
    """
    history = History.of(existing)
    named = history.named(version)
    prefix = history.prefix
    tag = f"{prefix}{version}" if named is None else named.tag
    lines = _lines(version, prefix)
    if version.prerelease:
        why = f"{version} is a pre-release"
        return TagPlan(tag, kept=tuple(Kept(name, why) for name in lines))
    moves: list[str] = []
    kept: list[Kept] = []
    for name, line in lines.items():
        higher = _higher(history, version, line)
        if higher is not None:
            kept.append(Kept(name, f"{higher} is higher", higher))
        else:
            moves.append(name)
    return TagPlan(tag, tuple(moves), tuple(kept))


def _lines(version: Version, prefix: str) -> dict[str, Line]:
    """The tags that stand for a line of this version, with the numbers that the line begins with.

    The most exact first: who is killed in between leaves `latest` behind, not ahead.
    """
    lines: dict[str, Line] = {}
    lines[f"{prefix}{version.major}.{version.minor}"] = (version.major, version.minor)
    if version.major:
        lines[f"{prefix}{version.major}"] = (version.major,)
    lines[LATEST] = ()
    return lines


def _higher(history: History, version: Version, line: Line) -> str | None:
    numbers = (version.major, version.minor, version.patch)
    for one in history.releases:
        if one.numbers[: len(line)] == line and one.numbers > numbers:
            return one.tag
    return None
