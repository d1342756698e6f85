"""The error families: one class per remedy, one exit code per class (DESIGN: exit codes).

Imports nothing. A leaf error lives beside the code that raises it and derives from a family here,
so a caller can tell "not found" from "denied" without knowing who raised it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SHOWN_LINE: Final = 160
"""Characters of a source line shown with a fault; longer lines are cut around the caret."""

SHOWN_BEFORE: Final = 60
"""Of a line that is cut, the characters kept before the caret."""


class AgentociError(Exception):
    """The root of everything this package raises on purpose.

    The message names the thing, says what was expected; `hint` says how to fix it. A message with
    `shows_lines` is laid out in lines; line ends in any other one are not ours.
    """

    exit_code = 1
    shows_lines = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Invalid(AgentociError):
    """Wrong usage, or a file of the user's that does not say what it should."""

    exit_code = 2


class Difference(AgentociError):
    """A comparison or gate found a difference."""

    exit_code = 3


class Unreachable(AgentociError):
    """A registry or the network did not answer; trying again may help."""

    exit_code = 4


class Denied(AgentociError):
    """Authentication, permission or policy says no."""

    exit_code = 5


class NotFound(AgentociError):
    """The image, tag, instance or file does not exist."""

    exit_code = 6


class Conflict(AgentociError):
    """It exists already, is in the wrong state, or is locked."""

    exit_code = 7


class Integrity(AgentociError):
    """Digest, size or form of content is not what it must be; hostile or unknown content."""

    exit_code = 8


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in a text file, with its place.

    `line` and `column` count from 1; `text` is the source line that the caret is drawn under, and
    `width` the number of characters that the caret spans.
    """

    file: str
    line: int
    column: int
    message: str
    text: str = ""
    width: int = 1
    hint: str | None = None

    def render(self) -> str:
        """`file:line:column: message`, the source line, a caret, and the hint."""
        message = " ".join(self.message.split("\n"))
        lines = [f"{self.file}:{self.line}:{self.column}: {message}"]
        if self.text:
            lines += [f"  | {shown}" for shown in self._with_caret()]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def _with_caret(self) -> tuple[str, str]:
        """The source line, cut around the caret when very long, and the caret in terminal cells."""
        first = max(0, self.column - 1 - SHOWN_BEFORE) if len(self.text) > SHOWN_LINE else 0
        shown = "".join(c if c.isprintable() else " " for c in self.text[first:][:SHOWN_LINE])
        start = min(self.column - 1 - first, len(shown))
        before, under = shown[:start], shown[start : start + self.width]
        return shown, " " * _cells(before) + "^" * max(1, _cells(under))


def _cells(text: str) -> int:
    """Terminal cells of a text: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    import unicodedata

    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


class SourceFaults(Invalid):
    """All faults found in the user's files, reported together."""

    shows_lines = True

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda f: (f.file, f.line, f.column)))
        super().__init__("\n".join(fault.render() for fault in self.faults))
