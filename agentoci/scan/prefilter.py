"""Whether a text can hold a secret at all: one pass of one automaton, which most texts end with.

It asks for what every match of a rule has: its literal, where that is short with the characters
that must follow, or a name with a sign and a value behind it. It may say yes too often, never no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

from agentoci.scan.keyed import NAMES
from agentoci.scan.tokens import TOKENS

if TYPE_CHECKING:
    from agentoci.scan.rules import Rule

_SHORT: Final = 3
"""Literals of so few characters stand in any text."""

_FOLLOWS: Final = rb"[A-Za-z0-9_.-]{16}"
"""What follows a short literal in every key that begins with one."""

_VALUE: Final = rb"[\w.-]{0,24}['\"\]]{0,2}[ \t]{0,8}(?:=|:)[=>]?[ \t]{0,4}['\"`]?[^\s'\"`]{8}"
_URL: Final = rb"://[^\s/@]*:[^\s/@]{3,}@"


def may_hold_secrets(text: bytes) -> bool:
    """Whether looking closer is worth while."""
    return _automaton()(text) is not None


@cache
def _automaton() -> Callable[[bytes], object]:
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    names = b"(?i:" + b"|".join(NAMES) + b")" + _VALUE
    parts = [part for rule in TOKENS for part in _literals(rule)]
    search: Callable[[bytes], object] = re2.compile(
        b"|".join([*dict.fromkeys(parts), names, _URL]), options
    ).search
    return search


def _literals(rule: Rule) -> Iterator[bytes]:
    for literal in rule.literals:
        short = len(literal) <= _SHORT and not rule.glued
        yield re.escape(literal) + (_FOLLOWS if short else b"")
