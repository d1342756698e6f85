"""Search for agents: in the local store, in index artifacts, at registries; all at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from agentoci.api.images import ImageRow
from agentoci.api.locations import LayoutLocation
from agentoci.api.searchsources import HUB, INDEX, LOCAL, Source, default_sources
from agentoci.errors import AgentociError, Invalid, Unreachable
from agentoci.registry.search.describe import describe
from agentoci.registry.search.gather import gather
from agentoci.registry.search.hits import Found, Hit, Query, first, plain
from agentoci.spec.reference import Reference
from agentoci.store.index import Entry

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.registry.client import RegistryClient
    from agentoci.registry.search.document import SearchIndex

_GRACE: Final = 1.0
"""Seconds that a source gets beyond its own to put together what it has."""

_TRIES_IN_TIME: Final = 3


class NothingToFind(Invalid):
    """A search for no text."""


class SourceTimeout(Unreachable):
    """A source did not answer in its time; the others may have."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Where to search (None: the usual places), how many hits, and whether of all artifacts."""

    sources: Sequence[str] | None = None
    limit: int = 25
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a source could not do: wholly, with `error`, or in part."""

    source: Source
    message: str
    error: AgentociError | None = None


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search brought: the best hit first; `complaints` in the order of the sources.

    `failure` is the error to raise when no source answered at all.
    """

    hits: tuple[Hit, ...]
    complaints: tuple[Complaint, ...]
    failure: AgentociError | None


def search(engine: Engine, text: str, options: SearchOptions | None = None) -> Searched:
    """Ask all sources for agents with `text` in name or description.

    Each source has its own time, and one that fails does not keep the others from answering.
    Raises InvalidSource, NothingToFind.
    """
    options = options or SearchOptions()
    settings = engine.settings.file
    if not text.strip():
        raise NothingToFind("nothing to search for", hint="`agent images` lists what is here")
    if options.sources is None:
        sources = default_sources(settings.default_registry, settings.search.sources)
    else:
        sources = list(dict.fromkeys(map(Source.parse, options.sources)))
    seconds, clock = settings.search.timeout, engine.clock
    until = clock.monotonic() + seconds
    query = Query(text.strip(), options.limit, options.everything, until, clock)
    with contextlib.closing(_Asking(engine, query, seconds)) as asking:
        jobs = [partial(asking.ask, source) for source in sources]
        outcomes = gather(jobs, workers=len(jobs), until=until + _GRACE, clock=clock)
    found: list[Hit] = []
    complaints: list[Complaint] = []
    for source, outcome in zip(sources, outcomes, strict=True):
        answer = outcome.value if outcome is not None else None
        if answer is None:
            failed = outcome.error if outcome is not None else None
            error = _too_late(source, seconds) if failed is None else failed
            complaints.append(_complaint(source, error))
            continue
        found += [replace(hit, source=str(source)) for hit in answer.hits]
        complaints += [Complaint(source, warning) for warning in answer.warnings]
    return Searched(first(found, query), tuple(complaints), _failure(sources, complaints))


class _Asking:
    """Asks sources, from several threads, with one client that is made when the first needs it."""

    def __init__(self, engine: Engine, query: Query, seconds: float) -> None:
        self._engine = engine
        self._query = query
        self._seconds = seconds
        self._opened: RegistryClient | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            self._opened.close()

    def ask(self, source: Source) -> Found:
        """Search one place; raises what it raises."""
        if source.kind == LOCAL:
            return self._ask_store()
        if source.kind == INDEX:
            return self._ask_index(source)
        from agentoci.registry.search import drivers
        from agentoci.registry.search.repositories import Place

        if source.kind == HUB:
            return drivers.search_hub(self._client(), source.host, self._query)
        driver = {
            "registry": drivers.search_registry,
            "catalog": drivers.search_catalog,
            "zot": drivers.search_zot,
            "harbor": drivers.search_harbor,
        }[source.kind]
        return driver(self._client(), Place(source.host, source.prefix), self._query)

    def _client(self) -> RegistryClient:
        with self._lock:
            if self._opened is None:
                self._opened = self._engine.client.hasty(seconds=self._seconds / _TRIES_IN_TIME)
            return self._opened

    def _ask_store(self) -> Found:
        entries = self._engine.store.index.read()
        return self._matching(self._hit_of(entry) for entry in entries if entry.name)

    def _hit_of(self, entry: Entry) -> Hit:
        row = ImageRow.of(entry)
        hit = Hit(row.repository or "", row.tag, str(row.digest), "", row.name, row.kind or "")
        if self._query.wants(hit.kind):
            with contextlib.suppress(AgentociError):  # a damaged image has a name all the same
                description = describe(self._engine.store, entry.desc).description
                return replace(hit, description=plain(description))
        return hit

    def _ask_index(self, source: Source) -> Found:
        location = source.location
        warnings: tuple[str, ...] = ()
        if isinstance(location, LayoutLocation):
            index = self._read_layout(location)
        else:
            index, warnings = self._read_remote(location)
        found = self._matching(
            Hit(
                entry.name,
                entry.version,
                entry.digest,
                plain(entry.description),
                plain(entry.title) or None,
                entry.artifact_type,
            )
            for entry in index.entries
        )
        return Found(found.hits, warnings)

    def _read_layout(self, location: LayoutLocation) -> SearchIndex:
        from agentoci.api.ends import find_in_layout
        from agentoci.registry.search.artifact import read_index

        layout, entry = find_in_layout(self._engine, location)
        return read_index(layout, entry.desc.bare(), what=str(location)).index

    def _read_remote(self, location: Reference) -> tuple[SearchIndex, tuple[str, ...]]:
        """As it is at its registry, or as it was when that does not answer; and a warning then."""
        from agentoci.api.searchcache import SearchCache
        from agentoci.registry.search.artifact import read_index

        reference = self._engine.transfers.at_registry(location)
        what = str(reference)
        cache = SearchCache(self._engine.settings.cache / "indexes")
        known = cache.get(what)
        if known is not None and known.digest == reference.digest:
            return known.index, ()
        repository = self._client().repository(reference)
        try:
            root = repository.resolve(reference.selector)
            if known is not None and known.digest == root.digest:
                return known.index, ()
            index = read_index(repository, root, what=what).index
        except Unreachable as exc:
            if known is None:
                raise
            return known.index, (f"{exc.message}; searched as it was when it was last read",)
        cache.keep(what, root.digest, index)
        return index, ()

    def _matching(self, hits: Iterable[Hit]) -> Found:
        query = self._query
        matching = [h for h in hits if query.wants(h.kind) and query.relevance(h) is not None]
        return Found(first(matching, query))


def _complaint(source: Source, error: Exception) -> Complaint:
    known = error if isinstance(error, AgentociError) else None
    return Complaint(source, str(error), known)


def _too_late(source: Source, seconds: float) -> SourceTimeout:
    return SourceTimeout(
        f"{source}: no answer within {seconds:g} s", hint="search.timeout in the config file"
    )


def _failure(sources: Sequence[Source], complaints: Sequence[Complaint]) -> AgentociError | None:
    errors = [complaint.error for complaint in complaints if complaint.error is not None]
    return errors[0] if errors and len(errors) == len(sources) else None
