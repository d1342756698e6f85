"""Write and read search indexes: lists of agents that any registry or layout keeps."""

from __future__ import annotations

import contextlib
import difflib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from agentoci._internal.threads import each
from agentoci.api.ends import entry_meant, open_source
from agentoci.api.locations import (
    LayoutLocation,
    Location,
    given_name,
    parse_location,
    reference_named,
)
from agentoci.content.protocols import ContentNotFound, Target
from agentoci.registry.search.artifact import read_index
from agentoci.registry.search.describe import Described, describe
from agentoci.registry.search.document import (
    MAX_ANNOTATION,
    MAX_ANNOTATIONS,
    MAX_DESCRIPTION,
    MAX_SHORT,
    IndexedAgent,
    SearchIndex,
)
from agentoci.registry.search.hits import plain
from agentoci.registry.search.update import Change, Updated, Writing, update_index
from agentoci.registry.turns import Turns
from agentoci.spec import annotations as keys
from agentoci.spec.digest import Digest
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

_WORKERS: Final = 8


class NotInIndex(ContentNotFound):
    """The search index lists no such agent."""


@dataclass(frozen=True, slots=True)
class IndexChange:
    """What a change did: the index's digest now, entries that came, changed and went."""

    digest: Digest
    added: tuple[IndexedAgent, ...] = ()
    replaced: tuple[IndexedAgent, ...] = ()
    removed: tuple[IndexedAgent, ...] = ()


def add(
    engine: Engine, where: str, images: Sequence[str], *, as_image: bool | None = None
) -> IndexChange:
    """List images in the index at `where`, which is made when it is not there.

    Each image is looked up at its registry, or in the local store when its name has none; one that
    is not there keeps all from being listed. `as_image` writes the profile of container images;
    None keeps what the index has. Raises ContentNotFound, IndexContended, registry errors.
    """
    entries = each(partial(entry_of, engine), images, workers=_WORKERS, name="entries")
    done = _update(engine, where, lambda index: index.with_entries(entries), as_image=as_image)
    before = done.before or SearchIndex()
    listed = SearchIndex(entries).entries
    return IndexChange(
        done.root.digest,
        added=tuple(entry for entry in listed if before.find(entry.key) is None),
        replaced=tuple(entry for entry in listed if before.find(entry.key) not in (None, entry)),
    )


def remove(engine: Engine, where: str, names: Sequence[str]) -> IndexChange:
    """Take agents out of the index: `NAME` with all its versions, or `NAME:VERSION`.

    Raises NotInIndex before anything changes, ContentNotFound, IndexContended, registry errors.
    """
    wanted = set(names)

    def goes(entry: IndexedAgent) -> bool:
        return not wanted.isdisjoint({entry.name, entry.reference})

    present = list_agents(engine, where)
    for name in names:
        _check_listed(where, name, present)
    done = _update(engine, where, lambda index: index.without(goes))
    before = done.before or SearchIndex()
    return IndexChange(done.root.digest, removed=tuple(filter(goes, before.entries)))


def list_agents(engine: Engine, where: str) -> SearchIndex:
    """What the index at `where` lists; raises NotASearchIndex, ContentNotFound, registry errors."""
    location = parse_location(where)
    if not isinstance(location, LayoutLocation):
        location = engine.transfers.at_registry(location)
    with open_source(engine, location) as source:
        return read_index(source.target, source.root, what=where).index


def entry_of(engine: Engine, text: str) -> IndexedAgent:
    """How an image is listed: what its name, its manifest and its definition say.

    Raises ContentNotFound, and InvalidReference for one without a name or version.
    """
    location = parse_location(text)
    if not isinstance(location, LayoutLocation) and engine.settings.file.default_registry:
        location = engine.transfers.at_registry(location)
    try:
        with open_source(engine, location) as source:
            found = describe(source.target, source.root)
            reference = _reference(text, location, source.name)
            return _entry(text, reference, source.root.digest, found)
    except ContentNotFound as exc:
        if isinstance(location, Reference) and not location.is_local:
            exc.hint = f"is it there? agent push {location}"
        raise


def _reference(text: str, location: Location, name: str | None) -> Reference:
    """Under what name people will pull it."""
    if isinstance(location, Reference):
        return location
    found = reference_named(name)
    if found is None:
        raise InvalidReference(
            f"{text}: the layout does not say what the image is called",
            hint="tag it NAME:VERSION, or add it from its registry",
        )
    return found


def _entry(text: str, reference: Reference, digest: Digest, found: Described) -> IndexedAgent:
    version = reference.tag or (found.version or "").replace("+", "_")
    if not version:
        raise InvalidReference(
            f"{text}: neither the name nor the image says which version it is",
            hint="give the image by NAME:TAG",
        )
    told = {keys.TITLE, keys.DESCRIPTION}
    rest = {
        key: value
        for key, value in sorted(found.annotations.items())
        if key not in told and len(key) <= MAX_SHORT and len(value) <= MAX_ANNOTATION
    }
    return IndexedAgent(
        name=reference.name,
        version=version,
        digest=str(digest),
        title=plain(found.title, longest=MAX_SHORT) or None,
        description=plain(found.description, longest=MAX_DESCRIPTION) or None,
        artifact_type=plain(found.kind, longest=MAX_SHORT) or None,
        annotations=dict(list(rest.items())[:MAX_ANNOTATIONS]),
    )


def _update(engine: Engine, where: str, change: Change, *, as_image: bool | None = None) -> Updated:
    with _writing(engine, parse_location(where)) as (target, name, what, writing):
        return update_index(target, name, change, as_image=as_image, writing=writing, what=what)


@contextlib.contextmanager
def _writing(engine: Engine, location: Location) -> Iterator[tuple[Target, str, str, Writing]]:
    """The index's target, its name in it and in full, and how to behave among other writers."""
    chance = random.SystemRandom().random
    if isinstance(location, LayoutLocation):
        if location.name is None:
            raise InvalidReference(
                f"{location}: the index needs a name", hint=f"{location}:agents-index:latest"
            )
        store = LayoutStore.create(location.folder, clock=engine.clock)
        name = _name_there(store, location)
        turns = Turns(location.folder / "ingest", engine.clock)
        with store.using():
            yield store, name, f"oci:{location.folder}:{name}", Writing(turns, chance, alone=True)
        return
    reference = engine.transfers.at_registry(location)
    given_name(reference)
    repository = engine.client.repository(reference, push=True)
    writing = Writing(repository.endpoint.turns, chance)
    yield repository, reference.selector, str(reference), writing


def _name_there(store: LayoutStore, location: LayoutLocation) -> str:
    """What the layout calls the index, which may be `NAME:latest` for NAME."""
    with contextlib.suppress(ContentNotFound):
        return entry_meant(store.index.read(), location).name or str(location.name)
    return str(location.name)


def _check_listed(where: str, name: str, index: SearchIndex) -> None:
    known = {entry.name for entry in index.entries} | {e.reference for e in index.entries}
    if name in known:
        return
    near = difflib.get_close_matches(name, sorted(known), 1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"agent index ls {where}"
    raise NotInIndex(f"{where} lists no {name!r}", hint=hint)
