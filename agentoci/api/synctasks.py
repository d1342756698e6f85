"""From the entries of a sync list to single copies: which images, and their names at the target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentoci.api.copying import CopyRules
from agentoci.api.ends import named_images
from agentoci.api.locations import (
    AnyLocation,
    ArchiveLocation,
    LayoutLocation,
    parse_any_location,
    reference_named,
)
from agentoci.api.repositories import as_written
from agentoci.api.synclists import SyncEntry, is_pattern, matching_tags
from agentoci.errors import Invalid, NotFound
from agentoci.spec.digesttags import is_digest_tag
from agentoci.spec.reference import InvalidReference, Reference

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


class NoTagMatches(NotFound):
    """A repository has none of the tags that are to be synced."""


class InvalidSync(Invalid):
    """Sources and targets of a sync that do not go together."""


@dataclass(frozen=True, slots=True)
class SyncTask:
    """One copy; `known_tags` are all tags of the source's repository, when they were listed."""

    source: AnyLocation
    target: AnyLocation
    rules: CopyRules
    known_tags: frozenset[str] | None = None

    @property
    def key(self) -> str:
        """The name that is given: no two images can have one."""
        if isinstance(self.target, Reference) or self.target.name is not None:
            return str(self.target)
        name = self.source.tagged if isinstance(self.source, Reference) else self.source.name
        return f"{self.target}:{name}"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The images that an entry means; `many` when it could be any number."""

    sources: tuple[AnyLocation, ...]
    many: bool
    known_tags: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the images of a list go: `HOST[/PREFIX]`, each under its own name, or a layout."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Check a destination; raises InvalidSync."""
        bare = text.removeprefix("docker://").rstrip("/")
        if bare.startswith("oci-archive:"):
            raise InvalidSync(f"{text}: an archive is written as a whole", hint=_ARCHIVE_HINT)
        try:
            location = parse_any_location(bare if bare.startswith("oci:") else f"{bare}/name")
        except InvalidReference as exc:
            raise InvalidSync(f"{text!r} is not a destination", hint=_FORMS) from exc
        named = isinstance(location, LayoutLocation) and location.name is not None
        if named or (isinstance(location, Reference) and location.is_local):
            raise InvalidSync(f"{text!r} is not a destination", hint=_FORMS)
        return cls(bare)

    def target(self, source: AnyLocation) -> AnyLocation:
        """What a source is called there; raises InvalidSync for one without a name."""
        if self.text.startswith("oci:"):
            return parse_any_location(self.text)
        name = reference_of(source)
        if name is None:
            raise InvalidSync(
                f"{source}: a tag without a name, which says no repository",
                hint="give the entry a target",
            )
        return Reference.parse(f"{self.text}/{replace(name, registry=None)}")


_FORMS = "write HOST[/PREFIX] or oci:DIR"
_ARCHIVE_HINT = "sync into oci:DIR, or write one image by `agent cp`"


def tasks_of(
    engine: Engine, entry: SyncEntry, destination: Destination | None, rules: CopyRules
) -> list[SyncTask]:
    """The copies that an entry asks for; asks registries for their tags where it must.

    Raises InvalidSync, NoTagMatches, ContentNotFound, and registry errors.
    """
    chosen = _choose(engine, entry)
    return [
        SyncTask(source, _target(entry, source, destination, chosen), rules, chosen.known_tags)
        for source in chosen.sources
    ]


def reference_of(source: AnyLocation) -> Reference | None:
    """The name of an image as a reference; None for a bare tag of a layout."""
    if isinstance(source, Reference):
        return source
    return reference_named(source.name)


def _choose(engine: Engine, entry: SyncEntry) -> _Chosen:
    location = parse_any_location(entry.source)
    if not isinstance(location, Reference):
        return _of_layout(engine, entry, location)
    written = as_written(entry.source.removeprefix("docker://"))
    if written.tag or written.digest or location.is_local:
        if entry.tags or entry.newest:
            raise InvalidSync(
                f"{entry.source} names one image, so tags cannot be chosen",
                hint=f"write the repository: {written.name}",
            )
        return _Chosen((location,), many=False)
    if entry.tags and not any(map(is_pattern, entry.tags)):
        return _Chosen(_tagged(location, entry.tags), many=True)
    there = engine.client.repository(location).tags()
    found = _matching(entry, [tag for tag in there if not is_digest_tag(tag)])
    return _Chosen(_tagged(location, found), many=True, known_tags=frozenset(there))


def _tagged(repository: Reference, tags: Iterable[str]) -> tuple[Reference, ...]:
    return tuple(Reference.parse(f"{repository.name}:{tag}") for tag in tags)


def _matching(entry: SyncEntry, there: Sequence[str]) -> list[str]:
    if entry.newest:
        found = _newest(entry.newest, there)
    elif entry.tags:
        names = [tag for tag in entry.tags if not is_pattern(tag)]
        found = list(dict.fromkeys([*names, *matching_tags(there, entry.tags)]))
    else:
        found = list(there)
    if not found:
        wanted = entry.newest or ", ".join(entry.tags) or "any"
        raise NoTagMatches(f"{entry.source}: none of its {len(there)} tags matches ({wanted})")
    return found


def _newest(rule: str, there: Iterable[str]) -> list[str]:
    from agentoci.spec.retention import Retention
    from agentoci.spec.version import TagVersion

    versions = [version for tag in there if (version := TagVersion.parse(tag)) is not None]
    kept = Retention.parse(rule).select(one for one in versions if one.is_release)
    return [version.tag for version in versions if version.tag in kept]


def _of_layout(
    engine: Engine, entry: SyncEntry, location: LayoutLocation | ArchiveLocation
) -> _Chosen:
    if location.name is not None:
        return _Chosen((location,), many=False)
    names = _names(engine, location)
    if entry.tags or entry.newest:
        tags = [_tag_of(name) for name in names]
        wanted = _matching(entry, list(dict.fromkeys(tags)))
        missing = [tag for tag in wanted if tag not in tags]
        names = [name for name in names if _tag_of(name) in wanted] + missing
    return _Chosen(tuple(replace(location, name=name) for name in names), many=True)


def _tag_of(name: str) -> str:
    return name.rpartition(":")[2]


def _names(engine: Engine, location: LayoutLocation | ArchiveLocation) -> list[str]:
    from agentoci.store.archivefile import ArchiveFile
    from agentoci.store.layout import LayoutStore

    if isinstance(location, ArchiveLocation):
        with ArchiveFile(location.file) as archive:
            entries = archive.entries
    else:
        entries = LayoutStore.open(location.folder, clock=engine.clock).index.read()
    found = [entry.name for entry in named_images(entries) if entry.name]
    if not found:
        raise NoTagMatches(f"{location}: no image with a name in it")
    return found


def _target(
    entry: SyncEntry, source: AnyLocation, destination: Destination | None, chosen: _Chosen
) -> AnyLocation:
    if entry.target is None:
        if destination is None:
            raise InvalidSync(
                f"{entry.source} has no target", hint="give DESTINATION, or target: in the list"
            )
        return destination.target(source)
    target = parse_any_location(entry.target)
    if isinstance(target, ArchiveLocation):
        raise InvalidSync(f"{entry.target}: an archive is written whole", hint=_ARCHIVE_HINT)
    name = reference_of(source)
    tag = name.tag if name else _bare_tag(source)
    if isinstance(target, LayoutLocation):
        if target.name is None or not chosen.many:
            return target
        return replace(target, name=f"{target.name}:{tag}")
    return _tagged_target(entry.target, tag, name, many=chosen.many)


def _bare_tag(source: AnyLocation) -> str | None:
    return None if isinstance(source, Reference) else source.name


def _tagged_target(
    text: str, tag: str | None, source: Reference | None, *, many: bool
) -> Reference:
    """The target's own tag, else the source's; with neither, the digest of the source."""
    written = as_written(text.removeprefix("docker://"))
    if many and (written.tag or written.digest):
        raise InvalidSync(
            f"{text} names one image, and several are to go there", hint=f"write {written.name}"
        )
    if written.tag or written.digest:
        return written
    if tag is None and source is not None and source.digest is not None:
        return replace(written, digest=source.digest)
    return replace(written, tag=tag or "latest")
