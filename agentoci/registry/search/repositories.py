"""From the names of repositories to hits: the newest tag of each, and what its manifest says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import AgentociError, Denied
from agentoci.registry.client import RegistryClient
from agentoci.registry.search.describe import describe, newest
from agentoci.registry.search.gather import gather
from agentoci.registry.search.hits import Found, Hit, Query, first, plain
from agentoci.spec.reference import InvalidReference, Reference

_WORKERS: Final = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A registry, or the part of it whose repositories begin with `prefix`."""

    host: str
    prefix: str = ""

    def holds(self, repository: str) -> bool:
        """Whether a repository is one of this place, by name."""
        return not self.prefix or f"{repository}/".startswith(f"{self.prefix}/")

    def reference(self, repository: str) -> Reference | None:
        """The reference of a repository; None for a name that cannot be one."""
        try:
            found = Reference.parse(f"{self.host}/{repository}")
        except InvalidReference:
            return None
        return found if found.repository == repository else None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A repository that may hold what is looked for, with what its registry says of it."""

    reference: Reference
    description: str = ""

    @property
    def hit(self) -> Hit:
        """The hit as far as it is known."""
        return Hit(self.reference.name, description=self.description)


def candidates(place: Place, described: Mapping[str, str]) -> list[Candidate]:
    """The repositories that belong to the place, of name → description."""
    found: list[Candidate] = []
    for name, description in described.items():
        reference = place.reference(name) if place.holds(name) else None
        if reference is not None:
            found.append(Candidate(reference, description))
    return found


def examine(client: RegistryClient, among: Iterable[Candidate], query: Query) -> Found:
    """Look at the newest tag of the likeliest repositories until there are hits enough.

    Those that hold nothing, hold something else than agents, or are not for us are left out; what
    else goes wrong with some of them is a warning.
    """
    likely = sorted(among, key=lambda one: query.rank(one.hit))
    warnings: list[str] = []
    if len(likely) > limits.MAX_SEARCH_CANDIDATES:
        warnings.append(
            f"{len(likely)} repositories match, {limits.MAX_SEARCH_CANDIDATES} were looked at"
        )
        likely = likely[: limits.MAX_SEARCH_CANDIDATES]
    hits: list[Hit] = []
    failures: list[AgentociError | None] = []
    while likely and len(hits) < query.limit and query.clock.monotonic() < query.until:
        batch, likely = likely[: query.limit], likely[query.limit :]
        _look(client, batch, query, hits, failures)
    if failures:
        why = next((str(error) for error in failures if error is not None), "no answer in time")
        warnings.append(f"{len(failures)} repositories could not be looked at: {why}")
        if not hits and failures[0] is not None:
            raise failures[0]
    return Found(first(hits, query), tuple(warnings))


def _look(
    client: RegistryClient,
    batch: Iterable[Candidate],
    query: Query,
    hits: list[Hit],
    failures: list[AgentociError | None],
) -> None:
    jobs = [partial(_newest_of, client, candidate, query) for candidate in batch]
    for outcome in gather(jobs, workers=_WORKERS, until=query.until, clock=query.clock):
        error = outcome.error if outcome is not None else None
        if outcome is None or isinstance(error, AgentociError):
            if not isinstance(error, ContentNotFound | Denied):
                failures.append(error if isinstance(error, AgentociError) else None)
        elif outcome.value is not None:
            hits.append(outcome.value)


def _newest_of(client: RegistryClient, candidate: Candidate, query: Query) -> Hit | None:
    repository = client.repository(candidate.reference)
    tag = newest(repository.tags())
    if tag is None:
        return None
    root = repository.resolve(tag)
    found = describe(repository, root)
    if not query.wants(found.kind or ""):
        return None
    return Hit(
        candidate.reference.name,
        tag,
        str(root.digest),
        plain(found.description) or candidate.description,
        plain(found.title) or None,
        found.kind,
    )
