"""Push, pull, save and load: argument orders of one copy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from agentoci.api.locations import (
    LayoutLocation,
    Location,
    given_name,
    local_name,
    parse_location,
    reference_named,
)
from agentoci.api.pushing import (
    PushOptions,
    Transferred,
    push_to_layout,
    push_to_registry,
    remember,
)
from agentoci.content.copy import CopyOptions, copy
from agentoci.content.graph import fetch_manifest, walk
from agentoci.content.protocols import ContentNotFound, NoProgress, Progress, ReadableTarget
from agentoci.errors import Conflict, Invalid
from agentoci.spec.descriptor import Descriptor, Platform
from agentoci.spec.digest import Digest
from agentoci.spec.kinds import describe
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.store.index import Entry
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


class NoRegistry(Invalid):
    """A short name, and no default registry to look for it at."""


class TagTaken(Conflict):
    """Loading would move a tag that means something else here."""


class Transfers:
    """Verbs that move images between the local store, registries, layouts and archives."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def push(
        self, text: str, destination: str | None = None, *, options: PushOptions | None = None
    ) -> Transferred:
        """Push an image to a registry or a layout (`oci:DIR`).

        Without a destination it goes where its name says; a short name to the default registry.
        Raises ImageNotFound, NoRegistry, NameTaken, TagImmutable, registry errors.
        """
        options = options or PushOptions()
        entry = self._engine.images.find(text)
        where = self._destination(text, destination)
        root = self._profiled(entry.desc, as_image=options.as_image)
        if isinstance(where, LayoutLocation):
            return push_to_layout(self._engine, root, where, text, options)
        return push_to_registry(self._engine, root, where, options)

    def pull(
        self, text: str, name: str | None = None, *, platform: Platform | None = None
    ) -> Transferred:
        """Pull an image into the local store, under its own name or another one.

        Of an index `platform` takes one manifest instead of all. What is no agent is pulled all
        the same; `kind` of the result says what it is. Raises NoRegistry for a short name without a
        default registry, ContentNotFound, NoSuchPlatform, StoreFull, and what the registry says.
        """
        location = parse_location(text)
        source, selector, own_name = self._source(location)
        local = given_name(Reference.parse(name)) if name else own_name()
        store = self._engine.writable_store
        before = self._requests()
        with store.using():
            root = source.resolve(selector)
            if platform is not None:
                from agentoci.store.images import manifest_for

                root = manifest_for(source, root, platform, what=text)
            options = CopyOptions(progress=self._progress())
            done = copy(source, root, store, local, options=options)
        if isinstance(location, Reference):
            remember(self._engine, self.at_registry(location), done.root)
        return Transferred(
            local,
            done.root.digest,
            (local,),
            done.blobs,
            done.moved_blobs,
            done.moved_bytes,
            self._requests() - before,
            describe(fetch_manifest(store, done.root)),
        )

    def ensure(self, text: str) -> Descriptor:
        """The image's descriptor, pulled first when it is not here.

        Raises ImageNotFound when it is not here and its name leads to no registry.
        """
        entry = self.find_here(text)
        if entry is None:
            with self._engine.images.near_named(text):
                pulled = self.pull(text)
            entry = self._engine.images.find(pulled.target)
        return entry.desc.bare()

    def save(self, texts: list[str], stream: IO[bytes]) -> list[Digest]:
        """Write images to a stream as one OCI archive; returns their digests."""
        from agentoci.store.archive import ArchiveWriter

        entries = [self._engine.images.find(text) for text in texts]
        archive = ArchiveWriter(stream)
        for entry in entries:
            name = entry.name or str(entry.digest)
            options = CopyOptions(workers=1, progress=self._progress())
            copy(self._engine.store, entry.desc.bare(), archive, name, options=options)
        archive.close()
        return [entry.digest for entry in entries]

    def load(self, stream: IO[bytes], *, replace: bool = False) -> list[Entry]:
        """Take the images of an archive (or the tree form) into the local store.

        Raises TagTaken before any name changes when one means another image here, unless
        `replace`; BadArchive and DigestMismatch for archives that are not what they should be.
        Images whose name there is no reference with a tag are loaded without a name.
        """
        from agentoci.api.trees import is_tree, load_tree
        from agentoci.store.archive import BadArchive, load_layout, reading_tar

        store = self._engine.writable_store
        with store.using(), reading_tar(stream) as tar:
            first = tar.next()
            if first is None:
                raise BadArchive("the archive is empty")
            entries = (
                load_tree(self._engine, tar, first)
                if is_tree(first)
                else [_with_good_name(entry) for entry in load_layout(tar, first, store)]
            )
            if not replace:
                self._refuse_moves(entries)
            for entry in entries:
                self._check_complete(store, entry)
            for entry in entries:
                store.tag(entry.desc.bare(), entry.name or str(entry.digest))
        return entries

    def _refuse_moves(self, entries: list[Entry]) -> None:
        here = {entry.name: entry.digest for entry in self._engine.store.index.read()}
        for entry in entries:
            known = here.get(entry.name) if entry.name else None
            if known is not None and known != entry.digest:
                raise TagTaken(
                    f"{entry.name} is {known} here, and {entry.digest} in the archive",
                    hint="--replace moves the tag, or tag the present image otherwise first",
                )

    def _check_complete(self, store: LayoutStore, entry: Entry) -> None:
        from agentoci.store.archive import BadArchive

        what = entry.name or entry.digest
        try:
            found = walk(store, entry.desc.bare())
        except ContentNotFound as exc:
            raise BadArchive(f"{what}: the archive lacks a manifest ({exc.message})") from exc
        for desc in found.descriptors():
            if not store.exists(desc):
                raise BadArchive(f"{what}: the archive lacks {desc.digest}")

    # Where from, where to

    def _destination(self, text: str, destination: str | None) -> Location:
        where = parse_location(destination or text)
        return where if isinstance(where, LayoutLocation) else self.at_registry(where)

    def at_registry(self, reference: Reference) -> Reference:
        """A reference with its registry; short names get the default one. Raises NoRegistry."""
        if not reference.is_local:
            return reference
        default = self._engine.settings.file.default_registry
        if default is None:
            raise NoRegistry(
                f"{reference}: the name has no registry, and no default_registry is configured",
                hint=f"write HOST/{reference}, oci:DIR, or set default_registry in the config file",
            )
        host, _, prefix = default.partition("/")
        repository = f"{prefix}/{reference.repository}" if prefix else reference.repository
        return reference.at(host, repository)

    def find_here(self, text: str) -> Entry | None:
        """The image in the local store; None when it is not here, and its name leads elsewhere.

        Raises ImageNotFound when it is not here and its name leads to no registry.
        """
        try:
            return self._engine.images.find(text)
        except ContentNotFound:
            if not self.has_registry(text):
                raise
            return None

    def has_registry(self, text: str) -> bool:
        """Whether a name says where to look for it beyond the local store."""
        location = parse_location(text)
        if isinstance(location, LayoutLocation):
            return True
        return not location.is_local or self._engine.settings.file.default_registry is not None

    def _source(self, location: Location) -> tuple[ReadableTarget, str, Callable[[], str]]:
        """The target to read from, what to ask it for, and how it is called by itself."""
        if isinstance(location, LayoutLocation):
            from agentoci.api.ends import find_in_layout

            layout, entry = find_in_layout(self._engine, location, by_name=True)
            selector = entry.name or str(entry.digest)
            return layout, selector, lambda: _name_here(entry, location)
        reference = self.at_registry(location)
        repository = self._engine.client.repository(reference)
        return repository, reference.selector, lambda: local_name(location)

    def _profiled(self, desc: Descriptor, *, as_image: bool) -> Descriptor:
        if not as_image:
            return desc.bare()
        from agentoci.builder.profiles import store_as_image
        from agentoci.store.images import read_image

        store = self._engine.writable_store
        with store.using():
            return store_as_image(store, read_image(store, desc.bare(), what=str(desc.digest)))

    def _requests(self) -> int:
        """How many requests went to registries so far; none opens the client."""
        return self._engine.client.requests if self._engine.has_client else 0

    def _progress(self) -> Progress:
        return self._engine.progress or NoProgress()


def _name_here(entry: Entry, location: LayoutLocation) -> str:
    """The name that an image of a layout gets here; other tools write bare tags there."""
    if entry.name is None:
        return str(entry.digest)
    reference = reference_named(entry.name)
    if reference is None:
        raise NoRegistry(
            f"{location}: the layout calls it {entry.name!r}, which is a tag without a name",
            hint=f"say how to call it here: agent pull {location} NAME:{entry.name}",
        )
    return local_name(reference)


def _with_good_name(entry: Entry) -> Entry:
    """An archive may call an image anything, and other tools write bare tags."""
    name = None
    with contextlib.suppress(InvalidReference):
        reference = reference_named(entry.name)
        name = given_name(reference) if reference else None
    return Entry(entry.desc, name)
