"""The parents that a definition names, and where they were found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from agentoci.definition.lineage import Lineage, identity
from agentoci.definition.merging import PARTS
from agentoci.definition.places import Located, Path
from agentoci.errors import AgentociError, Fault
from agentoci.spec.jsonio import Json


@dataclass(frozen=True, slots=True)
class ParentName:
    """The definition that another one extends, as `name@version` says it."""

    name: str
    version: str

    @classmethod
    def parse(cls, text: str) -> ParentName:
        """Read what the model has checked already."""
        name, _, version = text.rpartition("@")
        return cls(name, version)

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Source:
    """A definition that was found: a file's document, or an image's lineage.

    `where` names the file or the image in messages; `located` is there for files, `lineage` for
    images, whose parents are merged already.
    """

    document: Mapping[str, Json]
    where: str
    located: Located | None = None
    lineage: Lineage | None = None

    @property
    def key(self) -> str:
        """Its `name@version`."""
        return identity(self.document)

    def fault(self, path: Path, message: str, hint: str | None = None) -> Fault:
        """A fault of it, with a caret where its file is known."""
        if self.located is None:
            return Fault(self.where, 1, 1, message, hint=hint)
        return self.located.fault(path, message, hint=hint)

    def parent_fault(self, index: int | None, message: str, hint: str | None = None) -> Fault:
        """A fault of one of the parents that it names (None: of all)."""
        path: Path = ("metadata", "parent")
        if index is not None and self.located and isinstance(self.located.value(path), list):
            path = (*path, index)
        return self.fault(path, message, hint)


Find: TypeAlias = Callable[[ParentName, Source], Source]
"""Finds the parent of a definition; raises NotFound, and what files and registries say."""


class ParentMissing(AgentociError):
    """A parent that cannot be had, told at its place; the exit code is that of the cause."""

    shows_lines = True

    def __init__(self, fault: Fault, cause: AgentociError) -> None:
        super().__init__(fault.render())
        self.exit_code = cause.exit_code


def parents_of(document: Mapping[str, Json]) -> list[ParentName]:
    """The parents that a definition names."""
    metadata = document.get("metadata")
    written = metadata.get("parent") if isinstance(metadata, dict) else None
    listed = written if isinstance(written, list) else [] if written is None else [written]
    return [ParentName.parse(str(text)) for text in listed]


def inherited_parts(document: Mapping[str, Json]) -> frozenset[str] | None:
    """The parts that a child takes over; None: all."""
    spec = document.get("spec")
    written = spec.get("inherit", "all") if isinstance(spec, dict) else "all"
    listed = written if isinstance(written, list) else []
    return None if written == "all" else frozenset(map(str, listed)) & PARTS.keys()
