"""Words of an instruction: quotes, escapes and `${NAME}`, by the habits of Dockerfiles.

`'…'` is literal; in `"…"` a backslash stands before `"`, `\\` and `$` only; elsewhere it makes the
next character literal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from agentoci.agentfile.places import Mistake, Place, Text

_BLANKS: Final = " \t"
_MAX_NESTING: Final = 8
_BRACED: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(:-|:\+|\})")
_NAMED: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_JSON_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class Fixed:
    """Text that stands for itself; `quoted` when a quote or a backslash made it so."""

    string: str
    start: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """`$NAME` or `${NAME}`, `${NAME:-operand}`, `${NAME:+operand}`."""

    name: str
    operator: str
    operand: tuple[Part, ...]
    start: int
    end: int


Part: TypeAlias = Fixed | Variable


@dataclass(frozen=True, slots=True)
class Word:
    """A word and the parts that its value is made of."""

    text: Text
    start: int
    end: int
    parts: tuple[Part, ...]

    @property
    def raw(self) -> str:
        """As written."""
        return self.text.string[self.start : self.end]

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.text.place(self.start)

    def mistake(self, message: str, *, hint: str | None = None) -> Mistake:
        """A mistake whose caret spans this word."""
        return Mistake(self.text, self.start, self.end, message, hint=hint)

    def partition(self, separator: str) -> tuple[Word, Word | None]:
        """Split at the first separator that is not quoted; None when there is none."""
        for index, part in enumerate(self.parts):
            if isinstance(part, Variable) or part.quoted or separator not in part.string:
                continue
            before, _, after = part.string.partition(separator)
            middle = part.start + len(before)
            left = (*self.parts[:index], replace(part, string=before))
            right = (Fixed(after, middle + 1, quoted=False), *self.parts[index + 1 :])
            return (
                replace(self, end=middle, parts=left),
                replace(self, start=middle + 1, parts=right),
            )
        return self, None


def words(text: Text, start: int) -> Iterator[Word]:
    """The words from offset `start` on; raises Mistake where quotes or braces do not close."""
    reader = _Reader(text, start)
    while word := reader.word():
        yield word


def rest_as_word(text: Text, start: int) -> Word:
    """Everything from `start` to the end as one word, blanks included."""
    end = len(text.string.rstrip(_BLANKS))
    trimmed = Text(text.string[:end], text.anchors)
    return Word(text, start, max(start, end), _Reader(trimmed, start).parts(""))


def plain_text(text: Text) -> Word:
    """A line in which quotes mean nothing: of a heredoc, or a JSON string."""
    return Word(text, 0, len(text.string), _Reader(text, 0, quotes=False).parts(""))


@dataclass(slots=True)
class _Reader:
    text: Text
    at: int
    quotes: bool = True
    _string: str = field(init=False)

    def __post_init__(self) -> None:
        self._string = self.text.string

    def word(self) -> Word | None:
        self.at = skip_blanks(self._string, self.at)
        if not self._char():
            return None
        start = self.at
        parts = self.parts(_BLANKS)
        return Word(self.text, start, self.at, parts)

    def parts(self, stop: str, depth: int = 0) -> tuple[Part, ...]:
        """Up to an unquoted character of `stop`, which is not consumed, or to the end."""
        found: list[Part] = []
        while (char := self._char()) and char not in stop:
            if char == "$":
                found.append(self._dollar(depth))
            elif char == "\\":
                found.append(self._escape("" if self.quotes else "$"))
            elif char == "'" and self.quotes:
                found.append(self._single_quoted())
            elif char == '"' and self.quotes:
                found.extend(self._double_quoted(depth))
            else:
                found.append(self._run(stop))
        return tuple(found)

    def _char(self) -> str:
        return self._string[self.at : self.at + 1]

    def _take(self, end: int) -> str:
        taken = self._string[self.at : end]
        self.at = end
        return taken

    def _run(self, stop: str) -> Fixed:
        """Characters without a meaning of their own; at least one."""
        start = self.at
        end = start + 1
        special = "\\$" + stop + ("'\"" if self.quotes else "")
        while end < len(self._string) and self._string[end] not in special:
            end += 1
        return Fixed(self._take(end), start, quoted=False)

    def _escape(self, only: str) -> Fixed:
        """A backslash; before a character not in `only` (when given) it stands for itself."""
        start = self.at
        following = self._string[start + 1 : start + 2]
        if not following or (only and following not in only):
            return Fixed(self._take(start + 1), start, quoted=True)
        self.at += 2
        return Fixed(following, start, quoted=True)

    def _single_quoted(self) -> Fixed:
        start = self.at
        end = self._string.find("'", start + 1)
        if end < 0:
            raise self._unclosed("'", start)
        self.at = end + 1
        return Fixed(self._string[start + 1 : end], start, quoted=True)

    def _double_quoted(self, depth: int) -> Iterator[Part]:
        start = self.at
        self.at += 1
        while (char := self._char()) != '"':
            if not char:
                raise self._unclosed('"', start)
            if char == "$":
                yield self._dollar(depth)
            elif char == "\\":
                yield self._escape('"\\$')
            else:
                yield replace(self._run(""), quoted=True)
        self.at += 1

    def _unclosed(self, quote: str, start: int) -> Mistake:
        hint = f"close it with {quote}, or write \\{quote} for the character itself"
        return Mistake(self.text, start, start + 1, f"the quote {quote} is not closed", hint=hint)

    def _dollar(self, depth: int) -> Part:
        start = self.at
        if named := _NAMED.match(self._string, start):
            self.at = named.end()
            return Variable(named[1], "", (), start, self.at)
        if self._string[start + 1 : start + 2] != "{":
            return Fixed(self._take(start + 1), start, quoted=True)
        return self._braced(start, depth)

    def _braced(self, start: int, depth: int) -> Variable:
        match = _BRACED.match(self._string, start)
        if match is None:
            hint = r"write ${NAME}, ${NAME:-default} or ${NAME:+alternative}; \$ is a plain dollar"
            raise Mistake(self.text, start, start + 2, "'${' begins no name", hint=hint)
        if depth >= _MAX_NESTING:
            raise Mistake(self.text, start, match.end(), "'${' is nested too deeply")
        self.at = match.end()
        if match[2] == "}":
            return Variable(match[1], "", (), start, self.at)
        operand = self.parts("}", depth + 1)
        if not self._char():
            hint = "close it with '}'"
            raise Mistake(self.text, start, match.end(), "'${' is not closed", hint=hint)
        self.at += 1
        return Variable(match[1], match[2], operand, start, self.at)


def begins_array(text: Text, start: int) -> bool:
    """Whether the rest is meant as a JSON array of strings: `["…`, `['…` or `[]`."""
    if not text.string.startswith("[", start):
        return False
    return text.string.startswith(('"', "'", "]"), skip_blanks(text.string, start + 1))


def read_array(text: Text, start: int) -> tuple[Text, ...]:
    """The strings of a JSON array that takes the rest of the text."""
    found: list[Text] = []
    at = skip_blanks(text.string, start + 1)
    while not (text.string.startswith("]", at) and not found):
        value, at = _read_string(text, at)
        found.append(value)
        at = skip_blanks(text.string, at)
        if not text.string.startswith(",", at):
            break
        at = skip_blanks(text.string, at + 1)
    if not text.string.startswith("]", at):
        hint = 'write ["one", "two"]'
        raise Mistake(text, at, at + 1, "expected ',' or ']' in the JSON array", hint=hint)
    if (end := skip_blanks(text.string, at + 1)) < len(text.string):
        raise Mistake(text, end, len(text.string), "text after the JSON array")
    return tuple(found)


def skip_blanks(string: str, at: int) -> int:
    """The offset of the first character from `at` on that is neither space nor tab."""
    while string.startswith((" ", "\t"), at):
        at += 1
    return at


def _read_string(text: Text, at: int) -> tuple[Text, int]:
    import json

    match = _JSON_STRING.match(text.string, at)
    if match is None:
        hint = 'write ["one", "two"]'
        raise Mistake(text, at, at + 1, "expected a string in double quotes", hint=hint)
    try:
        value: str = json.loads(match[0])
        value.encode("utf-8")
    except ValueError as exc:
        message = f"{match[0][:40]} is not a JSON string"
        raise Mistake(text, at, match.end(), message, hint="a backslash is written \\\\") from exc
    if "\0" in value:
        raise Mistake(text, at, match.end(), "a NUL character in a string")
    place = text.place(at)
    return Text.of_line(value, Place(place.line, place.column + 1)), match.end()
