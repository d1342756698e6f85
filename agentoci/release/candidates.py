"""What resolving speaks of: who wants what, and which versions there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from agentoci.spec.ranges import VersionRange, point_of

if TYPE_CHECKING:
    from semver import Version

    from agentoci.spec.digest import Digest

ROOT: Final = "."
"""How a lock calls the agent that it belongs to, as one that wants something."""


class Demand(StrEnum):
    """How much a requirement asks for.

    REQUIRED must be there; OPTIONAL is there when that is possible; a LIMIT asks for nothing. What
    is there must fit all three.
    """

    REQUIRED = "required"
    OPTIONAL = "optional"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A name and the versions of it that will do.

    `repository` (`HOST/TEAM/NAME`) when it must come from there; `said` replaces the words "wants
    RANGE" in reports.
    """

    name: str
    range: VersionRange
    demand: Demand = Demand.REQUIRED
    repository: str | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a name, as its tag tells it.

    `span` when the tag leaves the version open (`1.0`): all that it may turn out to be.
    `reference` is what it is pulled by; `rank` is the place of its source among the sources.
    """

    name: str
    version: Version
    reference: str
    repository: str
    rank: int = 0
    span: VersionRange | None = None
    digest: Digest | None = None

    def may_be(self, wanted: VersionRange) -> bool:
        """Whether the range allows it, as far as can be told without reading it."""
        if self.span is None:
            return wanted.allows(self.version)
        return wanted.overlaps(self.span)

    def settled(self, version: Version, digest: Digest) -> Candidate:
        """The same, its version and digest known."""
        return replace(self, version=version, span=None, digest=digest)


@dataclass(frozen=True, slots=True)
class Known:
    """A candidate that was read: its version and digest are true, and these are its needs."""

    candidate: Candidate
    needs: tuple[Requirement, ...] = ()

    @property
    def digest(self) -> Digest:
        """The digest of its manifest."""
        found = self.candidate.digest
        if found is None:
            raise ValueError(f"{self.candidate.reference} was not read")
        return found

    @property
    def key(self) -> str:
        """`name@version`, by which a lock knows it as one that wants something."""
        return f"{self.candidate.name}@{self.candidate.version}"

    @property
    def title(self) -> str:
        """`name version`, for reports."""
        return f"{self.candidate.name} {self.candidate.version}"


class Candidates(Protocol):
    """Where versions come from."""

    def versions(self, name: str, repository: str | None) -> Sequence[Candidate]:
        """All that there is of a name: in that repository, or wherever names are looked for."""
        ...

    def read(self, candidate: Candidate) -> Known | None:
        """Its true version, its digest and its needs; None when it is no agent, or gone."""
        ...


@dataclass(frozen=True, slots=True)
class Want:
    """A requirement and who has it: `by` for reports, `key` in locks, `holder` among the chosen
    names (None: nobody who could be chosen otherwise)."""

    requirement: Requirement
    by: str
    key: str
    holder: str | None = None

    def takes(self, candidate: Candidate) -> bool:
        """Whether the candidate will do, as far as can be told."""
        wanted = self.requirement
        return candidate.may_be(wanted.range) and wanted.repository in (None, candidate.repository)

    def __str__(self) -> str:
        if self.requirement.said:
            return f"{self.by} {self.requirement.said}"
        where = f" from {self.requirement.repository}" if self.requirement.repository else ""
        return f"{self.by} wants {self.requirement.range}{where}"


def newest_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The order in which they are tried: higher versions, then earlier sources."""
    by_source = sorted(candidates, key=lambda c: (c.span is not None, c.rank, c.reference))
    return sorted(by_source, key=lambda c: point_of(c.version), reverse=True)
