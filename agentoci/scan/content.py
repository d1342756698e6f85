"""Scanning a file: whole, or in pieces as they are read, in windows that overlap.

Nothing is left out of a file however large it is: what a rule matches is shorter than the overlap.
Archives and compressed files are not opened.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from agentoci._internal.limits import KIB, MIB
from agentoci.scan.findings import SECRETS, Finding, Kind, hash_of, redacted
from agentoci.scan.prefilter import may_hold_secrets
from agentoci.scan.runs import runs
from agentoci.scan.secrets import secrets

WINDOW: Final = 256 * KIB
"""Content of this size is looked at in one go; windows fit the processor's cache."""

OVERLAP: Final = 8 * KIB
"""Bytes that a window shares with the next: more than any rule matches."""

WHOLE: Final = MIB
"""Content up to this size is one window, so that columns are those of an editor."""

BINARY_HEAD: Final = 8 * KIB
"""A file with a NUL in its first bytes is binary: only keys with a form of their own are found."""

MAX_FINDINGS: Final = 100
"""Of one file and kind; with more, one that says so is added, which has an id of its own."""

SHOWN_AGAIN: Final = 5
"""Further places of one finding that are listed; of more there is the number."""


def scan_content(
    path: str, content: bytes | memoryview | Iterable[bytes | memoryview], *, kind: Kind = Kind.FILE
) -> list[Finding]:
    """All findings in the content of a file, by place; secrets for any kind of file.

    With `kind=Kind.TEXT` hidden Unicode and injected prompts, too. `path` is only shown and part of
    the findings' ids: give it relative to the context, with `/`. Content in pieces is scanned piece
    by piece. The same secret twice in a file is one finding, which tells both places. Never raises
    for any content.
    """
    scanner = Scanner(path, kind=kind)
    for piece in (content,) if isinstance(content, bytes | memoryview) else content:
        scanner.feed(piece)
    return scanner.finish()


def without_secrets(text: str) -> str:
    """The text with every secret in it redacted, for logs."""
    content = text.encode("utf-8", "surrogateescape")
    for _, start, end in reversed(secrets(content, runs(content, binary=False), binary=False)):
        shown = redacted(content[start:end]).encode()
        content = content[:start] + shown + content[end:]
    return content.decode("utf-8", "surrogateescape")


def _parts(piece: bytes | memoryview) -> Iterator[bytes | memoryview]:
    if len(piece) <= WHOLE:
        yield piece
        return
    view = memoryview(piece)
    for start in range(0, len(piece), WINDOW):
        yield view[start : start + WINDOW]


class Scanner:
    """Scans one file of which the pieces are fed in order; `finish` ends it."""

    def __init__(self, path: str, *, kind: Kind = Kind.FILE) -> None:
        self._path = path
        self._kind = kind
        self._binary: bool | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._held = b""
        self._fresh = 0  # where in `_held` begins what no window has answered for
        self._offset = 0  # of `_held` in the file
        self._line = 1  # of the first byte held
        self._column = 0  # characters of that line before it
        self._found: dict[tuple[str, str], Finding] = {}
        self._again: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._more: dict[tuple[str, str], int] = {}
        self._left_out: set[str] = set()

    def feed(self, piece: bytes | memoryview) -> None:
        """The next bytes of the file."""
        if self._binary is None:
            self._begin(bytes(piece[:BINARY_HEAD]))
        for part in _parts(piece):
            self._take(part)

    def _take(self, part: bytes | memoryview) -> None:
        self._held += self._text(part)
        if len(self._held) - self._fresh >= WINDOW + OVERLAP:
            self._look(len(self._held) - OVERLAP)
            self._let_go(self._fresh - OVERLAP)

    def finish(self) -> list[Finding]:
        """All findings, by place."""
        if self._decoder is not None:
            self._held += self._decoder.decode(b"", final=True).encode("utf-8", "replace")
        self._look(len(self._held))
        found = (replace(each, again=self._told_again(key)) for key, each in self._found.items())
        return sorted(found, key=lambda f: (f.line, f.column, f.rule))

    def _begin(self, head: bytes) -> None:
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
        self._binary = self._decoder is None and b"\0" in head

    def _text(self, piece: bytes | memoryview) -> bytes | memoryview:
        if self._decoder is None:
            return piece
        return self._decoder.decode(piece).encode("utf-8", "replace")

    def _look(self, limit: int) -> None:
        """Scan what is held, and keep what begins where no window has answered, below `limit`."""
        held, binary = self._held, bool(self._binary)
        reads_text = self._kind is Kind.TEXT and not binary
        telling = binary or may_hold_secrets(held)
        keys = runs(held, binary=binary) if telling or reads_text else []
        for rule, start, end in secrets(held, keys, binary=binary) if telling else ():
            if self._fresh <= start < limit:
                secret = held[start:end]
                message = f"{rule.name} ({redacted(secret)})"
                self._add(SECRETS + rule.id, message, start, end)
        if reads_text:
            from agentoci.scan.texts import spots

            for spot in spots(held, keys, starts_file=self._offset == 0):
                if self._fresh <= spot.start < limit:
                    self._add(spot.rule, spot.message, spot.start, spot.end)
        self._fresh = limit

    def _add(self, rule: str, message: str, start: int, end: int) -> None:
        found = self._held[start:end]
        family, secret = rule.partition("/")[0], hash_of(found)
        if (rule, secret) in self._found:
            self._add_again((rule, secret), start)
            return
        if family in self._left_out:
            return
        if sum(known.startswith(family) for known, _ in self._found) >= MAX_FINDINGS:
            self._left_out.add(family)
            message = f"more than {MAX_FINDINGS} findings, the others are not listed"
            rule, secret = f"{family}/too-many", ""
        width = max(1, len(found.split(b"\n")[0].decode("utf-8", "replace")))
        line, column = self._place(start)
        self._found[rule, secret] = Finding(rule, self._path, line, column, message, secret, width)

    def _add_again(self, key: tuple[str, str], start: int) -> None:
        listed = self._again.setdefault(key, [])
        if len(listed) < SHOWN_AGAIN:
            listed.append(self._place(start))
        else:
            self._more[key] = self._more.get(key, 0) + 1

    def _told_again(self, key: tuple[str, str]) -> str:
        if key not in self._again:
            return ""
        places = ", ".join(f"{line}:{column}" for line, column in self._again[key])
        more = f" and {self._more[key]} more places" if key in self._more else ""
        return f"also at {places}{more}"

    def _place(self, at: int) -> tuple[int, int]:
        if self._binary:
            return 1, self._offset + at + 1
        line_start = self._held.rfind(b"\n", 0, at) + 1
        column = len(self._held[line_start:at].decode("utf-8", "replace")) + 1
        if line_start == 0:
            return self._line, self._column + column
        return self._line + self._held.count(b"\n", 0, at), column

    def _let_go(self, count: int) -> None:
        """Drop bytes that no window needs any more."""
        if not self._binary:
            gone = self._held[:count]
            lines = gone.count(b"\n")
            rest = len(gone[gone.rfind(b"\n") + 1 :].decode("utf-8", "replace"))
            self._column = rest if lines else self._column + rest
            self._line += lines
        self._held = self._held[count:]
        self._offset += count
        self._fresh -= count
