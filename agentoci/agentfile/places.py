"""Places in the user's file, and text that knows where each of its characters came from."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from agentoci.errors import Fault

_MAX_SHOWN_LINE = 2000


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line and a column, both counted from 1, in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Text:
    """One logical line: physical lines joined at their continuations.

    `anchors` holds, per physical piece, its offset here, its line and the column it starts at.
    """

    string: str
    anchors: tuple[tuple[int, int, int], ...]

    @classmethod
    def of_line(cls, string: str, place: Place) -> Text:
        """A text that lies on one physical line."""
        return cls(string, ((0, place.line, place.column),))

    def place(self, offset: int) -> Place:
        """Where the character at `offset` stands in the file."""
        start, line, column = self.anchors[self._piece(offset)]
        return Place(line, column + offset - start)

    def width(self, start: int, end: int) -> int:
        """How many characters a caret spans from `start`: to `end`, or to the end of the line."""
        following = self._piece(start) + 1
        if following < len(self.anchors):
            end = min(end, self.anchors[following][0])
        return max(1, end - start)

    def _piece(self, offset: int) -> int:
        return bisect_right(self.anchors, offset, key=lambda anchor: anchor[0]) - 1


class Mistake(Exception):
    """A fault in a text, on its way from the code that sees it to the list of the file's faults.

    Never leaves this package.
    """

    def __init__(
        self, text: Text, start: int, end: int, message: str, *, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = text.place(start)
        self.width = text.width(start, end)


class Consequence(Mistake):
    """A mistake that follows from another one, which has been told."""


def fault_at(
    file: str, lines: tuple[str, ...], place: Place, message: str, *, width: int, hint: str | None
) -> Fault:
    """A fault with the source line it is drawn under; of a huge line only the start is shown."""
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    shown = line[:_MAX_SHOWN_LINE] if place.column <= _MAX_SHOWN_LINE else ""
    width = min(width, max(1, len(shown) - place.column + 1))
    return Fault(file, place.line, place.column, message, text=shown, width=width, hint=hint)
