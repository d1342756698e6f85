"""What DEFINITION and INTERFACE read: files of the context, and the definitions in them, merged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from agentoci._internal import files, limits
from agentoci.builder.context import Context, OutsideContext
from agentoci.definition.difference import difference
from agentoci.definition.lineage import AGENTFILE, NO_LINEAGE, Entry, Lineage, identity
from agentoci.layers.source import reading_failed
from agentoci.spec.jsonio import Json

if TYPE_CHECKING:
    from agentoci.definition.parents import Find, ParentName, Source

_KEPT_LISTS: Final = ("constraints", "invariants")

Refuse = Callable[[str, str | None], NoReturn]
"""Raises SourceFaults with a message and a hint, at the instruction it was made for."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a stage is built on: the lineage of its base's definition, and how the base is called.

    Both are empty for `scratch`.
    """

    lineage: Lineage = NO_LINEAGE
    name: str = "scratch"

    @property
    def key(self) -> str | None:
        """`name@version` of the base's definition."""
        return identity(self.lineage.document()) if self.lineage.entries else None


@dataclass(frozen=True, slots=True)
class Definitions:
    """Reads definitions of the context with their parents, as a stage on some ground means them."""

    context: Context
    find: Find
    ground: Ground = field(default_factory=Ground)

    def read(self, path: str, refuse: Refuse) -> Lineage:
        """The lineage of a definition.

        Raises SourceFaults for what is wrong with it or a parent, and when it extends something
        else than FROM names; ParentMissing.
        """
        from agentoci.builder.parents import read_source
        from agentoci.definition.ancestry import resolve
        from agentoci.definition.parents import parents_of

        source = read_source(self.content(path, limits.MAX_DEFINITION_BYTES, refuse), path)
        ancestry = resolve(source, self._find)
        parents = parents_of(source.document)
        base = self.ground.key
        if parents and base is not None and base not in ancestry.keys:
            listed = ", ".join(map(str, parents))
            refuse(
                f"{path} extends {listed}, but FROM {self.ground.name} is {base}",
                f"build FROM an image of {parents[0]}, or FROM scratch",
            )
        return ancestry.lineage

    def content(self, path: str, limit: int, refuse: Refuse) -> bytes:
        """A file of the context of at most so many bytes."""
        try:
            found = self.context.lookup(path)
        except OutsideContext as exc:
            refuse(exc.message, exc.hint)
        if found is None or not found.is_regular:
            refuse(f"{path!r} is not in the context", None)
        where = self.context.locate(path)
        try:
            content = files.read_at_most(Path(where), limit)
        except OSError as exc:
            raise reading_failed(where, exc) from exc
        if len(content) > limit:
            refuse(f"{path}: larger than {limit} bytes", None)
        return content

    def _find(self, parent: ParentName, child: Source) -> Source:
        """The base is the parent when it is called so; else what is found elsewhere."""
        if self.ground.key == str(parent):
            from agentoci.definition.parents import Source

            lineage = self.ground.lineage
            return Source(lineage.document(), f"FROM {self.ground.name}", lineage=lineage)
        return self.find(parent, child)


def with_agentfile(lineage: Lineage, document: Mapping[str, Json]) -> Lineage:
    """The lineage of what an Agentfile made of a definition."""
    if not lineage.entries:
        return Lineage((Entry(AGENTFILE, document),))
    patch = difference(lineage.document(), document)
    if not patch.values and not patch.removes:
        return lineage
    return Lineage((*lineage.entries, Entry(AGENTFILE, patch.document())))


def weakened(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[str, str] | None:
    """The list of the spec, and what of it, that is not kept: constraints, invariants."""
    for name in _KEPT_LISTS:
        kept = _list(after, name)
        for entry in _list(before, name):
            if not any(_keeps(entry, other) for other in kept):
                shown = entry.get("id") if isinstance(entry, dict) else entry
                return name, str(shown)
    return None


def _keeps(entry: Json, other: Json) -> bool:
    """Whether the other one says all that an entry says."""
    if isinstance(entry, dict) and isinstance(other, dict):
        return all(other.get(key) == value for key, value in entry.items())
    return entry == other


def _list(document: Mapping[str, Json], name: str) -> list[Json]:
    spec = document.get("spec")
    found = spec.get(name) if isinstance(spec, dict) else None
    return found if isinstance(found, list) else []
