"""A document together with where each of its values is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from agentoci.errors import Fault
from agentoci.spec.jsonio import Json

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the root of a document to a value."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written: line and column from 1, and how many characters it takes."""

    line: int
    column: int
    width: int = 1


@dataclass(slots=True)
class Node:
    """One value: its place, the place of its key if it has one, and what it holds.

    `written` is the text of a scalar that is not in quotes: `1.10` is a number, and a fault about
    it must name what the user wrote.
    """

    value: Json
    place: Place
    key: Place | None = None
    written: str | None = None
    children: dict[str | int, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Located:
    """Plain data read from a file, and the place of every key and value in it."""

    file: str
    root: Node
    lines: tuple[str, ...]

    @property
    def data(self) -> Json:
        """The document as JSON has it: dict, list, str, int, float, bool, None."""
        return self.root.value

    def place(self, path: Path) -> Place:
        """Where the value is written; for a path that does not exist, the nearest value around."""
        return self._nearest(path)[0].place

    def key_place(self, path: Path) -> Place:
        """Where the value's key is written; the value's own place when it has no key (a list)."""
        node = self._nearest(path)[0]
        return node.key or node.place

    def written(self, path: Path) -> str | None:
        """The unquoted text of the scalar at `path`, if it is one."""
        node, exact = self._nearest(path)
        return node.written if exact else None

    def value(self, path: Path) -> Json:
        """The value at `path`; None for a path that does not exist."""
        node, exact = self._nearest(path)
        return node.value if exact else None

    def source_line(self, place: Place) -> str:
        """The line that `place` is on."""
        return self.lines[place.line - 1] if place.line <= len(self.lines) else ""

    def fault(
        self, path: Path, message: str, *, hint: str | None = None, at_key: bool = False
    ) -> Fault:
        """A fault with a caret under the value at `path`, or under its key."""
        place = self.key_place(path) if at_key else self.place(path)
        return Fault(
            self.file,
            place.line,
            place.column,
            message,
            text=self.source_line(place),
            width=place.width,
            hint=hint,
        )

    def _nearest(self, path: Path) -> tuple[Node, bool]:
        node = self.root
        for step in path:
            if step not in node.children:
                return node, False
            node = node.children[step]
        return node, True
