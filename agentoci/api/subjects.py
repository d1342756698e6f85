"""Images that something is attached to: found where they are, opened for reading or for more."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, Union

from agentoci.api.ends import find_in_layout
from agentoci.api.locations import LayoutLocation, parse_location
from agentoci.content.graph import measured
from agentoci.content.recursion import Neighbours
from agentoci.spec.descriptor import Descriptor
from agentoci.store.index import Entry
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.registry.repository import Repository

Holder: TypeAlias = Union["Repository", LayoutStore]


@dataclass(frozen=True, slots=True)
class Subject:
    """An image, the holder that it is in, and how its neighbours are called there."""

    holder: Holder
    root: Descriptor
    beside: Neighbours
    shown: str

    def using(self) -> AbstractContextManager[None]:
        """Keep the collector of a layout out while something is added."""
        return self.holder.using() if isinstance(self.holder, LayoutStore) else nullcontext()


def find_subject(
    engine: Engine, text: str, *, local: bool = False, change: bool = False
) -> Subject:
    """The image at its registry, in a layout (`oci:DIR:NAME`) or, a short name, in the local store.

    `local` looks for other names in the local store too; `change` that more will be pushed beside
    it. A short name that is not here is looked for at the default registry. Raises ContentNotFound
    and registry errors.
    """
    location = parse_location(text)
    if isinstance(location, LayoutLocation):
        return _held(*find_in_layout(engine, location), str(location))
    entry = None
    if local:
        entry = engine.images.find(text)
    elif location.is_local:
        entry = engine.transfers.find_here(text)
    if entry is not None:
        return _held(engine.writable_store if change else engine.store, entry, text)
    reference = engine.transfers.at_registry(location)
    repository = engine.client.repository(reference, push=change)
    with engine.images.near_named(text):
        root = repository.resolve(reference.selector)
    if change:
        root = measured(repository, root)
    return Subject(repository, root, Neighbours(), f"{reference.name}@{root.digest}")


def _held(store: LayoutStore, entry: Entry, shown: str) -> Subject:
    names = [known.name for known in store.index.read() if known.name]
    return Subject(store, entry.desc.bare(), Neighbours.of(entry.name or "", names), shown)
