"""Take tags and images away at their registry; never more of them than was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentoci.api.locations import LayoutLocation, parse_location
from agentoci.api.remotegraph import GraphReader, RemoteGraph
from agentoci.api.repositories import as_written, open_repository
from agentoci.errors import Conflict
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import subject_of
from agentoci.spec.reference import InvalidReference, Reference

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


class StillNeeded(Conflict):
    """Other tags, or an index, lead to the manifest that is to be deleted."""


class OtherContent(Conflict):
    """The tag means other content than the reference pins."""


@dataclass(frozen=True, slots=True)
class RemotelyRemoved:
    """What went, or would go: tags and, when `deleted`, the manifest with them.

    `attachments` are tags that stay and speak of the manifest.
    """

    repository: str
    tags: tuple[str, ...]
    digest: Digest
    deleted: bool
    attachments: tuple[str, ...] = ()


def untag(engine: Engine, text: str, *, dry_run: bool = False) -> RemotelyRemoved:
    """Take a tag away at its registry; the manifest and its other tags stay.

    Raises InvalidReference for what has no tag, OtherContent, ManifestNotFound, DeletionDisabled,
    TagsLost and other registry errors.
    """
    reference = _written(text)
    if reference.tag is None:
        raise InvalidReference(f"{text!r} has no tag", hint=f"write {reference.name}:TAG")
    repository = open_repository(engine, reference, push=not dry_run)
    meant = repository.resolve(reference.tag)
    if reference.digest not in (None, meant.digest):
        raise OtherContent(f"{text}: the tag means {meant.digest} now")
    if not dry_run:
        repository.deletion.tag(reference.tag)
    return RemotelyRemoved(repository.full_name, (reference.tag,), meant.digest, deleted=False)


def remove(
    engine: Engine, text: str, *, force: bool = False, dry_run: bool = False
) -> RemotelyRemoved:
    """Delete a manifest at its registry, and with it all its tags.

    Raises StillNeeded when other tags mean it or a tagged index lists it, unless `force`;
    InvalidReference, OtherContent, ManifestNotFound, DeletionDisabled and other registry errors.
    """
    reference = _written(text)
    if reference.tag is None and reference.digest is None:
        raise InvalidReference(
            f"{text!r} names no image", hint=f"write {reference.name}:TAG or @sha256:…"
        )
    repository = open_repository(engine, reference)
    desc = repository.resolve(reference.tag or str(reference.digest))
    if reference.digest not in (None, desc.digest):
        raise OtherContent(f"{text}: the tag means {desc.digest} now")
    reader = GraphReader(repository)
    reader.read_indexes()
    tags = reader.graph.tags_of(desc.digest)
    if not force:
        _check_needs(reader.graph, text, desc.digest, [t for t in tags if t != reference.tag])
    if not dry_run:
        repository.deletion.manifest(desc.digest, tags)
    attachments = [tag for tag in reader.graph.tags if subject_of(tag) == desc.digest]
    return RemotelyRemoved(
        repository.full_name, tuple(tags), desc.digest, deleted=True, attachments=tuple(attachments)
    )


def remove_blob(engine: Engine, text: str) -> Digest:
    """Delete a blob of a repository, whoever needs it; raises as `remove` does."""
    reference = _written(text)
    if reference.digest is None:
        raise InvalidReference(f"{text!r} names no blob", hint=f"write {reference.name}@sha256:…")
    open_repository(engine, reference).deletion.blob(reference.digest)
    return reference.digest


def _check_needs(graph: RemoteGraph, text: str, digest: Digest, others: Sequence[str]) -> None:
    if others:
        raise StillNeeded(
            f"{text}: {digest} has other tags, which would go with it: {', '.join(others)}",
            hint="`agent untag` takes one tag away; --force deletes all of it",
        )
    parents = graph.parents_of(digest)
    if parents:
        names = [tag for parent in parents for tag in graph.tags_of(parent)] or map(str, parents)
        raise StillNeeded(
            f"{text}: {digest} is listed by an index: {', '.join(names)}",
            hint="remove the index first, or use --force, which leaves it broken",
        )


def _written(text: str) -> Reference:
    if isinstance(parse_location(text), LayoutLocation):
        raise InvalidReference(
            f"{text!r} is a layout, where a registry is meant", hint="write HOST/NAME:TAG"
        )
    return as_written(text)
