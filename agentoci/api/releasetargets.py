"""Where releases go: a repository of a registry or a layout, its tags listed, read and given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from agentoci.api.locations import LayoutLocation, parse_location
from agentoci.api.pushing import PushOptions, push_to_layout, push_to_registry
from agentoci.api.repositories import repository_named
from agentoci.api.tags import resolve_tags, split_entry_name
from agentoci.content.graph import fetch_manifest
from agentoci.content.protocols import ContentNotFound, Fetcher
from agentoci.content.reader import fetch_bytes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import AnyManifest
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.registry.repository import Repository


class ReleaseTarget(Protocol):
    """The repository of the releases of one agent; raises what registries and disks say."""

    @property
    def shown(self) -> str:
        """The repository, for people."""
        ...

    @property
    def agent(self) -> str:
        """What an agent is called that says nothing itself: the repository's last word."""
        ...

    def tags(self) -> list[str]:
        """All tags; none for a repository that is not there yet."""
        ...

    def resolve_tags(self, tags: Iterable[str]) -> Mapping[str, Descriptor]:
        """What tags mean; those that are not there are left out."""
        ...

    def named(self, digest: Digest) -> str:
        """How content of the repository is called in commands."""
        ...

    def manifest(self, desc: Descriptor) -> AnyManifest:
        """A manifest of the repository."""
        ...

    def push(self, root: Descriptor) -> None:
        """Bring content of the local store here, under its digest."""
        ...

    def tag(self, desc: Descriptor, tag: str) -> None:
        """Let a tag mean content that is here."""
        ...


def open_target(engine: Engine, text: str, *, push: bool) -> ReleaseTarget:
    """The target that `HOST/REPOSITORY` or `oci:DIR:NAME` means; nothing is made before a push.

    `push` tells that there may be one. Raises InvalidReference for an image, NoRegistry and
    NotALayout.
    """
    location = parse_location(text)
    if not isinstance(location, LayoutLocation):
        where = engine.transfers.at_registry(repository_named(text))
        return RegistryTarget(engine, where, engine.client.repository(where, push=push))
    if location.name is None:
        raise InvalidReference(f"{text!r} does not say what is released", hint=f"write {text}:NAME")
    if split_entry_name(location.name)[0]:
        raise InvalidReference(f"{text!r} names an image, where a repository is meant")
    is_there = (location.folder / "oci-layout").exists()
    opened = LayoutStore.open if is_there else LayoutStore
    return LayoutTarget(engine, location, opened(location.folder, clock=engine.clock))


@dataclass(frozen=True, slots=True)
class RegistryTarget:
    """A repository of a registry."""

    engine: Engine
    where: Reference
    repository: Repository

    @property
    def shown(self) -> str:
        """`HOST/REPOSITORY`."""
        return self.where.name

    @property
    def agent(self) -> str:
        """The repository's last word."""
        return self.where.repository.rpartition("/")[2]

    def tags(self) -> list[str]:
        """By one request, or one a thousand tags."""
        try:
            return self.repository.tags()
        except ContentNotFound:
            return []

    def resolve_tags(self, tags: Iterable[str]) -> Mapping[str, Descriptor]:
        """By a request each, at once."""
        return resolve_tags(self.repository, list(tags))

    def named(self, digest: Digest) -> str:
        """`HOST/REPOSITORY@DIGEST`."""
        return f"{self.where.name}@{digest}"

    def manifest(self, desc: Descriptor) -> AnyManifest:
        """By one request."""
        return fetch_manifest(self.repository, desc)

    def push(self, root: Descriptor) -> None:
        """Blobs that are there do not move."""
        where = replace(self.where, tag=None, digest=root.digest)
        push_to_registry(self.engine, root, where, PushOptions())

    def tag(self, desc: Descriptor, tag: str) -> None:
        """By one request, for the manifest comes from the nearer side."""
        held = self.engine.store.exists(desc)
        source: Fetcher = self.engine.store if held else self.repository
        self.repository.push_tagged(desc, fetch_bytes(source, desc), (tag,))


@dataclass(frozen=True, slots=True)
class LayoutTarget:
    """The images of one name in a layout."""

    engine: Engine
    where: LayoutLocation
    store: LayoutStore

    @property
    def shown(self) -> str:
        """`oci:DIR:NAME`."""
        return str(self.where)

    @property
    def agent(self) -> str:
        """The name's last word."""
        return (self.where.name or "").rpartition("/")[2]

    def tags(self) -> list[str]:
        """Those of the index."""
        names = (entry.name or "" for entry in self.store.index.read())
        found = map(split_entry_name, names)
        return [tag for repository, tag in found if tag and repository == self.where.name]

    def resolve_tags(self, tags: Iterable[str]) -> Mapping[str, Descriptor]:
        """Those of the index."""
        found = {tag: self.store.find(self._name(tag)) for tag in tags}
        return {tag: entry.desc.bare() for tag, entry in found.items() if entry is not None}

    def named(self, digest: Digest) -> str:
        """`oci:DIR:DIGEST`."""
        return str(replace(self.where, name=str(digest)))

    def manifest(self, desc: Descriptor) -> AnyManifest:
        """From its file."""
        return fetch_manifest(self.store, desc)

    def push(self, root: Descriptor) -> None:
        """Held without a name."""
        where = replace(self.where, name=str(root.digest))
        push_to_layout(self.engine, root, where, str(root.digest), PushOptions())

    def tag(self, desc: Descriptor, tag: str) -> None:
        """The index changes at once."""
        self.store.tag(desc, self._name(tag))

    def _name(self, tag: str) -> str:
        return f"{self.where.name}:{tag}"
