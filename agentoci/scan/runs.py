"""The pre-filter: runs of characters that keys are made of.

Every key that the rules know by its form holds at least 20 characters of this alphabet in a row,
most of them 30, which prose does not. In binary files those of 30 are looked for: looking at every
fifth byte is enough to see that there are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

SHORTEST: Final = 20
"""The shortest run: an AWS access key id is one of exactly 20 characters."""

CONTEXT_BEFORE: Final = 32
"""Bytes before a run that belong to it: what is written before a key (`AccountKey=`)."""

SHORTEST_IN_BINARY: Final = 30
"""The shortest run in a binary file: AWS access key ids, secrets only together with another key,
and GitLab tokens are shorter."""

_STEP: Final = 5
_MARK: Final = b"a"
_OTHER: Final = b" "
_WHOLE: Final = _MARK * SHORTEST
_SAMPLED: Final = _MARK * (SHORTEST_IN_BINARY // _STEP)
_ALPHABET: Final = rb"[A-Za-z0-9_+/%-]"
_RUN: Final = re.compile(_ALPHABET + rb"{%d,}" % SHORTEST_IN_BINARY)
_TELLING: Final = re.compile(rb"[A-Z0-9]")
_TABLE: Final = bytes(
    ord(_MARK if re.match(_ALPHABET, bytes([byte])) else _OTHER) for byte in range(256)
)


Span: TypeAlias = tuple[int, int]
"""Where a run starts and ends."""


def joined(content: bytes, spans: Iterable[Span]) -> bytes:
    """The runs, each with what stands before it."""
    return b"\n".join([content[max(0, start - CONTEXT_BEFORE) : end] for start, end in spans])


def runs(content: bytes, *, binary: bool) -> list[Span]:
    """Every run that is long enough to be looked at, in text without long words and paths: those
    that have no digit and no upper case.

    What is `binary` is sampled, which is fast where runs of any length are rare.
    """
    return _in_noise(content) if binary else _in_text(content)


def _in_text(content: bytes) -> list[Span]:
    marks = content.translate(_TABLE)
    found: list[Span] = []
    start = marks.find(_WHOLE)
    while start >= 0:
        end = marks.find(_OTHER, start + SHORTEST)
        end = end if end >= 0 else len(content)
        if _TELLING.search(content, start, end):
            found.append((start, end))
        start = marks.find(_WHOLE, end)
    return found


def _in_noise(content: bytes) -> list[Span]:
    """A run covers at least six samples in a row; the first lies within its first five bytes."""
    marks = content[::_STEP].translate(_TABLE)
    found: list[Span] = []
    at = marks.find(_SAMPLED)
    while at >= 0:
        first = at * _STEP
        run = _RUN.search(content, max(0, first - _STEP + 1), first + SHORTEST_IN_BINARY)
        if run is None:
            at = marks.find(_SAMPLED, at + 1)
            continue
        run = _RUN.match(content, run.start()) or run  # all of it
        found.append(run.span())
        at = marks.find(_SAMPLED, run.end() // _STEP)
    return found
