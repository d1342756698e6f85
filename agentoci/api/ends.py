"""The two ends of a copy: what a location means, opened for reading or for writing."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentoci.api.locations import (
    AnyLocation,
    ArchiveLocation,
    LayoutLocation,
    given_name,
)
from agentoci.api.sharing import SharingTarget, Traffic
from agentoci.content.protocols import ContentNotFound, ReadableTarget, Target
from agentoci.content.recursion import Neighbours
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import is_digest_tag
from agentoci.spec.reference import Reference
from agentoci.store.index import Entry
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.store.archivefile import ArchiveFile


@dataclass(frozen=True, slots=True)
class SourceEnd:
    """What is copied: `root` in `target`; `name` is how it is called there, None: not at all."""

    target: ReadableTarget
    root: Descriptor
    name: str | None
    beside: Neighbours


@dataclass(frozen=True, slots=True)
class TargetEnd:
    """Where it goes: `name` in `target`; not `parallel` is one that takes a blob at a time."""

    target: Target
    name: str
    beside: Neighbours
    parallel: bool = True


@contextlib.contextmanager
def open_source(
    engine: Engine, location: AnyLocation, *, known_tags: frozenset[str] | None = None
) -> Iterator[SourceEnd]:
    """Find what a location means; raises ContentNotFound and registry errors.

    `known_tags` are all tags of a repository, when somebody has listed them already.
    """
    with ExitStack() as stack:
        if isinstance(location, ArchiveLocation):
            yield _archived(stack.enter_context(_open_archive(location)), location)
        elif isinstance(location, LayoutLocation):
            layout = LayoutStore.open(location.folder, clock=engine.clock)
            entries = layout.index.read()
            yield _found(layout, entry_meant(entries, location), entries)
        elif location.is_local:
            entry = engine.images.find(str(location))
            yield _found(engine.store, entry, engine.store.index.read())
        else:
            repository = engine.client.repository(location)
            root = repository.resolve(location.selector)
            name = location.tagged if location.tag else None
            yield SourceEnd(repository, root, name, Neighbours(known=known_tags))


def _open_archive(location: ArchiveLocation) -> ArchiveFile:
    from agentoci.store.archivefile import ArchiveFile

    return ArchiveFile(location.file)


def _archived(archive: ArchiveFile, location: ArchiveLocation) -> SourceEnd:
    return _found(archive, entry_meant(archive.entries, location), archive.entries)


def _found(target: ReadableTarget, entry: Entry, entries: Sequence[Entry]) -> SourceEnd:
    names = [known.name for known in entries if known.name]
    beside = Neighbours.of(entry.name or "", names)
    return SourceEnd(target, entry.desc.bare(), entry.name, beside)


def entry_meant(
    entries: Sequence[Entry],
    location: LayoutLocation | ArchiveLocation,
    *,
    by_name: bool = False,
) -> Entry:
    """The entry that a location means; without a name, the only image. Raises ContentNotFound.

    One image under two names is two where its name matters (`by_name`). What hangs on images
    (referrers without a name, cosign's tags) is not taken for one.
    """
    where = location.folder if isinstance(location, LayoutLocation) else location.file
    wanted = location.name
    if wanted is not None:
        for name in (wanted, f"{wanted}:latest"):
            for entry in entries:
                if name in (entry.name, str(entry.digest)):
                    return entry
    images = named_images(entries) or list(entries)
    names = sorted(entry.name or str(entry.digest) for entry in images)
    hint = f"it holds {', '.join(names[:5]) or 'nothing'}"
    if wanted is not None:
        raise ContentNotFound(f"{where}: no image {wanted!r} in it", hint=hint)
    if len({entry.name if by_name else entry.digest for entry in images}) == 1:
        return images[0]
    raise ContentNotFound(f"{where}: say which image: {location}:NAME", hint=hint)


def find_in_layout(
    engine: Engine, location: LayoutLocation, *, by_name: bool = False
) -> tuple[LayoutStore, Entry]:
    """A layout, opened for reading, and what a location means in it; raises ContentNotFound."""
    layout = LayoutStore.open(location.folder, clock=engine.clock)
    return layout, entry_meant(layout.index.read(), location, by_name=by_name)


def named_images(entries: Sequence[Entry]) -> list[Entry]:
    """The entries with names that are images' names."""
    return [entry for entry in entries if entry.name and not is_digest_tag(entry.name)]


def target_name(location: AnyLocation, source: SourceEnd) -> str:
    """What the copy will be called in the target; where nothing is said, as in the source."""
    if isinstance(location, Reference):
        return given_name(location) if location.is_local else location.tag or location.selector
    return location.name or source.name or str(source.root.digest)


def shown_target(location: AnyLocation, name: str) -> str:
    """The target for people and reports, with the name that the copy gets."""
    return str(location if isinstance(location, Reference) else replace(location, name=name))


def present_at(engine: Engine, location: AnyLocation, name: str) -> Digest | None:
    """What a name means in a target now; nothing is made."""
    try:
        return _readable(engine, location).resolve(name).digest
    except ContentNotFound:
        return None


def _readable(engine: Engine, location: AnyLocation) -> ReadableTarget:
    if isinstance(location, ArchiveLocation):
        with _open_archive(location) as archive:
            return archive  # its index was read
    if isinstance(location, LayoutLocation):
        return LayoutStore(location.folder, clock=engine.clock)
    return engine.store if location.is_local else engine.client.repository(location, push=True)


@contextlib.contextmanager
def open_target(
    engine: Engine,
    location: AnyLocation,
    name: str,
    *,
    traffic: Traffic | None = None,
    dry: bool = False,
) -> Iterator[TargetEnd]:
    """Open a target for writing; `dry` makes nothing, `traffic` tells what other copies send.

    An archive replaces the one that is there when the block ends well. Raises what the disk and
    registries say.
    """
    with ExitStack() as stack:
        if isinstance(location, Reference) and not location.is_local:
            repository = engine.client.repository(location, push=True)
            shared = repository if traffic is None else SharingTarget(repository, traffic)
            yield TargetEnd(shared, name, Neighbours())
            return
        target = _writable(engine, stack, location, dry=dry)
        one_by_one = isinstance(location, ArchiveLocation)
        yield TargetEnd(target, name, Neighbours.of(name), parallel=not one_by_one)


def _writable(engine: Engine, stack: ExitStack, location: AnyLocation, *, dry: bool) -> Target:
    """An archive, a layout or the local store."""
    if isinstance(location, ArchiveLocation):
        from agentoci.store.archive import ArchiveWriter
        from agentoci.store.archivefile import writing_archive

        if dry:
            return ArchiveWriter(io.BytesIO())
        return stack.enter_context(writing_archive(location.file))
    folder = location.folder if isinstance(location, LayoutLocation) else engine.settings.store
    if dry:
        return LayoutStore(folder, clock=engine.clock)
    store = LayoutStore.create(folder, clock=engine.clock)
    stack.enter_context(store.using())
    return store
