"""Where a definition's parents come from: files beside it, the local store, a registry."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from agentoci.builder.called import Called, Search
from agentoci.builder.context import Context
from agentoci.builder.options import ImageLookup
from agentoci.builder.replay import Trace, tags_of
from agentoci.definition.lineage import Lineage, identity
from agentoci.definition.parents import ParentName, Source
from agentoci.errors import Denied, Invalid, NotFound
from agentoci.spec import annotations as keys
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.store.images import Image, read_image
from agentoci.store.index import Entry
from agentoci.store.layout import LayoutStore


class ParentNotFound(NotFound):
    """A definition that is neither beside its child, nor in the store, nor at a registry."""


Places: TypeAlias = Callable[[Reference], Sequence[Reference]]
"""Where an image of a short name may be, in the order in which these are asked."""


def as_named(reference: Reference) -> Sequence[Reference]:
    """The place of a finder without sources: the name, as the lookup of images takes it."""
    return (reference,)


class AmbiguousParent(Invalid):
    """Two files beside a definition are the parent that it names."""


@dataclass(frozen=True, slots=True)
class TracedLookup:
    """Looks images up and tells the trace, so that a build is not replayed when they change."""

    store: LayoutStore
    lookup: ImageLookup
    trace: Trace
    pinned: Collection[str] = ()

    def __call__(self, reference: Reference) -> Image:
        """The image of a reference, from the store or pulled; raises what `lookup` raises.

        What the lock pins is what it was whatever becomes of its tag.
        """
        image = self.lookup(reference)
        if str(reference) in self.pinned:
            return image
        entry = self.store.find(reference.tagged)
        self.trace.images[reference.tagged] = str(image.root.digest)
        self.trace.replayable &= entry is not None and entry.digest == image.root.digest
        return image


@dataclass(frozen=True, slots=True)
class ParentFinder:
    """Finds parents of definitions of one context; what it looks at enters the trace.

    `used` says where those are that are images, for the lock: by `name:version`, which is the same
    wherever the build takes place, the reference that was found.
    """

    context: Context
    images: TracedLookup
    places: Places = as_named
    used: dict[str, str] = field(default_factory=dict)

    def __call__(self, parent: ParentName, child: Source) -> Source:
        """The parent that a definition of the context names.

        Raises ParentNotFound, AmbiguousParent, SourceFaults of the parent's file, and what
        registries say.
        """
        beside = _Beside(self.context, parent, child)
        return (
            beside.found()
            or self._pinned(parent)
            or self._stored(parent)
            or self._pulled(parent, beside)
        )

    def _pinned(self, parent: ParentName) -> Source | None:
        """The image that the lock pins for it."""
        name = _image_name(parent)
        if name not in self.images.pinned:
            return None
        image = self.images(Reference.parse(name))
        if identity(image.definition) != str(parent):  # it is pinned for a FROM
            return None
        self.used[name] = name
        return source_of(image, name)

    def _stored(self, parent: ParentName) -> Source | None:
        """An image of the store: by the tag `name:version`, else by what its definition says."""
        store, trace = self.images.store, self.images.trace
        entries = store.index.read()
        names = [entry.name for entry in entries if entry.name is not None]
        trace.tags[parent.name] = tags_of(names, parent.name)
        for entry in _candidates(entries, parent):
            image = read_image(store, entry.desc.bare(), what=entry.name or str(entry.digest))
            if identity(image.definition) != str(parent):
                continue
            if entry.name is None:
                trace.replayable = False
                return source_of(image, f"{image.name}@{entry.digest}")
            if entry.name in self.images.pinned:
                image = self.images(Reference.parse(entry.name))
                self._check(image, parent, entry.name)
            trace.images[entry.name] = str(entry.digest)
            self.used[_image_name(parent)] = entry.name
            return source_of(image, entry.name)
        return None

    def _pulled(self, parent: ParentName, beside: _Beside) -> Source:
        try:
            image, reference = self._image(Reference.parse(_image_name(parent)))
        except (NotFound, InvalidReference) as exc:
            beside.search.refuse_broken(exc)
            where = beside.folder or "the folder"
            message = f"parent {parent} is neither in {where}, nor in the store, nor at a registry"
            raise ParentNotFound(message, hint=beside.hint()) from exc
        self._check(image, parent, str(reference))
        self.used[_image_name(parent)] = reference.tagged
        return source_of(image, reference.tagged)

    def _image(self, short: Reference) -> tuple[Image, Reference]:
        """The image at the first place that has it; a place that lets nobody in is passed over.

        Raises what the last place says that says more than that it is not there.
        """
        closed: Denied | None = None
        for reference in self.places(short):
            try:
                return self.images(reference), reference
            except Denied as exc:
                closed = exc
            except NotFound:
                continue
        raise closed or ParentNotFound(f"{short} is nowhere")

    def _check(self, image: Image, parent: ParentName, name: str) -> None:
        if identity(image.definition) != str(parent):
            raise ParentNotFound(
                f"parent {parent}: {name} is {identity(image.definition)}",
                hint="name the version that is meant, or put its .agentdef beside this one",
            )


def source_of(image: Image, where: str) -> Source:
    """An image's definition, its parents merged already; raises CorruptLineage."""
    return Source(image.definition, where, lineage=Lineage.of(image.config.agentoci, what=where))


def read_source(content: bytes, where: str) -> Source:
    """A definition file, its parents not looked at yet; raises SourceFaults."""
    from agentoci.definition.constraints import read_with_constraints
    from agentoci.definition.read import definition_document
    from agentoci.definition.yamlio import load

    definition = read_with_constraints(content, file=where)
    return Source(definition_document(definition), where, load(content, file=where))


class _Beside:
    """The definitions in the folder of a child, and in the context's root."""

    def __init__(self, context: Context, parent: ParentName, child: Source) -> None:
        self.folder = posixpath.dirname(child.where)
        self.search = Search(context, parent.name)
        self._parent = parent
        self._others: list[str] = []

    def found(self) -> Source | None:
        """The file that is the parent."""
        for folder in dict.fromkeys((self.folder, "")):
            matching = [each for each in self.search.within(folder) if self._is_meant(each)]
            if len(matching) > 1:
                listed = " and ".join(each.path for each in matching)
                hint = "a version of a definition is one file"
                raise AmbiguousParent(f"{listed} are both {self._parent}", hint=hint)
            for each in matching:
                return read_source(each.content, each.path)
        return None

    def hint(self) -> str:
        """What there is instead, or what to do."""
        if self._others:
            return f"there is {', '.join(self._others)}"
        name = _image_name(self._parent)
        return (
            f"put its .agentdef beside, build it, or agent pull HOST/{name}; "
            "it is pulled from default_registry and requirement_sources of the config file, "
            "and from --source"
        )

    def _is_meant(self, found: Called) -> bool:
        """Whether a file of the parent's name is of its version, too."""
        version = found.metadata.get("version")
        if version != self._parent.version:
            self._others.append(f"{self._parent.name}@{version} ({found.path})")
            return False
        return True


def _candidates(entries: tuple[Entry, ...], parent: ParentName) -> list[Entry]:
    """The entries that may be the parent, the likeliest first."""
    tag = _image_name(parent)
    by_tag = [entry for entry in entries if entry.name == tag]
    said = [
        entry
        for entry in entries
        if entry.annotations.get(keys.AGENT_NAME) == parent.name
        and entry.annotations.get(keys.VERSION) in (parent.version, None)
    ]
    return by_tag + sorted(said, key=lambda entry: (entry.name is None, entry.name or ""))


def _image_name(parent: ParentName) -> str:
    """`name:version`, as a parent's image is called; no tag holds the `+` of build metadata."""
    return f"{parent.name}:{parent.version.replace('+', '_')}"
