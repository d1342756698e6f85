"""The tags of a repository: at its registry, in a layout, or in the local store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from agentoci._internal.threads import each
from agentoci.api.locations import LayoutLocation, parse_location
from agentoci.api.repositories import open_repository, repository_named
from agentoci.content.protocols import ContentNotFound, Resolver
from agentoci.content.standing import meant_by
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import is_digest_tag
from agentoci.spec.ranges import VersionRange
from agentoci.spec.version import TagVersion, sort_tags
from agentoci.store.index import Entry
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

_WORKERS: Final = 8
"""Tags that are resolved at once."""


class NothingInRange(ContentNotFound):
    """No tag of the repository is a version in the range."""


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag; `version` when it reads as one, `digest` when it was asked for and is there."""

    tag: str
    version: TagVersion | None
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class TagList:
    """What `agent tags` shows: the rows, the newest version first, and how many there are in all.

    `hidden` tags are made of digests: they hold signatures and lists of referrers.
    """

    repository: str
    rows: tuple[TagRow, ...]
    total: int
    hidden: int = 0


def list_tags(
    engine: Engine,
    text: str,
    *,
    digests: bool = False,
    limit: int | None = None,
    everything: bool = False,
) -> TagList:
    """The tags of `HOST/REPOSITORY`, `oci:DIR[:NAME]` or a repository of the local store.

    A short name that the local store does not hold is asked for at the default registry. `digests`
    resolves each shown tag; `everything` shows tags that are made of digests, too. Raises
    InvalidReference, ContentNotFound, ListingIncomplete, registry errors.
    """
    location = parse_location(text)
    if isinstance(location, LayoutLocation):
        layout = LayoutStore.open(location.folder, clock=engine.clock)
        held = _held(layout.index.read(), location.name)
        return _listed(text, held, held, limit=limit, everything=everything)
    reference = repository_named(text)
    if reference.is_local:
        held = _held(engine.store.index.read(), reference.name)
        found = _listed(text, held, held, limit=limit, everything=everything)
        if found.rows or not engine.transfers.has_registry(text):
            return _not_empty(found)
    repository = open_repository(engine, reference)
    found = _listed(repository.full_name, repository.tags(), {}, limit=limit, everything=everything)
    if not digests:
        return found
    resolved = resolve_tags(repository, [row.tag for row in found.rows])
    digest_of = {tag: desc.digest for tag, desc in resolved.items()}
    rows = tuple(replace(row, digest=digest_of.get(row.tag)) for row in found.rows)
    return replace(found, rows=rows)


def newest_tag(engine: Engine, text: str, wanted: VersionRange) -> TagRow:
    """The newest version in a range, with its digest.

    A tag of fewer numbers (`1.2`) counts where no fuller one is of its numbers, and only if all
    that it can mean is in the range. Raises NothingInRange, and what `list_tags` raises.
    """
    from agentoci.release.tagversions import in_range

    found = list_tags(engine, text)
    rows = {f"{found.repository}:{row.tag}": row for row in found.rows}
    for candidate in in_range(wanted, found.repository, [row.tag for row in found.rows]):
        row = rows[candidate.reference]
        digest = row.digest or _digest_at(engine, text, row.tag)
        if digest is not None:
            return replace(row, digest=digest)
    there = [str(row.version) for row in found.rows if row.version is not None]
    raise NothingInRange(
        f"{found.repository}: no version in {wanted}",
        hint=f"the newest is {there[0]}" if there else "none of its tags is a version",
    )


def _digest_at(engine: Engine, text: str, tag: str) -> Digest | None:
    desc = meant_by(open_repository(engine, repository_named(text)), tag)
    return desc.digest if desc is not None else None


def resolve_tags(source: Resolver, tags: Sequence[str]) -> dict[str, Descriptor]:
    """What each tag means, several at a time; one that is gone meanwhile is left out.

    Raises what the registry says to any of them.
    """
    found = each(partial(meant_by, source), tags, workers=_WORKERS, name="tags")
    return {tag: desc for tag, desc in zip(tags, found, strict=True) if desc is not None}


def _held(entries: Iterable[Entry], name: str | None) -> dict[str, Digest]:
    """The tags of a layout; other tools write bare tags as names there."""
    digest_of: dict[str, Digest] = {}
    for entry in entries:
        repository, tag = split_entry_name(entry.name or "")
        if tag and name in (None, repository):
            digest_of[tag] = entry.digest
    return digest_of


def _listed(
    shown: str,
    tags: Iterable[str],
    digest_of: Mapping[str, Digest],
    *,
    limit: int | None,
    everything: bool,
) -> TagList:
    found = sort_tags(tags)
    kept = [tag for tag in found if everything or not is_digest_tag(tag)]
    rows = tuple(TagRow(tag, TagVersion.parse(tag), digest_of.get(tag)) for tag in kept[:limit])
    return TagList(shown, rows, len(kept), len(found) - len(kept))


def split_entry_name(name: str) -> tuple[str, str]:
    """Repository and tag of a name in a layout; either may be empty."""
    if "@" in name:
        return name.partition("@")[0], ""
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else ("", "" if "/" in name else name)


def _not_empty(found: TagList) -> TagList:
    if found.rows:
        return found
    raise ContentNotFound(
        f"{found.repository}: no such repository in the local store",
        hint="write HOST/REPOSITORY for one at a registry; `agent images` lists what is here",
    )
