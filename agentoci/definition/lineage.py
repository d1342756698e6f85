"""The lineage of a definition: what each ancestor said, and whose word every value is.

An image carries it in its config (`agentoci.lineage`) when there is more than one entry. The
definition is the fold of the entries; nothing else says where a value comes from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentoci._internal import limits
from agentoci.definition import flat
from agentoci.definition.flat import Flat, Path
from agentoci.definition.merging import Contradiction, Patch
from agentoci.errors import Integrity
from agentoci.spec.jsonio import Json

AGENTFILE: Final = "Agentfile"
"""The origin of what SET, REQUIRE, INTERFACE and LABEL say."""

KEY: Final = "lineage"
"""The key below `agentoci` in the config."""


_ORIGIN: Final = re.compile(r"Agentfile|[a-z0-9][a-z0-9._-]{0,127}@[0-9A-Za-z.+-]{1,255}")


class CorruptLineage(Integrity):
    """A lineage, from an image, that is not one that this program could have made."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one definition (`name@version`), or an Agentfile, adds to what stands before it."""

    origin: str
    document: Mapping[str, Json]

    @property
    def is_definition(self) -> bool:
        """Whether it is a definition of its own, not a change to one."""
        return self.origin != AGENTFILE

    def json(self) -> dict[str, Json]:
        """The entry as the config carries it."""
        return {"origin": self.origin, "document": dict(self.document)}


@dataclass(frozen=True, slots=True)
class Lineage:
    """All entries, the root first."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def of(cls, agentoci: Mapping[str, Json], *, what: str) -> Lineage:
        """The lineage of an image by the key `agentoci` of its config; raises CorruptLineage."""
        written = agentoci.get(KEY)
        definition = agentoci.get("definition")
        if written is None:
            if not isinstance(definition, dict) or not definition:
                return cls()
            return cls((Entry(identity(definition), definition),))
        if not isinstance(written, list):
            raise CorruptLineage(f"{what}: its lineage is no list")
        if len(written) > limits.MAX_LINEAGE:
            raise CorruptLineage(f"{what}: more than {limits.MAX_LINEAGE} entries in its lineage")
        made = cls(tuple(_entry(document, what) for document in written))
        try:
            if len(made.entries) * made._size() > limits.MAX_LINEAGE_WORK:
                raise CorruptLineage(f"{what}: its lineage says too much to be read")
            is_whole = made.document() == definition
        except (Contradiction, flat.Tangled) as exc:
            raise CorruptLineage(f"{what}: its lineage contradicts itself: {exc.message}") from exc
        if not is_whole:
            raise CorruptLineage(f"{what}: its lineage is not that of its definition")
        return made

    def _size(self) -> int:
        """Values and removals of all entries."""
        patches = (Patch.of(entry.document) for entry in self.entries)
        return sum(len(patch.values) + len(patch.removes) for patch in patches)

    def json(self) -> list[Json]:
        """The lineage as the config carries it."""
        return [entry.json() for entry in self.entries]

    def document(self) -> dict[str, Json]:
        """The definition that all entries together make; raises Contradiction."""
        if len(self.entries) == 1:
            return _plain(self.entries[0].document)
        return flat.unflatten(fold(self.entries).values)

    def origins(self) -> dict[str, str]:
        """Who first said what every value is now, by its JSON pointer in `document()`."""
        said = Patch()
        origins: dict[Path, str] = {}
        for entry in self.entries:
            patch = Patch.of(entry.document)
            before, said = patch.spares(said.values), patch.over(said)
            origins = {path: origins[path] for path in before if path in origins}
            origins.update(_new(before, said.values, entry.origin))
        return {
            pointer: origins[path]
            for path, pointer in flat.pointers(self.document()).items()
            if path in origins
        }

    def own(self) -> dict[str, Json]:
        """What the last definition says by itself, with what its Agentfile changed."""
        first = max((i for i, e in enumerate(self.entries) if e.is_definition), default=0)
        own = self.entries[first:]
        if len(own) == 1:
            return dict(own[0].document)
        return fold(own).document()


NO_LINEAGE: Final = Lineage()
"""That of what has no definition yet."""


def fold(entries: Sequence[Entry]) -> Patch:
    """The entries as one patch."""
    made = Patch()
    for entry in entries:
        made = Patch.of(entry.document).over(made)
    return made


def identity(document: Mapping[str, Json]) -> str:
    """`name@version` of a definition."""
    metadata = document.get("metadata")
    found = metadata if isinstance(metadata, dict) else {}
    return f"{found.get('name')}@{found.get('version')}"


def _plain(document: Mapping[str, Json]) -> dict[str, Json]:
    """A definition without parents as it is written: only what means nothing to it goes."""
    spec = document.get("spec")
    if not isinstance(spec, dict) or not {"inherit", "extensions"} & set(spec):
        return dict(document)
    return flat.unflatten(Patch.of(document).values)


def _new(before: Flat, after: Flat, origin: str) -> dict[Path, str]:
    return {
        path: origin
        for path, value in after.items()
        if (path not in before or before[path] != value) and not flat.is_container(path, value)
    }


def _entry(document: Json, what: str) -> Entry:
    if isinstance(document, dict):
        origin, said = document.get("origin"), document.get("document")
        if isinstance(origin, str) and _ORIGIN.fullmatch(origin) and isinstance(said, dict):
            return Entry(origin, said)
    raise CorruptLineage(f"{what}: an entry of its lineage has another shape")
