"""Bases and parents as far as they are here: beside the definition, or in the local store."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentoci.builder.context import Context
from agentoci.builder.lineages import Ground
from agentoci.builder.parents import ParentFinder, ParentNotFound, TracedLookup
from agentoci.builder.replay import Trace
from agentoci.definition.lineage import Lineage
from agentoci.definition.parents import Find, ParentName, Source
from agentoci.errors import NotFound
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.store.images import Image, read_image
from agentoci.store.layout import LayoutStore


class NotHere(NotFound):
    """An image that is not in the local store; no registry is asked."""


@dataclass(slots=True)
class Local:
    """Finds what is here; `missing` are the parents that are not."""

    store: LayoutStore
    missing: list[ParentName] = field(default_factory=list)

    def finder(self, context: Context) -> Find:
        """Finds parents of definitions of a context as a build does, without a registry."""
        images = TracedLookup(self.store, self.image, Trace(0))
        inner = ParentFinder(context, images)

        def find(parent: ParentName, child: Source) -> Source:
            try:
                return inner(parent, child)
            except ParentNotFound:
                self.missing.append(parent)
                raise

        return find

    def image(self, reference: Reference) -> Image:
        """The image of this name; raises NotHere."""
        entry = self.store.find(reference.tagged)
        if entry is None:
            raise NotHere(f"{reference} is not in the local store")
        return read_image(self.store, entry.desc.bare(), what=str(reference))

    def ground(self, base: str) -> Ground:
        """What a base brings: its definition when it is here, else nothing."""
        try:
            image = self.image(Reference.parse(base))
            return Ground(Lineage.of(image.config.agentoci, what=base), base)
        except (NotHere, InvalidReference):
            return Ground()
