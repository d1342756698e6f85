"""From bytes to statements: lines, comments, continuations and heredocs, each with its place."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from agentoci._internal import limits
from agentoci.agentfile.places import Mistake, Place, Text, fault_at
from agentoci.agentfile.words import Word, words
from agentoci.errors import SourceFaults

BLANKS: Final = " \t"

_CONTINUED: Final = re.compile(r"(?<!\\)(?:\\\\)*(\\)[ \t]*\Z")
_KEYWORD: Final = re.compile(r"[ \t]*([^ \t]+)[ \t]*")
_MARKER: Final = re.compile(r"""<<(-?)(["']?)([A-Za-z0-9_][A-Za-z0-9_.-]*)\2""")
_TAKES_HEREDOCS: Final = frozenset({"COPY", "INTERFACE", "RUN", "ADD"})  # the last two: to skip


@dataclass(frozen=True, slots=True)
class Body:
    """A heredoc: its name, its lines, and whether values are put in for names."""

    name: str
    substitutes: bool
    lines: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One instruction before its words are looked at; its arguments start at offset `rest`."""

    keyword: str
    written: str
    text: Text
    start: int
    rest: int
    original: str
    bodies: tuple[Body, ...]

    @property
    def place(self) -> Place:
        """Where the keyword stands."""
        return self.text.place(self.start)

    @property
    def arguments(self) -> str:
        """Everything after the keyword, without blanks around it."""
        return self.text.string[self.rest :].rstrip(BLANKS)

    def mistake(self, message: str, *, hint: str | None = None) -> Mistake:
        """A mistake of the instruction as a whole; the caret spans its keyword."""
        end = self.start + len(self.written)
        return Mistake(self.text, self.start, end, message, hint=hint)


def read_lines(source: str | bytes, *, file: str) -> tuple[str, ...]:
    """The lines of a file, line ends and byte order mark taken off.

    Raises SourceFaults when it is not text, or larger than an Agentfile may be.
    """
    text = _decode(source, file) if isinstance(source, bytes) else _checked(source, file)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    for char, message, hint in _FORBIDDEN:
        if char in text:
            raise _refused(file, text, text.index(char), message, hint)
    return tuple(text.removesuffix("\n").split("\n"))


_FORBIDDEN: Final = (
    ("\0", "a NUL byte in the file", "an Agentfile is text in UTF-8"),
    ("\r", "a carriage return without a line feed", "save the file with LF or CRLF line ends"),
)


def _decode(source: bytes, file: str) -> str:
    if len(source) > limits.MAX_AGENTFILE_BYTES:
        raise _too_large(file)
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as exc:
        utf16 = source[:2] in (b"\xff\xfe", b"\xfe\xff")
        hint = "it looks like UTF-16; save it as UTF-8" if utf16 else "save it as UTF-8"
        index = len(source[: exc.start].decode("utf-8"))
        text = source.decode("utf-8", "replace")
        raise _refused(file, text, index, "the file is not UTF-8", hint) from exc


def _checked(source: str, file: str) -> str:
    try:
        size = len(source.encode("utf-8"))
    except UnicodeEncodeError as exc:
        text = source.encode("utf-8", "replace").decode("utf-8")
        message = "a character that UTF-8 cannot hold"
        raise _refused(file, text, exc.start, message, "save the file as UTF-8") from exc
    if size > limits.MAX_AGENTFILE_BYTES:
        raise _too_large(file)
    return source


def _too_large(file: str) -> SourceFaults:
    size = limits.MAX_AGENTFILE_BYTES // limits.MIB
    hint = "move long texts into files and COPY them"
    return _refused(file, "", 0, f"the file is larger than {size} MiB", hint)


def _refused(file: str, text: str, index: int, message: str, hint: str) -> SourceFaults:
    before = text[:index].split("\n")
    place = Place(len(before), len(before[-1]) + 1)
    shown = text.replace("\r\n", "\n").replace("\0", "\ufffd").replace("\r", "\ufffd")
    lines = tuple(shown.split("\n"))
    return SourceFaults([fault_at(file, lines, place, message, width=1, hint=hint)])


class Tokenizer:
    """Yields the statements of a file; what it cannot read it reports and goes on after."""

    def __init__(self, lines: tuple[str, ...], report: Callable[[Mistake], None]) -> None:
        self._lines = lines
        self._next = 0
        self._report = report

    def statements(self) -> Iterator[Statement]:
        """All statements in order; blank lines and comments are left out."""
        while self._next < len(self._lines):
            line = self._lines[self._next]
            if _is_comment(line) or not line.strip(BLANKS):
                self._next += 1
                continue
            text, original = self._logical_line()
            if match := _KEYWORD.match(text.string):
                yield self._statement(text, original, match)

    def _statement(self, text: Text, original: str, match: re.Match[str]) -> Statement:
        keyword = match[1].upper() if match[1].isascii() else match[1]
        bodies = self._bodies(text, match.end()) if keyword in _TAKES_HEREDOCS else ()
        return Statement(keyword, match[1], text, match.start(1), match.end(), original, bodies)

    def _logical_line(self) -> tuple[Text, str]:
        """Join a line with those that continue it; comments in between do not count."""
        pieces: list[str] = []
        anchors: list[tuple[int, int, int]] = []
        length = 0
        while True:
            line = self._lines[self._next]
            self._next += 1
            continued = _CONTINUED.search(line)
            piece = line[: continued.start(1)] if continued else line
            anchors.append((length, self._next, 1))
            pieces.append(piece)
            length += len(piece)
            if continued is None or not self._continues(Text.of_line(line, Place(self._next, 1))):
                return Text("".join(pieces), tuple(anchors)), _on_one_line(pieces)

    def _continues(self, line: Text) -> bool:
        """Step over comments to the line that continues `line`; report when there is none."""
        while self._next < len(self._lines) and _is_comment(self._lines[self._next]):
            self._next += 1
        if self._next < len(self._lines) and self._lines[self._next].strip(BLANKS):
            return True
        at = line.string.rindex("\\")
        message = "'\\' continues the line, but nothing follows it"
        hint = "remove the '\\', or the blank line after it"
        self._report(Mistake(line, at, at + 1, message, hint=hint))
        return False

    def _bodies(self, text: Text, start: int) -> tuple[Body, ...]:
        bodies: list[Body] = []
        with contextlib.suppress(Mistake):  # the parser meets the same one and reports it
            bodies.extend(
                self._body(word, marker)
                for word in words(text, start)
                if (marker := _MARKER.fullmatch(word.raw))
            )
        return tuple(bodies)

    def _body(self, word: Word, marker: re.Match[str]) -> Body:
        dash, quote, name = marker.groups()
        lines: list[Text] = []
        spaced: int | None = None
        while self._next < len(self._lines):
            line = self._lines[self._next]
            self._next += 1
            kept = line.lstrip("\t") if dash else line
            if kept == name:
                break
            if line.strip(BLANKS) == name:
                spaced = self._next
            lines.append(Text.of_line(kept, Place(self._next, 1 + len(line) - len(kept))))
        else:
            hint = f"end it with a line that holds {name} alone"
            if spaced:
                hint += f"; line {spaced} has blanks around it"
            message = f"heredoc {name!r} is never closed"
            self._report(word.mistake(message, hint=hint))
        return Body(name, not quote, tuple(lines))


def is_marker(word: Word) -> bool:
    """Whether the word is a heredoc marker such as `<<EOF`: a body of its statement is its own."""
    return _MARKER.fullmatch(word.raw) is not None


def _is_comment(line: str) -> bool:
    return line.lstrip(BLANKS).startswith("#")


def _on_one_line(pieces: list[str]) -> str:
    """The pieces with the indentation of their lines reduced to one space."""
    joined = [pieces[0].strip(BLANKS)]
    for before, piece in itertools.pairwise(pieces):
        blank = before.endswith((" ", "\t")) or piece.startswith((" ", "\t"))
        joined.append((" " if blank else "") + piece.strip(BLANKS))
    return "".join(joined)
