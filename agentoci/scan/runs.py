"""The pre-filter: runs of characters that keys are made of.

Every key that the rules know by its form holds at least 20 characters of this alphabet in a row,
which neither prose nor noise does. Looking at every third byte is enough to find such runs.
"""

from __future__ import annotations

import re
from typing import Final

SHORTEST: Final = 20
"""The shortest run: an AWS access key id is one of exactly 20 characters."""

CONTEXT_BEFORE: Final = 40
"""Bytes before a run that are kept with it, for what is written before a key (`AccountKey=`)."""

_STEP: Final = 3
_MARK: Final = b"a" * (SHORTEST // _STEP)
_ALPHABET: Final = rb"[A-Za-z0-9_+/%-]"
_RUN: Final = re.compile(_ALPHABET + rb"{%d}" % SHORTEST)
_REST: Final = re.compile(_ALPHABET + rb"*")
_TABLE: Final = bytes(
    ord("a") if re.match(_ALPHABET, bytes([byte])) else ord(" ") for byte in range(256)
)


def runs(content: bytes) -> list[bytes]:
    """Every run of at least SHORTEST characters, each with a little of what stands before it."""
    marks = content[::_STEP].translate(_TABLE)
    found: list[bytes] = []
    at = marks.find(_MARK)
    while at >= 0:
        first = at * _STEP
        run = _RUN.search(content, max(0, first - _STEP + 1), first + SHORTEST)
        if run is None:
            at = marks.find(_MARK, at + 1)
            continue
        rest = _REST.match(content, run.end())
        end = rest.end() if rest else run.end()
        found.append(content[max(0, run.start() - CONTEXT_BEFORE) : end])
        at = marks.find(_MARK, end // _STEP)
    return found
